package floor

import (
	o "ringmaster/orchestrator"
)

// asked is a phone's wish to transfer, in the floor's own terms: the asking
// agent leaves call, and party is who stays in it.
type asked struct {
	call    *call
	leg     o.LegID
	party   o.LegID
	by      o.AgentID
	kind    o.TransferKind
	target  string
	consult o.LegID
	done    bool // by the switch already
}

// transferAsked is a phone's transfer key, on a switch that waits for our word.
func (f *Floor) transferAsked(e o.TransferAsked) {
	if t, ok := f.understand(e); ok {
		f.transfer(t)
	}
}

// transferHappened is a transfer the switch has done. It can be followed or
// mended, not refused.
func (f *Floor) transferHappened(e o.TransferHappened) {
	t, ok := f.understand(o.TransferAsked(e))
	if !ok {
		return
	}
	t.done = true
	f.transfer(t)
}

// understand finds what a transfer is about; ok is false when its talk is over
// or it was told before. Who is transferred is the floor's own knowledge, not
// the event's.
func (f *Floor) understand(e o.TransferAsked) (t asked, ok bool) {
	l := f.Legs[e.Leg]
	c := f.callOf(e.Leg)
	if c == nil || c.Ending != nil || c.Phase != o.PhaseTalking || l.ID != c.Leg && l.ID != c.AgentLeg {
		return asked{}, false
	}
	t = asked{call: c, leg: e.Leg, party: c.Leg, by: l.Agent, kind: o.TransferBlind, target: e.Target, consult: e.Consult}
	if l.ID == c.Leg {
		t.party = c.AgentLeg
	}
	if e.Consult != "" {
		t.kind = o.TransferAttended
		if k := f.callOf(e.Consult); k != nil {
			t.target = k.Dialled
		}
	}
	return t, true
}

func (f *Floor) transfer(t asked) {
	k := f.consultOf(t)
	to, known := f.destinationOf(t.call.Switch, t.target)
	code := ""
	switch {
	case t.leg == t.call.Leg && !t.call.Internal:
		code = "not_allowed" // a customer's own line must not send calls anywhere
	case !f.attached(f.Legs[t.party].Switch): // the party could not be taken anywhere
		code = string(o.OfferUnreachable)
	case t.kind == o.TransferAttended && k == nil:
		code = "consult_gone"
	case t.kind == o.TransferAttended:
	case !known:
		code = string(o.ReasonNoNumber)
	case to.flow == nil:
		code = string(f.barred(t.call, to.agent))
	}
	switch {
	case code != "" && !t.done:
		f.refuseTransfer(t, code)
	case code == "not_allowed": // the snapshot puts the two together again
		f.ask(o.Resync{Switch: t.call.Switch})
	case k != nil:
		f.attended(t, k)
	default:
		f.blind(t, to)
	}
}

// consultOf is the call a phone transfers to, nil when it is no more, or never
// was that phone's.
func (f *Floor) consultOf(t asked) *call {
	k := f.callOf(t.consult)
	if k == nil || k == t.call || k.Leg != t.consult || k.Ending != nil || !k.Internal {
		return nil
	}
	if l, consult := f.Legs[t.leg], f.Legs[t.consult]; l.Switch != consult.Switch || l.Endpoint != consult.Endpoint {
		return nil
	}
	return k
}

func (f *Floor) refuseTransfer(t asked, code string) {
	f.emit(o.TransferRefused{Call: t.call.ID, Leg: t.leg, By: t.by, Kind: t.kind, Target: t.target, Code: code})
	f.order(t.call, o.RejectTransfer{Leg: t.leg})
}

// blind takes the party to where a number leads. A transfer that has happened
// and leads nowhere comes back.
func (f *Floor) blind(t asked, to destination) {
	told := o.CallTransferred{Agent: to.agent}
	if to.flow != nil {
		told.Flow = to.flow.ID
	}
	f.clear(t.call, f.part(t, told))
	if to.flow != nil {
		f.enter(t.call, to.flow, to.flow.Start, "transfer")
		return
	}
	f.direct(t.call, to.agent, triggerTransferred)
}

// talk is the bridge in which two talked, and the switch it is on.
type talk struct {
	on     o.SwitchID
	bridge o.BridgeID
}

// part takes the asking agent out of the call and returns where they talked.
func (f *Floor) part(t asked, told o.CallTransferred) talk {
	was := talk{t.call.Switch, t.call.Bridge}
	told.Call, told.Leg, told.Party, told.By = t.call.ID, t.leg, t.party, t.by
	told.Kind, told.Target = t.kind, t.target
	f.emit(told)
	if !t.done {
		f.order(t.call, o.AcceptTransfer{Leg: t.leg})
	}
	f.dropLink(t.call, "transferred")
	f.order(t.call, o.Hangup{Leg: t.leg, Cause: o.CauseNormal})
	return was
}

// clear takes the caller out of a talk's bridge, which nobody needs any more.
func (f *Floor) clear(c *call, was talk) {
	if f.inBridge(c.Leg, was.bridge) {
		f.order(c, o.Separate{Leg: c.Leg, Bridge: was.bridge})
	}
	f.close(c, was)
}

func (f *Floor) close(c *call, was talk) {
	f.command(was.on, string(c.ID), o.CloseBridge{Bridge: was.bridge})
}

// attended puts the party in the place of the asking agent in the call they
// made, however far that has got.
func (f *Floor) attended(t asked, k *call) {
	told := o.CallTransferred{Consult: k.ID, Agent: k.Agent}
	if k.queue != nil {
		told.Queue, told.Version = k.QueueID, k.QueueVersion
	}
	if k.Offer != nil {
		told.Agent = k.Offer.Agent
	}
	c, was := t.call, f.part(t, told)
	if k.Phase == o.PhaseTalking || k.Offer != nil && k.Offer.Answered {
		f.inherit(c, k, t.done) // out of the one bridge into the other
		f.close(c, was)
		f.end(k, o.Outcome{Result: o.ResultCompleted, Reason: o.ReasonTransferred}, o.CauseNormal)
		return
	}
	f.clear(c, was)
	switch {
	case k.Offer != nil:
		f.inherit(c, k, t.done)
	case k.Phase == o.PhaseQueued:
		f.emit(o.CallLeftQueue{Call: k.ID, Queue: k.QueueID, Reason: o.ReasonTransferred, Waited: f.waited(k)})
		f.takePlace(c, k)
	case k.flow != nil:
		f.enter(c, k.flow, k.Node, "transfer")
	default:
		f.notReached(c, o.OfferUnreachable)
	}
	f.end(k, o.Outcome{Result: o.ResultCompleted, Reason: o.ReasonTransferred}, o.CauseNormal)
}

// takePlace lets a call wait where another did, from when that one came.
func (f *Floor) takePlace(c, k *call) {
	if q := f.Queues[k.QueueID]; q != nil {
		f.line(c, q, k.Priority, k.Queued)
		return
	}
	f.notReached(c, o.OfferUnreachable)
}

// inherit gives a call the agent that another rings or talks to. Their phone
// goes on ringing, or they go on listening, for the new call.
func (f *Floor) inherit(c, k *call, done bool) {
	made := o.OfferMade{
		Offer: o.OfferID(f.newID()), Call: c.ID, Agent: k.Agent, Leg: k.AgentLeg, RingUntil: f.At.Add(directRing), Bridge: k.Bridge,
		Decision: o.Decision{Free: 1, Priority: c.Priority, Trigger: triggerTransferred, Tried: c.Tried},
	}
	if of := k.Offer; of != nil {
		made.Agent, made.Leg, made.RingUntil, made.Bridge = of.Agent, of.Leg, of.RingUntil, of.Bridge
		made.Queue = f.handOver(c, k)
	}
	a, l := f.Agents[made.Agent], f.Legs[made.Leg]
	was := talk{k.Switch, made.Bridge}
	apart := k.Link != nil || l.Switch != c.Switch
	if apart { // the consult's bridge is not where the two will meet
		made.Bridge = ""
	}
	made.Phone, made.Decision.IdleSince = a.Phone, a.IdleSince
	f.emit(o.LegMoved{
		Call: c.ID, From: k.ID, Leg: l.ID, Switch: l.Switch, Role: l.Role, Endpoint: l.Endpoint, Agent: l.Agent, State: l.State,
	})
	f.emit(made)
	f.settle(a)
	if apart && was.bridge != "" && f.bridged(k) {
		f.close(k, was)
	}
	switch {
	case !c.Offer.Answered:
		f.announceRinging(c)
	case done && !apart:
		f.together(c)
	default:
		// In the consult's lane: behind what was ordered of its bridge.
		f.unite(c, string(k.ID))
	}
}

// handOver ends the consult's offer, and its wait if it came by a queue: the
// call then goes on waiting there.
func (f *Floor) handOver(c, k *call) o.QueueID {
	of, a := *k.Offer, f.Agents[k.Offer.Agent]
	f.emit(o.OfferEnded{
		Offer: of.ID, Call: k.ID, Queue: of.Queue, Agent: a.ID, Outcome: o.OfferCancelled, Rang: f.rang(&of),
		NotBefore: a.NotBefore, Misses: a.Misses,
	})
	if of.Queue == "" || f.Queues[of.Queue] == nil {
		return ""
	}
	f.emit(o.CallLeftQueue{Call: k.ID, Queue: k.QueueID, Reason: o.ReasonTransferred, Waited: f.waited(k)})
	f.takePlace(c, k)
	return of.Queue
}
