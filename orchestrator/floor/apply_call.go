package floor

import (
	"slices"
	"strings"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/acd"
	"ringmaster/orchestrator/metrics"
)

// applyCall folds the facts that carry a call from phase to phase.
func (f *Floor) applyCall(deed o.Deed) {
	switch d := deed.(type) {
	case o.CallArrived:
		f.applyArrived(d)
	case o.NodeEntered:
		f.applyNode(d)
	case o.DigitTaken:
		f.applyDigit(d)
	case o.MenuDecided:
		c := f.Calls[d.Call]
		c.Digits, c.Silent = "", 0
		if d.Exit != d.Digits {
			c.Early = ""
		}
		if d.Again {
			c.Tries++
		}
	case o.MusicStarted:
		f.Calls[d.Call].Music = true
	case o.MusicStopped:
		f.Calls[d.Call].Music = false
	case o.CallQueued:
		f.applyQueued(d)
	case o.CallLeftQueue:
		f.applyLeftQueue(d)
	case o.OfferMade:
		f.applyOffer(d)
	case o.OfferEnded:
		f.applyOfferEnded(d)
	case o.CallConnected:
		f.applyConnected(d)
	case o.CallTransferred:
		f.applyTransferred(d)
	case o.CallReleased:
		c := f.Calls[d.Call]
		c.Released, c.EndBy, c.NodeBy = true, f.At.Add(endingMax), zero
		f.touch(c)
	case o.CallLost:
		f.applyLost(d)
	case o.CallEnding:
		c := f.Calls[d.Call]
		c.Ending, c.EndBy = &d.Outcome, f.At.Add(endingMax)
		f.touch(c)
	case o.CallEnded:
		f.applyEnded(d)
	}
}

func (f *Floor) applyArrived(d o.CallArrived) {
	c := &call{
		ID: d.Call, Switch: d.Switch, Leg: d.Leg, Dialled: d.Dialled, Caller: d.Caller,
		Arrived: f.At, Phase: o.PhaseFlow, Since: f.At, Internal: d.Direction == o.CallInternal,
		FlowID: d.Flow, FlowVersion: d.FlowVersion, flow: f.flowVersion(d.Flow, d.FlowVersion),
	}
	f.Calls[d.Call] = c
}

func (f *Floor) applyNode(d o.NodeEntered) {
	c := f.Calls[d.Call]
	f.phase(c, o.PhaseFlow)
	if c.FlowID != d.Flow || c.FlowVersion != d.Version {
		c.FlowID, c.FlowVersion, c.flow = d.Flow, d.Version, f.flowVersion(d.Flow, d.Version)
	}
	c.Node, c.Digits, c.Tries, c.Return = d.Node, "", 0, nil
	c.Nodes++
	c.NodeBy = f.At.Add(nodeMax)
	f.touch(c)
}

// applyDigit folds a digit. While early ones are there, those are what a menu
// takes, in order.
func (f *Floor) applyDigit(d o.DigitTaken) {
	c := f.Calls[d.Call]
	if d.Early {
		c.Early += d.Digit
		return
	}
	c.Early = strings.TrimPrefix(c.Early, d.Digit)
	c.Digits += d.Digit
	c.NodeBy = f.At.Add(interDigit(c))
	f.touch(c)
}

// applySilence counts the prompts in a row of which nothing was heard.
func (f *Floor) applySilence(d o.PlayEnded) {
	c := f.Calls[d.Call]
	switch {
	case c == nil || c.Purpose != o.PurposePrompt:
	case d.Status == o.PlayFailed:
		c.Silent++
	default:
		c.Silent = 0
	}
}

// countsTo is the moment up to which a call's time counts: now, or when it was
// last known to live.
func (f *Floor) countsTo(c *call) time.Time {
	switch {
	case c.Lost.IsZero():
		return f.At
	case c.Lost.Before(c.Since): // it was told to end while its switch was away
		return c.Since
	}
	return c.Lost
}

// applyLost puts the end of a call back. A caller who hung up before the loss
// was known had nobody to talk to any more.
func (f *Floor) applyLost(d o.CallLost) {
	c := f.Calls[d.Call]
	c.Lost = d.Since
	if c.Phase != o.PhaseEnded {
		return
	}
	last := &c.InTalk
	if c.Held {
		last = &c.OnHold
	}
	over := min(c.Ended.Sub(d.Since), *last)
	*last -= over
	c.Ended = c.Ended.Add(-over)
	c.Since = c.Ended
}

// phase moves a call on and books the time it spent.
func (f *Floor) phase(c *call, to o.CallPhase) {
	now := f.countsTo(c)
	spent := now.Sub(c.Since)
	switch {
	case c.Phase == o.PhaseFlow:
		c.InFlow += spent
	case c.Phase == o.PhaseQueued || c.Phase == o.PhaseRinging:
		c.InQueue += spent
	case c.Phase == o.PhaseTalking && c.Held:
		c.OnHold += spent
	case c.Phase == o.PhaseTalking:
		c.InTalk += spent
	}
	c.Phase, c.Since = to, now
}

func (f *Floor) applyQueued(d o.CallQueued) {
	c, q := f.Calls[d.Call], f.Queues[d.Queue]
	f.phase(c, o.PhaseQueued)
	c.QueueID, c.QueueVersion, c.queue = d.Queue, d.Version, f.queueVersion(d.Queue, d.Version)
	c.Bucket, c.Priority, c.Queued, c.NodeBy = bucketOf(c.queue, c.Switch), d.Priority, d.Arrived, zero
	c.Joined, c.Return = f.At, nil
	c.Early, c.Silent = "", 0
	c.MaxWaitAt, c.AnnounceAt = zero, zero
	if c.queue.MaxWait > 0 {
		c.MaxWaitAt = f.At.Add(c.queue.MaxWait.Duration())
	}
	if len(c.queue.Announce.Play) > 0 {
		c.AnnounceAt = f.At.Add(c.queue.Announce.First.Duration())
	}
	if !c.Internal {
		metrics.Offered(&q.Today, f.date(), *c.queue)
	}
	f.waitInMatcher(c)
	f.touch(c)
}

// waitInMatcher lets a queued call be found by agents who become free.
func (f *Floor) waitInMatcher(c *call) {
	if !f.matcher.HasBucket(c.Bucket) {
		f.setBucket(c.Bucket)
	}
	if !f.attached(c.Switch) {
		return
	}
	f.matcher.Wait(c.Bucket, acd.Waiting{Call: c.ID, Priority: c.Priority, Arrived: c.Queued})
	f.newWaiting = append(f.newWaiting, c.ID)
}

func (f *Floor) applyLeftQueue(d o.CallLeftQueue) {
	c := f.Calls[d.Call]
	f.matcher.Unwait(c.ID)
	if d.Reason != o.ReasonConnected {
		f.phase(c, o.PhaseFlow)
	}
	if q := f.Queues[d.Queue]; q != nil && !c.Internal {
		f.count(q, c.queue, d.Reason, d.Waited)
	}
	c.MaxWaitAt, c.AnnounceAt, c.Tried = zero, zero, 0
	f.touch(c)
}

func (f *Floor) applyOffer(d o.OfferMade) {
	c, a := f.Calls[d.Call], f.Agents[d.Agent]
	f.matcher.Unwait(c.ID)
	f.phase(c, o.PhaseRinging)
	c.Tried++
	c.Offer = &offer{
		ID: d.Offer, Queue: d.Queue, Agent: d.Agent, Leg: d.Leg, Made: f.At,
		SilentBy: f.At.Add(silentMax), RingUntil: d.RingUntil, Bridge: d.Bridge,
	}
	if c.Return != nil && c.Return.Agent == d.Agent {
		c.Return.Agent = "" // they are asked once
	}
	f.takeUp(c.Offer)
	a.Leg, a.Call, a.Queue, a.Inside = d.Leg, d.Call, d.Queue, false
	f.index(a)
	f.touch(c)
}

func (f *Floor) applyOfferEnded(d o.OfferEnded) {
	c, a := f.Calls[d.Call], f.Agents[d.Agent]
	direct := c.Offer.Queue == ""
	c.Offer = nil
	switch {
	case c.Phase != o.PhaseRinging || d.Outcome == o.OfferAnswered:
	case direct:
		f.phase(c, o.PhaseFlow)
	default:
		f.phase(c, o.PhaseQueued)
		if c.Ended.IsZero() && c.Ending == nil {
			f.waitInMatcher(c)
		}
	}
	a.Misses, a.NotBefore = d.Misses, d.NotBefore
	f.index(a)
	f.touch(c)
}

func (f *Floor) applyConnected(d o.CallConnected) {
	c, a := f.Calls[d.Call], f.Agents[d.Agent]
	f.phase(c, o.PhaseTalking)
	c.Bridge, c.Agent, c.AgentLeg, c.Talked, c.Music, c.Play = d.Bridge, d.Agent, a.Leg, true, false, ""
	c.Return, c.Held, c.NodeBy = nil, f.holds(c), zero
	a.Talking, a.Inside, a.Queue, a.Misses = !c.Internal, c.Internal, d.Queue, 0
	if a.WrapUp = 0; !c.Internal && c.queue != nil {
		a.WrapUp = c.queue.WrapUp
	}
	f.index(a)
	f.touch(c)
}

func (f *Floor) applyEnded(d o.CallEnded) {
	c := f.Calls[d.Call]
	f.matcher.Unwait(c.ID)
	f.deadlines.drop(c)
	delete(f.Calls, c.ID)
}

// applyLeg folds the facts about single legs.
func (f *Floor) applyLeg(deed o.Deed) {
	switch d := deed.(type) {
	case o.LegStarted:
		f.applyStarted(d)
	case o.LegMoved:
		f.applyMoved(d)
	case o.LegRang:
		f.Legs[d.Leg].State = o.LegRings
		if c := f.Calls[d.Call]; c != nil && c.Offer != nil && c.Offer.Leg == d.Leg {
			f.takeUp(c.Offer)
			f.touch(c)
		}
	case o.LegAnswered:
		f.applyAnswered(d)
	case o.LegJoined:
		f.Legs[d.Leg].Bridge = d.Bridge
	case o.LegSeparated:
		f.Legs[d.Leg].Bridge = ""
	case o.LegHeld:
		f.applyHeld(d.Call, d.Leg, true)
	case o.LegResumed:
		f.applyHeld(d.Call, d.Leg, false)
	case o.LegClosed:
		f.applyClosed(d)
	}
}

func (f *Floor) applyAnswered(d o.LegAnswered) {
	f.Legs[d.Leg].State = o.LegIsUp
	if c := f.Calls[d.Call]; c != nil && c.Offer != nil && c.Offer.Leg == d.Leg {
		f.takeUp(c.Offer)
		f.touch(c)
	}
	if c := f.Calls[d.Call]; c != nil && c.Link != nil {
		c.Link.Up = c.Link.Up || c.Link.Out == d.Leg
		c.Link.Met = c.Link.Met || c.Link.In == d.Leg
	}
}

// takeUp brings an offer to where its leg has got.
func (f *Floor) takeUp(of *offer) {
	switch l := f.Legs[of.Leg]; {
	case l == nil:
	case l.State == o.LegRings:
		of.Rang, of.SilentBy = f.At, zero
	case l.State == o.LegIsUp:
		of.Answered, of.ConnectBy = true, f.At.Add(connectMax)
		if of.Bridge == "" {
			of.Bridge = bridgeOf(of.ID)
		}
	}
}

// bridgeOf names the bridge an offer leads to after the offer, so that a
// restart between answer and connection finds the same name.
func bridgeOf(id o.OfferID) o.BridgeID { return o.BridgeID(id) }

func (f *Floor) applyHeld(id o.CallID, legID o.LegID, held bool) {
	c := f.Calls[id]
	if c == nil || c.Phase != o.PhaseTalking {
		return
	}
	f.phase(c, o.PhaseTalking)
	f.Legs[legID].Held = held
	c.Held = f.holds(c)
	if a := f.Agents[f.Legs[legID].Agent]; a != nil && a.Leg == legID {
		a.Held = held
	}
}

// holds reports whether either end of a talk keeps the other on hold.
func (f *Floor) holds(c *call) bool {
	held := func(id o.LegID) bool { l := f.Legs[id]; return l != nil && l.Held }
	return held(c.Leg) || held(c.AgentLeg)
}

func (f *Floor) applyClosed(d o.LegClosed) {
	l := f.Legs[d.Leg]
	delete(f.Legs, d.Leg)
	f.applyGone(l)
	c := f.Calls[l.Call]
	if a := f.Agents[l.Agent]; a != nil && a.Leg == l.ID {
		f.agentLegClosed(a)
		a.LostAt = f.vanished(l, d)
	}
	f.hungUpAt(l)
	if c == nil {
		return
	}
	c.Legs = slices.DeleteFunc(c.Legs, func(id o.LegID) bool { return id == l.ID })
	if l.ID == c.Leg {
		f.phase(c, o.PhaseEnded)
		c.Ended, c.EndBy, c.NodeBy = c.Since, f.At.Add(endingMax), zero
		f.matcher.Unwait(c.ID)
	}
	f.touch(c)
}
