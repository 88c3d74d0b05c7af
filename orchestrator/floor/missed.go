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

// lostSince is when a switch was heard last, zero while it is heard.
func (f *Floor) lostSince(id o.SwitchID) time.Time {
	if p := f.Switches[id]; p != nil && !p.Attached {
		return p.Since
	}
	return zero
}

// lose stops the clocks of the calls a switch does not carry any more. It says
// nothing of when they ended, so the time in which nobody listened is neither
// talk nor wait.
func (f *Floor) lose(sw o.SwitchID, there map[o.LegID]o.SnapshotLeg, since time.Time) {
	if since.IsZero() {
		return
	}
	for _, c := range f.callsOn(sw) {
		if _, carried := there[c.Leg]; !carried && f.Legs[c.Leg] != nil {
			f.emit(o.CallLost{Call: c.ID, Switch: sw, Since: since})
		}
	}
}
