package e2e

import (
	"context"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// accounted holds the books of a turn: the customer has one record, which ended
// once, and its time of talk and hold is that of the agents who answered, each
// their own.
func (o *office) accounted(t *testing.T) {
	t.Helper()
	s := o.story(t, o.from)
	if s.count("call_arrived") != 1 || s.count("call_ended") != 1 {
		t.Errorf("the call came %d times and ended %d times:\n%s", s.count("call_arrived"), s.count("call_ended"), s)
	}
	spent, sum := map[string]time.Duration{}, time.Duration(0)
	for _, w := range o.work(t, o.from) {
		spent[w.agent] += w.to.Sub(w.from)
		sum += w.to.Sub(w.from)
	}
	for i, p := range o.agents {
		if took := s.tookIt(agentID(i)); took != (spent[agentID(i)] > 0) {
			t.Errorf("%s took the call: %t; they worked %s for it:\n%s", agentID(i), took, spent[agentID(i)], s)
		}
		if most := o.onThePhone(p); spent[agentID(i)] > most+time.Second {
			t.Errorf("%s worked %s for a call that was at their phone for %s:\n%s", agentID(i), spent[agentID(i)], most, s)
		}
	}
	if all := (s.Call.Times.Talk + s.Call.Times.Hold).Duration(); (all - sum).Abs() > time.Second {
		t.Errorf("agents worked %v, the call talked and held %s:\n%s", spent, all, s)
	}
}

// tookIt reports whether an agent answered one of their offers.
func (s story) tookIt(agent string) bool {
	for _, o := range s.Offers {
		if o.Agent == agent && o.Outcome == string(orchestrator.OfferAnswered) {
			return true
		}
	}
	return false
}

// onThePhone is how long a phone was in calls of this turn, consultations too.
func (o *office) onThePhone(p *phone.Phone) (all time.Duration) {
	for _, call := range p.Calls() {
		x := call.Times()
		if x.Answered.IsZero() || x.Answered.Before(o.begun) {
			continue
		}
		end := x.Ended
		if end.IsZero() {
			end = time.Now()
		}
		all += end.Sub(x.Answered)
	}
	return all
}

// asks has the agent hold the caller and dial a colleague, and returns at once.
func (o *office) asks(agent *phone.Call, number string) *phone.Call {
	o.t.Helper()
	if err := agent.Hold(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.eventually("the agent holds", 3*time.Second, func() bool { return o.agent(0).State == orchestrator.AgentHolding })
	consult, err := o.agents[0].Dial(o.within(30*time.Second), number, phone.DialOptions{})
	if err != nil {
		o.t.Fatal(err)
	}
	return consult
}

// attendedWhileRinging: the agent presses the key as soon as it rings. A phone
// whose consultation is up by then hands it over as it is; another gives it up
// and sends the caller there blind.
func attendedWhileRinging(o *office) {
	caller, agent := o.talk()
	if err := o.agents[1].SetBehaviour(phone.AnswerAfter(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	consult := o.asks(agent, "102")
	o.eventually("the colleague's phone rings", 5*time.Second, func() bool {
		ring := last(o.agents[1])
		return ring != nil && ring.Times().Invite.After(o.begun) && !ring.Times().Ringing.IsZero()
	})
	if consult.Up() {
		o.t.Log("the consultation is up")
		if err := agent.TransferTo(o.within(5*time.Second), consult); err != nil {
			o.t.Fatal(err)
		}
	} else {
		o.t.Log("the consultation is not up yet")
		if err := consult.Hangup(o.within(3 * time.Second)); err != nil {
			o.t.Fatal(err)
		}
		o.eventually("the colleague is free again", 5*time.Second, func() bool { return o.agent(1).State == orchestrator.AgentPaused })
		if err := agent.Transfer(o.within(5*time.Second), "102"); err != nil {
			o.t.Fatal(err)
		}
	}
	o.gone(agent, consult)
	o.hears(caller, agentHz+100, time.Now())
	colleague := incoming(o.t.(*testing.T), o.agents[1])
	o.hear(caller, colleague, callerHz, agentHz+100)
	s := o.finish(caller, colleague)
	s.has(o.t.(*testing.T), "leg_held", "call_transferred", "call_connected", "call_ended")
	s.offered(o.t, "agent1 answered", "agent2 answered")
}

// last is the newest call of a phone, nil before the first.
func last(p *phone.Phone) *phone.Call {
	if calls := p.Calls(); len(calls) > 0 {
		return calls[len(calls)-1]
	}
	return nil
}

// consults is a caller on hold while the agent talks to a colleague.
func (o *office) consults() (caller, agent, consult, colleague *phone.Call) {
	o.t.Helper()
	caller, agent = o.talk()
	consult = o.consult(agent, "102")
	o.hears(consult, agentHz+100, time.Time{})
	return caller, agent, consult, incoming(o.t.(*testing.T), o.agents[1])
}

// attendedWithoutCaller: the caller gives up on hold. The key has nobody to hand
// over, and the two who consult talk on.
func attendedWithoutCaller(o *office) {
	caller, agent, consult, colleague := o.consults()
	if err := caller.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.gone(agent)
	if err := agent.TransferTo(o.within(5*time.Second), consult); err == nil {
		o.t.Error("a caller who is gone was handed over")
	}
	o.hear(consult, colleague, agentHz, agentHz+100)
	if err := consult.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.gone(colleague)
	o.overOnHold()
}

// attendedAsCallerGoes: the caller gives up in the moment in which the agent
// presses the key. Whichever comes first, nobody is left with silence.
func attendedAsCallerGoes(o *office) {
	caller, agent, consult, colleague := o.consults()
	if err := caller.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	err := agent.TransferTo(o.within(5*time.Second), consult)
	o.t.Logf("the agent's phone was told: %v", err)
	o.gone(agent)
	if time.Sleep(300 * time.Millisecond); consult.Up() {
		o.hear(consult, colleague, agentHz, agentHz+100)
		if err := consult.Hangup(o.within(3 * time.Second)); err != nil {
			o.t.Fatal(err)
		}
	}
	o.gone(consult, colleague)
}

// heldLineFirst: the agent puts the held caller down, then the colleague.
func heldLineFirst(o *office) {
	caller, agent, consult, colleague := o.consults()
	if err := agent.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.gone(caller)
	o.hear(consult, colleague, agentHz, agentHz+100)
	if err := consult.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.gone(colleague)
	o.overOnHold()
}

// consultFirst: the agent puts the colleague down, then the held caller.
func consultFirst(o *office) {
	caller, agent, consult, colleague := o.consults()
	if err := consult.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.gone(colleague)
	if state := o.agent(0).State; state != orchestrator.AgentHolding || !caller.Up() {
		o.t.Errorf("the agent is %s, the caller there: %t", state, caller.Up())
	}
	if err := agent.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.gone(caller)
	o.overOnHold()
}

// overOnHold holds the story of a caller whose call ended on hold.
func (o *office) overOnHold() {
	o.t.Helper()
	s := o.story(o.t.(*testing.T), o.from)
	s.offered(o.t, "agent1 answered")
	if s.Call.Outcome.Reason != orchestrator.ReasonTalked || s.Call.Times.Hold == 0 || s.count("call_transferred") > 0 {
		o.t.Errorf("outcome %+v, times %+v:\n%s", s.Call.Outcome, s.Call.Times, s)
	}
}

// consultedIsBusy: the colleague's phone is busy. The agent hears so and goes
// back to the caller.
func consultedIsBusy(o *office) {
	caller, agent := o.talk()
	if err := o.agents[2].SetBehaviour(phone.RejectWith(486)); err != nil {
		o.t.Fatal(err)
	}
	consult := o.asks(agent, "103")
	ctx, cancel := context.WithTimeout(o.t.Context(), 10*time.Second)
	defer cancel()
	end, err := consult.WaitEnd(ctx)
	if err != nil {
		o.t.Fatalf("the agent is left waiting for one who is busy: %v", err)
	}
	o.t.Logf("the agent's phone is told %+v", end)
	if err := agent.Unhold(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.hear(caller, agent, callerHz, agentHz)
	s := o.finish(caller, agent)
	s.offered(o.t, "agent1 answered")
}
