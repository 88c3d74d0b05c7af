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
	for i := 0; i < len(f.newWaiting); i++ {
		f.matchCall(f.Calls[f.newWaiting[i]])
	}
	for i := 0; i < len(f.newFree); i++ {
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
		f.matchAgentTo(choice, triggerCall)
	}
}

func (f *Floor) matchAgent(a *agent) {
	if a == nil || !f.matcher.IsFree(a.ID) {
		return
	}
	if b, w, ok := f.matcher.NextCall(a.ID); ok {
		// Another agent may be preferred for that call; between steps nobody
		// else was free for it, within one step several may have become so.
		choice, _ := f.matcher.BestAgent(b)
		f.offer(f.Calls[w.Call], choice, triggerAgent)
		if choice.Agent != a.ID {
			f.matchAgent(a)
		}
	}
}

// matchAgentTo offers the agent the call that is first for them.
func (f *Floor) matchAgentTo(choice acd.Choice, trigger string) {
	b, w, ok := f.matcher.NextCall(choice.Agent)
	if !ok {
		return
	}
	best, _ := f.matcher.BestAgent(b)
	f.offer(f.Calls[w.Call], best, trigger)
}

// matchEverything looks at every bucket, after who serves which has changed.
func (f *Floor) matchEverything() {
	for _, b := range f.matcher.Buckets() {
		for range f.matcher.WaitingIn(b.Queue) {
			choice, ok := f.matcher.BestAgent(b)
			if !ok {
				break
			}
			if _, _, waits := f.matcher.NextCall(choice.Agent); !waits {
				break
			}
			f.matchAgentTo(choice, triggerAgent)
		}
	}
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
	f.emit(o.LegStarted{Call: c.ID, Leg: legID, Switch: c.Switch, Role: o.RoleAgent, Endpoint: ph.Endpoint, Agent: a.ID})
	f.settle(a)
	f.order(c, o.Dial{
		Leg: legID, Stamp: f.stamp(c.ID, legID, o.RoleAgent), Endpoint: ph.Endpoint, Display: c.Caller,
		// The floor ends the offer itself; the switch's own end is for the
		// day on which the floor is not there to do it.
		Timeout: c.queue.RingTimeout + 2000, AutoAnswer: ph.AutoAnswer,
	})
}
