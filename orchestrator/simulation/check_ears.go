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
	if e.w.wire.down || b.attached[e.w.sw.ID()].IsZero() {
		clear(e.apart)
		return
	}
	for _, id := range b.open {
		c := b.calls[id]
		caller, agent := e.w.sw.leg(c.leg), e.w.sw.leg(c.agentLeg)
		heard := caller != nil && agent != nil && caller.bridge != nil && caller.bridge == agent.bridge
		if c.phase != o.PhaseTalking || c.ending || heard {
			delete(e.apart, id)
			continue
		}
		if since, known := e.apart[id]; !known {
			e.apart[id] = at
		} else if at.Sub(later(since, e.w.wire.mended)) > tolerated {
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
		with := a.loggedIn && e.w.sw.withCustomer(e.w.book.phones[a.phone].Endpoint)
		if told != e.told[a.id] || with != e.with[a.id] {
			e.n[a.id]++
		}
		e.told[a.id], e.with[a.id] = told, with
	}
}

// withCustomer reports whether a call from outside is in one bridge with a leg
// that we dialled to this phone.
func (s *Switch) withCustomer(endpoint string) bool {
	for _, l := range s.legs {
		if l.entry != "" || l.endpoint != endpoint || l.bridge == nil {
			continue
		}
		for _, other := range l.bridge.legs {
			if other.entry == o.EntryIn {
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
