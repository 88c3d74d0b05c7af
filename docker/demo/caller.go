package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
)

// What callers do, in parts of all cases.
const (
	partLeaves = 0.04 // hangs up in the menu
	partSilent = 0.03 // presses nothing
	partWrong  = 0.04 // presses what is not offered first
	partSales  = 0.55
)

// trunk is the line from outside, and the people who call over it.
type trunk struct {
	phone   *phone.Phone
	dialled string
	book    *book
	calls   sync.WaitGroup
}

func newTrunk(pbx *lab.Asterisk, r roster, b *book) (*trunk, error) {
	p, err := phone.New(phone.Config{
		User: "trunk", Registrar: pbx.SIPAddr, ListenHost: lab.CallerIP, CallWaiting: true,
		ToneHz: callerHz, Tones: tones(len(r.agents)), MaxCall: 10 * time.Minute,
	})
	return &trunk{phone: p, dialled: r.dialled, book: b}, err
}

// run lets people call until ctx ends, and returns when the last has hung up.
func (t *trunk) run(ctx context.Context, every time.Duration) {
	for {
		if v := t.book.open(); v != nil {
			t.calls.Go(func() { t.visit(ctx, v, newPlan()) })
		}
		if !sleep(ctx, between(every*4/5, every*6/5)) {
			t.calls.Wait()
			return
		}
	}
}

// plan is what one caller is going to do.
type plan struct {
	keys     []string // pressed one after the other, after thinking
	think    time.Duration
	leaves   bool          // instead of pressing anything
	patience time.Duration // in the queue
	talk     time.Duration // after which the caller hangs up; the agent may be first
}

func newPlan() plan {
	p := plan{
		think: between(3*time.Second, 6*time.Second), patience: between(15*time.Second, 45*time.Second),
		talk: between(8*time.Second, 40*time.Second), leaves: mood() < partLeaves,
	}
	key := "2"
	if mood() < partSales {
		key = "1"
	}
	switch m := mood(); {
	case m < partSilent:
	case m < partSilent+partWrong:
		p.keys = []string{"7", key}
	default:
		p.keys = []string{key}
	}
	return p
}

// visit is one call from the first ring to the last goodbye.
func (t *trunk) visit(ctx context.Context, v *visit, p plan) {
	var up time.Duration
	defer func() { t.book.close(v, up) }()
	call, err := t.phone.Dial(ctx, t.dialled, phone.DialOptions{CallerNumber: v.number, CallerName: v.name})
	if err != nil {
		return // the phone is closing
	}
	defer hangUp(ctx, call)
	answered, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	if errors.Join(call.SetTone(v.hz), call.WaitAnswer(answered)) != nil {
		return
	}
	for _, key := range p.keys {
		if !await(ctx, call, p.think) || p.leaves || call.SendDTMF(ctx, key) != nil {
			return
		}
	}
	t.wait(ctx, call, v, p)
	if hz, since := v.with(); hz != 0 {
		up = time.Since(since)
	}
}

// wait waits for an agent as long as patience lasts, and talks.
func (t *trunk) wait(ctx context.Context, call *phone.Call, v *visit, p plan) {
	for began := time.Now(); await(ctx, call, lookEvery); {
		hz, since := v.with()
		switch {
		case hz == 0:
			if time.Since(began) > p.patience {
				return
			}
		case time.Since(since) > p.talk:
			return
		case hears(call, hz, v.hz):
			t.book.heard(v, func(v *visit) { v.callerHears = true })
		}
	}
}
