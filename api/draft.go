package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// draft is what a document would change.
type draft struct {
	change   orchestrator.Config
	settings bool
	plan     gen.Plan
	access   map[string][2]orchestrator.SwitchAccess // switch -> old and new
	pins     map[string]string                       // agent -> new PIN
	secrets  func(context.Context) error

	after orchestrator.Config
	sent  map[string]bool // the sections the document has
}

// secretShown stands for a secret's value in a plan.
const (
	secretSet = "(set)"
	secretNew = "(new)"
)

// draft compares a document with the configuration as it is.
func (s *Server) draft(ctx context.Context, now orchestrator.Config, doc gen.ConfigurationChange) (draft, error) {
	d := draft{
		after: now, sent: map[string]bool{}, plan: gen.Plan{Steps: []gen.PlanStep{}, Warnings: []gen.FieldError{}},
		access: map[string][2]orchestrator.SwitchAccess{}, pins: map[string]string{},
	}
	if doc.Settings != nil {
		d.compareSettings(now, settingsFromAPI(*doc.Settings))
	}
	secrets, err := s.secretSteps(ctx, &d, doc)
	if err != nil {
		return d, err
	}
	compare(&d, switchSection, now, doc.Switches, secrets)
	compare(&d, phoneSection, now, doc.Phones, nil)
	compare(&d, agentSection, now, doc.Agents, secrets)
	compare(&d, hoursSection, now, doc.Hours, nil)
	compare(&d, queueSection, now, doc.Queues, nil)
	compare(&d, flowSection, now, doc.Flows, nil)
	compare(&d, numberSection, now, doc.Numbers, nil)
	d.sortDeletes()
	if err := sound(d.after, renameDocument(d.after, d.sent)); err != nil {
		return d, err
	}
	rename := renameDocument(d.after, d.sent)
	for _, w := range d.after.Warnings() {
		d.plan.Warnings = append(d.plan.Warnings, gen.FieldError{Field: rename(w.Field), Message: w.Message})
	}
	d.secrets = func(ctx context.Context) error { return s.storeSecrets(ctx, d.access, d.pins) }
	return d, nil
}

func (d *draft) compareSettings(now orchestrator.Config, wish orchestrator.Settings) {
	d.after.Settings = wish
	fields := difference(settingsToAPI(now.Settings), settingsToAPI(wish))
	if len(fields) == 0 {
		d.plan.Unchanged++
		return
	}
	d.settings, d.change.Settings = true, wish
	d.step(gen.PlanStep{Action: gen.PlanStepActionChange, Kind: gen.KindSettings, Fields: fields})
}

func (d *draft) step(p gen.PlanStep) {
	switch p.Action {
	case gen.PlanStepActionCreate:
		d.plan.Create++
	case gen.PlanStepActionChange:
		d.plan.Change++
	case gen.PlanStepActionDelete:
		d.plan.Delete++
	}
	d.plan.Steps = append(d.plan.Steps, p)
}

// secretFields are the changed secrets of objects, by kind and id.
type secretFields map[orchestrator.Removal][]gen.FieldChange

// compare plans one section of a document: nil is not there and left alone.
func compare[D, A any](d *draft, sec section[D, A], now orchestrator.Config, wish *[]A, secrets secretFields) {
	if wish == nil {
		return
	}
	d.sent[sec.name] = true
	objects := list(*wish, sec.read)
	*sec.list(&d.after) = objects
	old := map[string]D{}
	for _, o := range *sec.list(&now) {
		old[sec.id(o)] = o
	}
	for _, o := range objects {
		id := sec.id(o)
		before, exists := old[id]
		delete(old, id)
		extra := secrets[orchestrator.Removal{Kind: sec.kind, ID: id}]
		fields := extra
		if exists {
			fields = append(difference(sec.show(before), sec.show(o)), extra...)
		}
		switch {
		case !exists:
			d.step(gen.PlanStep{Action: gen.PlanStepActionCreate, Kind: gen.Kind(sec.kind), ID: id})
		case len(fields) == 0:
			d.plan.Unchanged++
			continue
		default:
			d.step(gen.PlanStep{Action: gen.PlanStepActionChange, Kind: gen.Kind(sec.kind), ID: id, Fields: fields})
		}
		if !exists || len(fields) > len(extra) {
			*sec.list(&d.change) = append(*sec.list(&d.change), o)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(old)) {
		d.change.Removed = append(d.change.Removed, orchestrator.Removal{Kind: sec.kind, ID: id})
	}
}

// sortDeletes lists what goes from the last to depend on others to the first.
func (d *draft) sortDeletes() {
	slices.Reverse(d.change.Removed)
	for _, r := range d.change.Removed {
		d.step(gen.PlanStep{Action: gen.PlanStepActionDelete, Kind: gen.Kind(r.Kind), ID: r.ID})
	}
}

// difference names the fields in which two shown objects differ. The version
// is the store's and no difference.
func difference[A any](before, after A) []gen.FieldChange {
	old, wish := fieldsOf(before), fieldsOf(after)
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range wish {
		names[name] = true
	}
	var out []gen.FieldChange
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a, b := string(old[name]), string(wish[name]); a != b && name != "version" {
			out = append(out, gen.FieldChange{Field: name, Old: a, New: b})
		}
	}
	return out
}

// fieldsOf takes an object apart. Its JSON has sorted map keys, so equal
// fields have equal text.
func fieldsOf(shown any) map[string]json.RawMessage {
	text, err := json.Marshal(shown)
	if err != nil {
		panic(fmt.Sprintf("api: %T cannot be shown: %v", shown, err)) // a fault of the program
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(text, &out); err != nil {
		panic(fmt.Sprintf("api: %T is no object: %v", shown, err))
	}
	return out
}
