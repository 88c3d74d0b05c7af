package e2e

import (
	"maps"
	"slices"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// TestPhonesThatFail lets the first agent's phone fail in every way a phone can,
// on each kind of switch. The caller who waits reaches the second agent each
// time, the facts say what the first phone did, it is rung once for each offer,
// there is one record of the call, and the first agent gets the next call as
// soon as the phone is well.
func TestPhonesThatFail(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(kind, func(t *testing.T) {
			f := &faulty{centre: openOn(t, kind, 2, secondLine)}
			f.login(0)
			f.login(1)
			for i, x := range []struct {
				name    string
				phone   phone.Behaviour
				outcome string
			}{
				{"busy (486)", phone.RejectWith(486), "busy"},
				{"away (480)", phone.RejectWith(480), "unreachable"},
				{"gives up by itself (480 after it rang)", phone.Behaviour{Action: phone.Reject, After: 400 * time.Millisecond, Code: 480}, "no_answer"},
				{"overloaded (503)", phone.RejectWith(503), "unreachable"},
				{"without a word", phone.Unresponsive(), "unreachable"},
			} {
				t.Run(x.name, func(t *testing.T) { f.fails(t, x.phone, x.outcome, i) })
			}
		})
	}
}

// secondLine has the second agent take what the first does not.
func secondLine(doc document) {
	queue := doc["queues"].([]document)[0]
	queue["agents"] = []document{{"agent": agentID(0), "level": 1}, {"agent": agentID(1), "level": 2}}
	queue["ring_timeout_ms"], queue["wrap_up_ms"] = ringTimeout.Milliseconds(), 0
}

// ringTimeout is how long a phone rings in these tests.
const ringTimeout = 3 * time.Second

// faulty is a centre whose first agent has a phone that fails.
type faulty struct{ *centre }

// free waits until both agents may be offered a call.
func (f *faulty) free() {
	f.t.Helper()
	f.eventually("both agents are free", 15*time.Second, func() bool {
		return f.agent(0).State == orchestrator.AgentReady && f.agent(1).State == orchestrator.AgentReady
	})
	time.Sleep(1200 * time.Millisecond) // the rest after a miss
}

func (f *faulty) fails(t *testing.T, as phone.Behaviour, outcome string, i int) { //nolint:thelper // it is the test itself
	f.t = t
	f.free()
	before := len(f.agents[0].Calls())
	if err := f.agents[0].SetBehaviour(as); err != nil {
		t.Fatal(err)
	}
	number := "+4977" + string(rune('0'+i))
	call := f.dial(f.caller(i), "501", number)
	f.hears(call, agentHz+100, time.Time{})
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.story(t, number).offered(t, "agent1 "+outcome, "agent2 answered")
	if rings := len(f.agents[0].Calls()) - before; rings > 1 {
		t.Errorf("offered once, the phone rang %d times", rings)
	}
	if err := f.agents[0].SetBehaviour(phone.AnswerAfter(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	f.well(t, number+"9", agentHz)
}

// well holds that the first agent takes the next call.
func (f *faulty) well(t *testing.T, number string, hz int) {
	t.Helper()
	f.free()
	call := f.dial(f.caller(9), "501", number)
	if hz != 0 {
		f.hears(call, hz, time.Time{})
	}
	f.eventually("the first agent talks", 10*time.Second, func() bool { return f.agent(0).State == orchestrator.AgentTalking })
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.story(t, number).offered(t, "agent1 answered")
}

// TestAPhoneThatAnswersTooLate: the answer and the CANCEL pass each other on the
// wire, because the phone was picked up when it had rung long enough, or when the
// caller hung up. Whoever answered is rid of the call at once, the caller talks
// to one agent and no other, and the first agent is free again.
func TestAPhoneThatAnswersTooLate(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(kind, func(t *testing.T) {
			f := &faulty{centre: openOn(t, kind, 2, secondLine)}
			if err := f.agents[0].Close(); err != nil { // its place is taken by one that knows no manners
				t.Fatal(err)
			}
			late := f.latePhone(t, 0)
			f.login(0)
			f.login(1)
			t.Run("after it rang long enough", func(t *testing.T) { f.answersTheCancel(t, late) })
			t.Run("after the caller hung up", func(t *testing.T) { f.answersNobody(t, late) })
			t.Run("at that very moment", func(t *testing.T) { f.answersAtTheMoment(t, late) })
			f.t = t
			if rings, offers := len(late.all()), f.offersTo(t, "agent1"); rings > offers {
				t.Errorf("%d offers to the agent, and the phone rang %d times", offers, rings)
			}
		})
	}
}

// answersTheCancel: the ringing time is over, and the phone answers instead of
// giving up.
func (f *faulty) answersTheCancel(t *testing.T, late *latePhone) { //nolint:thelper // it is the test itself
	f.t = t
	f.free()
	late.answers(onCancel)
	call := f.dial(f.caller(0), "501", "+49780")
	ring := late.next(t)
	f.hears(call, agentHz+100, time.Time{})
	f.ridOf(t, ring)
	time.Sleep(500 * time.Millisecond)
	if !call.Up() {
		t.Error("the caller lost the call to an answer that came too late")
	}
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.story(t, "+49780").offered(t, "agent1 no_answer", "agent2 answered")
	late.answers(200 * time.Millisecond)
	f.well(t, "+497801", 0)
}

// answersNobody: the caller hangs up while the phone rings, which answers.
func (f *faulty) answersNobody(t *testing.T, late *latePhone) { //nolint:thelper // it is the test itself
	f.t = t
	f.free()
	late.answers(onCancel)
	call := f.dial(f.caller(1), "501", "+49781")
	ring := late.next(t)
	time.Sleep(300 * time.Millisecond)
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.ridOf(t, ring)
	s := f.story(t, "+49781")
	s.offered(t, "agent1 cancelled")
	if s.Call.Outcome.Reason != orchestrator.ReasonAbandoned && s.Call.Outcome.Reason != orchestrator.ReasonAbandonedRing {
		t.Errorf("outcome %+v", s.Call.Outcome)
	}
	late.answers(200 * time.Millisecond)
	f.well(t, "+497811", 0)
}

// answersAtTheMoment: the phone answers when it has rung long enough, a little
// before and a little after. Either is right, both at once is not.
func (f *faulty) answersAtTheMoment(t *testing.T, late *latePhone) { //nolint:thelper // it is the test itself
	f.t = t
	for i, shift := range []int{-40, -15, -5, 5, 20} {
		f.free()
		late.answers(ringTimeout + time.Duration(shift)*time.Millisecond)
		number := "+4979" + string(rune('0'+i))
		call := f.dial(f.caller(2+i), "501", number)
		ring := late.next(t)
		var who int
		f.eventually("somebody talks", 15*time.Second, func() bool {
			who = slices.IndexFunc([]int{0, 1}, func(i int) bool { return f.agent(i).State == orchestrator.AgentTalking })
			return who >= 0
		})
		time.Sleep(time.Second)
		if who == 1 {
			f.ridOf(t, ring)
			f.hears(call, agentHz+100, time.Time{})
		} else if !ring.over().IsZero() || f.agent(1).State != orchestrator.AgentReady {
			t.Errorf("the first agent talks, whose phone heard BYE at %s; the second is %s", ring.over(), f.agent(1).State)
		}
		if err := call.Hangup(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := f.story(t, number)
		t.Logf("answered %d ms after the ringing time: agent%d talked", shift, who+1)
		s.offered(t, [][]string{{"agent1 answered"}, {"agent1 no_answer", "agent2 answered"}}[who]...)
		if s.Call.Outcome.Reason != orchestrator.ReasonTalked || s.count("call_connected") != 1 || s.count("call_ended") != 1 {
			t.Errorf("outcome %+v:\n%s", s.Call.Outcome, s)
		}
		if who == 0 {
			f.ridOf(t, ring)
		}
	}
}

// ridOf holds that a phone that answered is told at once that there is no call.
func (f *faulty) ridOf(t *testing.T, ring *lateRing) {
	t.Helper()
	f.eventually("the phone is rid of the call", 5*time.Second, func() bool { return !ring.over().IsZero() })
	answered, over := ring.answeredAt(), ring.over()
	if cancelled := ring.cancelledAt(); !cancelled.IsZero() {
		t.Logf("CANCEL at 0, 200 at %s, BYE at %s", answered.Sub(cancelled).Round(time.Millisecond), over.Sub(cancelled).Round(time.Millisecond))
	}
}

// offersTo counts the offers to an agent in all calls there were.
func (f *faulty) offersTo(t *testing.T, agent string) (n int) {
	t.Helper()
	var page struct{ Items []struct{ ID string } }
	f.do("GET", "/v1/calls?limit=100", nil, &page)
	for _, item := range page.Items {
		var s story
		f.do("GET", "/v1/calls/"+item.ID, nil, &s)
		for _, o := range s.Offers {
			if o.Agent == agent {
				n++
			}
		}
	}
	return n
}
