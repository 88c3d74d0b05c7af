package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

type planned struct {
	Create, Change, Delete, Unchanged int
	Steps                             []struct {
		Action, Kind, ID string
		Fields           []struct{ Field, Old, New string }
	}
	Warnings []struct{ Field, Message string }
}

func TestWhatIsExportedAppliesWithoutAChange(t *testing.T) {
	s := newSite(t)
	s.build()
	exported := s.ok("GET", "/v1/config", nil, nil)
	if text := string(exported.body); strings.Contains(text, "4711") || strings.Contains(text, "hush") || strings.Contains(text, `"version"`) {
		t.Errorf("the export holds secrets or versions: %s", text)
	}
	var p planned
	s.ok("POST", "/v1/config/apply", string(exported.body), &p)
	if p.Create+p.Change+p.Delete != 0 || p.Unchanged != len(centre)+1 {
		t.Errorf("applying the export plans %+v", p)
	}
	if again := s.ok("GET", "/v1/config", nil, nil); string(again.body) != string(exported.body) {
		t.Error("applying the export changed the export")
	}
}

func TestAnExportBuildsTheSameCentreElsewhere(t *testing.T) {
	s, other := newSite(t), newSite(t)
	s.build()
	exported := s.ok("GET", "/v1/config", nil, nil).body
	var p planned
	other.ok("POST", "/v1/config/apply", string(exported), &p)
	if p.Create != len(centre) || p.Change+p.Delete != 0 {
		t.Errorf("the plan is %+v", p)
	}
	if copied := other.ok("GET", "/v1/config", nil, nil).body; string(copied) != string(exported) {
		t.Errorf("the copy differs:\n%s\n%s", exported, copied)
	}
	if n := len(other.floor.seen()); n != 1 {
		t.Errorf("the floor heard of %d changes, want 1", n)
	}
}

func TestAPlanNamesWhatChangesAndApplyDoesJustThat(t *testing.T) {
	s := newSite(t)
	s.build()
	doc := object{
		"agents": []object{
			{"id": "ana", "number": "1001", "name": "Ana", "skills": object{"german": 80}, "pin": "4711"},
			{"id": "ben", "number": "1002", "name": "Ben", "pin": "9876"},
		},
		"phones": []object{},
		"queues": []object{{"id": "sales", "name": "Sales", "agents": []object{{"agent": "ana"}, {"agent": "ben"}}}},
	}
	before := len(s.floor.seen())
	var p planned
	tag := s.ok("POST", "/v1/config/plan", doc, &p).header.Get("ETag")
	if p.Create != 1 || p.Change != 1 || p.Delete != 1 || p.Unchanged != 1 {
		t.Errorf("plan %+v, want ben made, sales changed, desk-1 gone, ana as she was", p)
	}
	for _, step := range p.Steps {
		if step.Kind == "queue" {
			if len(step.Fields) != 4 || step.Fields[2].Field != "ring_timeout_ms" || step.Fields[2].Old != "15000" || step.Fields[2].New != "" {
				t.Errorf("changed fields %+v", step.Fields)
			}
		}
	}
	if len(s.floor.seen()) != before {
		t.Error("a plan changed something")
	}
	s.ok("PUT", "/v1/settings", object{"zone": "Europe/Berlin"}, nil)
	s.refused(http.StatusPreconditionFailed, "POST", "/v1/config/apply", doc, "If-Match", tag)
	var did planned
	s.ok("POST", "/v1/config/apply", doc, &did)
	if fmt.Sprint(did) != fmt.Sprint(p) {
		t.Errorf("apply did %+v, planned was %+v", did, p)
	}
	s.refused(http.StatusNotFound, "GET", "/v1/phones/desk-1", nil)
	s.ok("GET", "/v1/numbers/+4930123456", nil, nil) // a section that was not sent
	if right, err := store.CheckPIN(t.Context(), s.tenant, "ben", "9876"); err != nil || !right {
		t.Errorf("ben's PIN was not set: %v", err)
	}
	s.ok("POST", "/v1/config/apply", doc, &did)
	if did.Create+did.Change+did.Delete != 0 {
		t.Errorf("applying twice does %+v", did)
	}
}

func TestSecretsShowInAPlanOnlyAsNew(t *testing.T) {
	s := newSite(t)
	s.build()
	doc := object{
		"agents": []object{{"id": "ana", "number": "1001", "name": "Ana", "skills": object{"german": 80}, "pin": "1357"}},
		"switches": []object{{
			"id": "pbx", "type": "asterisk", "url": "http://10.0.0.1:8088/ari", "username": "ringmaster", "password": "other-secret",
		}},
		"queues": []object{{"id": "sales", "name": "Sales", "agents": []object{{"agent": "ana"}}}},
		"phones": []object{{"id": "desk-1", "switch": "pbx", "endpoint": "PJSIP/1001"}},
	}
	a := s.ok("POST", "/v1/config/plan", doc, nil)
	text := string(a.body)
	for _, secret := range []string{"1357", "other-secret", "hush-hush", "4711"} {
		if strings.Contains(text, secret) {
			t.Errorf("the plan shows the secret %s", secret)
		}
	}
	for _, want := range []string{`{"field":"pin","new":"(new)","old":"(set)"}`, `{"field":"password","new":"(new)","old":"(set)"}`, `"field":"url"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not say %s: %s", want, text)
		}
	}
	s.ok("POST", "/v1/config/apply", doc, nil)
	access, err := store.SwitchAccess(t.Context(), s.tenant, "pbx")
	s.must(err)
	if access.Password != "other-secret" {
		t.Error("the password was not stored")
	}
}

func TestABrokenDocumentIsRefusedWholeAndNamesEachPlace(t *testing.T) {
	s := newSite(t)
	s.build()
	before := s.ok("GET", "/v1/config", nil, nil).body
	p := s.refused(http.StatusBadRequest, "POST", "/v1/config/apply", object{
		"agents": []object{{"id": "ben", "number": "1002", "name": "Ben"}},
		"queues": []object{{"id": "a", "name": "A", "agents": []object{{"agent": "carl"}}}, {"id": "a", "name": "A"}},
	}).problem()
	var fields []string
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
	}
	text := strings.Join(fields, " ")
	for _, want := range []string{"queues[0].agents[0]", "queues[1]", "flows[main]"} {
		if !strings.Contains(text, want) {
			t.Errorf("errors at %s, want one at %s", text, want)
		}
	}
	if after := s.ok("GET", "/v1/config", nil, nil).body; string(after) != string(before) {
		t.Error("a refused document changed something")
	}
}

func TestTheAuditSaysWhoChangedWhat(t *testing.T) {
	s := newSite(t)
	s.build()
	var page struct {
		Items []struct {
			Version int
			By      string
			Objects []struct {
				Kind, ID string
				Removed  bool
			}
		}
		NextCursor string `json:"next_cursor"`
	}
	s.ok("DELETE", "/v1/numbers/+4930123456", nil, nil)
	s.ok("GET", "/v1/config/changes?limit=3", nil, &page)
	if len(page.Items) != 3 || page.NextCursor == "" || page.Items[0].By != "first key" ||
		fmt.Sprint(page.Items[0].Objects) != "[{number +4930123456 true}]" || fmt.Sprint(page.Items[2].Objects) != "[{flow main false}]" {
		t.Errorf("the audit is %+v", page)
	}
	last := page.Items[2].Version
	s.ok("GET", "/v1/config/changes?limit=3&cursor="+page.NextCursor, nil, &page)
	if page.Items[0].Version != last-1 {
		t.Errorf("the second page begins with %d after %d", page.Items[0].Version, last)
	}
}

func TestALargeCentreIsOneDocument(t *testing.T) {
	if testing.Short() {
		t.Skip("applies 10,000 agents")
	}
	s := newSite(t)
	var agents, members []object
	for i := range 10_000 {
		id := fmt.Sprintf("agent-%d", i)
		agents = append(agents, object{"id": id, "number": fmt.Sprint(10_000 + i), "name": "Agent " + id})
		members = append(members, object{"agent": id})
	}
	doc := object{"agents": agents, "queues": []object{{"id": "sales", "name": "Sales", "agents": members}}}
	text, err := json.Marshal(doc)
	s.must(err)
	var p planned
	s.ok("POST", "/v1/config/apply", string(text), &p)
	if p.Create != 10_001 {
		t.Errorf("%d objects were made", p.Create)
	}
}
