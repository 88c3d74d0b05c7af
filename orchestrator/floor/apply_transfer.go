package floor

import (
	"slices"

	o "ringmaster/orchestrator"
)

// applyTransferred takes the agent who asked out of the call. Their leg stays
// one of the call's until it closes, and the agent talks until then.
func (f *Floor) applyTransferred(d o.CallTransferred) {
	c := f.Calls[d.Call]
	c.Return = &comeback{Agent: d.By, Queue: c.QueueID, Arrived: c.Queued, Priority: c.Priority}
	f.phase(c, o.PhaseFlow)
	c.Leg, c.Held, c.NodeBy = d.Party, false, zero
	c.Switch = f.Legs[d.Party].Switch
	c.Agent, c.AgentLeg, c.Bridge = "", "", ""
	if d.Queue != "" {
		c.QueueID, c.QueueVersion, c.queue = d.Queue, d.Version, f.queueVersion(d.Queue, d.Version)
	}
	f.touch(c)
}

// applyMoved takes a leg from the call it was in to another.
func (f *Floor) applyMoved(d o.LegMoved) {
	if from := f.Calls[d.From]; from != nil {
		from.Legs = slices.DeleteFunc(from.Legs, func(id o.LegID) bool { return id == d.Leg })
		from.Agent, from.AgentLeg, from.Bridge = "", "", ""
		f.touch(from)
	}
	f.Legs[d.Leg].Call = d.Call
	c := f.Calls[d.Call]
	c.Legs = append(c.Legs, d.Leg)
	f.touch(c)
}

// applyStarted opens a leg. A phone that dials a colleague is busy with it.
func (f *Floor) applyStarted(d o.LegStarted) {
	f.Legs[d.Leg] = &leg{
		ID: d.Leg, Call: d.Call, Switch: d.Switch, Role: d.Role, Endpoint: d.Endpoint, Agent: d.Agent, State: o.LegNew,
	}
	c := f.Calls[d.Call]
	if c == nil {
		return
	}
	c.Legs = append(c.Legs, d.Leg)
	f.touch(c)
	if lk := c.Link; lk != nil && d.Role == o.RoleLink && d.Leg != lk.Out {
		lk.In = d.Leg
	}
	if ph := f.phoneAt(d.Switch, d.Endpoint); c.Internal && d.Role == o.RoleCaller && ph != nil {
		ph.Dialled = append(ph.Dialled, d.Leg)
		f.indexAt(ph)
	}
}

// goneMax bounds the memory of legs that ended: an event that a snapshot
// overtook is late by seconds, not by hours.
const goneMax = 64

// applyGone remembers a leg that arrived, so that a late word of its arrival is
// not taken for another.
func (f *Floor) applyGone(l *leg) {
	p := f.Switches[l.Switch]
	if p == nil || l.Role == o.RoleAgent {
		return
	}
	if p.Gone = append(p.Gone, l.ID); len(p.Gone) > goneMax {
		p.Gone = slices.Delete(p.Gone, 0, 1)
	}
}

func (f *Floor) gone(sw o.SwitchID, id o.LegID) bool {
	p := f.Switches[sw]
	return p != nil && slices.Contains(p.Gone, id)
}

// hungUpAt forgets an internal call at the phone it was dialled from.
func (f *Floor) hungUpAt(l *leg) {
	ph := f.phoneAt(l.Switch, l.Endpoint)
	if ph == nil || l.Role != o.RoleCaller || !slices.Contains(ph.Dialled, l.ID) {
		return
	}
	ph.Dialled = slices.DeleteFunc(ph.Dialled, func(id o.LegID) bool { return id == l.ID })
	f.indexAt(ph)
}
