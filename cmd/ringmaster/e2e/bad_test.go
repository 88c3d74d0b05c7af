package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// TestBadConfiguration applies what must not be applied: each is refused with
// the place of the fault, nothing of it stays, and two people talk through it.
func TestBadConfiguration(t *testing.T) {
	var sound document
	c, talk := witnessed(t, 2, func(doc document) {
		addQueue(doc, document{"id": "empty", "name": "Empty"}, "602")
		doc["hours"] = []document{{"id": "office", "zone": "UTC", "weekly": []document{}}}
		addFlow(doc, document{"id": "timed", "start": "hours", "nodes": document{
			"hours": document{"type": "hours", "hours": "office", "on": document{"open": "bye", "closed": "bye"}},
			"bye":   document{"type": "hangup"},
		}}, "603")
		sound = doc
	})
	// broken is the sound document with a change that is fine and a fault.
	broken := func(fault func(document)) document {
		doc := document{}
		text, err := json.Marshal(sound)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		section(doc, "agents", 0)["name"] = "Renamed"
		fault(doc)
		return doc
	}
	node := func(doc document, name string) map[string]any {
		return section(doc, "flows", 0)["nodes"].(map[string]any)[name].(map[string]any)
	}
	for _, x := range []struct {
		name, field string
		fault       func(document)
	}{
		{"an exit to nowhere", "flows[0].nodes.menu.on.1", func(doc document) {
			node(doc, "menu")["on"].(map[string]any)["1"] = "nowhere"
		}},
		{"a queue nobody made", "flows[0].nodes.queue.queue", func(doc document) { node(doc, "queue")["queue"] = "nobodys" }},
		{"a node of no type", "flows[0].nodes.bye.type", func(doc document) { node(doc, "bye")["type"] = "teleport" }},
		{"a start that is not there", "flows[0].start", func(doc document) { section(doc, "flows", 0)["start"] = "gone" }},
		{"a number twice", "numbers[1].dialled", func(doc document) { section(doc, "numbers", 1)["dialled"] = "500" }},
		{"an agent's number twice", "agents[1].number", func(doc document) { section(doc, "agents", 1)["number"] = "101" }},
		{"a phone twice", "phones[1].endpoint", func(doc document) {
			section(doc, "phones", 1)["endpoint"] = section(doc, "phones", 0)["endpoint"]
		}},
		{"an agent nobody made", "queues[0].agents[0].agent", func(doc document) {
			section(doc, "queues", 0)["agents"] = []any{document{"agent": "ghost"}}
		}},
		{"hours in use removed", "flows[4].nodes.hours.hours", func(doc document) { doc["hours"] = []any{} }},
		{"a dial string", "phones[0].endpoint", func(doc document) {
			section(doc, "phones", 0)["endpoint"] = "Local/s@rm-fallback&PJSIP/1001"
		}},
	} {
		t.Run(x.name, func(t *testing.T) { c.refusesDocument(t, broken(x.fault), x.field) })
	}
	t.Run("in use", func(t *testing.T) {
		for _, path := range []string{"/v1/hours/office", "/v1/queues/sales", "/v1/flows/main", "/v1/switches/pbx"} {
			before := c.export()
			if r := c.refused(t, "DELETE", path, "application/json", strings.NewReader("")); r.Status != http.StatusConflict {
				t.Errorf("DELETE %s: %+v", path, r)
			}
			if c.export() != before {
				t.Errorf("DELETE %s left its traces", path)
			}
		}
	})
	t.Run("not JSON", func(t *testing.T) {
		for _, body := range []string{"", "{", "[]", "null", `{"queues":7}`, `{"flows":[{}]}`, "\xff\xfe", strings.Repeat("[", 100000)} {
			r := c.refused(t, "POST", "/v1/config/apply", "application/json", strings.NewReader(body))
			if r.Status < 400 || r.Status >= 500 {
				t.Errorf("%.20q: %+v", body, r)
			}
		}
	})
	t.Run("a queue without agents", func(t *testing.T) {
		var plan struct {
			Warnings []struct{ Field, Message string }
		}
		c.do("POST", "/v1/config/plan", sound, &plan)
		if len(plan.Warnings) == 0 || plan.Warnings[0].Field != "queues[2].agents" {
			t.Errorf("warnings: %+v", plan.Warnings)
		}
		c.endsBy(t, "602", "+49810", orchestrator.ReasonNoAgents)
	})
	talk.testified(t)
}

func section(doc document, name string, i int) map[string]any {
	return doc[name].([]any)[i].(map[string]any)
}

// endsBy calls a number and waits until the call is ended for that reason.
func (c *centre) endsBy(t *testing.T, dialled, from string, reason orchestrator.Reason) {
	t.Helper()
	call := c.dial(c.caller(1), dialled, from)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if _, err := call.WaitEnd(ctx); err != nil {
		t.Fatalf("%s keeps its caller: %v", dialled, err)
	}
	if s := c.story(t, from); s.Call.Outcome.Reason != reason || s.count("call_ended") != 1 {
		t.Errorf("%s ends as %+v, want %s:\n%s", dialled, s.Call.Outcome, reason, s)
	}
}

// TestBadSurprises is what no check of a configuration can see: agents who
// leave, files that are not there, things that are deleted under a call.
func TestBadSurprises(t *testing.T) {
	var sound document
	c, talk := witnessed(t, 2, func(doc document) {
		missing := []document{{"file": soundFile(doc, "no-such-file")}}
		addFlow(doc, document{"id": "mute", "start": "answer", "nodes": document{
			"answer": document{"type": "answer", "on": document{"next": "play"}},
			"play":   document{"type": "play", "play": missing, "on": document{"next": "menu"}},
			"menu": document{"type": "menu", "play": missing, "timeout_ms": 500, "retries": -1, "on": document{
				"1": "queue", "timeout": "queue", "invalid": "queue",
			}},
			"queue": document{"type": "queue", "queue": "sales"},
		}}, "610")
		doc["hours"] = []document{{"id": "always", "zone": "UTC", "weekly": []document{
			{"days": []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, "from": "00:00", "to": "24:00"},
		}}}
		addFlow(doc, document{"id": "timed", "start": "answer", "nodes": document{
			"answer": document{"type": "answer", "on": document{"next": "menu"}},
			"menu": document{"type": "menu", "play": []document{{"file": soundFile(doc, "menu")}}, "timeout_ms": 10000, "on": document{
				"1": "hours", "timeout": "bye", "invalid": "bye",
			}},
			"hours":  document{"type": "hours", "hours": "always", "on": document{"open": "bye", "closed": "closed"}},
			"closed": document{"type": "play", "play": []document{{"file": soundFile(doc, "announcement")}}, "on": document{"next": "bye"}},
			"bye":    document{"type": "hangup"},
		}}, "611")
		addQueue(doc, document{"id": "doomed", "name": "Doomed", "music": lab.MusicClass, "agents": []document{{"agent": agentID(1)}}}, "612")
		sound = doc
	})

	t.Run("prompts that are not there", func(t *testing.T) {
		call := c.dial(c.caller(1), "610", "+49820")
		c.hears(call, agentHz+100, time.Time{})
		c.hangsUp(t, call, "+49820", orchestrator.ReasonTalked)
	})
	t.Run("every agent logs out", func(t *testing.T) {
		c.eventually("the agent is ready", 5*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentReady })
		c.act(1, document{"action": "logout"})
		call := c.dial(c.caller(1), "501", "+49821")
		c.hears(call, lab.MusicHz, time.Time{})
		c.login(1)
		c.hears(call, agentHz+100, time.Time{})
		c.hangsUp(t, call, "+49821", orchestrator.ReasonTalked)
		c.eventually("the agent is ready", 5*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentReady })
	})
	t.Run("deleted under calls", func(t *testing.T) {
		c.act(1, document{"action": "pause", "reason": "lunch"})
		menu := c.dial(c.caller(1), "611", "+49822")
		c.hears(menu, menuHz, time.Time{})
		waits := c.dial(c.caller(2), "612", "+49823")
		c.hears(waits, lab.MusicHz, time.Time{})

		less := document{"hours": []document{}}
		for _, kind := range []string{"queues", "flows"} {
			less[kind] = sound[kind]
		}
		less["queues"] = without(less, "queues", "id", "doomed")
		less["flows"] = without(less, "flows", "id", "timed")
		less["flows"] = without(less, "flows", "id", "to-doomed")
		less["numbers"] = without(document{"numbers": without(sound, "numbers", "dialled", "611")}, "numbers", "dialled", "612")
		c.apply(less)

		if err := menu.SendDTMF(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		c.hears(menu, announceHz, time.Time{}) // hours that are gone are closed hours
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := menu.WaitEnd(ctx); err != nil {
			t.Errorf("the call in the deleted flow does not end: %v", err)
		}
		c.act(1, document{"action": "ready"})
		c.hears(waits, agentHz+100, time.Time{})
		c.hangsUp(t, waits, "+49823", orchestrator.ReasonTalked)
		if s := c.story(t, "+49822"); s.Call.Outcome.Reason != orchestrator.ReasonFlowHangup {
			t.Errorf("the call in the deleted flow: %+v\n%s", s.Call.Outcome, s)
		}
		// A number that is gone reaches the fallback of the dialplan.
		lost := c.dial(c.caller(1), "612", "+49824")
		if err := lost.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
	})
	talk.testified(t)
}

// bigBytes is the size of a document somebody made by mistake.
const bigBytes = 50 << 20

// TestBigDocuments: whoever sends 50 MB is told so, and what it costs in memory is not what was sent.
func TestBigDocuments(t *testing.T) {
	c, talk := witnessed(t, 1, nil)
	c.refusesDocument(t, document{"queues": []document{{"id": "a"}}}, "queues[0].name") // warms up what any refusal needs
	before := c.memory(t)
	for _, kind := range []string{"application/json", "application/yaml"} {
		for _, path := range []string{"/v1/config/apply", "/v1/config/plan"} {
			for _, told := range []bool{true, false} {
				var body io.Reader = strings.NewReader(`{"queues":[` + strings.Repeat(`{"id":"a"},`, bigBytes/11) + `{}]}`)
				if !told {
					body = struct{ io.Reader }{body} // goes out in chunks, its length unsaid
				}
				if r := c.refused(t, "POST", path, kind, body); r.Status != http.StatusRequestEntityTooLarge && r.Status != http.StatusBadRequest {
					t.Errorf("%s %s, length told %v: %+v", kind, path, told, r)
				}
			}
		}
	}
	grown := c.memory(t) - before
	t.Logf("eight documents of 50 MB cost %d KiB of memory at most", grown>>10)
	// What is read before the limit leaves up to 40 MB of outgrown buffers, and
	// the collector decides when they go; one document taken whole costs 250 MB.
	if grown > 3*bigBytes {
		t.Errorf("memory grew by %d KiB", grown>>10)
	}
	t.Run("just small enough", func(t *testing.T) {
		for _, body := range []string{
			`{"queues":[` + strings.Repeat(`{},`, 7<<20/3) + `{}]}`,
			`{"flows":[{"id":"a","start":"a","nodes":{` + nodes(7<<20) + `}}]}`,
		} {
			before := c.memory(t)
			begun := time.Now()
			r := c.refused(t, "POST", "/v1/config/apply", "application/json", strings.NewReader(body))
			grown := c.memory(t) - before
			t.Logf("7 MB of %.20q: %d, %d faults, in %s, %d KiB of memory", body, r.Status, len(r.Errors), time.Since(begun).Round(time.Millisecond), grown>>10)
			if r.Status != http.StatusBadRequest || len(r.Errors) > 100 || grown > 256<<20 {
				t.Errorf("%+.300v, memory grew by %d KiB", r, grown>>10)
			}
		}
	})
	t.Run("apply", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "huge.yaml")
		if err := os.WriteFile(file, bytes.Repeat([]byte("queues: []\n"), bigBytes/11), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "apply", "-f", file, "--yes", "--url", "http://"+c.address, "--key", c.key)
		out, err := cmd.CombinedOutput()
		text := strings.TrimSpace(string(out))
		if err == nil || strings.Contains(text, "\n") || !strings.Contains(text, "huge.yaml") {
			t.Errorf("ringmaster apply: %v: %.500s", err, text)
		}
		t.Logf("ringmaster apply: %s", text)
	})
	talk.testified(t)
}

// nodes are as many nodes as fit into so many bytes.
func nodes(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `"n%d":{"type":"hangup"},`, i)
	}
	return b.String() + `"a":{"type":"hangup"}`
}

// memory is the most the ringmaster process ever held, in bytes.
func (c *centre) memory(t *testing.T) (peak int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscanf(line, "%d kB", &peak); !ok || err != nil {
		t.Fatalf("no VmHWM in %s: %v", text, err)
	}
	return peak << 10
}
