package simulation

import (
	"time"
)

// someNumber is what an agent may dial: a colleague, a phone, a number of the
// centre, or nothing anybody has.
func (w *World) someNumber() string {
	d, c := w.dice, w.plan.Config
	switch d.IntN(8) {
	case 0:
		return "777"
	case 1:
		return pick(d, c.Numbers...).Dialled
	case 2:
		return number(pick(d, c.Phones...).Endpoint)
	case 3, 4, 5: // somebody who is seen not to talk
		for i, p := range w.phones {
			if !p.inUse() && p.reachable {
				return c.Agents[i].Number
			}
		}
	}
	return pick(d, c.Agents...).Number
}

// send is an agent with a mind to send whoever they talk to elsewhere.
func (a *desk) send(f *Far) {
	d := a.w.dice
	if !d.chance(a.w.plan.Transfers) {
		return
	}
	to := a.w.someNumber()
	a.after(d.between(time.Second, 15*time.Second), func() {
		if d.chance(40) {
			f.Transfer(to)
			if d.chance(20) { // rather than wait for what comes of it
				a.after(d.between(0, time.Second), f.Hangup)
			}
			return
		}
		a.consult(f, to)
	})
}

// consult is an agent asking somebody on a second line.
func (a *desk) consult(f *Far, to string) {
	if f.live() == nil || !f.up {
		return
	}
	d := a.w.dice
	if d.chance(80) { // some phones hold by themselves, some agents forget
		f.Hold()
	}
	second := f.phone.Dial(to, &consultant{a: a, first: f})
	switch d.IntN(8) {
	case 0, 1: // put through before anybody is there
		a.after(d.between(0, 5*time.Second), func() { f.TransferTo(second) })
	case 2: // thought better of it
		a.after(d.between(time.Second, 20*time.Second), second.Hangup)
	case 3: // the wrong line
		a.after(d.between(time.Second, 20*time.Second), f.Hangup)
	}
	a.after(d.between(20*time.Second, 60*time.Second), second.Hangup)
}

// consultant is the agent on the second line.
type consultant struct {
	idle
	a     *desk
	first *Far
}

func (c *consultant) Together(f *Far) {
	d := c.a.w.dice
	switch d.IntN(8) {
	case 0:
		c.a.after(d.between(time.Second, 15*time.Second), f.Hangup)
	case 1: // both lines down, in either order
		c.a.after(d.between(time.Second, 15*time.Second), f.Hangup)
		c.a.after(d.between(time.Second, 15*time.Second), c.first.Hangup)
	case 2: // in the same breath
		c.a.after(d.between(time.Second, 15*time.Second), func() {
			c.first.TransferTo(f)
			pick(d, f, c.first).Hangup()
		})
	default:
		c.a.after(d.between(time.Second, 15*time.Second), func() { c.first.TransferTo(f) })
	}
}

func (c *consultant) Alone(f *Far) {
	c.a.after(c.a.w.dice.between(time.Second, 5*time.Second), f.Hangup)
}
func (c *consultant) Fallback(f *Far) { c.a.after(2*time.Second, f.Hangup) }

func (c *consultant) Ended(*Far) {
	c.a.after(c.a.w.dice.between(0, 3*time.Second), c.first.Resume)
}

// dialOut is an agent calling a colleague, whom they may send on.
func (w *World) dialOut(i int) {
	p := w.phones[i]
	if p.inUse() || !p.reachable {
		return
	}
	f := p.Dial(w.someNumber(), &outward{desk{w: w}})
	w.clock.After(w.dice.between(20*time.Second, 90*time.Second), f.Hangup)
	if w.dice.chance(10) {
		w.clock.After(w.dice.between(0, 5*time.Second), f.Hangup)
	}
}

// outward is an agent who called.
type outward struct{ desk }

func (o *outward) Up(*Far)         {}
func (o *outward) Together(f *Far) { o.send(f) }
func (o *outward) Fallback(f *Far) { o.after(2*time.Second, f.Hangup) }
