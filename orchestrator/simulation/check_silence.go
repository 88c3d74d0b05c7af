package simulation

import (
	"time"

	o "ringmaster/orchestrator"
)

// silences holds that nobody talks while nobody listens: when a switch is heard
// again, or given up, and does not carry an end of a talk any more, the talk and
// the agent's part in it ended when the switch fell silent.
type silences struct {
	w     *World
	began map[o.SwitchID]time.Time // of the silences that last
	now   uint64                   // the step in which one is over
	pbx   o.SwitchID
	since time.Time
	lived map[o.LegID]bool   // legs that rang or were answered
	owed  map[o.AgentID]bool // agents who must be told as gone since then, in this step
}

func newSilences(w *World) *silences {
	return &silences{w: w, began: map[o.SwitchID]time.Time{}, lived: map[o.LegID]bool{}, owed: map[o.AgentID]bool{}}
}

func (s *silences) fact(f o.Fact) {
	switch d := f.What.(type) {
	case o.SwitchDetached:
		if at, lasts := s.began[d.Switch]; lasts { // given up
			s.now, s.pbx, s.since = f.Seq, d.Switch, at
			return
		}
		s.began[d.Switch] = f.At
	case o.SwitchAttached:
		s.now, s.pbx, s.since = f.Seq, d.Switch, s.began[d.Switch]
		delete(s.began, d.Switch)
	case o.LegRang:
		s.lived[d.Leg] = true
	case o.LegAnswered:
		s.lived[d.Leg] = true
	case o.LegClosed:
		s.closed(f, d)
	case o.AgentChanged:
		s.changed(d)
	}
}

// closed is a leg that may have vanished in a silence.
func (s *silences) closed(f o.Fact, d o.LegClosed) {
	b := s.w.book
	l := b.legs[d.Leg]
	if f.Seq != s.now || s.since.IsZero() || l == nil || l.pbx != s.pbx || d.By != o.EndedBySwitch || d.Cause != 0 {
		return
	}
	c := b.call(l.call)
	if l.id == c.agentLeg || l.id == c.leg {
		if ended := !c.gone.IsZero() && !c.gone.After(s.since); !ended && (c.lost.IsZero() || c.lost.After(s.since)) {
			s.w.fail("silence: leg %s of call %s vanished with switch %s, silent since %s, and the call counts to %s",
				l.id, c.id, s.pbx, s.since.Format("15:04:05.000"), c.lost)
		}
	}
	if a := b.agents[l.agent]; a != nil && a.leg == l.id && s.lived[l.id] && onALeg(a.state) {
		s.owed[a.id] = true
	}
}

func onALeg(state o.AgentState) bool {
	return state == o.AgentTalking || state == o.AgentHolding || state == o.AgentReserved
}

// changed is the agent's interval that must end with the leg.
func (s *silences) changed(d o.AgentChanged) {
	if !s.owed[d.Agent] {
		return
	}
	delete(s.owed, d.Agent)
	if d.State != o.AgentPhoneLost || !d.Since.Equal(s.since) {
		s.w.fail("silence: agent %s's leg vanished with switch %s, silent since %s, and they are told as %s since %s",
			d.Agent, s.pbx, s.since.Format("15:04:05.000"), d.State, d.Since)
	}
}

func (s *silences) step(o.Input, o.Effects) {
	for id := range s.owed { // order-free: any one is a failure
		s.w.fail("silence: agent %s's leg vanished with switch %s and nothing is told of them", id, s.pbx)
	}
	clear(s.owed)
}

func (s *silences) end() {}
