package floor

import (
	"time"

	o "ringmaster/orchestrator"
)

// What happened while a switch could not be heard, as far as it shows in what
// it carries afterwards.

// missedTransfers finds attended transfers that a switch did by itself while
// nobody listened: a caller who sits in the bridge of their agent's consult.
func (f *Floor) missedTransfers(sw o.SwitchID, there map[o.LegID]o.SnapshotLeg) {
	talks := map[o.BridgeID]*call{}
	for _, k := range f.callsOn(sw) {
		if k.Phase == o.PhaseTalking && k.Internal && k.Ending == nil {
			talks[k.Bridge] = k
		}
	}
	for _, c := range f.callsOn(sw) {
		k := talks[there[c.Leg].Bridge]
		if k == nil || k == c || k.Ending != nil || c.Phase != o.PhaseTalking || there[k.AgentLeg].Bridge != k.Bridge {
			continue
		}
		f.emit(o.Healed{Leg: c.Leg, Repair: "transferred while nobody listened"})
		f.transferHappened(o.TransferHappened{Leg: c.AgentLeg, Party: c.Leg, Consult: k.Leg, Peer: k.AgentLeg})
	}
}

// missedTalks finds talks that began and ended while nobody listened: of caller
// and agent, who were ordered into a bridge, one is in it and the other is gone.
// A switch joins both or neither, so they have talked.
func (f *Floor) missedTalks(sw o.SwitchID, there map[o.LegID]o.SnapshotLeg) {
	for _, c := range f.callsOn(sw) {
		of := c.Offer
		if of == nil || !of.Answered || c.Link != nil || c.Ending != nil {
			continue
		}
		caller, callerThere := there[c.Leg]
		agent, agentThere := there[of.Leg]
		if callerThere == agentThere || caller.Bridge != of.Bridge && agent.Bridge != of.Bridge {
			continue
		}
		f.emit(o.Healed{Leg: of.Leg, Bridge: string(of.Bridge), Repair: "talked while nobody listened"})
		f.joined(o.Joined{Leg: c.Leg, Bridge: of.Bridge})
		f.joined(o.Joined{Leg: of.Leg, Bridge: of.Bridge})
	}
}

// silentSince is when the silence began in which a switch is missed, or out of
// which it came in this very step; zero while it is heard.
func (f *Floor) silentSince(id o.SwitchID) time.Time {
	p := f.Switches[id]
	switch {
	case p == nil:
		return zero
	case !p.Attached:
		return p.Since
	case p.Since.Equal(f.At):
		return p.Silent
	}
	return zero
}

// vanished is when a leg was last known to live that its switch did not carry
// any more when it was heard again; zero for one whose end was told, and for one
// of which nothing was ever heard but our own order.
func (f *Floor) vanished(l *leg, d o.LegClosed) time.Time {
	if d.By != o.EndedBySwitch || d.Cause != 0 || l.State == o.LegNew {
		return zero
	}
	return f.silentSince(l.Switch)
}

// lose stops the clocks of the calls of which a switch does not carry an end any
// more, the caller's or the agent's. It says nothing of when that end went, so
// the time in which nobody listened is neither talk nor wait.
func (f *Floor) lose(sw o.SwitchID, there map[o.LegID]o.SnapshotLeg) {
	since := f.silentSince(sw)
	if since.IsZero() {
		return
	}
	missing := func(id o.LegID) bool {
		l := f.Legs[id]
		_, carried := there[id]
		return l != nil && l.Switch == sw && !carried
	}
	for _, id := range sortedKeys(f.Calls) {
		c := f.Calls[id]
		over := !c.Ended.IsZero() && !c.Ended.After(since)
		known := !c.Lost.IsZero() && !c.Lost.After(since) // with another switch, before
		if !over && !known && (missing(c.Leg) || missing(c.AgentLeg)) {
			f.emit(o.CallLost{Call: c.ID, Switch: sw, Since: since})
		}
	}
}
