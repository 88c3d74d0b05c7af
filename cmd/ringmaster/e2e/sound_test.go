package e2e

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// TestTheFirstCall is the story the whole product begins with: greeting, menu,
// music, an agent's phone, two people who hear each other and not themselves,
// wrap-up, and the same story read back.
func TestTheFirstCall(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(kind, func(t *testing.T) { firstCall(t, openOn(t, kind, 2, nil)) })
	}
}

func firstCall(t *testing.T, c *centre) {
	t.Helper()
	caller := c.caller(0)
	call := c.dial(caller, "500", "+493012345")
	ear := call.Ear()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	heard := func(hz int, since time.Time) time.Time {
		t.Helper()
		at, err := ear.WaitTone(ctx, hz, since)
		if err != nil {
			t.Fatalf("the caller does not hear %d Hz: %v (heard %v)", hz, err, ear.Tones())
		}
		return at
	}
	greeting := heard(greetingHz, time.Time{})
	menu := heard(menuHz, greeting)
	if err := call.SendDTMF(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	music := heard(lab.MusicHz, menu)
	time.Sleep(time.Second)
	c.login(0)
	agent := heard(agentHz, music)
	time.Sleep(2 * time.Second)
	ring := incoming(t, c.agents[0])

	until := time.Now().Add(-200 * time.Millisecond)
	from := agent.Add(200 * time.Millisecond)
	for _, x := range []struct {
		who   string
		ear   *phone.Ear
		hears int
		own   int
	}{{"caller", ear, agentHz, callerHz}, {"agent", ring.Ear(), callerHz, agentHz}} {
		if part := x.ear.Heard(x.hears, from, until); part < 0.99 {
			t.Errorf("the %s hears %d Hz only %.0f %% of the time", x.who, x.hears, 100*part)
		}
		if part := x.ear.Heard(x.own, from, until); part > 0 {
			t.Errorf("the %s hears themselves %.0f %% of the time", x.who, 100*part)
		}
	}
	if ring.Peer() != "+493012345" {
		t.Errorf("the agent's phone shows %q", ring.Peer())
	}
	bye := time.Now()
	if err := ring.Hangup(ctx); err != nil {
		t.Fatal(err)
	}
	end, err := call.WaitEnd(ctx)
	if err != nil || end.By == "" {
		t.Fatalf("the caller's phone is not hung up: %+v %v", end, err)
	}
	c.eventually("the agent wraps up", 2*time.Second, func() bool { return c.agent(0).State == orchestrator.AgentWrapUp })
	c.eventually("the agent is ready again", 3*time.Second, func() bool { return c.agent(0).State == orchestrator.AgentReady })
	story := c.story(t, "+493012345")
	story.has(t, "call_arrived", "node_entered", "play_started", "call_queued", "music_started", "offer_made",
		"leg_rang", "leg_answered", "call_connected", "call_ended")
	story.agrees(t, "leg_rang", ring.Times().Ringing)
	story.agrees(t, "call_connected", agent)
	story.agrees(t, "call_ended", bye)
	if got := story.Call.Outcome; got.Result != orchestrator.ResultCompleted || got.Reason != orchestrator.ReasonTalked {
		t.Errorf("outcome %+v", got)
	}
}
