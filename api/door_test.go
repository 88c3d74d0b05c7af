package api_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmaster/api"
	"ringmaster/orchestrator"
)

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	s := newSite(t)
	large := `{"id":"sales","name":"` + strings.Repeat("x", 50<<20) + `"}`
	for path, method := range map[string]string{"/v1/queues/sales": "PUT", "/v1/config/apply": "POST", "/v1/config/plan": "POST"} {
		if p := s.refused(http.StatusRequestEntityTooLarge, method, path, large).problem(); p.Code != "invalid" {
			t.Errorf("%s: %+v", path, p)
		}
	}
	// Without a Content-Length it is noticed while reading.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url+"/v1/queues/sales", struct{ *strings.Reader }{strings.NewReader(large)})
	s.must(err)
	r.Header.Set("Authorization", "Bearer "+s.key)
	r.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(r)
	if err != nil {
		return // the server hung up while we wrote, which is as good
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a chunked body of 50 MB = %d", response.StatusCode)
	}
}

func TestEveryAnswerCarriesItsIDAndItsHeaders(t *testing.T) {
	s := newSite(t)
	a := s.call("GET", "/v1/live", nil, "X-Request-Id", "trace-1")
	if got := a.header.Get("X-Request-Id"); got != "trace-1" {
		t.Errorf("request id %q, want the client's", got)
	}
	bad := s.call("GET", "/v1/queues/none", nil, "X-Request-Id", "a b\tc")
	if id := bad.header.Get("X-Request-Id"); id == "" || strings.Contains(id, " ") || bad.problem().RequestID != id {
		t.Errorf("request id %q in the header, %q in the problem", id, bad.problem().RequestID)
	}
	for header, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Cache-Control": "no-store", "Access-Control-Allow-Origin": "",
	} {
		if got := a.header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if strings.Contains(s.log.String(), s.key) {
		t.Error("the key is in the log")
	}
}

func TestNumbersAreNotInTheLog(t *testing.T) {
	s := newSite(t)
	s.call("GET", "/v1/numbers/+4930123456", nil)
	s.call("GET", "/v1/calls?number=%2B4930123456", nil)
	if text := s.log.String(); strings.Contains(text, "4930123456") || !strings.Contains(text, "operation=getNumber") {
		t.Errorf("the log shows a number, or not what was asked:\n%s", text)
	}
}

func TestUnknownRoutesAndMethodsAreProblemsToo(t *testing.T) {
	s := newSite(t)
	s.refused(http.StatusNotFound, "GET", "/v1/nothing", nil)
	s.refused(http.StatusNotFound, "GET", "/nothing", nil)
	a := s.refused(http.StatusMethodNotAllowed, "PATCH", "/v1/settings", nil)
	if a.header.Get("Allow") == "" {
		t.Error("405 without Allow")
	}
	s.refused(http.StatusBadRequest, "PUT", "/v1/settings", "zone=UTC", "Content-Type", "application/x-www-form-urlencoded")
}

type broken struct{ *floor }

func (broken) Live(context.Context) (orchestrator.Live, error) { panic("out of order") }

func TestAPanicIsOneAnswerAndTheServerGoesOn(t *testing.T) {
	s := newSite(t, func(c *api.Config) {
		c.Floors = func(orchestrator.TenantID) (api.Floor, bool) { return broken{newFloor()}, true }
	})
	p := s.refused(http.StatusInternalServerError, "GET", "/v1/live", nil).problem()
	if p.Code != "internal" || strings.Contains(p.Detail, "order") {
		t.Errorf("problem %+v shows what happened inside", p)
	}
	if !strings.Contains(s.log.String(), "out of order") {
		t.Error("the log does not say what happened")
	}
	s.ok("GET", "/v1/settings", nil, nil)
}

func TestAFloorThatIsElsewhereIsUnavailable(t *testing.T) {
	s := newSite(t, func(c *api.Config) {
		c.Floors = func(orchestrator.TenantID) (api.Floor, bool) { return nil, false }
	})
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/v1/live", nil},
		{"GET", "/v1/live/events", nil},
		{"PUT", "/v1/settings", object{}},
		{"POST", "/v1/agents/ana/actions", object{"action": "ready"}},
		{"POST", "/v1/calls/" + aCall + "/hangup", nil},
	} {
		s.refused(http.StatusServiceUnavailable, r.method, r.path, r.body)
	}
	s.ok("GET", "/v1/config", nil, nil)
}

func TestAgentsAreMovedAndRefusalsSayWhy(t *testing.T) {
	s := newSite(t)
	s.floor.live.Agents = []orchestrator.LiveAgent{{
		Agent: "ana", Name: "Ana", Number: "1001", State: orchestrator.AgentLoggedOut, Since: day,
	}}
	var now struct{ State, Reason string }
	s.ok("POST", "/v1/agents/ana/actions", object{"action": "pause", "reason": "lunch"}, &now)
	if now.State != "paused" || now.Reason != "lunch" {
		t.Errorf("the agent is %+v", now)
	}
	want := orchestrator.AgentAsked{
		Agent: "ana", Action: orchestrator.ActionPause, Reason: "lunch", Origin: orchestrator.OriginAPI, By: "first key",
	}
	if got := s.floor.seen()[0]; got != want {
		t.Errorf("the floor was asked %+v, want %+v", got, want)
	}
	s.floor.refuse = &orchestrator.ActionRefused{Code: "not_logged_in", Detail: "Ana is not logged in"}
	p := s.refused(http.StatusConflict, "POST", "/v1/agents/ana/actions", object{"action": "ready"}).problem()
	if p.Code != "refused" || p.Refusal != "not_logged_in" || p.Detail != "Ana is not logged in" {
		t.Errorf("problem %+v", p)
	}
	s.refused(http.StatusNotFound, "POST", "/v1/agents/ben/actions", object{"action": "ready"})
	s.refused(http.StatusBadRequest, "POST", "/v1/agents/ana/actions", object{"action": "dance"})
}

func TestLiveCarriesFiguresByTheirDefinitions(t *testing.T) {
	s := newSite(t)
	s.floor.live.Queues = []orchestrator.LiveQueue{
		{Queue: "sales", Name: "Sales", Today: orchestrator.QueueDay{Date: "2026-11-23", Offered: 4, Answered: 4, AnsweredInTime: 3}},
		{Queue: "idle", Name: "Idle"},
	}
	var live struct {
		Queues []struct {
			Figures []struct {
				Metric string
				Value  *float64
			}
		}
	}
	s.ok("GET", "/v1/live", nil, &live)
	var definitions struct {
		Items []struct{ Name, Formula string }
	}
	s.ok("GET", "/v1/metrics-definitions", nil, &definitions)
	if len(definitions.Items) == 0 || len(live.Queues[0].Figures) != len(definitions.Items) {
		t.Fatalf("%d figures, %d definitions", len(live.Queues[0].Figures), len(definitions.Items))
	}
	for i, f := range live.Queues[0].Figures {
		if f.Metric != definitions.Items[i].Name {
			t.Errorf("figure %s is defined as %s", f.Metric, definitions.Items[i].Name)
		}
		if idle := live.Queues[1].Figures[i]; f.Metric == "service_level" && (f.Value == nil || *f.Value != 0.75 || idle.Value != nil) {
			t.Errorf("service level %v, that of an idle queue %v", f.Value, idle.Value)
		}
		if f.Metric == "abandoned" && (f.Value == nil || *f.Value != 0) {
			t.Error("a count of 0 is left out")
		}
	}
}

func TestHealthReadinessMetricsAndDocs(t *testing.T) {
	ready := true
	s := newSite(t, func(c *api.Config) {
		c.Checks = func(context.Context) []api.Check {
			checks := []api.Check{{Name: "floor", Needed: true}, {Name: "database", Err: http.ErrServerClosed}}
			if !ready {
				checks[0].Err = http.ErrServerClosed
			}
			return checks
		}
	})
	if a := s.callAs("", "GET", "/readyz", nil); a.status != http.StatusOK || !strings.Contains(string(a.body), `"name":"database"`) {
		t.Errorf("readiness = %d %s", a.status, a.body)
	}
	ready = false
	if a := s.callAs("", "GET", "/readyz", nil); a.status != http.StatusServiceUnavailable {
		t.Errorf("readiness without a floor = %d", a.status)
	}
	s.call("GET", "/v1/queues", nil)
	if a := s.call("GET", "/metrics", nil); !strings.Contains(string(a.body), `ringmaster_api_requests_total{operation="listQueues",status="200"} 1`) {
		t.Errorf("metrics do not count: %s", a.body)
	}
	for path, kind := range map[string]string{
		"/openapi.json": "application/json", "/docs": "text/html", "/docs/docs.js": "text/javascript",
		"/docs/swagger-ui-bundle.js": "text/javascript", "/docs/swagger-ui.css": "text/css",
	} {
		a := s.callAs("", "GET", path, nil)
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), kind) || len(a.body) < 100 {
			t.Errorf("GET %s = %d %s, %d bytes", path, a.status, a.header.Get("Content-Type"), len(a.body))
		}
	}
	s.refused(http.StatusNotFound, "GET", "/docs/embed.go", nil)
	s.refused(http.StatusNotFound, "GET", "/docs/..%2fserver.go", nil)
}

func TestTheConsoleGetsWhatTheAPILeaves(t *testing.T) {
	s := newSite(t, func(c *api.Config) {
		c.Console = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("console")) })
	})
	for path, want := range map[string]int{"/": 200, "/calls/1": 200, "/v1/nothing": 404, "/v1": 404} {
		if a := s.callAs("", "GET", path, nil); a.status != want {
			t.Errorf("GET %s = %d, want %d", path, a.status, want)
		}
	}
	s.refused(http.StatusNotFound, "POST", "/", nil)
}

func TestAConfigWithoutItsPartsIsRefusedAndNamesThem(t *testing.T) {
	_, err := api.New(api.Config{})
	for _, field := range []string{"Floors", "Store", "Log", "Registry"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("New(Config{}) = %v does not name %s", err, field)
		}
	}
}

// away is a store that can be taken away.
type away struct {
	orchestrator.Store
	gone *atomic.Bool
}

var errAway = &orchestrator.Error{Code: orchestrator.CodeUnavailable, Message: "the database is away"}

func (a away) FindKey(ctx context.Context, prefix string) (orchestrator.APIKey, error) {
	if a.gone.Load() {
		return orchestrator.APIKey{}, errAway
	}
	return a.Store.FindKey(ctx, prefix)
}

func (a away) LoadConfig(ctx context.Context, tenant orchestrator.TenantID) (orchestrator.Config, uint64, error) {
	if a.gone.Load() {
		return orchestrator.Config{}, 0, errAway
	}
	return a.Store.LoadConfig(ctx, tenant)
}

func TestTheWallboardOutlivesTheDatabase(t *testing.T) {
	var gone atomic.Bool
	var later atomic.Int64
	s := newSite(t, func(c *api.Config) {
		c.Store = away{c.Store, &gone}
		c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	s.floor.live.Agents = []orchestrator.LiveAgent{{Agent: "ana", State: orchestrator.AgentReady}}
	s.ok("GET", "/v1/live", nil, nil)
	gone.Store(true)
	later.Store(int64(50 * time.Minute))
	s.ok("GET", "/v1/live", nil, nil)
	s.ok("POST", "/v1/agents/ana/actions", object{"action": "pause"}, nil)
	for path, method := range map[string]string{"/v1/queues": "GET", "/v1/config": "GET", "/v1/settings": "PUT"} {
		if a := s.refused(http.StatusServiceUnavailable, method, path, body(method)); a.header.Get("Retry-After") == "" {
			t.Errorf("%s: 503 without Retry-After", path)
		}
	}
	later.Store(int64(3 * time.Hour))
	s.refused(http.StatusServiceUnavailable, "GET", "/v1/live", nil)
	gone.Store(false)
	s.ok("GET", "/v1/live", nil, nil)
}

// TestALargeDocumentTellsItsFirstFault: the validator's list of two million
// faults would take gigabytes.
func TestALargeDocumentTellsItsFirstFault(t *testing.T) {
	s := newSite(t)
	for faults, told := range map[int]int{90_000: 1, 20: 40} { // an empty number lacks two fields
		body := `{"numbers":[` + strings.TrimSuffix(strings.Repeat("{},", faults), ",") + `]}`
		p := s.refused(http.StatusBadRequest, "POST", "/v1/config/apply", body).problem()
		if len(p.Errors) != told {
			t.Errorf("of %d empty objects %d faults are told, want %d: %.300v", faults, len(p.Errors), told, p.Errors)
		}
	}
}
