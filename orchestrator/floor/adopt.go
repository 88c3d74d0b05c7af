package floor

import (
	o "ringmaster/orchestrator"
)

// Legs of ours that the floor does not know: a leader that died, or was cut off
// from its database, took what it had decided last with it.

// triggerAdopted is the trigger of an offer that another leader made.
const triggerAdopted = "adopted"

// adopt takes a leg the floor does not know. One that was never claimed is a
// caller who arrived while nobody listened. One with our stamp is from a past
// the journal does not hold: people who talk are left alone, a caller who is
// alone starts again, anything else ends.
func (f *Floor) adopt(sw o.SwitchID, s o.SnapshotLeg) {
	switch {
	case s.State == o.LegIsDown:
	case s.Bridge != "" && s.Stamp.Role != "":
		f.emit(o.Healed{Leg: s.Leg, Bridge: string(s.Bridge), Repair: "left talking: unknown here"})
	case s.Entry == o.EntryIn:
		f.legOffered(o.LegOffered{
			Switch: sw, Leg: s.Leg, Entry: s.Entry, Dialled: s.Dialled, Caller: s.Caller, Endpoint: s.Endpoint,
		})
		if s.State == o.LegIsUp {
			f.legUp(s.Leg)
		}
	case (s.Entry == o.EntryAgent || s.Entry == o.EntryLink) && s.Stamp == (o.Stamp{}):
		f.legOffered(o.LegOffered{
			Switch: sw, Leg: s.Leg, Entry: s.Entry, Dialled: s.Dialled, Caller: s.Caller, Endpoint: s.Endpoint,
		})
	default:
		f.emit(o.Healed{Leg: s.Leg, Repair: "hung up: unknown here"})
		f.command(sw, string(s.Leg), o.Hangup{Leg: s.Leg, Cause: o.CauseNormal})
	}
}

// adoptTalks takes over two who talk and of whom the floor does not know that
// they do. The stamps say whose call it is and who of the two is the caller, the
// endpoint says which agent; the record holds what is known from here on.
func (f *Floor) adoptTalks(e o.SwitchSynced, there map[o.LegID]o.SnapshotLeg) {
	callers := map[o.CallID]o.SnapshotLeg{}
	for _, s := range e.Snapshot.Legs {
		if s.Stamp.Role == o.RoleCaller && s.State == o.LegIsUp && s.Bridge != "" {
			callers[s.Stamp.Call] = s
		}
	}
	for _, s := range e.Snapshot.Legs {
		caller, ok := callers[s.Stamp.Call]
		if ok && s.Stamp.Role == o.RoleAgent && s.State == o.LegIsUp && s.Bridge == caller.Bridge && f.Legs[s.Leg] == nil {
			f.adoptTalk(e.Switch, caller, s, there)
		}
	}
}

func (f *Floor) adoptTalk(sw o.SwitchID, caller, agent o.SnapshotLeg, there map[o.LegID]o.SnapshotLeg) {
	a := f.unbound(sw, agent.Endpoint, there)
	if a == nil {
		return
	}
	c := f.callOf(caller.Leg)
	switch {
	case c == nil:
		c = f.reopen(sw, caller)
	case c.Leg != caller.Leg || c.Ending != nil || c.direct():
		return
	case c.Phase == o.PhaseTalking: // to somebody else, who has sent it on
		f.emit(o.CallTransferred{
			Call: c.ID, Leg: c.AgentLeg, Party: c.Leg, By: c.Agent, Kind: o.TransferBlind, Target: extensionOf(agent.Endpoint), Agent: a.ID,
		})
	case c.Offer != nil:
		f.withdraw(c)
	}
	f.emit(o.Healed{Leg: agent.Leg, Bridge: string(agent.Bridge), Repair: "taken over: connected by another leader"})
	offered := o.OfferMade{
		Offer: o.OfferID(f.newID()), Call: c.ID, Agent: a.ID, Phone: a.Phone, Leg: agent.Leg, RingUntil: f.At, Bridge: agent.Bridge,
		Decision: o.Decision{IdleSince: a.IdleSince, Free: 1, Priority: c.Priority, Trigger: triggerAdopted, Tried: c.Tried},
	}
	if c.Phase == o.PhaseQueued {
		offered.Queue, offered.Decision.Strategy = c.QueueID, c.queue.Strategy
	}
	f.emit(offered)
	f.emit(o.LegStarted{Call: c.ID, Leg: agent.Leg, Switch: sw, Role: o.RoleAgent, Endpoint: agent.Endpoint, Agent: a.ID})
	f.settle(a)
	for _, s := range []o.SnapshotLeg{caller, agent} {
		if l := f.Legs[s.Leg]; l.State != o.LegIsUp {
			f.emit(o.LegAnswered{Call: c.ID, Leg: s.Leg})
		}
		f.joined(o.Joined{Leg: s.Leg, Bridge: s.Bridge})
	}
}

// unbound is the agent at an endpoint, nil if nobody is there or they are known
// to be in something that goes on. What they did before and is gone is over.
func (f *Floor) unbound(sw o.SwitchID, endpoint string, there map[o.LegID]o.SnapshotLeg) *agent {
	ph := f.phoneAt(sw, endpoint)
	if ph == nil || f.Agents[ph.Agent] == nil {
		return nil
	}
	a := f.Agents[ph.Agent]
	if l := f.Legs[a.Leg]; l != nil {
		if _, carried := there[l.ID]; carried || l.Switch != sw {
			return nil
		}
		f.closeMissed(l)
	}
	return a
}

// reopen begins a call anew for a caller who talks. It is in no node: all that
// can follow is the end, or a transfer.
func (f *Floor) reopen(sw o.SwitchID, s o.SnapshotLeg) *call {
	arrived := o.CallArrived{Call: o.CallID(f.newID()), Leg: s.Leg, Switch: sw, Dialled: s.Dialled, Caller: s.Caller}
	started := o.LegStarted{Call: arrived.Call, Leg: s.Leg, Switch: sw, Role: o.RoleCaller, Endpoint: s.Endpoint}
	ph := f.phoneAt(sw, s.Endpoint)
	if s.Entry == o.EntryAgent && ph != nil {
		arrived.Direction, arrived.Agent, started.Agent = o.CallInternal, ph.Agent, ph.Agent
	}
	if flow := f.flowFor(s.Dialled); flow != nil {
		arrived.Flow, arrived.FlowVersion = flow.ID, flow.Version
	}
	f.emit(arrived)
	f.emit(started)
	if arrived.Direction == o.CallInternal {
		f.settlePhone(ph)
	}
	c := f.Calls[arrived.Call]
	f.claim(c)
	return c
}
