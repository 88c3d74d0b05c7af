package e2e

import (
	"context"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// TestAgentsWhoDoNotAnswer lets the first agent's phone fail in every way a
// phone can; the caller must reach the second each time, and the facts must say
// what the first one did.
func TestAgentsWhoDoNotAnswer(t *testing.T) {
	c := open(t, 2, func(doc document) {
		queue := doc["queues"].([]document)[0]
		queue["agents"] = []document{{"agent": agentID(0), "level": 1}, {"agent": agentID(1), "level": 2}}
		queue["ring_timeout_ms"], queue["wrap_up_ms"] = 3000, 0
	})
	c.login(0)
	c.login(1)
	for i, x := range []struct {
		name    string
		phone   phone.Behaviour
		outcome string
	}{
		{"busy", phone.RejectWith(486), "busy"},
		{"rejects", phone.RejectWith(603), "rejected"},
		{"rings in an empty room", phone.RingForever(), "no_answer"},
		{"is switched off", phone.Unresponsive(), "unreachable"},
	} {
		t.Run(x.name, func(t *testing.T) {
			c.eventually("both agents are free", 15*time.Second, func() bool {
				return c.agent(0).State == orchestrator.AgentReady && c.agent(1).State == orchestrator.AgentReady
			})
			time.Sleep(1200 * time.Millisecond) // the rest after the miss before
			if err := c.agents[0].SetBehaviour(x.phone); err != nil {
				t.Fatal(err)
			}
			number := "+4940" + string(rune('0'+i))
			call := c.dial(c.caller(i), "501", number)
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			if _, err := call.Ear().WaitTone(ctx, agentHz+100, time.Time{}); err != nil {
				t.Fatalf("the second agent is not heard: %v (heard %v)", err, call.Ear().Tones())
			}
			if err := call.Hangup(ctx); err != nil {
				t.Fatal(err)
			}
			s := c.story(t, number)
			if len(s.Offers) != 2 || s.Offers[0].Outcome != x.outcome || s.Offers[1].Outcome != "answered" {
				t.Errorf("offers %+v, want %s then answered\n%s", s.Offers, x.outcome, s)
			}
		})
	}
}

// TestTheCallerGoesWhileThePhoneRings: the phone stops ringing at once and
// shows no missed call.
func TestTheCallerGoesWhileThePhoneRings(t *testing.T) {
	c := open(t, 1, nil)
	if err := c.agents[0].SetBehaviour(phone.RingForever()); err != nil {
		t.Fatal(err)
	}
	c.login(0)
	call := c.dial(c.caller(0), "501", "+49500")
	ring, err := c.agents[0].WaitCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-ring.Ringing()
	time.Sleep(300 * time.Millisecond)
	gone := time.Now()
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	end, err := ring.WaitEnd(ctx)
	if err != nil {
		t.Fatalf("the phone rings on: %v", err)
	}
	if late := ring.Times().CancelReceived.Sub(gone); late > 200*time.Millisecond {
		t.Errorf("the phone is told %s after the caller went", late)
	}
	if len(end.Reasons) == 0 {
		t.Errorf("the CANCEL has no reason: the phone shows a missed call")
	}
	if s := c.story(t, "+49500"); s.Call.Outcome.Reason != orchestrator.ReasonAbandoned || s.Offers[0].Outcome != "cancelled" {
		t.Errorf("outcome %+v, offers %+v", s.Call.Outcome, s.Offers)
	}
}

// TestFeatureCodes: an agent with nothing but a desk phone logs in with number
// and PIN, pauses with a reason, comes back and logs out, and hears each time
// that it was done.
func TestFeatureCodes(t *testing.T) {
	c := open(t, 1, nil)
	desk := c.agents[0]
	dial := func(code, digits string) {
		t.Helper()
		call, err := desk.Dial(t.Context(), code, phone.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := call.WaitAnswer(ctx); err != nil {
			t.Fatalf("%s is not answered: %v", code, err)
		}
		for _, part := range splitPound(digits) {
			time.Sleep(1500 * time.Millisecond)
			if err := call.SendDTMF(ctx, part); err != nil {
				t.Fatal(err)
			}
		}
		end, err := call.WaitEnd(ctx)
		if err != nil {
			t.Fatalf("%s does not end by itself: %+v %v", code, end, err)
		}
		times := call.Times()
		if spoken := call.Ear().Other(times.Answered, times.Ended); spoken < 0.1 {
			t.Errorf("%s: nothing is said (%.0f %% of the call is speech)", code, 100*spoken)
		}
	}
	dial("*11", "101#0000#4711#") // a wrong PIN first
	c.eventually("the agent is ready", 5*time.Second, func() bool { return c.agent(0).State == orchestrator.AgentReady })
	dial("*22", "1")
	c.eventually("the agent is paused", 5*time.Second, func() bool {
		a := c.agent(0)
		return a.State == orchestrator.AgentPaused && a.Reason == "lunch"
	})
	dial("*21", "")
	c.eventually("the agent is ready again", 5*time.Second, func() bool { return c.agent(0).State == orchestrator.AgentReady })
	dial("*12", "")
	c.eventually("the agent is logged out", 5*time.Second, func() bool { return c.agent(0).State == orchestrator.AgentLoggedOut })
	dial("*99", "")
}

// splitPound cuts "1#2#" into "1#", "2#": what a person types in one go.
func splitPound(digits string) (parts []string) {
	part := ""
	for _, r := range digits {
		part += string(r)
		if r == '#' {
			parts, part = append(parts, part), ""
		}
	}
	if part != "" {
		parts = append(parts, part)
	}
	return parts
}

// TestMusicAnnouncementAndOverflow: a caller nobody takes hears music and the
// announcement, and is sent on after the maximum wait.
func TestMusicAnnouncementAndOverflow(t *testing.T) {
	c := open(t, 1, func(doc document) {
		queue := doc["queues"].([]document)[0]
		queue["max_wait_ms"] = 6000
		queue["announce"] = document{
			"first_ms": 2000, "every_ms": 2000,
			"play": []document{{"file": soundFile(doc, "announcement")}},
		}
	})
	call := c.dial(c.caller(0), "501", "+49600")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := call.WaitEnd(ctx); err != nil {
		t.Fatalf("the maximum wait does not end the call: %v", err)
	}
	up, over := call.Times().Answered, call.Times().Ended
	if total := over.Sub(up); total < 5500*time.Millisecond || total > 7*time.Second {
		t.Errorf("the caller waited %s instead of 6 s", total)
	}
	if part := call.Ear().Heard(announceHz, up, over); part < 0.25 || part > 0.6 {
		t.Errorf("announcements fill %.0f %% of the wait", 100*part)
	}
	if part := call.Ear().Heard(lab.MusicHz, up, over); part < 0.4 {
		t.Errorf("music fills %.0f %% of the wait", 100*part)
	}
	if s := c.story(t, "+49600"); s.Call.Outcome.Reason != orchestrator.ReasonMaxWait {
		t.Errorf("outcome %+v", s.Call.Outcome)
	}
}
