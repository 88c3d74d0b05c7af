package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// TestFleet has calls that arrive on one switch reach phones of another, in
// both directions.
func TestFleet(t *testing.T) {
	for _, kinds := range fleets {
		t.Run(kinds[east]+" and "+kinds[west], func(t *testing.T) {
			f := newFleet(t, kinds)
			for side := range f.sides {
				there := 2 - 2*side // the first agent on the other side
				for _, x := range []struct {
					name string
					do   func(f *fleet, there int)
				}{
					{"they talk, hold, and the caller hangs up", callerEndsAcross},
					{"the agent hangs up", agentEndsAcross},
					{"the agent transfers to this side", transferHome},
					{"the agent transfers on the far side", transferThere},
					{"the agent consults on this side and transfers", consultHome},
					{"the agent consults on the far side and transfers", consultThere},
				} {
					t.Run(fmt.Sprintf("from the %s, %s", sideNames[side], x.name), func(t *testing.T) {
						f.scene(t, side, there)
						x.do(f, there)
						f.empty()
					})
				}
			}
			t.Run("the link refuses", func(t *testing.T) { f.scene(t, east, 2); linkRefuses(f) })
			t.Run("the west dies while a phone rings", func(t *testing.T) { f.scene(t, east, 2); diesRinging(f) })
			for dead := range f.sides {
				t.Run(fmt.Sprintf("the %s dies while they talk", sideNames[dead]), func(t *testing.T) { f.diesTalking(t, dead) })
			}
		})
	}
}

func callerEndsAcross(f *fleet, there int) {
	caller, agent := f.meet(there)
	f.hear(caller, agent, callerHz, agentHz+100*there)
	f.holdAcross(caller, agent, there)
	s := f.finish(caller, agent)
	f.across(s, there)
	if s.Call.Times.Hold == 0 {
		f.t.Errorf("times %+v", s.Call.Times)
	}
}

// holdAcross has the agent put the caller on hold and take them back.
func (f *fleet) holdAcross(caller, agent *phone.Call, there int) {
	f.t.Helper()
	if err := agent.Hold(f.within(3 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	held := time.Now()
	f.eventually("the caller hears the music on hold", 10*time.Second, func() bool {
		return caller.Ear().Heard(lab.HoldHz, held, time.Now()) > 0.3
	})
	f.eventually("the agent holds", 3*time.Second, func() bool { return f.agent(there).State == orchestrator.AgentHolding })
	if err := agent.Unhold(f.within(3 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	f.hear(caller, agent, callerHz, agentHz+100*there)
}

func agentEndsAcross(f *fleet, there int) {
	caller, agent := f.meet(there)
	f.hear(caller, agent, callerHz, agentHz+100*there)
	if err := agent.Hangup(f.within(3 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	f.gone(caller)
	f.across(f.story(f.t.(*testing.T), f.from), there)
}

// across holds that a call was taken over a link to agent i, and all of it is
// told.
func (f *fleet) across(s story, i int) {
	f.t.Helper()
	t := f.t.(*testing.T)
	s.has(t, "call_arrived", "offer_made", "link_opened", "call_connected", "link_closed", "call_ended")
	s.offered(t, agentID(i)+" answered")
	if s.Call.Outcome.Reason != orchestrator.ReasonTalked || s.count("call_ended") != 1 {
		t.Errorf("outcome %+v\n%s", s.Call.Outcome, s)
	}
	here, there := string(sideNames[1-i/2]), string(sideNames[i/2])
	f.carried(s, "caller@"+here, "link@"+here, "link@"+there, "agent@"+there)
}

// transferHome has the agent over there send the caller to a colleague on the
// caller's own side, with the phone's key.
func transferHome(f *fleet, there int) { f.transfer(there, 3-(there+1)) }

// transferThere has the agent send the caller to the neighbour over there.
func transferThere(f *fleet, there int) { f.transfer(there, there+1) }

func (f *fleet) transfer(by, to int) {
	f.t.Helper()
	caller, agent := f.meet(by)
	if err := agent.Transfer(f.within(10*time.Second), fmt.Sprint(101+to)); err != nil {
		f.t.Fatal(err)
	}
	f.gone(agent)
	f.hears(caller, agentHz+100*to, time.Now())
	colleague := incoming(f.t.(*testing.T), f.agents[to])
	f.hear(caller, colleague, callerHz, agentHz+100*to)
	s := f.finish(caller, colleague)
	s.has(f.t.(*testing.T), "link_opened", "call_connected", "call_transferred", "offer_made", "call_connected", "call_ended")
	s.offered(f.t, agentID(by)+" answered", agentID(to)+" answered")
	if opened, closed := s.count("link_opened"), s.count("link_closed"); opened != closed {
		f.t.Errorf("%d links opened, %d closed\n%s", opened, closed, s)
	}
}

// linkRefuses has the far side refuse the trunk's calls, as a wrong address
// does. The caller keeps their place and gets the next agent; the one who
// answered in vain is not to blame.
func linkRefuses(f *fleet) {
	t := f.t.(*testing.T)
	f.link(t, east, lab.LinkIP+":9") // where nobody listens
	caller := f.dial(f.caller(0), "501", f.from)
	f.eventually("the agent answered in vain", 20*time.Second, func() bool {
		calls := f.agents[2].Calls()
		return len(calls) > 0 && calls[len(calls)-1].Direction() == phone.Incoming && !calls[len(calls)-1].Up() &&
			!calls[len(calls)-1].Times().Answered.IsZero() && calls[len(calls)-1].Peer() == f.from
	})
	f.act(2, document{"action": "pause", "reason": "lunch"})
	f.hears(caller, lab.MusicHz, time.Now())
	f.act(0, document{"action": "ready"})
	f.hears(caller, agentHz, time.Now())
	s := f.finish(caller, incoming(f.t.(*testing.T), f.agents[0]))
	if n := len(s.Offers); n < 2 || s.Offers[0].Outcome != string(orchestrator.OfferCancelled) || s.Offers[n-1].Outcome != "answered" {
		f.t.Errorf("offers %+v\n%s", s.Offers, s)
	}
	if n := s.count("call_queued"); n != 1 {
		f.t.Errorf("the caller joined the queue %d times\n%s", n, s)
	}
	f.link(t, east, f.sides[west].SIPAddr)
	f.empty()
}

// answers is how many calls each way of TestAnswerToSound takes.
const answers = 20

// TestAnswerToSound measures what a caller waits from the instant the agent
// picks up to the agent's first sound, on one switch and over a link.
func TestAnswerToSound(t *testing.T) {
	for _, kinds := range fleets {
		t.Run(kinds[east]+" and "+kinds[west], func(t *testing.T) {
			f := newFleet(t, kinds)
			for side := range f.sides {
				for _, i := range []int{2 * side, 2 - 2*side} {
					var waits []time.Duration
					for range answers {
						f.scene(t, side, i)
						caller := f.dial(f.caller(0), "501", f.from)
						heard := f.hears(caller, agentHz+100*i, time.Time{})
						agent := incoming(t, f.agents[i])
						waits = append(waits, heard.Sub(agent.Times().Answered))
						f.finish(caller, agent)
					}
					slices.Sort(waits)
					t.Logf("%s to %s: answer to sound p50 %s, p95 %s, most %s", f.sides[side].kind, f.sides[i/2].kind,
						waits[answers/2].Round(time.Millisecond), waits[answers*95/100].Round(time.Millisecond), waits[answers-1].Round(time.Millisecond))
				}
			}
		})
	}
}
