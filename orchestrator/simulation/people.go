package simulation

import (
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// idle is a person who does nothing. Others are it and something.
type idle struct{}

func (idle) Called(*Far) int                  { return 180 }
func (idle) Up(*Far)                          {}
func (idle) Hears(*Far, []orchestrator.Media) {}
func (idle) Together(*Far)                    {}
func (idle) Alone(*Far)                       {}
func (idle) Fallback(*Far)                    {}
func (idle) Ended(*Far)                       {}

// caller is a customer: in a hurry, now and then wrong about the menu.
type caller struct {
	idle
	w     *World
	leave *Timer // what they will do when they have had enough
}

// call has a customer call and give up when their patience ends.
func (w *World) call() {
	c := &caller{w: w}
	number := "100"
	switch {
	case w.dice.chance(4):
		number = "999"
	case w.dice.chance(50):
		number = pick(w.dice, w.plan.Config.Numbers...).Dialled
	}
	from := orchestrator.Party{Number: "+4930" + pick(w.dice, "1111", "2222", "3333"), Name: pick(w.dice, "", "Clara")}
	f := w.someWire().sw.Call(number, from, c)
	if f.Ended() || f.Leg() == "" {
		return
	}
	c.later(f, w.dice.about(50*time.Second))
}

// later replaces what the caller is going to do by hanging up.
func (c *caller) later(f *Far, d time.Duration) {
	c.leave.Stop()
	c.leave = c.w.clock.After(min(d, 5*time.Minute), f.Hangup)
}

func (c *caller) Hears(f *Far, media []orchestrator.Media) {
	if !strings.HasPrefix(media[0].Say, "Press") {
		return
	}
	d := c.w.dice
	keys := pick(d, "1", "1", "1", "2", "2", "9", "7", "4", "44", "", "12")
	c.w.clock.After(d.between(200*time.Millisecond, 6*time.Second), func() { f.Press(keys) })
}

func (c *caller) Together(f *Far) {
	c.later(f, c.w.talk())
	if c.w.plan.Transfers > 0 && c.w.dice.chance(4) { // a line with a transfer key of its own
		c.w.clock.After(c.w.dice.between(0, 5*time.Second), func() { f.Transfer(c.w.someNumber()) })
	}
}

func (c *caller) Alone(f *Far)    { c.later(f, c.w.dice.between(time.Second, 30*time.Second)) }
func (c *caller) Fallback(f *Far) { c.later(f, c.w.dice.between(time.Second, 10*time.Second)) }

// talk is how long two people have something to say.
func (w *World) talk() time.Duration {
	if w.plan.Coarse > 0 {
		return w.dice.about(10 * time.Second)
	}
	return w.dice.about(40 * time.Second)
}

// desk is an agent at their phone, taking calls.
type desk struct {
	idle
	w *World
}

// Called is how the agent meets a call. In a good mood they answer soon.
func (a *desk) Called(f *Far) int {
	d := a.w.dice
	if a.w.plan.Sleepy && !a.w.calm && d.chance(50) {
		return 180
	}
	if !a.w.faults().Moods {
		a.after(d.between(500*time.Millisecond, 6*time.Second), f.Answer)
		return 180
	}
	switch d.IntN(12) {
	case 0:
		return pick(d, 486, 603, 480, 503, 404)
	case 1:
		return 0
	case 2, 3:
		return 180 // and never answers
	case 4:
		a.after(d.between(0, 8*time.Second), func() { f.Refuse(603) })
		return 180
	}
	a.after(d.about(5*time.Second), f.Answer)
	return 180
}

func (a *desk) after(d time.Duration, do func()) { a.w.clock.After(d, do) }

func (a *desk) Up(f *Far) {
	d := a.w.dice
	if a.w.faults().Moods && d.chance(8) {
		a.after(d.between(0, 200*time.Millisecond), f.Hangup)
		return
	}
	a.after(time.Minute, func() { // whoever hears nobody hangs up in the end
		if l := f.live(); l != nil && l.bridge == nil {
			f.Hangup()
		}
	})
}

func (a *desk) Together(f *Far) {
	d := a.w.dice
	a.after(a.w.talk(), f.Hangup)
	if a.w.faults().Moods && d.chance(40) {
		start := d.between(time.Second, 20*time.Second)
		a.after(start, f.Hold)
		a.after(start+d.between(time.Second, 20*time.Second), f.Resume)
	}
	if a.w.plan.Transfers > 0 {
		a.send(f)
	}
}

func (a *desk) Alone(f *Far) { a.after(a.w.dice.between(time.Second, 20*time.Second), f.Hangup) }

// dialler is an agent dialling a feature code and talking to its voice.
type dialler struct {
	idle
	w      *World
	number string
	pin    string
}

// code has the agent of phone i dial a feature code, if the phone is free.
func (w *World) code(i int, number string) {
	p := w.phones[i]
	if p.inUse() || !p.reachable {
		return
	}
	agent := w.plan.Config.Agents[i%len(w.plan.Config.Agents)]
	if w.dice.chance(10) { // somebody else's desk
		agent = w.plan.Config.Agents[w.dice.IntN(len(w.plan.Config.Agents))]
	}
	d := &dialler{w: w, number: agent.Number, pin: w.plan.PINs[agent.ID]}
	f := p.Dial(number, d)
	w.clock.After(w.dice.between(20*time.Second, 90*time.Second), f.Hangup)
	if w.dice.chance(10) {
		w.clock.After(w.dice.between(0, 5*time.Second), f.Hangup)
	}
}

func (x *dialler) Hears(f *Far, media []orchestrator.Media) {
	d, keys := x.w.dice, ""
	switch words := media[0].Say; {
	case strings.Contains(words, "agent number"):
		keys = x.number + "#"
	case strings.Contains(words, "PIN"):
		keys = x.pin + "#"
		if d.chance(20) {
			keys = "0815#"
		}
	case strings.Contains(words, "Why do you pause"):
		keys = pick(d, "1", "2", "7")
	}
	if keys == "" || d.chance(5) {
		return
	}
	x.w.clock.After(d.between(200*time.Millisecond, 3*time.Second), func() { f.Press(keys) })
}

func (x *dialler) Fallback(f *Far) { x.w.clock.After(2*time.Second, f.Hangup) }
