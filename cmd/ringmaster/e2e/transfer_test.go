package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// TestTransfers has desk phones transfer callers by their own keys, on each
// kind of switch, and listens who hears whom afterwards.
func TestTransfers(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(kind, func(t *testing.T) {
			o := &office{centre: openOn(t, kind, 3, nil)}
			o.login(0)
			for _, colleague := range []int{1, 2} {
				o.login(colleague)
				o.act(colleague, document{"action": "pause", "reason": "lunch"}) // for queues, not for colleagues
			}
			for _, x := range []struct {
				name string
				do   func(*office)
			}{
				{"blind to a colleague", blindToColleague},
				{"blind to a queue", blindToQueue},
				{"blind to nobody is refused", blindToNobody},
				{"blind to one who is busy comes back", blindComesBack},
				{"the caller gives up before the colleague answers", callerGivesUp},
				{"attended to a colleague", attendedToColleague},
				{"attended to a queue that still waits", attendedToQueue},
				{"the consultation is given up", consultGivenUp},
				{"the holder hangs up", holderHangsUp},
				{"attended while the colleague's phone rings", attendedWhileRinging},
				{"attended with the caller gone", attendedWithoutCaller},
				{"attended as the caller goes", attendedAsCallerGoes},
				{"the held line is put down first", heldLineFirst},
				{"the consultation is put down first", consultFirst},
				{"the consulted is busy", consultedIsBusy},
			} {
				o.turn++
				if !t.Run(x.name, func(t *testing.T) { o.rest(t); x.do(o); o.accounted(t) }) {
					return
				}
			}
		})
	}
}

// office is a centre whose first agent takes the calls.
type office struct {
	*centre
	turn  int
	from  string    // the caller's number in this turn
	begun time.Time // the turn
}

// rest waits until everybody is free, with phones that answer by themselves.
func (o *office) rest(t *testing.T) {
	t.Helper()
	o.t, o.from, o.begun = t, fmt.Sprintf("+4930%02d00", o.turn), time.Now()
	for _, p := range o.agents {
		if err := p.SetBehaviour(phone.AnswerAfter(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	want := []orchestrator.AgentState{orchestrator.AgentReady, orchestrator.AgentPaused, orchestrator.AgentPaused}
	for i, state := range want {
		o.eventually(agentID(i)+" is free", 10*time.Second, func() bool { return o.agent(i).State == state })
	}
}

// talk is a caller who talks to the first agent.
func (o *office) talk() (caller, agent *phone.Call) {
	o.t.Helper()
	caller = o.dial(o.caller(0), "501", o.from)
	o.hears(caller, agentHz, time.Time{})
	agent = incoming(o.t.(*testing.T), o.agents[0])
	o.hears(agent, callerHz, time.Time{})
	return caller, agent
}

func (o *office) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(o.t.Context(), d)
	o.t.Cleanup(cancel)
	return ctx
}

// hear holds that two hear each other, and nobody else, for a while from now on.
func (o *office) hear(a, b *phone.Call, hzA, hzB int) {
	o.t.Helper()
	o.hears(a, hzB, time.Now())
	o.hears(b, hzA, time.Now())
	hearEachOther(o.t, a, b, hzA, hzB)
}

// gone waits for the end of calls at their phones.
func (o *office) gone(calls ...*phone.Call) {
	o.t.Helper()
	for _, call := range calls {
		if _, err := call.WaitEnd(o.within(5 * time.Second)); err != nil {
			o.t.Errorf("the call at %s does not end: %v", call.Phone(), err)
		}
	}
}

// finish has the caller hang up and returns the one story of the call.
func (o *office) finish(caller *phone.Call, others ...*phone.Call) story {
	o.t.Helper()
	if err := caller.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.gone(others...)
	return o.story(o.t.(*testing.T), o.from)
}

// offered holds who the call was offered to, and how that ended.
func (s story) offered(tb testing.TB, want ...string) {
	tb.Helper()
	var got []string
	for _, o := range s.Offers {
		got = append(got, o.Agent+" "+o.Outcome)
	}
	if !slices.Equal(got, want) {
		tb.Errorf("offered to %v, want %v:\n%s", got, want, s)
	}
}

func blindToColleague(o *office) {
	caller, agent := o.talk()
	if err := agent.Transfer(o.within(5*time.Second), "102"); err != nil {
		o.t.Fatal(err)
	}
	o.gone(agent)
	o.hears(caller, agentHz+100, time.Now())
	colleague := incoming(o.t.(*testing.T), o.agents[1])
	o.hear(caller, colleague, callerHz, agentHz+100)
	if state := o.agent(1).State; state != orchestrator.AgentTalking {
		o.t.Errorf("the colleague is %s", state)
	}
	s := o.finish(caller, colleague)
	s.has(o.t.(*testing.T), "call_connected", "call_transferred", "offer_made", "call_connected", "call_ended")
	s.offered(o.t, "agent1 answered", "agent2 answered")
	if s.Call.Outcome.Reason != orchestrator.ReasonTalked {
		o.t.Errorf("outcome %+v", s.Call.Outcome)
	}
}

func blindToQueue(o *office) {
	caller, agent := o.talk()
	if err := agent.Transfer(o.within(5*time.Second), "501"); err != nil {
		o.t.Fatal(err)
	}
	o.hears(caller, lab.MusicHz, time.Now())
	o.act(1, document{"action": "ready"})
	o.hears(caller, agentHz+100, time.Now())
	colleague := incoming(o.t.(*testing.T), o.agents[1])
	o.act(1, document{"action": "pause", "reason": "lunch"})
	o.hear(caller, colleague, callerHz, agentHz+100)
	s := o.finish(caller, colleague)
	s.has(o.t.(*testing.T), "call_queued", "call_connected", "call_transferred", "node_entered", "call_queued", "call_connected", "call_ended")
	if n := s.count("call_ended"); n != 1 {
		o.t.Errorf("%d ends:\n%s", n, s)
	}
}

func blindToNobody(o *office) {
	caller, agent := o.talk()
	var refused *phone.StatusError
	if err := agent.Transfer(o.within(5*time.Second), "777"); !errors.As(err, &refused) {
		o.t.Errorf("the phone is told %v", err)
	}
	o.hear(caller, agent, callerHz, agentHz)
	s := o.finish(caller, agent)
	s.has(o.t.(*testing.T), "call_connected", "transfer_refused", "call_ended")
	s.offered(o.t, "agent1 answered")
}

func blindComesBack(o *office) {
	caller, agent := o.talk()
	if err := o.agents[2].SetBehaviour(phone.RejectWith(486)); err != nil {
		o.t.Fatal(err)
	}
	if err := agent.Transfer(o.within(5*time.Second), "103"); err != nil {
		o.t.Fatal(err)
	}
	o.gone(agent)
	o.hears(caller, agentHz, time.Now())
	again := incoming(o.t.(*testing.T), o.agents[0])
	o.hear(caller, again, callerHz, agentHz)
	s := o.finish(caller, again)
	s.offered(o.t, "agent1 answered", "agent3 busy", "agent1 answered")
}

func callerGivesUp(o *office) {
	caller, agent := o.talk()
	if err := o.agents[1].SetBehaviour(phone.RingForever()); err != nil {
		o.t.Fatal(err)
	}
	if err := agent.Transfer(o.within(5*time.Second), "102"); err != nil {
		o.t.Fatal(err)
	}
	o.hears(caller, lab.MusicHz, time.Time{})
	o.eventually("the colleague's phone rings", 5*time.Second, func() bool {
		return o.agent(1).State == orchestrator.AgentReserved && !incoming(o.t.(*testing.T), o.agents[1]).Times().Ringing.IsZero()
	})
	s := o.finish(caller, incoming(o.t.(*testing.T), o.agents[1]))
	if want := (orchestrator.Outcome{Result: orchestrator.ResultCaller, Reason: orchestrator.ReasonAbandonedRing}); s.Call.Outcome != want {
		o.t.Errorf("outcome %+v, want %+v", s.Call.Outcome, want)
	}
	s.offered(o.t, "agent1 answered", "agent2 cancelled")
}

// consult has the agent hold the caller and dial another number.
func (o *office) consult(agent *phone.Call, number string) *phone.Call {
	o.t.Helper()
	if err := agent.Hold(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.eventually("the agent holds", 3*time.Second, func() bool { return o.agent(0).State == orchestrator.AgentHolding })
	return o.dial(o.agents[0], number, "")
}

func attendedToColleague(o *office) {
	caller, agent := o.talk()
	consult := o.consult(agent, "102")
	o.hears(consult, agentHz+100, time.Time{})
	colleague := incoming(o.t.(*testing.T), o.agents[1])
	o.hears(colleague, agentHz, time.Time{})
	if state := o.agent(1).State; state != orchestrator.AgentBusy {
		o.t.Errorf("who is consulted is %s", state)
	}
	time.Sleep(500 * time.Millisecond)
	if err := agent.TransferTo(o.within(5*time.Second), consult); err != nil {
		o.t.Fatal(err)
	}
	o.gone(agent, consult)
	o.hear(caller, colleague, callerHz, agentHz+100)
	if state := o.agent(1).State; state != orchestrator.AgentTalking {
		o.t.Errorf("the colleague is %s", state)
	}
	s := o.finish(caller, colleague)
	s.has(o.t.(*testing.T), "leg_held", "call_transferred", "leg_moved", "call_connected", "call_ended")
	s.offered(o.t, "agent1 answered", "agent2 answered")
	if s.Call.Times.Hold < 500 || s.Call.Times.Talk < 1000 {
		o.t.Errorf("times %+v", s.Call.Times)
	}
	if n := len(o.calls("102")); n != 1 {
		o.t.Errorf("%d records of the consultation", n)
	}
}

func attendedToQueue(o *office) {
	caller, agent := o.talk()
	consult := o.consult(agent, "501")
	o.hears(consult, lab.MusicHz, time.Time{})
	if err := agent.TransferTo(o.within(5*time.Second), consult); err != nil {
		o.t.Fatal(err)
	}
	o.gone(agent, consult)
	o.hears(caller, lab.MusicHz, time.Now())
	o.act(1, document{"action": "ready"})
	o.hears(caller, agentHz+100, time.Now())
	o.act(1, document{"action": "pause", "reason": "lunch"})
	colleague := incoming(o.t.(*testing.T), o.agents[1])
	o.hear(caller, colleague, callerHz, agentHz+100)
	s := o.finish(caller, colleague)
	s.has(o.t.(*testing.T), "call_transferred", "call_queued", "call_connected", "call_ended")
}

func consultGivenUp(o *office) {
	caller, agent := o.talk()
	consult := o.consult(agent, "102")
	o.hears(consult, agentHz+100, time.Time{})
	colleague := incoming(o.t.(*testing.T), o.agents[1])
	if err := consult.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.gone(colleague)
	if err := agent.Unhold(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.hear(caller, agent, callerHz, agentHz)
	s := o.finish(caller, agent)
	s.offered(o.t, "agent1 answered")
}

func holderHangsUp(o *office) {
	caller, agent := o.talk()
	if err := agent.Hold(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.eventually("the agent holds", 3*time.Second, func() bool { return o.agent(0).State == orchestrator.AgentHolding })
	time.Sleep(time.Second)
	if err := agent.Hangup(o.within(3 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	o.gone(caller)
	s := o.story(o.t.(*testing.T), o.from)
	if s.Call.Outcome.Reason != orchestrator.ReasonTalked || s.Call.Times.Hold < 900 {
		o.t.Errorf("outcome %+v, times %+v", s.Call.Outcome, s.Call.Times)
	}
}
