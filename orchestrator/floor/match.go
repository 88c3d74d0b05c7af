package floor

import (
	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/acd"
)

// Triggers: what made the floor look for a match.
const (
	triggerCall  = "call_arrived"
	triggerAgent = "agent_free"
)

// match brings together whoever became available in this step. Between two
// steps no call waits while an agent who may take it is free, so only the
// newcomers need a look.
func (f *Floor) match() {
	for i := 0; i < len(f.newWaiting); i++ { //nolint:intrange // emit may add to it
		f.matchCall(f.Calls[f.newWaiting[i]])
	}
	for i := 0; i < len(f.newFree); i++ { //nolint:intrange // emit may add to it
		f.matchAgent(f.Agents[f.newFree[i]])
	}
	if f.rematch {
		f.matchEverything()
	}
}

func (f *Floor) matchCall(c *call) {
	if c == nil || c.Phase != o.PhaseQueued || c.Adrift || c.Ending != nil {
		return
	}
	// Somebody may be ahead of this call in its bucket; whoever is first gets
	// the agent, and this call the next one. Each round takes one agent.
	for c.Phase == o.PhaseQueued {
		choice, ok := f.matcher.BestAgent(c.Bucket)
		if !ok {
			return
		}
		f.offerPair(choice.Agent, triggerCall)
	}
}

func (f *Floor) matchAgent(a *agent) {
	for a != nil && f.matcher.IsFree(a.ID) && f.offerPair(a.ID, triggerAgent) {
	}
}

// matchEverything looks at every bucket, after who serves which has changed.
func (f *Floor) matchEverything() {
	for _, b := range f.matcher.Buckets() {
		for range f.matcher.WaitingIn(b.Queue) {
			choice, ok := f.matcher.BestAgent(b)
			if !ok || !f.offerPair(choice.Agent, triggerAgent) {
				break
			}
		}
	}
}

// offerPair makes the offer that an agent's being free leads to: of a call to
// an agent who each come first for the other. Between steps that is the agent
// and the first call they serve; when several became free in one step, the
// call may prefer another of them, and that one another call. Each turn finds
// a call that comes before the last one, so there is an end.
func (f *Floor) offerPair(id o.AgentID, trigger string) bool {
	b, w, waits := f.matcher.NextCall(id)
	for waits {
		choice, _ := f.matcher.BestAgent(b)
		nextB, next, _ := f.matcher.NextCall(choice.Agent)
		if next.Call == w.Call {
			f.offer(f.Calls[w.Call], choice, trigger)
			return true
		}
		b, w = nextB, next
	}
	return false
}

// offer rings one agent for one call.
func (f *Floor) offer(c *call, choice acd.Choice, trigger string) {
	a := f.Agents[choice.Agent]
	ph := f.Phones[a.Phone]
	legID := o.LegID(f.newID())
	waiting := f.matcher.WaitingIn(c.QueueID)
	f.emit(o.OfferMade{
		Offer: o.OfferID(f.newID()), Call: c.ID, Queue: c.QueueID, Agent: a.ID, Phone: ph.ID, Leg: legID,
		RingUntil: f.At.Add(c.queue.RingTimeout.Duration()),
		Decision: o.Decision{
			Strategy: c.queue.Strategy, Level: choice.Level, IdleSince: choice.IdleSince, Free: choice.Free,
			RunnerUp: choice.RunnerUp, Priority: c.Priority, Waited: f.waited(c), Waiting: waiting,
			Trigger: trigger, Step: c.Bucket.Step, Tried: c.Tried,
		},
	})
	f.ring(c, a, c.queue.RingTimeout)
}

// ring dials the agent a call has just been offered to.
func (f *Floor) ring(c *call, a *agent, limit o.Millis) {
	ph, legID := f.Phones[a.Phone], c.Offer.Leg
	f.emit(o.LegStarted{Call: c.ID, Leg: legID, Switch: ph.Switch, Role: o.RoleAgent, Endpoint: ph.Endpoint, Agent: a.ID})
	f.settle(a)
	f.order(c, o.Dial{
		Leg: legID, Stamp: f.stamp(c.ID, legID, o.RoleAgent), Endpoint: ph.Endpoint, Display: c.Caller,
		// The floor ends the offer itself; the switch's own end is for the
		// day on which the floor is not there to do it.
		Timeout: limit + 2000, AutoAnswer: ph.AutoAnswer,
	})
}
