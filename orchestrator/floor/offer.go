package floor

import (
	o "ringmaster/orchestrator"
)

// failure is how an offer came to nothing.
type failure struct {
	outcome o.OfferOutcome
	cause   int // Q.850
	sip     int
	rest    o.Millis // for the agent, where the queue has no say
}

// offerOver ends an offer that was not answered: the leg is hung up, the agent
// rests for as long as the queue says, and the call is back in its place.
func (f *Floor) offerOver(c *call, how failure) {
	of := c.Offer
	a := f.Agents[of.Agent]
	direct := c.direct()
	delay, missed := o.Millis(0), false
	if !direct { // a colleague's call that nobody takes is no missed call of a queue
		delay, missed = penalty(c.queue, how.outcome)
	}
	misses, notBefore := a.Misses, a.NotBefore
	if missed {
		misses++
	}
	if delay = max(delay, how.rest); delay > 0 {
		notBefore = f.At.Add(delay.Duration())
	}
	f.unmake(c)
	if f.Legs[of.Leg] != nil {
		f.order(c, o.Hangup{Leg: of.Leg, Cause: hangupCause(how.outcome)})
	}
	f.dropLink(c, string(how.outcome))
	f.emit(o.OfferEnded{
		Offer: of.ID, Call: c.ID, Queue: of.Queue, Agent: a.ID, Outcome: how.outcome, Cause: how.cause, SIP: how.sip,
		Rang: f.rang(of), NotBefore: notBefore, Misses: misses,
	})
	if missed && c.queue.MaxMisses > 0 && misses >= c.queue.MaxMisses && a.Intent == o.IntentReady {
		f.intend(a, o.IntentPause, reasonMissed, wish{Origin: o.OriginSystem, By: "max_misses"})
	}
	f.settle(a)
	if direct && c.Ending == nil {
		f.notReached(c, how.outcome)
	}
}

// unmake closes the bridge of an offer that was answered and came to nothing.
// Nobody else would: the call never had it.
func (f *Floor) unmake(c *call) {
	of := c.Offer
	if !of.Answered || !f.bridged(c) {
		return
	}
	if agent := f.Legs[of.Leg]; c.Link == nil && agent != nil && agent.Switch != c.Switch {
		return // the link was not even opened
	}
	if c.Ending == nil && f.inBridge(c.Leg, of.Bridge) {
		f.order(c, o.Separate{Leg: c.Leg, Bridge: of.Bridge})
	}
	f.order(c, o.CloseBridge{Bridge: of.Bridge})
}

// rang is how long the phone has rung.
func (f *Floor) rang(of *offer) o.Millis {
	if of.Rang.IsZero() {
		return 0
	}
	return o.MillisOf(f.At.Sub(of.Rang))
}

// reasonMissed is the pause reason of agents who let too many calls ring.
const reasonMissed = "missed_calls"

// withdraw ends an offer that is the call's doing, not the agent's.
func (f *Floor) withdraw(c *call) {
	f.offerOver(c, failure{outcome: o.OfferCancelled, cause: o.CauseAnsweredElsewhere})
}

// penalty is how long an agent rests after an outcome, and whether it counts
// as missed. All four misses count (features.md: mod_callcenter's
// unregistered agents never count and are rung for ever).
func penalty(q *o.Queue, outcome o.OfferOutcome) (delay o.Millis, missed bool) {
	switch outcome {
	case o.OfferBusy:
		return q.BusyDelay, true
	case o.OfferRejected:
		return q.RejectDelay, true
	case o.OfferNoAnswer:
		return q.NoAnswerDelay, true
	case o.OfferUnreachable:
		return q.UnreachableDelay, true
	case o.OfferAnswered, o.OfferCancelled, o.OfferLostRace:
	}
	return 0, false
}

// hangupCause is what the phone is told: with 26 it shows no missed call.
func hangupCause(outcome o.OfferOutcome) int {
	if outcome == o.OfferCancelled || outcome == o.OfferLostRace {
		return o.CauseAnsweredElsewhere
	}
	return o.CauseNormal
}

// outcomeOf reads how an unanswered agent's leg ended (live-asterisk.md 2: the
// table of ends). rang tells a phone nobody picked up from one that is not
// there: both end in a timeout.
func outcomeOf(cause, sip int, rang bool) o.OfferOutcome {
	switch {
	case cause == o.CauseBusy || sip == 486 || sip == 600:
		return o.OfferBusy
	case cause == o.CauseRejected || sip == 603 || sip == 403:
		return o.OfferRejected
	case cause == o.CauseAnsweredElsewhere:
		return o.OfferCancelled
	case rang:
		return o.OfferNoAnswer
	}
	return o.OfferUnreachable
}

// agentLegUp is an agent who picked up: caller and agent go into one bridge. A
// caller nobody was there for before is answered first, and joined when the
// switch has said so: FreeSWITCH hangs up legs that are joined too early
// (live-freeswitch.md, 3).
func (f *Floor) agentLegUp(c *call) {
	if !f.up(c) {
		f.order(c, o.Answer{Leg: c.Leg})
		return
	}
	f.unite(c, string(c.ID))
}

// unite brings the two ends of an answered offer together, over a link if they
// are on different switches.
func (f *Floor) unite(c *call, lane string) {
	if agent := f.Legs[c.Offer.Leg]; agent.Switch != c.Switch {
		f.openLink(c, agent.Switch)
		return
	}
	f.connect(c, c.Offer.Leg, lane)
}

// connect puts a leg into the caller's bridge. What the caller hears until
// then the switch ends by itself.
func (f *Floor) connect(c *call, with o.LegID, lane string) {
	if c.Music {
		f.emit(o.MusicStopped{Call: c.ID, Leg: c.Leg})
	}
	if c.Play != "" {
		f.emit(o.PlayEnded{Call: c.ID, Leg: c.Leg, Play: c.Play, Status: o.PlayStopped})
	}
	f.command(c.Switch, lane, o.Connect{
		Bridge: c.Offer.Bridge, Stamp: f.stamp(c.ID, c.Leg, o.RoleBridge), A: c.Leg, B: with,
	})
}

// joined is a leg in a bridge. When both are in, the two people hear each other.
func (f *Floor) joined(e o.Joined) {
	l := f.Legs[e.Leg]
	if l == nil || l.Bridge == e.Bridge {
		return
	}
	f.emit(o.LegJoined{Call: l.Call, Leg: l.ID, Bridge: e.Bridge})
	if c := f.Calls[l.Call]; c != nil {
		f.together(c)
	}
}

// together connects a call whose agent has answered once both are in the bridge.
func (f *Floor) together(c *call) {
	of := c.Offer
	if of == nil || !of.Answered || c.Ending != nil {
		return
	}
	if f.hear(c, of.Leg, of.Bridge) {
		f.connected(c, of)
	}
}

// hear reports whether caller and agent hear each other, over every bridge
// between them.
func (f *Floor) hear(c *call, agent o.LegID, b o.BridgeID) bool {
	if !f.inBridge(c.Leg, b) {
		return false
	}
	if lk := c.Link; lk != nil {
		return f.inBridge(lk.Out, b) && f.inBridge(lk.In, lk.Far) && f.inBridge(agent, lk.Far)
	}
	return f.inBridge(agent, b)
}

func (f *Floor) inBridge(id o.LegID, b o.BridgeID) bool {
	l := f.Legs[id]
	return l != nil && l.Bridge == b
}

func (f *Floor) connected(c *call, of *offer) {
	a := f.Agents[of.Agent]
	waited := o.MillisOf(f.At.Sub(of.Made))
	if !c.direct() {
		waited = f.waited(c)
		f.emit(o.CallLeftQueue{Call: c.ID, Queue: c.QueueID, Reason: o.ReasonConnected, Waited: waited})
	}
	f.emit(o.OfferEnded{
		Offer: of.ID, Call: c.ID, Queue: of.Queue, Agent: a.ID, Outcome: o.OfferAnswered, Rang: f.rang(of),
	})
	f.emit(o.CallConnected{
		Call: c.ID, Queue: c.QueueID, Agent: a.ID, Offer: of.ID, Bridge: of.Bridge, Waited: waited,
	})
	f.settle(a)
}

// trouble is how long an agent is spared after the switch, not they, made an
// offer fail: without it the same offer would be made and fail again at once.
const trouble = o.Millis(2000)

// connectFailed is an agent who answered and did not get the caller: the
// switch could not join them. The caller waits on; the agent is not to blame.
func (f *Floor) connectFailed(c *call) {
	f.ask(o.Resync{Switch: c.Switch})
	if lk := c.Link; lk != nil {
		f.ask(o.Resync{Switch: lk.To})
	}
	f.offerOver(c, failure{outcome: o.OfferCancelled, cause: o.CauseNormal, rest: trouble})
	f.waitOn(c)
}

// waitOn has a caller who did not get their agent hear the music again.
func (f *Floor) waitOn(c *call) {
	if c.Phase == o.PhaseQueued {
		f.music(c)
	}
}
