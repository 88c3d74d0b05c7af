package e2e

import (
	"strings"
	"testing"
	"time"

	"ringmaster/adapters/postgres/cluster"
	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// TestStartWithoutDatabase starts ringmaster while its database is away: a
// first start waits and says so, a later one takes calls from what it knows,
// and everything is in the books once the database is back.
func TestStartWithoutDatabase(t *testing.T) {
	home := folder(t)
	var server *cluster.Cluster
	begin := func() {
		t.Helper()
		var err error
		if server, err = cluster.Start(t.Context(), cluster.Config{Folder: home}); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	t.Cleanup(func() { server.Stop() })
	if err := server.CreateDatabase(t.Context(), "ringmaster"); err != nil {
		t.Fatal(err)
	}
	server.Stop()

	c := newCentre(t, "asterisk", 1)
	c.env, c.address = []string{"RINGMASTER_DATABASE=" + server.DSN("ringmaster")}, freeAddress(t)
	t.Cleanup(c.stop)
	c.launchKeyless()
	c.notReady(t, "which a first start needs")
	begin()
	c.awaitKey()
	c.awaitReady(20 * time.Second)
	doc := c.document(1)
	doc["queues"].([]document)[0]["wrap_up_ms"] = 0
	c.apply(doc)
	c.agents = append(c.agents, c.register(0, phone.AnswerAfter(300*time.Millisecond)))
	c.eventually("the switch is attached", 15*time.Second, func() bool {
		l := c.live()
		return len(l.Switches) > 0 && l.Switches[0].Attached
	})
	c.login(0)
	talk := c.converse(t, "+49800")

	c.kill()
	server.Stop()
	c.launch()
	c.awaitReady(20 * time.Second)
	c.awaitSwitch(t)
	talk.unharmed(t, jitter)
	if err := talk.call.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	next := c.dial(c.caller(1), "501", "+49801")
	c.hears(next, agentHz, time.Time{})
	if status, text := c.ask("GET", "/v1/calls", nil); status != 503 {
		t.Errorf("a read that needs the database answers %d %s", status, text)
	}
	if err := next.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	time.Sleep(300 * time.Millisecond)
	c.kill() // again, twice alone in a row
	c.launch()
	c.awaitReady(20 * time.Second)

	begin()
	c.eventually("the database is back", 20*time.Second, func() bool { status, _ := c.ask("GET", "/v1/live", nil); return status == 200 })
	for _, number := range []string{"+49800", "+49801"} {
		if s := c.story(t, number); s.count("call_ended") != 1 || s.Call.Outcome.Reason != orchestrator.ReasonTalked {
			t.Errorf("the books say:\n%s", s)
		}
	}
	c.next(t, "+49802")
}

// notReady waits until /readyz refuses with a reason.
func (c *centre) notReady(t *testing.T, reason string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, alive := c.readyz()
		if alive && !r.Ready && strings.Contains(r.says("leading"), reason) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it does not say %q: %+v\n%s", reason, r, c.log())
		}
	}
}

// awaitSwitch waits until the switch is heard, which it need not be when this
// one leads: a call would take the dialplan's fallback until then. /readyz tells
// without a key, whom nobody knows while the database is away.
func (c *centre) awaitSwitch(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, _ := c.readyz()
		for _, check := range r.Checks {
			if check.Name == "switch pbx" && check.Ok {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("the switch is not heard: %+v\n%s", r, c.log())
		}
	}
}
