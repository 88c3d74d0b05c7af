package e2e

import (
	"fmt"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// consultHome has the agent over there ask a colleague on the caller's own side,
// and leave the caller to them.
func consultHome(f *fleet, there int) { f.consult(there, 3-(there+1)) }

// consultThere has the agent ask the neighbour over there.
func consultThere(f *fleet, there int) { f.consult(there, there+1) }

// consult has an agent who talks over a link put the caller on hold, ask a
// colleague and connect the two by the phone's key (an attended transfer). They
// hear each other and nobody else, the customer has one record, and everybody's
// talk is their own.
func (f *fleet) consult(by, to int) {
	t := f.t.(*testing.T)
	t.Helper()
	caller, agent := f.meet(by)
	if err := agent.Hold(f.within(3 * time.Second)); err != nil {
		t.Fatal(err)
	}
	f.eventually("the agent holds", 3*time.Second, func() bool { return f.agent(by).State == orchestrator.AgentHolding })
	asked := f.dial(f.agents[by], fmt.Sprint(101+to), "")
	f.hears(asked, agentHz+100*to, time.Time{})
	colleague := incoming(t, f.agents[to])
	f.hear(asked, colleague, agentHz+100*by, agentHz+100*to)
	if state := f.agent(to).State; state != orchestrator.AgentBusy {
		t.Errorf("who is asked is %s", state)
	}
	if err := agent.TransferTo(f.within(10*time.Second), asked); err != nil {
		t.Fatal(err)
	}
	f.gone(agent, asked)
	f.hear(caller, colleague, callerHz, agentHz+100*to)
	if state := f.agent(to).State; state != orchestrator.AgentTalking {
		t.Errorf("who was asked is %s", state)
	}
	f.consulted(f.finish(caller, colleague), by, to)
}

// consulted is what is told of it.
func (f *fleet) consulted(s story, by, to int) {
	t := f.t.(*testing.T)
	t.Helper()
	s.has(t, "link_opened", "call_connected", "leg_held", "call_transferred", "leg_moved", "call_connected", "call_ended")
	s.offered(t, agentID(by)+" answered", agentID(to)+" answered")
	if s.count("call_ended") != 1 || s.Call.Outcome.Reason != orchestrator.ReasonTalked {
		t.Errorf("outcome %+v\n%s", s.Call.Outcome, s)
	}
	if opened, closed := s.count("link_opened"), s.count("link_closed"); opened != closed {
		t.Errorf("%d links opened, %d closed\n%s", opened, closed, s)
	}
	spent := map[string]time.Duration{}
	for _, w := range f.work(t, f.from) {
		spent[w.agent] += w.to.Sub(w.from)
	}
	all := (s.Call.Times.Talk + s.Call.Times.Hold).Duration()
	sum := spent[agentID(by)] + spent[agentID(to)]
	if len(spent) != 2 || spent[agentID(by)] < time.Second || spent[agentID(to)] < time.Second || (all-sum).Abs() > time.Second {
		t.Errorf("talked for the call: %v; the call talked and held %s\n%s", spent, all, s)
	}
}
