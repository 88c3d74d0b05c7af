package floor

import (
	o "ringmaster/orchestrator"
)

func (f *Floor) callOf(id o.LegID) *call {
	l := f.Legs[id]
	if l == nil {
		return nil
	}
	return f.Calls[l.Call]
}

func (f *Floor) legRinging(id o.LegID) {
	l := f.Legs[id]
	if l == nil || l.State != o.LegNew {
		return
	}
	f.emit(o.LegRang{Call: l.Call, Leg: id})
}

// legUp is a leg answered.
func (f *Floor) legUp(id o.LegID) {
	l := f.Legs[id]
	if l == nil || l.State == o.LegIsUp {
		return
	}
	c := f.Calls[l.Call]
	stray := l.Role == o.RoleAgent && (c == nil || c.Offer == nil || c.Offer.Leg != id)
	f.emit(o.LegAnswered{Call: l.Call, Leg: id})
	switch {
	case l.Role == o.RoleService:
		f.serviceAnswered(f.Services[id])
	case stray:
		// Picked up in the instant in which the offer was withdrawn: its
		// hang-up is on the way.
	case l.Role == o.RoleAgent:
		f.agentLegUp(c)
	case l.Role == o.RoleLink:
		f.linkUp(c, id)
	case c != nil && c.Ending == nil && c.Offer != nil && c.Offer.Answered && id == c.Leg:
		f.unite(c, string(c.ID))
	case c != nil && c.Ending == nil && f.node(c).Type == o.NodeAnswer && c.Phase == o.PhaseFlow:
		f.follow(c, o.ExitNext)
	}
}

func (f *Floor) legHold(id o.LegID, held bool) {
	l := f.Legs[id]
	if l == nil {
		return
	}
	c := f.Calls[l.Call]
	if c == nil || c.Phase != o.PhaseTalking || l.Held == held || id != c.Leg && id != c.AgentLeg {
		return
	}
	if held {
		f.emit(o.LegHeld{Call: l.Call, Leg: id})
	} else {
		f.emit(o.LegResumed{Call: l.Call, Leg: id})
	}
	if a := f.Agents[l.Agent]; a != nil {
		f.settle(a)
	}
}

func (f *Floor) left(e o.Left) {
	l := f.Legs[e.Leg]
	if l == nil || l.Bridge != e.Bridge {
		return
	}
	f.emit(o.LegSeparated{Call: l.Call, Leg: l.ID, Bridge: e.Bridge})
}

// legReleased is a leg the dialplan has taken over: for us it is over.
func (f *Floor) legReleased(id o.LegID) {
	c := f.callOf(id)
	if c == nil || id != c.Leg {
		return
	}
	out := o.Outcome{Result: o.ResultCompleted, Reason: o.ReasonTransferred}
	if !c.Released {
		out = o.Outcome{Result: o.ResultCarrier, Reason: o.ReasonUnknown}
	}
	f.closeCaller(c, out, o.LegClosed{Call: c.ID, Leg: id, Cause: o.CauseNormal, By: o.EndedByUs})
}

// legEnded is the end of a leg, once.
func (f *Floor) legEnded(e o.LegEnded) {
	l := f.Legs[e.Leg]
	if l == nil {
		return
	}
	closed := o.LegClosed{Call: l.Call, Leg: l.ID, Cause: e.Cause, SIP: e.SIP, By: e.By}
	c := f.Calls[l.Call]
	switch {
	case l.Role == o.RoleService:
		f.serviceOver(l, closed)
	case c == nil:
		f.emit(closed)
	case l.Role == o.RoleLink:
		f.linkEnded(c, closed)
	case l.ID == c.Leg:
		f.closeCaller(c, f.callerOutcome(c, e), closed)
	default:
		f.closeAgent(c, l, e, closed)
	}
}

// callerOutcome is whose doing it was that the caller's leg ended.
func (f *Floor) callerOutcome(c *call, e o.LegEnded) o.Outcome {
	waits := c.Phase == o.PhaseQueued || c.Phase == o.PhaseRinging
	switch {
	case c.Talked && !waits: // who is transferred and gives up waiting has abandoned
		return o.Outcome{Result: o.ResultCompleted, Reason: o.ReasonTalked}
	case e.By == o.EndedBySwitch && e.Cause == 0:
		return o.Outcome{Result: o.ResultCarrier, Reason: o.ReasonSwitchLost}
	case c.direct():
		return o.Outcome{Result: o.ResultCaller, Reason: o.ReasonAbandonedRing}
	case waits:
		return o.Outcome{Result: o.ResultCaller, Reason: o.ReasonAbandoned}
	}
	return o.Outcome{Result: o.ResultCaller, Reason: o.ReasonAbandonedIVR}
}

// closeCaller ends the call with its caller. Whoever rings for it stops, and
// who talks is hung up.
func (f *Floor) closeCaller(c *call, out o.Outcome, closed o.LegClosed) {
	l := f.Legs[c.Leg]
	if c.Ending == nil {
		f.emit(o.CallEnding{Call: c.ID, Outcome: out})
	}
	f.leaveQueue(c, c.Ending.Reason)
	if c.Play != "" {
		f.emit(o.PlayEnded{Call: c.ID, Leg: c.Leg, Play: c.Play, Status: o.PlayStopped})
	}
	f.emit(closed)
	lk := c.Link
	f.dropLink(c, "the caller is gone")
	for _, id := range c.Legs {
		if l := f.Legs[id]; l != nil && l.State == o.LegIsUp && !lk.has(id) {
			f.order(c, o.Hangup{Leg: id, Cause: o.CauseNormal})
		}
	}
	if l != nil { // in an internal call the caller is one of us
		f.settlePhone(f.phoneAt(l.Switch, l.Endpoint))
	}
	f.tidy(c)
	f.finish(c)
}

// closeAgent ends an agent's leg: an offer that failed, or a talk that is over.
func (f *Floor) closeAgent(c *call, l *leg, e o.LegEnded, closed o.LegClosed) {
	a := f.Agents[l.Agent]
	switch {
	case c.Offer != nil && c.Offer.Leg == l.ID && c.Offer.Answered:
		// Hung up before the caller was there: the agent's own doing.
		f.emit(closed)
		f.offerOver(c, failure{outcome: o.OfferRejected, cause: e.Cause, sip: e.SIP})
		f.waitOn(c)
	case c.Offer != nil && c.Offer.Leg == l.ID:
		rang := !c.Offer.Rang.IsZero()
		f.emit(closed)
		f.offerOver(c, failure{outcome: offerOutcome(e, rang), cause: e.Cause, sip: e.SIP})
	case c.Phase == o.PhaseTalking && c.AgentLeg == l.ID && c.Ending == nil:
		f.emit(o.CallEnding{Call: c.ID, Outcome: o.Outcome{Result: o.ResultCompleted, Reason: o.ReasonTalked}})
		f.emit(closed)
		f.dropLink(c, "the agent is gone")
		for _, id := range c.Legs { // who transferred it a moment ago too
			if l := f.Legs[id]; l.Role != o.RoleLink {
				f.order(c, o.Hangup{Leg: id, Cause: o.CauseNormal})
			}
		}
	default:
		f.emit(closed)
	}
	if a != nil {
		f.settle(a)
	}
	f.tidy(c)
	f.finish(c)
}

// offerOutcome: a leg that vanished with the switch's connection is nobody's
// miss.
func offerOutcome(e o.LegEnded, rang bool) o.OfferOutcome {
	if e.By == o.EndedBySwitch && e.Cause == 0 {
		return o.OfferCancelled
	}
	return outcomeOf(e.Cause, e.SIP, rang)
}

// separate takes a caller out of a bridge that is to go.
func (f *Floor) separate(c *call) {
	if l := f.Legs[c.Leg]; l != nil && l.Bridge != "" {
		f.order(c, o.Separate{Leg: c.Leg, Bridge: l.Bridge})
		f.order(c, o.CloseBridge{Bridge: l.Bridge})
	}
}

// tidy removes the talk's bridge when nobody is left of the call.
func (f *Floor) tidy(c *call) {
	if len(c.Legs) == 0 && c.Bridge != "" {
		f.order(c, o.CloseBridge{Bridge: c.Bridge})
	}
}

// commandDone is a command a switch did not simply accept.
func (f *Floor) commandDone(e o.CommandDone) {
	l := f.Legs[e.Leg]
	if e.Result == o.ResultAccepted || e.Result == o.ResultAlready {
		return
	}
	if l == nil {
		// A hangup of a leg we have closed already, or a bridge: what it left
		// on the switch, if anything, shows in the snapshot.
		if e.Result != o.ResultNotFound && f.attached(e.Switch) {
			f.ask(o.Resync{Switch: e.Switch})
		}
		return
	}
	if e.Result == o.ResultNotFound && ends(e.Do) && l.State != o.LegNew {
		return // it is over already; the event is on its way
	}
	f.emit(o.CommandFailed{Command: e.Command, Leg: e.Leg, Call: l.Call, Result: e.Result, Reason: e.Reason})
	switch do := e.Do.(type) {
	case o.Dial:
		switch {
		case l.Role == o.RoleLink:
			f.linkFailed(f.Calls[l.Call], l, e)
		case f.dialling(l):
			f.dialFailed(f.Calls[l.Call], l, e)
		default: // its offer is over, and its hang-up may have been refused: the snapshot tells
			f.ask(o.Resync{Switch: l.Switch})
		}
		return
	case o.Play:
		// If the switch plays it after all, what follows is heard after it. A
		// switch that is away will hear of the call when it is back.
		if f.attached(l.Switch) {
			f.playDone(o.PlayDone{Leg: do.Leg, Play: do.Play, Status: o.PlayFailed})
		}
	}
	if e.Result != o.ResultRejected || isAnswer(e.Do) {
		// Its fate is unknown, or the switch does not know the leg: the
		// snapshot tells.
		f.ask(o.Resync{Switch: l.Switch})
	}
}

// ends reports whether an order only takes something away, so that not finding
// it is as good.
func ends(a o.Action) bool {
	switch a.(type) {
	case o.Hangup, o.StopPlay, o.StopMusic, o.Separate, o.CloseBridge, o.AcceptTransfer, o.RejectTransfer:
		return true
	}
	return false
}

// isAnswer is an answer to a transfer. If the switch refuses it the two may be
// left apart, and no deadline of ours would notice.
func isAnswer(a o.Action) bool {
	_, accept := a.(o.AcceptTransfer)
	_, reject := a.(o.RejectTransfer)
	return accept || reject
}

// dialFailed is a dial the switch would not even begin: no phone there, or
// trouble of its own, which is not the agent's. If nobody knows whether it
// began, the leg is hung up: it must not come to life.
func (f *Floor) dialFailed(c *call, l *leg, e o.CommandDone) {
	how := failure{outcome: o.OfferUnreachable, cause: o.CauseAbsent}
	if e.Result == o.ResultNoWord || e.Result == o.ResultRejected && e.Reason != "unreachable" {
		how = failure{outcome: o.OfferCancelled, cause: o.CauseAbsent, rest: trouble}
	}
	if e.Result == o.ResultNoWord {
		f.order(c, o.Hangup{Leg: l.ID, Cause: o.CauseNormal})
	}
	f.emit(o.LegClosed{Call: c.ID, Leg: l.ID, Cause: o.CauseAbsent, By: o.EndedBySwitch})
	f.offerOver(c, how)
	f.finish(c)
}
