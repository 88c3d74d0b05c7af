package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// TestTwoTenantsShareASwitch has two centres in one process on one PBX: each
// with numbers, agents, phones and a key of its own, none seeing the other.
func TestTwoTenantsShareASwitch(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(kind, func(t *testing.T) { twoTenants(t, kind) })
	}
}

func twoTenants(t *testing.T, kind string) {
	t.Helper()
	main := newCentre(t, kind, 2)
	main.env = []string{"RINGMASTER_TENANTS=acme"}
	main.start()
	t.Cleanup(main.stop)
	main.eventually("the second tenant has a key", 5*time.Second, func() bool { return main.keyOf("acme") != "" })
	acme := &centre{t: t, pbx: main.pbx, dir: main.dir, address: main.address, key: main.keyOf("acme"), output: main.output}

	for i, c := range []*centre{main, acme} {
		doc := main.document(2)
		for _, section := range []string{"phones", "agents"} {
			doc[section] = doc[section].([]document)[i : i+1]
		}
		queue := doc["queues"].([]document)[0]
		queue["agents"] = queue["agents"].([]document)[i : i+1]
		doc["numbers"] = []document{{"dialled": []string{"501", "601"}[i], "flow": "straight"}}
		c.apply(doc)
		main.agents = append(main.agents, main.register(i, phone.AnswerAfter(300*time.Millisecond)))
	}
	acme.agents = main.agents
	for i, c := range []*centre{main, acme} {
		c.eventually("the switch is attached", 15*time.Second, func() bool {
			l := c.live()
			return len(l.Switches) == 1 && l.Switches[0].Attached
		})
		c.login(i)
	}

	for i, c := range []*centre{main, acme} {
		number, from := []string{"501", "601"}[i], []string{"+49301", "+49302"}[i]
		call := c.dial(main.caller(i), number, from)
		c.hears(call, agentHz+100*i, time.Time{})
		c.hears(incoming(t, main.agents[i]), callerHz+100*i, time.Time{})
		if err := call.Hangup(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.eventually("the call is in its tenant's books", 10*time.Second, func() bool { return len(c.calls(from)) == 1 })
		if other := []*centre{acme, main}[i]; len(other.calls(from)) != 0 {
			t.Errorf("the call from %s is in the other tenant's books too", from)
		}
	}
	notMine(t, main, acme)

	// The desk phone of the second tenant logs out by its own code.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code, err := main.agents[1].Dial(ctx, "*12", phone.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := code.WaitEnd(ctx); err != nil {
		t.Fatal(err)
	}
	acme.eventually("the agent of the second tenant is logged out", 5*time.Second, func() bool {
		return acme.agent(1).State == orchestrator.AgentLoggedOut
	})
	if s := main.agent(0).State; s == orchestrator.AgentLoggedOut {
		t.Error("the first tenant's agent was logged out too")
	}

	// Both are there again after a crash.
	main.kill()
	main.start()
	acme.output = main.output
	for _, c := range []*centre{main, acme} {
		c.eventually("the switch is attached again", 15*time.Second, func() bool {
			l := c.live()
			return len(l.Switches) == 1 && l.Switches[0].Attached
		})
	}
}

func (c *centre) keyOf(tenant string) string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.keys[tenant]
}

// notMine holds that a call of one tenant does not exist for another.
func notMine(t *testing.T, one, other *centre) {
	t.Helper()
	var page struct{ Items []struct{ ID string } }
	_, text := one.ask("GET", "/v1/calls", nil)
	if err := json.Unmarshal(text, &page); err != nil || len(page.Items) == 0 {
		t.Fatalf("%v in %s", err, text)
	}
	if status, text := other.ask("GET", "/v1/calls/"+page.Items[0].ID, nil); status != 404 {
		t.Errorf("another tenant's call: %d %s, want 404", status, text)
	}
}
