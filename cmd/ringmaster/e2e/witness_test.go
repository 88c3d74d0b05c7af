package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// witnessed opens a centre in which agent 1 and a caller talk, in a queue of
// their own, while others do their worst: what they hear is the measure of "no
// other call notices". The other agents serve "sales".
func witnessed(t *testing.T, agents int, change func(document)) (*centre, conversation) {
	t.Helper()
	return witnessedOn(t, "asterisk", agents, change)
}

// witnessedOn is witnessed on one of kinds.
func witnessedOn(t *testing.T, kind string, agents int, change func(document)) (*centre, conversation) {
	t.Helper()
	c := openOn(t, kind, agents, func(doc document) {
		sales := doc["queues"].([]document)[0]
		members := sales["agents"].([]document)
		sales["agents"], sales["wrap_up_ms"] = members[1:], 0
		addQueue(doc, document{"id": "long", "name": "Long", "music": lab.MusicClass, "agents": members[:1]}, "601")
		if change != nil {
			change(doc)
		}
	})
	c.loginAll(agents)
	return c, c.talk(t)
}

// loginAll logs the first n agents in at their own phones.
func (c *centre) loginAll(n int) {
	c.t.Helper()
	for i := range n {
		c.insist("POST", "/v1/agents/"+agentID(i)+"/actions", document{"action": "login", "phone": "p" + c.pbx.Agents[i].Number})
	}
	time.Sleep(time.Second) // what the key may ask at once is used up
	c.eventually("everybody is ready", 30*time.Second, func() bool {
		ready := 0
		for _, a := range c.live().Agents {
			if a.State == orchestrator.AgentReady {
				ready++
			}
		}
		return ready >= n
	})
}

// insist asks the API as a client should: told that it asks too often, it comes
// back when it was told to.
func (c *centre) insist(method, path string, in any) {
	c.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		c.t.Fatal(err)
	}
	for range 60 {
		resp, text := c.send(method, path, "application/json", bytes.NewReader(body)) //nolint:bodyclose // send closes it
		if resp.StatusCode == http.StatusTooManyRequests {
			wait, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s")
			if err != nil {
				c.t.Fatalf("429 without a word when to come back: %v", err)
			}
			time.Sleep(wait)
			continue
		}
		if resp.StatusCode >= 300 {
			c.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
		}
		return
	}
	c.t.Fatalf("%s %s: 429 for ever", method, path)
}

// talk brings the witnesses together.
func (c *centre) talk(t *testing.T) conversation {
	t.Helper()
	const number = "+49800"
	call := c.dial(c.caller(0), "601", number)
	since := c.hears(call, agentHz, time.Time{})
	return conversation{c: c, call: call, ring: incoming(t, c.agents[0]), number: number, since: since.Add(200 * time.Millisecond)}
}

// testified ends the witnesses' talk: they heard each other all the time.
func (v conversation) testified(t *testing.T) {
	t.Helper()
	v.unharmed(t, jitter)
	v.ends(t, orchestrator.ReasonTalked)
}

// addQueue adds a queue, a flow straight into it and a number.
func addQueue(doc, queue document, number string) {
	flow := straightTo(queue["id"].(string))
	doc["queues"] = append(doc["queues"].([]document), queue)
	addFlow(doc, flow, number)
}

func addFlow(doc, flow document, number string) {
	doc["flows"] = append(doc["flows"].([]document), flow)
	doc["numbers"] = append(doc["numbers"].([]document), document{"dialled": number, "flow": flow["id"]})
}

// without is a section of a document without one object.
func without(doc document, section, key, id string) []document {
	var left []document
	for _, object := range doc[section].([]document) {
		if object[key] != id {
			left = append(left, object)
		}
	}
	return left
}

// refusal is an error of the API (RFC 9457).
type refusal struct {
	Status    int    `json:"status"`
	Title     string `json:"title"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
	Errors    []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

func (r refusal) names(field string) bool {
	for _, e := range r.Errors {
		if e.Field == field && e.Message != "" {
			return true
		}
	}
	return false
}

// send asks the API with a body of any kind.
func (c *centre) send(method, path, kind string, body io.Reader) (*http.Response, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+c.address+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v\nringmaster said:\n%s", method, path, err, c.log())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, text
}

// refused checks that a request is refused in the API's words.
func (c *centre) refused(t *testing.T, method, path, kind string, body io.Reader) (r refusal) {
	t.Helper()
	resp, text := c.send(method, path, kind, body) //nolint:bodyclose // send closes it
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s %s: %d of type %q: %.500s", method, path, resp.StatusCode, got, text)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Errorf("%s %s: %v in %.500s", method, path, err, text)
	}
	if r.Status != resp.StatusCode || r.Code == "" || r.Detail == "" || r.RequestID == "" {
		t.Errorf("%s %s: %d with %.500s", method, path, resp.StatusCode, text)
	}
	return r
}

// refusesDocument checks that a document is refused whole, naming the field.
func (c *centre) refusesDocument(t *testing.T, doc document, field string) {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	before := c.export()
	r := c.refused(t, "POST", "/v1/config/apply", "application/json", bytes.NewReader(text))
	if r.Status != http.StatusBadRequest && r.Status != http.StatusConflict && r.Status != http.StatusUnprocessableEntity || !r.names(field) {
		t.Errorf("want %s named, got %+v", field, r)
	}
	if after := c.export(); after != before {
		t.Errorf("a refused document left its traces:\nbefore %s\nafter  %s", before, after)
	}
}

// export is the configuration as it is, with its version.
func (c *centre) export() string {
	c.t.Helper()
	resp, text := c.send("GET", "/v1/config", "application/json", strings.NewReader("")) //nolint:bodyclose // send closes it
	return resp.Header.Get("ETag") + string(text)
}

// hangsUp lets a caller go and checks the one CDR.
func (c *centre) hangsUp(t *testing.T, call *phone.Call, number string, reason orchestrator.Reason) {
	t.Helper()
	if err := call.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	if s := c.story(t, number); s.count("call_ended") != 1 || s.Call.Outcome.Reason != reason {
		t.Errorf("outcome %+v, want %s:\n%s", s.Call.Outcome, reason, s)
	}
}
