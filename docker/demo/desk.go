package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"ringmaster/api/gen"
	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// What people do, in parts of all cases and in time.
const (
	partRejects = 0.06
	partIgnores = 0.08
	partHolds   = 0.10
	partPauses  = 0.07 // after a call

	keyPause   = 1500 * time.Millisecond // between hearing a question and typing
	codeMax    = 20 * time.Second        // for one call to a feature code
	answerMax  = 10 * time.Second
	goodbyeMax = 5 * time.Second
	lookEvery  = 100 * time.Millisecond
	soundMax   = 5 * time.Second // by then both must have heard the other
)

// desk is one agent and the phone on their desk.
type desk struct {
	agent gen.Agent
	phone *phone.Phone
	codes orchestrator.FeatureCodes
	book  *book
	took  int // calls answered
}

// newDesk registers the phone of the agent in the given place.
func newDesk(ctx context.Context, pbx *lab.Asterisk, r roster, place int, b *book) (*desk, error) {
	line := pbx.Agents[place]
	if "PJSIP/"+line.Number != r.phones[place].Endpoint {
		return nil, fmt.Errorf("center.yaml: phone %s is not PJSIP/%s", r.phones[place].ID, line.Number)
	}
	p, err := phone.New(phone.Config{
		User: line.Number, Password: line.Password, Registrar: pbx.SIPAddr, ListenHost: "127.0.0.1",
		ToneHz: agentHz + 100*place, Tones: tones(len(r.agents)), MaxCall: 10 * time.Minute,
	})
	if err != nil {
		return nil, err
	}
	d := &desk{agent: r.agents[place], phone: p, codes: orchestrator.FeatureCodes{}.WithDefaults(), book: b}
	if err := p.Register(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return d, nil
}

// login is what an agent does in the morning: code, number, PIN.
func (d *desk) login(ctx context.Context) error {
	return d.dial(ctx, d.codes.Login, d.agent.Number+"#", d.agent.PIN+"#")
}

// dial calls a feature code, types what it asks for and listens to the end.
func (d *desk) dial(ctx context.Context, code string, typed ...string) error {
	ctx, cancel := context.WithTimeout(ctx, codeMax)
	defer cancel()
	call, err := d.phone.Dial(ctx, code, phone.DialOptions{})
	if err != nil {
		return err
	}
	defer hangUp(ctx, call)
	if err := call.WaitAnswer(ctx); err != nil {
		return err
	}
	for _, keys := range typed {
		if !sleep(ctx, keyPause) {
			return ctx.Err()
		}
		if err := call.SendDTMF(ctx, keys); err != nil {
			return err
		}
	}
	_, err = call.WaitEnd(ctx)
	return err
}

// work takes calls until ctx ends.
func (d *desk) work(ctx context.Context) {
	for ctx.Err() == nil {
		call, err := d.phone.WaitCall(ctx)
		if err != nil {
			return
		}
		d.take(ctx, call)
		if d.took > 0 && mood() < partPauses {
			d.rest(ctx)
		}
	}
}

// take does with a ringing phone what people do. The first call of the day is answered.
func (d *desk) take(ctx context.Context, call *phone.Call) {
	defer hangUp(ctx, call)
	m := mood()
	switch {
	case d.took > 0 && m < partIgnores:
		await(ctx, call, time.Minute)
	case d.took > 0 && m < partIgnores+partRejects:
		if await(ctx, call, between(time.Second, 3*time.Second)) {
			_ = call.Reject(ctx, 603) // fails when the caller was faster
		}
	default:
		if await(ctx, call, between(800*time.Millisecond, 4*time.Second)) {
			d.talk(ctx, call)
		}
	}
}

// talk answers and talks until either side has had enough.
func (d *desk) talk(ctx context.Context, call *phone.Call) {
	answered, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	v := d.book.of(call.Peer())
	if v == nil || call.Answer(answered) != nil {
		return // the caller went while it rang
	}
	d.took++
	v.pickedUp(d.agent.Name, d.phone.ToneHz())
	length := between(8*time.Second, 25*time.Second)
	hold := between(soundMax, 4*length)
	if mood() >= partHolds {
		hold = time.Hour
	}
	for began := time.Now(); time.Since(began) < length; {
		if !await(ctx, call, lookEvery) {
			return
		}
		if hears(call, v.hz, d.phone.ToneHz()) {
			d.book.heard(v, func(v *visit) { v.agentHears = true })
		}
		if time.Since(began) > hold {
			hold = time.Hour
			d.hold(ctx, call)
		}
	}
}

// hold looks something up.
func (d *desk) hold(ctx context.Context, call *phone.Call) {
	if call.Hold(ctx) == nil && await(ctx, call, between(2*time.Second, 5*time.Second)) {
		_ = call.Unhold(ctx) // fails when the caller went
	}
}

// rest pauses for a coffee and comes back, by feature codes.
func (d *desk) rest(ctx context.Context) {
	reason := "1"
	if mood() < 0.5 {
		reason = "2"
	}
	if d.dial(ctx, d.codes.Pause, reason) == nil {
		sleep(ctx, between(8*time.Second, 15*time.Second))
	}
	// Asked again when the line was not free: an agent does not stay away for ever.
	for range 3 {
		if d.dial(ctx, d.codes.Ready) == nil || !sleep(ctx, keyPause) {
			return
		}
	}
}

// leave takes the phone off the PBX.
func (d *desk) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, goodbyeMax)
	defer cancel()
	return errors.Join(d.phone.Unregister(ctx), d.phone.Close())
}

// hears says whether a call has heard the other's voice for the last moments, and not its own.
func hears(call *phone.Call, other, own int) bool {
	now := time.Now()
	from := now.Add(-6 * phone.Window)
	return call.Ear().Heard(other, from, now) > 0.8 && call.Ear().Heard(own, from, now) < 0.2
}

// await waits, and says whether the call is still there.
func await(ctx context.Context, call *phone.Call, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-call.Done():
		return false
	case <-timer.C:
		return true
	}
}

// hangUp ends a call also when ctx is over: that is when most calls end.
func hangUp(ctx context.Context, call *phone.Call) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeMax)
	defer cancel()
	_ = call.Hangup(ctx) // a far end that does not answer is gone
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func between(low, high time.Duration) time.Duration {
	return low + rand.N(high-low) //nolint:gosec // no secret
}

// mood is how somebody feels just now, from 0 to 1.
func mood() float64 {
	return rand.Float64() //nolint:gosec // no secret
}

// each does something with every desk at the same time.
func each(desks []*desk, do func(*desk) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(desks))
	for i, d := range desks {
		wg.Go(func() {
			if err := do(d); err != nil {
				errs[i] = fmt.Errorf("%s: %w", d.agent.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
