package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ringmaster/orchestrator"
)

type object = map[string]any

// centre is a small configuration in the order in which it can be made.
var centre = []struct {
	path string
	body object
}{
	{"/v1/switches/pbx", object{
		"id": "pbx", "type": "asterisk", "url": "http://127.0.0.1:8088/ari", "username": "ringmaster", "password": "hush-hush",
	}},
	{"/v1/phones/desk-1", object{"id": "desk-1", "switch": "pbx", "endpoint": "PJSIP/1001"}},
	{"/v1/agents/ana", object{"id": "ana", "number": "1001", "name": "Ana", "pin": "4711", "skills": object{"german": 80}}},
	{"/v1/hours/office", object{
		"id": "office", "zone": "Europe/Berlin",
		"weekly":   []object{{"days": []string{"mon", "tue"}, "from": "09:00", "to": "17:30"}},
		"holidays": []object{{"date": "2026-12-25", "name": "Christmas"}},
	}},
	{"/v1/queues/sales", object{
		"id": "sales", "name": "Sales", "agents": []object{{"agent": "ana"}}, "ring_timeout_ms": 15000, "wrap_up_ms": 5000,
		"announce": object{"first_ms": 10000, "every_ms": 30000, "play": []object{{"say": "Please hold."}}},
	}},
	{"/v1/flows/main", object{"id": "main", "name": "Main", "start": "greet", "nodes": object{
		"greet": object{"type": "answer", "on": object{"next": "ask"}},
		"ask": object{
			"type": "menu", "play": []object{{"say": "Press 1 for sales."}}, "timeout_ms": 5000,
			"on": object{"1": "wait", "timeout": "wait", "invalid": "bye"},
		},
		"wait": object{"type": "queue", "queue": "sales"},
		"bye":  object{"type": "hangup"},
	}}},
	{"/v1/numbers/+4930123456", object{"dialled": "+4930123456", "flow": "main", "name": "Main line"}},
}

func (s *site) build() {
	s.Helper()
	for _, o := range centre {
		s.ok("PUT", o.path, o.body, nil)
	}
}

func TestEveryObjectIsMadeReadListedChangedAndDeleted(t *testing.T) {
	s := newSite(t)
	s.build()
	for _, o := range centre {
		var got object
		first := s.ok("GET", o.path, nil, &got)
		for field, want := range o.body {
			if field == "pin" || field == "password" {
				if _, shown := got[field]; shown {
					t.Errorf("%s shows its %s", o.path, field)
				}
				continue
			}
			if fmt.Sprint(got[field]) != fmt.Sprint(normal(t, want)) {
				t.Errorf("%s: %s = %v, want %v", o.path, field, got[field], want)
			}
		}
		again := s.ok("PUT", o.path, got, nil) // what GET answers may be PUT
		if first.header.Get("ETag") == "" || first.header.Get("ETag") != again.header.Get("ETag") {
			t.Errorf("%s: writing back what was read changed it: %s %s", o.path, first.body, again.body)
		}
		var page struct{ Items []object }
		s.ok("GET", o.path[:strings.LastIndex(o.path, "/")], nil, &page)
		if len(page.Items) != 1 {
			t.Errorf("%s is listed %d times", o.path, len(page.Items))
		}
	}
	for _, o := range slices.Backward(centre) {
		s.ok("DELETE", o.path, nil, nil)
		s.refused(http.StatusNotFound, "GET", o.path, nil)
		s.refused(http.StatusNotFound, "DELETE", o.path, nil)
	}
}

// normal is a value as JSON makes it.
func normal(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheFloorHearsOfEachChangeOnceAndOfNoneThatChangesNothing(t *testing.T) {
	s := newSite(t)
	s.build()
	before := len(s.floor.seen())
	if before != len(centre) {
		t.Fatalf("%d changes reached the floor, want %d", before, len(centre))
	}
	s.ok("PUT", centre[4].path, centre[4].body, nil)
	if now := len(s.floor.seen()); now != before {
		t.Errorf("a PUT that changes nothing reached the floor")
	}
	changed := object{"id": "sales", "name": "Sales and more"}
	s.ok("PUT", "/v1/queues/sales", changed, nil)
	events := s.floor.seen()
	c, ok := events[len(events)-1].(orchestrator.ConfigChanged)
	if !ok || len(c.Change.Queues) != 1 || c.Change.Queues[0].Version < 2 {
		t.Errorf("the floor was told %+v, want queue sales at a later version", events[len(events)-1])
	}
}

func TestAFloorThatCouldNotTakeAChangeGetsItNextTime(t *testing.T) {
	s := newSite(t)
	s.build()
	s.floor.setDown(errors.New("asleep"))
	a := s.refused(http.StatusServiceUnavailable, "PUT", "/v1/queues/sales", object{"id": "sales", "name": "A"})
	if a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	s.refused(http.StatusServiceUnavailable, "PUT", "/v1/queues/sales", object{"id": "sales", "name": "B"})
	s.floor.setDown(nil)
	s.ok("PUT", "/v1/queues/sales", object{"id": "sales", "name": "C"}, nil)
	var names []string
	for _, e := range s.floor.seen() {
		if c, ok := e.(orchestrator.ConfigChanged); ok && len(c.Change.Queues) == 1 {
			names = append(names, c.Change.Queues[0].Name)
		}
	}
	if got := strings.Join(names, " "); got != "Sales A C" {
		t.Errorf("the floor heard of %s, want Sales, then A late, never B, then C", got)
	}
}

func TestDeletingWhatIsInUseIsRefusedAndSaysByWhom(t *testing.T) {
	s := newSite(t)
	s.build()
	p := s.refused(http.StatusConflict, "DELETE", "/v1/flows/main", nil).problem()
	if p.Code != "conflict" || len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Field, "numbers[+4930123456]") {
		t.Errorf("problem %+v does not name the number that leads to the flow", p)
	}
}

func TestIfMatchProtectsWhatWasNotSeen(t *testing.T) {
	s := newSite(t)
	s.build()
	seen := s.ok("GET", "/v1/queues/sales", nil, nil).header.Get("ETag")
	s.ok("PUT", "/v1/queues/sales", object{"id": "sales", "name": "Sales", "priority": 1}, nil, "If-Match", seen)
	s.refused(http.StatusPreconditionFailed, "PUT", "/v1/queues/sales", object{"id": "sales", "name": "X"}, "If-Match", seen)
	s.refused(http.StatusPreconditionFailed, "DELETE", "/v1/numbers/+4930123456", nil, "If-Match", `"other"`)
	s.refused(http.StatusPreconditionFailed, "PUT", "/v1/queues/new", object{"id": "new", "name": "X"}, "If-Match", "*")
	s.ok("DELETE", "/v1/numbers/+4930123456", nil, nil, "If-Match", "*")
}

func TestWrongFieldsAreNamed(t *testing.T) {
	s := newSite(t)
	s.build()
	for _, c := range []struct {
		path  string
		body  any
		field string
	}{
		{"/v1/queues/sales", object{"id": "sales", "name": "S", "ring_timeout_ms": "soon"}, "ring_timeout_ms"},
		{"/v1/queues/sales", object{"id": "sales", "name": "S", "ring_timeout_ms": 500}, "ring_timeout_ms"},
		{"/v1/queues/sales", object{"id": "sales", "name": "S", "agents": []object{{"agent": "nobody"}}}, "agents[0]"},
		{"/v1/queues/sales", object{"id": "sales", "nam": "S"}, ""},
		{"/v1/queues/sales", object{"id": "other", "name": "S"}, "id"},
		{"/v1/queues/sales", "{", ""},
		{"/v1/queues/sales", "[]", ""},
		{"/v1/queues/sales", "null", ""},
		{"/v1/queues/sales", "", ""},
		{"/v1/agents/ana", object{"id": "ana", "number": "1001", "name": "Ana", "pin": "12"}, "pin"},
		{"/v1/settings", object{"zone": "Mars/Base"}, "zone"},
		{"/v1/flows/main", object{"id": "main", "start": "x", "nodes": object{"a": object{"type": "answer"}}}, "start"},
		{"/v1/flows/main", object{"id": "main", "start": "a", "nodes": object{"a": object{"type": "dance"}}}, "nodes.a.type"},
	} {
		p := s.refused(http.StatusBadRequest, "PUT", c.path, c.body).problem()
		if len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Field, c.field) {
			t.Errorf("PUT %s %v: errors %+v, want one of field %q", c.path, c.body, p.Errors, c.field)
		}
		if p.Code != "invalid" || p.RequestID == "" || p.Type != "urn:ringmaster:problem:invalid" {
			t.Errorf("PUT %s %v: problem %+v", c.path, c.body, p)
		}
	}
}

func TestPagesAreWholeAndInOrder(t *testing.T) {
	s := newSite(t)
	s.ok("PUT", centre[0].path, centre[0].body, nil)
	for i := range 7 {
		id := fmt.Sprintf("desk-%d", i)
		s.ok("PUT", "/v1/phones/"+id, object{"id": id, "switch": "pbx", "endpoint": fmt.Sprintf("PJSIP/%d", i)}, nil)
	}
	var got []string
	path := "/v1/phones?limit=3"
	for pages := 0; path != ""; pages++ {
		if pages == 4 {
			t.Fatal("the pages do not end")
		}
		var page struct {
			Items      []struct{ ID string }
			NextCursor string `json:"next_cursor"`
		}
		s.ok("GET", path, nil, &page)
		for _, p := range page.Items {
			got = append(got, p.ID)
		}
		path = ""
		if page.NextCursor != "" {
			path = "/v1/phones?limit=3&cursor=" + page.NextCursor
		}
	}
	if want := "[desk-0 desk-1 desk-2 desk-3 desk-4 desk-5 desk-6]"; fmt.Sprint(got) != want {
		t.Errorf("pages hold %v, want %s", got, want)
	}
	for _, bad := range []string{"cursor=x", "cursor=%00", "limit=0", "limit=201", "limit=many", "ofset=3"} {
		s.refused(http.StatusBadRequest, "GET", "/v1/phones?"+bad, nil)
	}
}

func TestAPasswordDoesNotFollowItsAddress(t *testing.T) {
	s := newSite(t)
	s.build()
	moved := object{"id": "pbx", "type": "asterisk", "url": "http://attacker.example/ari", "username": "ringmaster"}
	p := s.refused(http.StatusBadRequest, "PUT", "/v1/switches/pbx", moved).problem()
	if len(p.Errors) != 1 || p.Errors[0].Field != "password" {
		t.Errorf("problem %+v, want the password to be asked for", p)
	}
	s.ok("PUT", "/v1/switches/pbx", object{
		"id": "pbx", "type": "asterisk", "url": "http://127.0.0.1:8088/ari/", "username": "ringmaster",
	}, nil)
	access, err := store.SwitchAccess(t.Context(), s.tenant, "pbx")
	s.must(err)
	if access.Password != "hush-hush" || access.URL != "http://127.0.0.1:8088/ari/" {
		t.Errorf("access is %s with password kept: %v", access, access.Password == "hush-hush")
	}
}

func TestPINIsSetAndChecked(t *testing.T) {
	s := newSite(t)
	s.build()
	s.ok("PUT", "/v1/agents/ana/pin", object{"pin": "8520"}, nil)
	for pin, want := range map[string]bool{"8520": true, "4711": false} {
		got, err := store.CheckPIN(t.Context(), s.tenant, "ana", pin)
		s.must(err)
		if got != want {
			t.Errorf("PIN %s is right: %v, want %v", pin, got, want)
		}
	}
	s.refused(http.StatusNotFound, "PUT", "/v1/agents/ben/pin", object{"pin": "8520"})
	s.refused(http.StatusBadRequest, "PUT", "/v1/agents/ana/pin", object{"pin": "abcd"})
	if strings.Contains(s.log.String(), "8520") || strings.Contains(s.log.String(), "hush-hush") {
		t.Error("a secret is in the log")
	}
}
