package floor

import (
	"strings"
	"time"

	o "ringmaster/orchestrator"
)

// directRing is how long one agent who was dialled or chosen is rung.
const directRing = 20 * time.Second

// dialledMax bounds the internal calls one phone may have open: a phone has
// few lines, a program that dials has many.
const dialledMax = 4

// Triggers of direct offers.
const (
	triggerDialled     = "dialled"
	triggerTransferred = "transferred"
	triggerReturned    = "returned"
)

// extensionOf is what people dial to reach a device: its endpoint's last part,
// without a domain ("PJSIP/1001", "user/1001@pbx").
func extensionOf(endpoint string) string {
	name, _, _ := strings.Cut(endpoint[strings.LastIndexByte(endpoint, '/')+1:], "@")
	return name
}

// destination is where a number leads that one of our phones dials: a flow, or
// an agent ("" for a phone at which nobody is logged in).
type destination struct {
	flow  *o.Flow
	agent o.AgentID
}

// destinationOf looks a number up. What is configured as a number means the
// same to everybody who dials it, so it comes first.
func (f *Floor) destinationOf(sw o.SwitchID, dialled string) (d destination, ok bool) {
	if n, is := f.Numbers[dialled]; is && f.Flows[n.Flow] != nil {
		return destination{flow: f.Flows[n.Flow]}, true
	}
	if id, is := f.numbers[dialled]; is {
		return destination{agent: id}, true
	}
	if ph := f.extensions[endpointKey{sw, dialled}]; ph != nil {
		return destination{agent: ph.Agent}, true
	}
	return destination{}, false
}

// internalOffered is a desk phone dialling a number instead of a code.
func (f *Floor) internalOffered(e o.LegOffered, ph *phone) {
	to, known := f.destinationOf(e.Switch, e.Dialled)
	if !known || len(ph.Dialled) >= dialledMax {
		reason, cause := o.ReasonNoNumber, o.CauseUnallocated
		if known {
			reason, cause = o.ReasonBusy, o.CauseBusy
		}
		f.emit(o.CallRefused{Leg: e.Leg, Switch: e.Switch, Dialled: e.Dialled, Caller: e.Caller, Reason: reason})
		f.command(e.Switch, string(e.Leg), o.Hangup{Leg: e.Leg, Cause: cause})
		return
	}
	id := o.CallID(f.newID())
	arrived := o.CallArrived{
		Call: id, Leg: e.Leg, Switch: e.Switch, Dialled: e.Dialled, Caller: e.Caller, Direction: o.CallInternal, Agent: ph.Agent,
	}
	if a := f.Agents[ph.Agent]; a != nil {
		arrived.Caller = o.Party{Number: a.Number, Name: a.Name}
	}
	if to.flow != nil {
		arrived.Flow, arrived.FlowVersion = to.flow.ID, to.flow.Version
	}
	f.emit(arrived)
	f.emit(o.LegStarted{
		Call: id, Leg: e.Leg, Switch: e.Switch, Role: o.RoleCaller, Endpoint: e.Endpoint, Agent: ph.Agent, SIPCall: e.SIPCall,
	})
	f.settlePhone(ph)
	c := f.Calls[id]
	f.claim(c)
	if to.flow != nil {
		f.enter(c, to.flow, to.flow.Start, "")
		return
	}
	f.direct(c, to.agent, triggerDialled)
}

// direct rings one agent for a call, whatever queues they serve.
func (f *Floor) direct(c *call, id o.AgentID, trigger string) {
	if why := f.barred(c, id); why != "" {
		f.notReached(c, why)
		return
	}
	a := f.Agents[id]
	legID := o.LegID(f.newID())
	f.emit(o.OfferMade{
		Offer: o.OfferID(f.newID()), Call: c.ID, Agent: id, Phone: a.Phone, Leg: legID, RingUntil: f.At.Add(directRing),
		Decision: o.Decision{IdleSince: a.IdleSince, Free: 1, Priority: c.Priority, Trigger: trigger, Tried: c.Tried},
	})
	f.announceRinging(c)
	f.ring(c, a, o.MillisOf(directRing))
}

// barred says why an agent cannot be rung now, "" if they can. Paused agents
// and those in wrap-up can: that keeps queues from them, not colleagues.
func (f *Floor) barred(c *call, id o.AgentID) o.OfferOutcome {
	a := f.Agents[id]
	if a == nil || !a.LoggedIn || !f.attached(c.Switch) {
		return o.OfferUnreachable
	}
	ph := f.Phones[a.Phone]
	switch {
	case ph == nil || !ph.Reachable || !f.reaches(c.Switch, ph.Switch) || !f.attached(ph.Switch):
		return o.OfferUnreachable
	case a.Leg != "" || ph.Foreign || ph.Service != "" || len(ph.Dialled) > 0:
		return o.OfferBusy
	}
	return ""
}

// announceRinging lets the caller hear that somebody is rung: on the phone's
// own terms before the answer, as music after it.
func (f *Floor) announceRinging(c *call) {
	if !f.up(c) {
		f.order(c, o.Ring{Leg: c.Leg})
		return
	}
	f.music(c)
}

// notReached goes on with a call whose agent could not be had: back to who
// transferred it, then to its place in its queue, else it ends and the caller
// is told why by cause.
func (f *Floor) notReached(c *call, why o.OfferOutcome) {
	if c.Return != nil && f.barred(c, c.Return.Agent) == "" {
		f.direct(c, c.Return.Agent, triggerReturned)
		return
	}
	if c.Return != nil && f.Queues[c.Return.Queue] != nil {
		f.requeue(c, *c.Return)
		return
	}
	reason, cause := o.ReasonUnreachable, o.CauseAbsent
	switch why {
	case o.OfferBusy:
		reason, cause = o.ReasonBusy, o.CauseBusy
	case o.OfferRejected:
		reason, cause = o.ReasonRejected, o.CauseRejected
	case o.OfferNoAnswer:
		reason, cause = o.ReasonNoAnswer, o.CauseNoAnswer
	case o.OfferAnswered, o.OfferCancelled, o.OfferLostRace, o.OfferUnreachable:
	}
	f.end(c, o.Outcome{Result: o.ResultAgent, Reason: reason}, cause)
}

// requeue gives a call its place in its queue back.
func (f *Floor) requeue(c *call, back comeback) {
	q := f.Queues[back.Queue]
	f.line(c, q, back.Priority, back.Arrived)
	if f.nobody(c, q) {
		f.overflow(c, o.ReasonNoAgents, o.ExitNoAgents)
	}
}
