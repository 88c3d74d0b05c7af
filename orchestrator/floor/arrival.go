package floor

import (
	"time"

	o "ringmaster/orchestrator"
)

// Bounds of waiting for the outside. Each has an entry in DESIGN.md.
const (
	nodeMax    = time.Minute      // for an answer, a release
	playMax    = 10 * time.Minute // for the end of a play
	silentMax  = 3 * time.Second  // for a dialled phone to ring at all
	connectMax = 5 * time.Second  // for an answered agent to be in the bridge
	endingMax  = 5 * time.Second  // for a leg that was hung up to close
	nodesMax   = 5000             // nodes one call may enter
)

// legOffered is a leg that arrived: a caller, or an agent's phone dialling.
func (f *Floor) legOffered(e o.LegOffered) {
	if f.Legs[e.Leg] != nil {
		return // told twice
	}
	switch e.Entry {
	case o.EntryAgent:
		f.serviceOffered(e)
		return
	case o.EntryLink:
		f.linkOffered(e)
		return
	case o.EntryIn:
	}
	flow := f.flowFor(e.Dialled)
	if flow == nil {
		f.emit(o.CallRefused{Leg: e.Leg, Switch: e.Switch, Dialled: e.Dialled, Caller: e.Caller, Reason: o.ReasonNoNumber})
		f.command(e.Switch, string(e.Leg), o.Release{Leg: e.Leg})
		return
	}
	id := o.CallID(f.newID())
	f.emit(o.CallArrived{
		Call: id, Leg: e.Leg, Switch: e.Switch, Dialled: e.Dialled, Caller: e.Caller,
		Flow: flow.ID, FlowVersion: flow.Version,
	})
	f.emit(o.LegStarted{
		Call: id, Leg: e.Leg, Switch: e.Switch, Role: o.RoleCaller, Endpoint: e.Endpoint, SIPCall: e.SIPCall,
	})
	c := f.Calls[id]
	f.order(c, o.Claim{Leg: e.Leg, Stamp: f.stamp(id, e.Leg, o.RoleCaller)})
	f.enter(c, flow, flow.Start, "")
}

// flowFor is the flow a dialled number enters, nil when there is none.
func (f *Floor) flowFor(dialled string) *o.Flow {
	if n, ok := f.Numbers[dialled]; ok {
		return f.Flows[n.Flow]
	}
	return f.Flows[f.Settings.Unknown]
}

// hangupAsked ends a call by a supervisor's or CRM's word.
func (f *Floor) hangupAsked(e o.HangupAsked) {
	if c := f.Calls[e.Call]; c != nil {
		f.end(c, o.Outcome{Result: o.ResultSystem, Reason: o.ReasonRequested}, o.CauseNormal)
	}
}

// end gives a call its outcome and hangs up what is left of it.
func (f *Floor) end(c *call, out o.Outcome, cause int) {
	if c.Ending == nil {
		f.emit(o.CallEnding{Call: c.ID, Outcome: out})
	}
	f.leaveQueue(c, out.Reason)
	for _, id := range c.Legs {
		f.order(c, o.Hangup{Leg: id, Cause: cause})
	}
	f.finish(c)
}

// finish writes the CDR when no leg is open any more.
func (f *Floor) finish(c *call) {
	if len(c.Legs) > 0 || f.Calls[c.ID] == nil {
		return
	}
	out := o.Outcome{Result: o.ResultUnknown, Reason: o.ReasonUnknown}
	if c.Ending != nil {
		out = *c.Ending
	}
	times := o.Times{
		Flow: o.MillisOf(c.InFlow), Queue: o.MillisOf(c.InQueue), Talk: o.MillisOf(c.InTalk), Hold: o.MillisOf(c.OnHold),
	}
	times.Total = times.Flow + times.Queue + times.Talk + times.Hold
	f.emit(o.CallEnded{Call: c.ID, Outcome: out, Times: times})
}
