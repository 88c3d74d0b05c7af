package simulation

import (
	"slices"

	o "ringmaster/orchestrator"
)

// hands is I2: an agent has at most one offer or call at a time, is told to be
// in the state that follows, and changes states legally.
type hands struct{ w *World }

// next are the states that may follow a state. A state follows itself only to
// tell another reason.
var next = map[o.AgentState][]o.AgentState{
	o.AgentReady:     {o.AgentReserved, o.AgentPaused, o.AgentLoggedOut, o.AgentPhoneLost, o.AgentBusy},
	o.AgentReserved:  {o.AgentTalking, o.AgentHolding, o.AgentWrapUp, o.AgentReady, o.AgentPaused, o.AgentLoggedOut, o.AgentPhoneLost, o.AgentBusy},
	o.AgentTalking:   {o.AgentHolding, o.AgentWrapUp, o.AgentReady, o.AgentPaused, o.AgentLoggedOut, o.AgentPhoneLost, o.AgentBusy},
	o.AgentHolding:   {o.AgentTalking, o.AgentWrapUp, o.AgentReady, o.AgentPaused, o.AgentLoggedOut, o.AgentPhoneLost, o.AgentBusy},
	o.AgentWrapUp:    {o.AgentReserved, o.AgentReady, o.AgentPaused, o.AgentLoggedOut, o.AgentPhoneLost, o.AgentBusy},
	o.AgentPaused:    {o.AgentReserved, o.AgentPaused, o.AgentReady, o.AgentLoggedOut, o.AgentPhoneLost, o.AgentBusy},
	o.AgentPhoneLost: {o.AgentWrapUp, o.AgentReserved, o.AgentReady, o.AgentPaused, o.AgentLoggedOut, o.AgentBusy},
	o.AgentBusy:      {o.AgentReserved, o.AgentWrapUp, o.AgentReady, o.AgentPaused, o.AgentLoggedOut, o.AgentPhoneLost},
	o.AgentLoggedOut: {o.AgentReady, o.AgentPhoneLost, o.AgentBusy},
}

func (h *hands) fact(f o.Fact) {
	b := h.w.book
	switch d := f.What.(type) {
	case o.AgentChanged:
		a := b.agent(d.Agent)
		if !slices.Contains(next[a.state], d.State) {
			h.w.fail("I2: agent %s cannot go from %s to %s", d.Agent, a.state, d.State)
		}
		if (d.State == o.AgentWrapUp) != !d.Until.IsZero() {
			h.w.fail("I2: agent %s is told as %s until %v", d.Agent, d.State, d.Until)
		}
	case o.OfferMade:
		a := b.agent(d.Agent)
		if l := b.legs[d.Leg]; l != nil { // moved here with its agent
			if l.closed || l.call != d.Call || a.leg != d.Leg || a.talking {
				h.w.fail("I2: offer %s inherits leg %+v of agent %+v", d.Offer, *l, *a)
			}
			return
		}
		free := d.Queue == "" || a.state == o.AgentReady && a.notBefore.IsZero()
		if a.leg != "" || a.talking || a.inside || !a.loggedIn || !free || a.phone != d.Phone {
			h.w.fail("I2: offer %s is made to agent %+v", d.Offer, *a)
		}
		if ph := b.phones[d.Phone]; !b.reachable[ph.Endpoint] || b.attached[ph.Switch].IsZero() {
			h.w.fail("I2: offer %s is made at phone %s, which cannot be reached", d.Offer, d.Phone)
		}
	}
}

func (h *hands) step(_ o.Input, _ o.Effects) {
	for _, a := range h.w.book.sortedAgents() {
		want := a.state
		switch {
		case a.leg == "" && (a.state == o.AgentReserved || a.state == o.AgentTalking || a.state == o.AgentHolding):
			want = "something without a leg"
		case a.leg != "" && a.talking && a.held:
			want = o.AgentHolding
		case a.leg != "" && a.talking:
			want = o.AgentTalking
		case a.leg != "" && a.inside:
			want = o.AgentBusy
		case a.leg != "":
			want = o.AgentReserved
		}
		if a.state != want {
			h.w.fail("I2: agent %s is told as %s, but is %s: %+v", a.id, a.state, want, *a)
		}
	}
}

func (h *hands) end() {
	for _, a := range h.w.book.sortedAgents() {
		switch a.state {
		case o.AgentReserved, o.AgentTalking, o.AgentHolding, o.AgentWrapUp, o.AgentBusy:
			h.w.fail("liveness: agent %s is still %s", a.id, a.state)
		}
		if !a.notBefore.IsZero() {
			h.w.fail("liveness: agent %s still rests until %s", a.id, a.notBefore)
		}
	}
	if len(h.w.book.services) > 0 {
		h.w.fail("liveness: service calls never ended: %v", h.w.book.services)
	}
}
