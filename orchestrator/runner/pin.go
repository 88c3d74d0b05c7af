package runner

import (
	"context"
	"strings"
	"sync"
	"time"

	o "ringmaster/orchestrator"
)

// pinDigits bounds a PIN; more digits make it wrong.
const pinDigits = 16

// pinReaders keeps the digits of PINs away from the floor: while a leg has one
// open, its digits end here, and only the verdict goes on.
type pinReaders struct {
	r     *Runner
	lock  sync.Mutex
	byLeg map[o.LegID]*pinReader
	wg    sync.WaitGroup
}

type pinReader struct {
	ask    o.AskID
	q      o.ReadPIN
	digits strings.Builder
	timer  *time.Timer
}

func (p *pinReaders) init(r *Runner) { p.r, p.byLeg = r, map[o.LegID]*pinReader{} }

func (p *pinReaders) open(id o.AskID, q o.ReadPIN) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.dropLocked(q.Leg)
	reader := &pinReader{ask: id, q: q}
	reader.timer = time.AfterFunc(q.Timeout.Duration(), func() { p.timeout(reader) })
	p.byLeg[q.Leg] = reader
}

// takes reports whether an event was a PIN's digit; the end of a leg ends its
// reader.
func (p *pinReaders) takes(e o.Event) bool {
	switch e := e.(type) {
	case o.LegEnded:
		p.lock.Lock()
		defer p.lock.Unlock()
		p.dropLocked(e.Leg)
	case o.Digit:
		return p.digit(e)
	}
	return false
}

func (p *pinReaders) digit(e o.Digit) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	reader := p.byLeg[e.Leg]
	if reader == nil {
		return false
	}
	if e.Digit != "#" {
		if reader.digits.Len() < pinDigits {
			reader.digits.WriteString(e.Digit)
		}
		reader.timer.Reset(reader.q.InterDigit.Duration())
		return true
	}
	p.dropLocked(e.Leg)
	pin := reader.digits.String()
	p.wg.Go(func() { p.check(reader, pin) })
	return true
}

// check asks whether the PIN is right. A store that cannot say makes it wrong
// for now: nobody logs in on a guess.
func (p *pinReaders) check(reader *pinReader, pin string) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	verdict := o.PINWrong
	ok, err := p.r.cfg.PINs.CheckPIN(ctx, p.r.cfg.Tenant, reader.q.Agent, pin)
	switch {
	case err != nil && o.CodeOf(err) == o.CodeUnavailable:
		p.r.log().Error("check PIN", "agent_id", reader.q.Agent, "cause", err)
		verdict = o.PINTimeout
	case ok && err == nil:
		verdict = o.PINCorrect
	}
	p.answer(reader, verdict)
}

func (p *pinReaders) timeout(reader *pinReader) {
	p.lock.Lock()
	current := p.byLeg[reader.q.Leg] == reader
	if current {
		delete(p.byLeg, reader.q.Leg)
	}
	p.lock.Unlock()
	if current {
		p.answer(reader, o.PINTimeout)
	}
}

func (p *pinReaders) answer(reader *pinReader, verdict o.PINVerdict) {
	p.r.post(context.Background(), message{at: now(), event: o.PINRead{Ask: reader.ask, Leg: reader.q.Leg, Verdict: verdict}})
}

func (p *pinReaders) dropLocked(leg o.LegID) {
	if reader := p.byLeg[leg]; reader != nil {
		reader.timer.Stop()
		delete(p.byLeg, leg)
	}
}

func (p *pinReaders) close() {
	p.lock.Lock()
	for leg := range p.byLeg {
		p.dropLocked(leg)
	}
	p.lock.Unlock()
	p.wg.Wait()
}

func now() time.Time { return time.Now() }
