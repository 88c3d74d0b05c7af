package simulation

import (
	"time"

	o "ringmaster/orchestrator"
)

// ears hold the facts against what people hear: whoever is told to talk shares
// a bridge on the switch, and an agent's talk time is the time they spent with
// customers, however a call went from hand to hand.
type ears struct {
	w     *World
	apart map[o.CallID]time.Time // told to talk and not together, since

	last time.Time // of the step before, and what was so after it
	told map[o.AgentID]bool
	with map[o.AgentID]bool
	off  map[o.AgentID]time.Duration // with customers less told so
	n    map[o.AgentID]int           // changes of either
}

// reaction is how far the end of a talk may trail what happened: the events
// and orders on their way, and the phone's answer to its hang-up.
const reaction = 100 * time.Millisecond

func newEars(w *World) *ears {
	return &ears{
		w: w, apart: map[o.CallID]time.Time{}, told: map[o.AgentID]bool{}, with: map[o.AgentID]bool{},
		off: map[o.AgentID]time.Duration{}, n: map[o.AgentID]int{},
	}
}

func (e *ears) fact(o.Fact) {}

func (e *ears) step(in o.Input, _ o.Effects) {
	e.together(in.At)
	if e.w.plan.Faults == (Faults{}) {
		e.count(in.At)
	}
}

func (e *ears) together(at time.Time) {
	b := e.w.book
	if !e.w.heard() {
		clear(e.apart)
		return
	}
	for _, id := range b.open {
		c := b.calls[id]
		heard := e.w.within(c.leg, func(l *leg) bool { return l.id == c.agentLeg })
		if c.phase != o.PhaseTalking || c.ending || heard {
			delete(e.apart, id)
			continue
		}
		if since, known := e.apart[id]; !known {
			e.apart[id] = at
		} else if at.Sub(later(since, e.w.mended())) > tolerated {
			e.w.fail("ears: call %s is told to talk to %s; on the switch they are apart for %s", id, c.agent, at.Sub(since))
		}
	}
}

// count adds the time since the step before.
func (e *ears) count(at time.Time) {
	d := at.Sub(e.last)
	e.last = at
	for _, a := range e.w.book.sortedAgents() {
		if e.with[a.id] {
			e.off[a.id] += d
		}
		if e.told[a.id] {
			e.off[a.id] -= d
		}
		told := a.state == o.AgentTalking || a.state == o.AgentHolding
		with := a.loggedIn && e.w.withCustomer(a)
		if told != e.told[a.id] || with != e.with[a.id] {
			e.n[a.id]++
		}
		e.told[a.id], e.with[a.id] = told, with
	}
}

// withCustomer reports whether a leg that we dialled to an agent's phone hears a
// call from outside. While one wraps up, another may have logged in at the phone.
func (w *World) withCustomer(a *bookAgent) bool {
	ph := w.book.phones[a.phone]
	for _, x := range w.wires {
		for _, l := range x.sw.legs {
			if x.sw.ID() != ph.Switch || l.entry != "" || l.endpoint != ph.Endpoint {
				continue
			}
			if dialled := w.book.legs[l.id]; dialled == nil || dialled.agent != a.id {
				continue
			}
			if w.within(l.id, func(other *leg) bool { return other.entry == o.EntryIn }) {
				return true
			}
		}
	}
	return false
}

func (e *ears) end() {
	for _, a := range e.w.book.sortedAgents() {
		if off := e.off[a.id].Abs(); off > time.Duration(e.n[a.id])*reaction {
			e.w.fail("ears: agent %s is told to have talked %s more or less than they did", a.id, off)
		}
	}
}
