package floor

import (
	"slices"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/acd"
	"ringmaster/orchestrator/calendar"
	"ringmaster/orchestrator/metrics"
)

// Apply folds one fact of the past into the floor. A floor that applies the
// facts another decided is equal to it; that is what a restart relies on.
func (f *Floor) Apply(fact o.Fact) {
	f.Seq = max(f.Seq, fact.Seq)
	if fact.At.After(f.At) {
		f.At = fact.At
	}
	f.fold(fact)
	f.newWaiting, f.newFree = f.newWaiting[:0], f.newFree[:0]
}

// fold changes the state by one fact. Nothing else does.
func (f *Floor) fold(fact o.Fact) {
	switch d := fact.What.(type) {
	case o.ConfigApplied:
		f.applyConfig(d.Change)
	case o.SwitchAttached:
		f.applyAttached(d)
	case o.SwitchDetached:
		f.applyDetached(d)
	case o.EndpointNoted:
		f.applyEndpoint(d)
	case o.OverloadNoted:
		f.Switches[d.Switch].Overloaded = d.Over
	case o.InputSetAside:
		for _, p := range f.Switches { // order-free: each by itself
			p.Doubt = true
		}
	case o.CallRefused, o.CommandFailed, o.Healed, o.ActionRefused, o.TransferRefused:
		// Told for the record; nothing follows from them.
	case o.PINRefused:
		f.applyPINRefused(d)
	case o.ServiceStarted, o.ServiceStepped, o.ServiceEnded:
		f.applyService(d)
	case o.PlayStarted:
		f.applyPlay(d.Call, d.Leg, d.Play, d.Purpose)
	case o.PlayEnded:
		f.applySilence(d)
		f.applyPlay(d.Call, d.Leg, "", "")
	case o.LegStarted, o.LegRang, o.LegAnswered, o.LegJoined, o.LegSeparated, o.LegHeld, o.LegResumed, o.LegClosed, o.LegMoved:
		f.applyLeg(d)
	case o.LinkOpened, o.LinkClosed:
		f.applyLink(d)
	case o.AgentLoggedIn, o.AgentIntended, o.AgentChanged, o.AgentRested:
		f.applyAgent(d)
	default:
		f.applyCall(d)
	}
}

func (f *Floor) applyAttached(d o.SwitchAttached) {
	p := f.Switches[d.Switch]
	if p == nil {
		p = &pbx{ID: d.Switch}
		f.Switches[d.Switch] = p
	}
	p.Silent = zero
	if !p.Attached {
		p.Silent = p.Since
	}
	p.Attached, p.Epoch, p.Since, p.Reason, p.LostBy, p.Doubt = true, d.Epoch, f.At, "", time.Time{}, false
	f.deadlines.set(p)
	for _, c := range f.callsOn(d.Switch) {
		if c.Adrift && c.Phase == o.PhaseQueued && c.Ending == nil {
			f.waitInMatcher(c)
		}
		c.Adrift = false
		f.touch(c)
	}
	f.touchAll(d.Switch)
	f.driftServices(d.Switch, false)
	f.reconsider(d.Switch)
}

// lostGrace is how long calls of a switch that cannot be heard are kept before
// they count as lost with it: long enough for a PBX to be restarted or a
// network to be mended, because people may be talking all the while.
const lostGrace = 10 * time.Minute

func (f *Floor) applyDetached(d o.SwitchDetached) {
	p := f.Switches[d.Switch]
	if p == nil {
		p = &pbx{ID: d.Switch}
		f.Switches[d.Switch] = p
	}
	again := !p.Attached && !p.Since.IsZero()
	p.Attached, p.Reason, p.LostBy, p.Overloaded = false, d.Reason, zero, false
	if !again { // told a second time, it was given up
		p.Since, p.LostBy = f.At, f.At.Add(lostGrace)
	}
	f.deadlines.set(p)
	for _, c := range f.callsOn(d.Switch) {
		c.Adrift = true
		f.matcher.Unwait(c.ID) // until it can be heard again
		f.touch(c)
	}
	f.touchAll(d.Switch)
	f.driftServices(d.Switch, true)
	f.reconsider(d.Switch)
}

func (f *Floor) driftServices(sw o.SwitchID, adrift bool) {
	for _, id := range sortedKeys(f.Services) {
		if s := f.Services[id]; s.Switch == sw {
			s.Adrift = adrift
			f.deadlines.set(s)
		}
	}
}

// reconsider brings the matcher in line for every agent at the switch's phones.
func (f *Floor) reconsider(sw o.SwitchID) {
	for _, id := range sortedKeys(f.Agents) {
		a := f.Agents[id]
		if ph := f.Phones[a.Phone]; ph != nil && ph.Switch == sw {
			f.index(a)
		}
	}
}

func (f *Floor) applyEndpoint(d o.EndpointNoted) {
	ph := f.phoneAt(d.Switch, d.Endpoint)
	if ph == nil {
		return
	}
	ph.Reachable, ph.InUse = d.Reachable, d.InUse
	// In use while no call of ours is there: somebody else's. The switch's
	// word for the end of our own call trails the call, so it is asked only
	// when the word changes.
	ph.Foreign = d.InUse && !f.oursAt(ph)
	if a := f.Agents[ph.Agent]; a != nil {
		f.index(a)
	}
}

// oursAt reports whether a call of ours has a leg at the phone of its agent.
func (f *Floor) oursAt(ph *phone) bool {
	a := f.Agents[ph.Agent]
	return a != nil && a.Leg != ""
}

func (f *Floor) applyPINRefused(d o.PINRefused) {
	if a := f.Agents[d.Agent]; a != nil {
		a.PINFailures, a.LockedUntil = d.Failures, d.Locked
	}
	if ph := f.Phones[d.Phone]; ph != nil {
		ph.PINFailures++
		ph.LockedUntil = d.Locked
	}
}

func (f *Floor) applyPlay(id o.CallID, legID o.LegID, play o.PlayID, purpose o.Purpose) {
	if s := f.Services[legID]; s != nil {
		s.Play = play
		return
	}
	c := f.Calls[id]
	if c == nil {
		return
	}
	ended := play == ""
	if ended && c.Purpose == o.PurposeQuestion && c.Digits == "" && c.flow != nil {
		c.NodeBy = f.At.Add(questionTimeout(c))
	}
	if ended && c.Purpose == o.PurposeAnnouncement {
		c.AnnounceAt = time.Time{}
		if every := c.queue.Announce.Every; every > 0 {
			c.AnnounceAt = f.At.Add(every.Duration())
		}
	}
	c.Play, c.Purpose = play, purpose
	switch purpose {
	case o.PurposePrompt, o.PurposeQuestion:
		c.NodeBy = f.At.Add(playMax)
	case o.PurposeAnnouncement:
		c.AnnounceAt = f.At.Add(playMax)
	}
	f.touch(c)
}

// touch brings the deadline index in line with a call.
func (f *Floor) touch(c *call) {
	c.unheard = len(c.Legs) > 0 && !slices.ContainsFunc(c.Legs, func(id o.LegID) bool {
		l := f.Legs[id]
		return l != nil && f.attached(l.Switch)
	})
	f.deadlines.set(c)
}

// touchAll does so for every call with a leg at a switch.
func (f *Floor) touchAll(sw o.SwitchID) {
	for _, id := range sortedKeys(f.Calls) {
		c := f.Calls[id]
		if slices.ContainsFunc(c.Legs, func(id o.LegID) bool { l := f.Legs[id]; return l != nil && l.Switch == sw }) {
			f.touch(c)
		}
	}
}

// reindex rebuilds everything that follows from the state.
func (f *Floor) reindex() {
	f.matcher = acd.NewMatcher()
	f.deadlines = nil
	f.hours = map[o.HoursID]*calendar.Compiled{}
	f.relinkConfig()
	for _, id := range sortedKeys(f.Switches) {
		f.Switches[id].slot = 0
		f.deadlines.set(f.Switches[id])
	}
	for _, id := range sortedKeys(f.Services) {
		f.Services[id].slot = 0
		f.deadlines.set(f.Services[id])
	}
	for _, id := range sortedKeys(f.Calls) {
		c := f.Calls[id]
		c.slot = 0
		c.flow = f.flowVersion(c.FlowID, c.FlowVersion)
		c.queue = f.queueVersion(c.QueueID, c.QueueVersion)
		f.touch(c)
		if c.Phase == o.PhaseQueued {
			f.waitInMatcher(c)
		}
	}
	for _, id := range sortedKeys(f.Agents) {
		f.Agents[id].slot = 0
		f.deadlines.set(f.Agents[id])
		f.index(f.Agents[id])
	}
	f.newWaiting, f.newFree = f.newWaiting[:0], f.newFree[:0]
}

// count adds a call that left the queue to the day's figures.
func (f *Floor) count(q *queue, cfg *o.Queue, reason o.Reason, waited o.Millis) {
	left := metrics.Left{Date: f.date(), Waited: waited}
	switch reason {
	case o.ReasonConnected:
		metrics.Answered(&q.Today, left, *cfg)
	case o.ReasonAbandoned:
		metrics.Abandoned(&q.Today, left, *cfg)
	default:
		metrics.Overflowed(&q.Today, left, *cfg)
	}
}

// date is today in the tenant's zone.
func (f *Floor) date() string { return calendar.Day(f.zone, f.At) }
