package floor

import (
	"fmt"
	"time"

	o "ringmaster/orchestrator"
)

// Explain says why a call that is here now waits, rings or talks where it
// does. ok is false for a call the floor does not hold; its past is told by
// ExplainPast.
func (f *Floor) Explain(id o.CallID, at time.Time) (o.Explanation, bool) {
	c := f.Calls[id]
	if c == nil {
		return o.Explanation{}, false
	}
	e := o.Explanation{Call: id, At: at, Offers: []o.OfferReason{}}
	switch c.Phase {
	case o.PhaseFlow:
		e.Summary = fmt.Sprintf("The call is in flow %s at node %q since %s; it is in no queue.", c.FlowID, c.Node, clock(c.Since))
	case o.PhaseQueued, o.PhaseRinging:
		if c.direct() {
			e.Summary = fmt.Sprintf("The call rings at %s since %s, who was dialled or chosen.", f.named(c.Offer.Agent), clock(c.Offer.Made))
			break
		}
		e.Waiting = f.explainWait(c, at)
		e.Summary = fmt.Sprintf("The call waits in queue %s for %s, at place %d.", c.QueueID, span(at.Sub(c.Joined)), e.Waiting.Position)
		if c.Offer != nil {
			e.Summary = fmt.Sprintf("The call rings at %s since %s.", f.named(c.Offer.Agent), clock(c.Offer.Made))
		}
	case o.PhaseTalking:
		e.Summary = fmt.Sprintf("The call talks to %s since %s.", f.named(c.Agent), clock(c.Since))
	case o.PhaseEnded:
		e.Summary = "The call is over; its last leg is closing."
	}
	return e, true
}

// explainWait weighs every agent of the call's queue.
func (f *Floor) explainWait(c *call, at time.Time) *o.WaitReason {
	w := &o.WaitReason{Queue: c.QueueID, Candidates: []o.AgentStanding{}, Ahead: f.matcher.Ahead(c.ID, 20)}
	w.Position, _ = f.matcher.Position(c.ID)
	if w.Ahead == nil {
		w.Ahead = []o.CallID{}
	}
	in, ready := 0, 0
	for _, qa := range c.queue.Agents {
		a := f.Agents[qa.Agent]
		if a == nil {
			continue
		}
		if a.LoggedIn {
			in++
		}
		if f.offerable(a) {
			ready++
		}
		w.Candidates = append(w.Candidates, o.AgentStanding{
			Agent: a.ID, State: a.State, Since: a.Since, Level: qa.Level, Verdict: f.verdict(c, a, at),
			Chosen: c.Offer != nil && c.Offer.Agent == a.ID,
		})
	}
	switch {
	case c.Adrift:
		w.WouldHelp = "The switch of this call cannot be heard; it goes on when the connection is back."
	case len(w.Candidates) == 0:
		w.WouldHelp = "The queue has no agents: add some."
	case in == 0:
		w.WouldHelp = "No agent of this queue is logged in: one who logs in gets the first call in line."
	case ready == 0:
		w.WouldHelp = "No agent of this queue is free: the next who becomes ready gets the first call in line."
	default:
		w.WouldHelp = "Calls ahead of this one are served first."
	}
	return w
}

// verdict is why this agent does not get this call now.
func (f *Floor) verdict(c *call, a *agent, at time.Time) string {
	switch {
	case c.Offer != nil && c.Offer.Agent == a.ID:
		return "rings for this call since " + clock(c.Offer.Made)
	case !skilled(a.Skills, c.queue.Skills):
		return "lacks a skill this queue requires"
	case a.LoggedIn && !f.inReach(a, c.Switch):
		return "sits at a phone on switch " + string(f.Phones[a.Phone].Switch) + ", to which " + string(c.Switch) + " has no link"
	case a.State == o.AgentReady && a.NotBefore.After(at):
		return "rests until " + clock(a.NotBefore) + " after a missed call"
	case a.State == o.AgentReady:
		return "free, and takes a call that is ahead"
	}
	return standing(a.State, a.Reason, a.Since)
}

// standing puts an agent's state into words.
func standing(state o.AgentState, reason string, since time.Time) string {
	words := map[o.AgentState]string{
		o.AgentLoggedOut: "logged out", o.AgentPaused: "paused", o.AgentReserved: "rings for another call",
		o.AgentTalking: "talks", o.AgentHolding: "talks, caller on hold", o.AgentWrapUp: "wraps up",
		o.AgentPhoneLost: "phone unreachable", o.AgentBusy: "phone in use by another call", o.AgentReady: "ready",
	}[state]
	if reason != "" {
		words += " (" + reason + ")"
	}
	if since.IsZero() {
		return words
	}
	return words + " since " + clock(since)
}

// PastOffer is one offer with what the queue's agents were doing just before.
type PastOffer struct {
	Offer     o.OfferRecord
	Standings []o.Standing
}

// ExplainPast tells why a call of the past went to whom it went to. It is made
// of facts alone, so it says the same next year, but for the names people have
// then.
func ExplainPast(call o.CallRecord, offers []PastOffer, name func(o.AgentID) string) o.Explanation {
	e := o.Explanation{Call: call.ID, At: call.Ended, Offers: []o.OfferReason{}}
	for _, p := range offers {
		e.Offers = append(e.Offers, explainOffer(p, name))
	}
	switch {
	case len(offers) == 0 && call.FirstQueue == "":
		e.Summary = fmt.Sprintf("The call never reached a queue; it ended as %s/%s.", call.Outcome.Result, call.Outcome.Reason)
	case len(offers) == 0:
		e.Summary = fmt.Sprintf("The call waited in %s and was offered to nobody; it ended as %s/%s.",
			call.FirstQueue, call.Outcome.Result, call.Outcome.Reason)
	case call.FirstAgent != "":
		e.Summary = fmt.Sprintf("%s got the call: %s", name(call.FirstAgent), e.Offers[len(e.Offers)-1].Why)
	default:
		e.Summary = fmt.Sprintf("The call was offered %d times and nobody took it; it ended as %s/%s.",
			len(offers), call.Outcome.Result, call.Outcome.Reason)
	}
	return e
}

func explainOffer(p PastOffer, name func(o.AgentID) string) o.OfferReason {
	d, sentence := p.Offer.Decision, why(p.Offer, name)
	r := o.OfferReason{
		Offer: p.Offer.ID, At: p.Offer.Made, Queue: p.Offer.Queue, Agent: p.Offer.Agent, Decision: d,
		Outcome: p.Offer.Outcome, Why: sentence, Candidates: []o.AgentStanding{},
	}
	for _, s := range p.Standings {
		r.Candidates = append(r.Candidates, o.AgentStanding{
			Agent: s.Agent, State: s.State, Since: s.From, Level: s.Level, Chosen: s.Agent == p.Offer.Agent,
			Verdict: pastVerdict(s, p.Offer, sentence),
		})
	}
	return r
}

// why is one offer's reason in one sentence.
func why(of o.OfferRecord, name func(o.AgentID) string) string {
	d, who := of.Decision, name(of.Agent)
	idle := span(of.Made.Sub(d.IdleSince))
	switch d.Trigger {
	case triggerDialled:
		return fmt.Sprintf("%s was dialled.", who)
	case triggerTransferred:
		return fmt.Sprintf("the call was transferred to %s.", who)
	case triggerReturned:
		return fmt.Sprintf("the call came back to %s, who had transferred it.", who)
	case triggerAdopted:
		return fmt.Sprintf("%s talked to the caller already when this Ringmaster took over; the one before knew why.", who)
	}
	if d.Trigger == triggerAgent {
		return fmt.Sprintf("%s became free and this call was first in line (priority %d, waiting %s, %d waiting).",
			who, d.Priority, span(d.Waited.Duration()), d.Waiting)
	}
	if d.Free <= 1 {
		return fmt.Sprintf("%s was the only free agent, idle for %s.", who, idle)
	}
	return fmt.Sprintf("%s had been idle the longest (%s) of %d free agents; next would have been %s.",
		who, idle, d.Free, name(d.RunnerUp))
}

func pastVerdict(s o.Standing, of o.OfferRecord, sentence string) string {
	switch {
	case s.Agent == of.Agent:
		return "chosen: " + sentence
	case s.State == o.AgentReady && s.Level > of.Decision.Level:
		return fmt.Sprintf("ready since %s, but asked only after level %d", clock(s.From), of.Decision.Level)
	case s.State == o.AgentReady:
		return "ready since " + clock(s.From) + ", but idle for less time than the chosen agent, or resting after a missed call"
	}
	return standing(s.State, s.Reason, s.From)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }

// span rounds a duration to what a person would say.
func span(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
