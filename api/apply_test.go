package api_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"ringmaster/api/center"
	"ringmaster/api/client"
)

func (s *site) center() client.Client { return client.Client{URL: s.url, Key: s.key, HTTP: s.client} }

func TestTheExampleAppliesWithoutAWarningAndExportsAsItself(t *testing.T) {
	s := newSite(t)
	c := s.center()
	file, err := center.Read("example.yaml", center.Example)
	s.must(err)
	plan, tag, err := c.Plan(t.Context(), file.Change)
	s.must(err)
	if len(plan.Warnings) > 0 || plan.Create != 13 {
		t.Errorf("the plan of the example is %+v", plan)
	}
	did, err := c.Apply(t.Context(), file.Change, tag)
	s.must(err)
	if len(did.Steps) != len(plan.Steps) {
		t.Errorf("%d steps were planned, %d done", len(plan.Steps), len(did.Steps))
	}
	exported, err := c.Export(t.Context())
	s.must(err)
	var text bytes.Buffer
	s.must(center.Write(&text, exported))
	if strings.Contains(text.String(), "pin:") || strings.Contains(text.String(), "password") {
		t.Error("the export holds secrets")
	}
	for name, yaml := range map[string][]byte{"the example": center.Example, "its export": text.Bytes()} {
		again, err := center.Read("again.yaml", yaml)
		s.must(err)
		plan, _, err := c.Plan(t.Context(), again.Change)
		s.must(err)
		if len(plan.Steps) != 0 {
			t.Errorf("applying %s again would do %+v", name, plan.Steps)
		}
	}
}

func TestWhatTheServerRefusesGetsItsLine(t *testing.T) {
	s := newSite(t)
	text := "queues:\n  - id: sales\n    name: Sales\n    agents:\n      - agent: nobody\n"
	file, err := center.Read("center.yaml", []byte(text))
	s.must(err)
	_, _, err = s.center().Plan(t.Context(), file.Change)
	refusal, ok := errors.AsType[*client.Refusal](err)
	if !ok {
		t.Fatalf("Plan = %v, want a refusal", err)
	}
	found := file.Locate(refusal.Problem.Errors).Error()
	if !strings.HasPrefix(found, "center.yaml:5:9: queues[0].agents[0]") {
		t.Errorf("the fault is shown as %s", found)
	}
	other := s.center()
	other.Key = "rm_aaaaaaaa_wrong"
	if _, err := other.Export(t.Context()); err == nil || !strings.Contains(err.Error(), "unauthorized") {
		t.Errorf("Export with a wrong key = %v", err)
	}
}
