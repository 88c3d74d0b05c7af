package conformance

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// Store runs the contract of orchestrator.Store. open returns an empty store
// for one subtest and closes it afterwards. Each subtest is one promise.
func Store(t *testing.T, open func(*testing.T) orchestrator.Store) {
	t.Helper()
	for name, promise := range map[string]func(*shelf){
		"a tenant is opened once and known after":     tenantOpens,
		"a configuration comes back as it went in":    configRoundTrip,
		"what is as it was keeps its version":         configVersions,
		"a change is all or nothing":                  configAtomic,
		"uniqueness is judged when all is in place":   configSwap,
		"a change from an old version is a conflict":  configExpected,
		"changes at once come one after another":      configConcurrent,
		"settings change only when they are meant to": configSettings,
		"every change is in the audit":                configAudit,
		"a pin is right only for its agent":           pins,
		"access to a switch follows the switch":       switchAccess,
		"keys are found by prefix and end for good":   keys,
		"facts are stored once and tell the call":     factsTell,
		"pages are complete and newest first":         pages,
		"every filter narrows":                        filters,
		"standings are those of the moment":           standings,
		"tenants neither see nor touch each other":    tenantsApart,
		"no text is more than a text":                 hostileTexts,
		"a context that is over gets no answer":       overdue,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{T: t, store: open(t)}
			s.must(s.store.OpenTenant(t.Context(), tenantA))
			s.must(s.store.OpenTenant(t.Context(), tenantB))
			promise(s)
		})
	}
}

const (
	tenantA orchestrator.TenantID = "acme"
	tenantB orchestrator.TenantID = "bolt"
)

// shelf is one subtest with its store.
type shelf struct {
	*testing.T
	store orchestrator.Store
}

func (s *shelf) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shelf) code(err error, want orchestrator.Code) {
	s.Helper()
	if orchestrator.CodeOf(err) != want {
		s.Fatalf("got %q (%v), want %q", orchestrator.CodeOf(err), err, want)
	}
}

func (s *shelf) equal(got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Fatalf("\n got %+v\nwant %+v", got, want)
	}
}

func (s *shelf) apply(change orchestrator.Config) orchestrator.Applied {
	s.Helper()
	applied, err := s.store.Apply(s.Context(), tenantA, change, orchestrator.ApplyOptions{By: "test"})
	s.must(err)
	return applied
}

func (s *shelf) load() (orchestrator.Config, uint64) {
	s.Helper()
	config, version, err := s.store.LoadConfig(s.Context(), tenantA)
	s.must(err)
	return config, version
}

// sample is a configuration with one of everything, in the order of ids.
func sample() orchestrator.Config {
	return orchestrator.Config{
		Switches: []orchestrator.PBX{{ID: "pbx", Type: "asterisk", Name: "Müller & Söhne"}},
		Phones: []orchestrator.Phone{
			{ID: "p1", Switch: "pbx", Endpoint: "PJSIP/1001"},
			{ID: "p2", Switch: "pbx", Endpoint: "PJSIP/1002", AutoAnswer: true},
		},
		Agents: []orchestrator.Agent{
			{ID: "ana", Number: "11", Name: "Ana", Skills: map[string]int{"billing": 60}},
			{ID: "bo", Number: "12", Name: `Bo "; DROP TABLE agent; --`},
		},
		Hours: []orchestrator.Hours{{ID: "office", Zone: "Europe/Berlin", Weekly: []orchestrator.Opening{
			{Days: []string{"mon", "fri"}, From: "09:00", To: "17:30"},
		}}},
		Queues: []orchestrator.Queue{{
			ID: "sales", Name: "Sales", Agents: []orchestrator.QueueAgent{{Agent: "ana", Level: 2}, {Agent: "bo"}},
			RingTimeout: 15000, Overflow: orchestrator.Target{Flow: "main"},
		}},
		Flows: []orchestrator.Flow{{ID: "main", Start: "hello", Nodes: map[string]orchestrator.Node{
			"hello": {Type: orchestrator.NodeAnswer, On: map[string]string{orchestrator.ExitNext: "wait"}},
			"wait":  {Type: orchestrator.NodeQueue, Queue: "sales"},
		}}},
		Numbers: []orchestrator.Number{{Dialled: "+4930100", Flow: "main"}},
	}
}

func tenantOpens(s *shelf) {
	s.must(s.store.OpenTenant(s.Context(), tenantA)) // again
	_, version := s.load()
	s.equal(version, uint64(0))
	_, _, err := s.store.LoadConfig(s.Context(), "nobody")
	s.code(err, orchestrator.CodeNotFound)
	_, err = s.store.Apply(s.Context(), "nobody", sample(), orchestrator.ApplyOptions{})
	s.code(err, orchestrator.CodeNotFound)
	s.code(s.store.OpenTenant(s.Context(), "Not A Slug"), orchestrator.CodeInvalid)
}

func configRoundTrip(s *shelf) {
	applied := s.apply(sample())
	s.equal(applied.Version, uint64(1))
	got, version := s.load()
	s.equal(version, uint64(1))
	want := sample()
	want.Queues[0].Version, want.Flows[0].Version = 1, 1
	s.equal(got, want)
	s.equal(applied.Change, want)
}

func configVersions(s *shelf) {
	s.apply(sample())
	again := s.apply(sample())
	s.equal(again, orchestrator.Applied{Version: 1})

	change := sample()
	change.Queues[0].WrapUp = 5000
	applied := s.apply(change)
	s.equal(applied.Version, uint64(2))
	change.Queues[0].Version = 2
	s.equal(applied.Change, orchestrator.Config{Queues: change.Queues})
	got, _ := s.load()
	s.equal(got.Flows[0].Version, uint64(1))

	// A name that is used again does not count from the beginning: calls may
	// still know the old queue by its version.
	gone := orchestrator.Removal{Kind: orchestrator.KindQueue, ID: "sales"}
	applied = s.apply(orchestrator.Config{Removed: []orchestrator.Removal{gone, {Kind: orchestrator.KindFlow, ID: "never"}}})
	s.equal(applied.Change.Removed, []orchestrator.Removal{gone})
	applied = s.apply(sample())
	s.equal(applied.Change.Queues[0].Version, uint64(4))
}

func configAtomic(s *shelf) {
	s.apply(sample())
	before, _ := s.load()
	for _, bad := range []orchestrator.Config{
		{Hours: []orchestrator.Hours{{ID: "new"}}, Queues: []orchestrator.Queue{{ID: "Bad Name"}}},
		{Hours: []orchestrator.Hours{{ID: "new"}}, Queues: []orchestrator.Queue{{ID: "twice"}, {ID: "twice"}}},
		{Hours: []orchestrator.Hours{{ID: "new"}}, Numbers: []orchestrator.Number{{Dialled: ""}}},
		{Hours: []orchestrator.Hours{{ID: "new"}}, Removed: []orchestrator.Removal{{Kind: "table", ID: "x"}}},
		{Hours: []orchestrator.Hours{{ID: "new"}}, Removed: []orchestrator.Removal{{Kind: orchestrator.KindHours, ID: "new"}}},
	} {
		_, err := s.store.Apply(s.Context(), tenantA, bad, orchestrator.ApplyOptions{})
		s.code(err, orchestrator.CodeInvalid)
	}
	same := orchestrator.Config{
		Hours:  []orchestrator.Hours{{ID: "new"}},
		Phones: []orchestrator.Phone{{ID: "p3", Switch: "pbx", Endpoint: "PJSIP/1001"}},
	}
	_, err := s.store.Apply(s.Context(), tenantA, same, orchestrator.ApplyOptions{})
	s.code(err, orchestrator.CodeConflict)
	after, version := s.load()
	s.equal(after, before)
	s.equal(version, uint64(1))
}

func configSwap(s *shelf) {
	s.apply(sample())
	swap := sample()
	swap.Phones[0].Endpoint, swap.Phones[1].Endpoint = swap.Phones[1].Endpoint, swap.Phones[0].Endpoint
	swap.Agents[0].Number, swap.Agents[1].Number = swap.Agents[1].Number, swap.Agents[0].Number
	s.apply(swap)
	s.apply(orchestrator.Config{ // the endpoint moves to another phone
		Removed: []orchestrator.Removal{{Kind: orchestrator.KindPhone, ID: "p1"}},
		Phones:  []orchestrator.Phone{{ID: "p9", Switch: "pbx", Endpoint: swap.Phones[0].Endpoint}},
	})
	got, _ := s.load()
	s.equal(got.Phones[1].ID, orchestrator.PhoneID("p9"))
}

func configExpected(s *shelf) {
	current := s.apply(sample()).Version
	old := current - 1
	change := orchestrator.Config{Agents: []orchestrator.Agent{{ID: "cy", Number: "13"}}}
	_, err := s.store.Apply(s.Context(), tenantA, change, orchestrator.ApplyOptions{Expected: &old})
	s.code(err, orchestrator.CodeConflict)
	_, err = s.store.Apply(s.Context(), tenantA, change, orchestrator.ApplyOptions{Expected: &current})
	s.must(err)
}

func configConcurrent(s *shelf) {
	const many = 8
	versions := make([]uint64, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			change := orchestrator.Config{Agents: []orchestrator.Agent{{ID: orchestrator.AgentID(fmt.Sprintf("a%d", i)), Number: fmt.Sprint(i)}}}
			applied, err := s.store.Apply(s.Context(), tenantA, change, orchestrator.ApplyOptions{})
			if err != nil {
				s.Error(err)
			}
			versions[i] = applied.Version
		})
	}
	all.Wait()
	seen := map[uint64]bool{}
	for _, v := range versions {
		seen[v] = true
	}
	config, version := s.load()
	s.equal([]any{len(seen), len(config.Agents), version}, []any{many, many, uint64(many)})
}

func configSettings(s *shelf) {
	settings := orchestrator.Settings{Language: "de", Zone: "Europe/Berlin", PauseReasons: []orchestrator.PauseReason{
		{ID: "lunch", Name: "Lunch", Digit: "1"},
	}}
	how := orchestrator.ApplyOptions{Settings: true}
	applied, err := s.store.Apply(s.Context(), tenantA, orchestrator.Config{Settings: settings}, how)
	s.must(err)
	s.equal(applied, orchestrator.Applied{
		Version: 1, Change: orchestrator.Config{Settings: settings}, SettingsChanged: true,
	})
	again, err := s.store.Apply(s.Context(), tenantA, orchestrator.Config{Settings: settings}, how)
	s.must(err)
	s.equal(again, orchestrator.Applied{Version: 1, Change: orchestrator.Config{Settings: settings}})
	applied = s.apply(sample()) // says nothing about settings, and is told what they are
	s.equal(applied.Change.Settings, settings)
	config, _ := s.load()
	s.equal(config.Settings, settings)
}

func configAudit(s *shelf) {
	s.apply(sample())
	s.apply(sample()) // changes nothing
	s.apply(orchestrator.Config{Removed: []orchestrator.Removal{{Kind: orchestrator.KindNumber, ID: "+4930100"}}})
	changes, err := s.store.Changes(s.Context(), tenantA, 0, 10)
	s.must(err)
	if len(changes) != 2 || changes[0].Version != 2 || changes[1].Version != 1 || changes[0].By != "test" {
		s.Fatalf("got %+v", changes)
	}
	s.equal(changes[0].Change.Removed, []orchestrator.Removal{{Kind: orchestrator.KindNumber, ID: "+4930100"}})
	s.equal(len(changes[1].Change.Agents), 2)
	if since := time.Since(changes[0].At); since < 0 || since > time.Hour || changes[0].At.Location() != time.UTC {
		s.Fatalf("at %v", changes[0].At)
	}
	changes, err = s.store.Changes(s.Context(), tenantA, 2, 1)
	s.must(err)
	s.equal(changes[0].Version, uint64(1))
}

func pins(s *shelf) {
	s.apply(sample())
	check := func(agent orchestrator.AgentID, pin string, want bool) {
		s.Helper()
		got, err := s.store.CheckPIN(s.Context(), tenantA, agent, pin)
		s.must(err)
		s.equal(got, want)
	}
	check("ana", "1234", false)
	s.must(s.store.SetPIN(s.Context(), tenantA, "ana", "1234"))
	check("ana", "1234", true)
	for _, wrong := range []string{"", "1235", "123", "12345", "1234\x00", " 1234"} {
		check("ana", wrong, false)
	}
	check("bo", "1234", false)
	check("nobody", "1234", false)
	s.must(s.store.SetPIN(s.Context(), tenantA, "ana", "987654321012"))
	check("ana", "1234", false)
	check("ana", "987654321012", true)
	for _, bad := range []string{"123", "1234567890123", "12a4", "١٢٣٤"} {
		s.code(s.store.SetPIN(s.Context(), tenantA, "ana", bad), orchestrator.CodeInvalid)
	}
	s.code(s.store.SetPIN(s.Context(), tenantA, "nobody", "1234"), orchestrator.CodeNotFound)
	have, err := s.store.PINs(s.Context(), tenantA)
	s.must(err)
	s.equal(have, []orchestrator.AgentID{"ana"})

	s.apply(sample()) // the agent as it was: the PIN stays
	check("ana", "987654321012", true)
	s.apply(orchestrator.Config{Removed: []orchestrator.Removal{{Kind: orchestrator.KindAgent, ID: "ana"}}})
	s.apply(sample())
	check("ana", "987654321012", false) // another person of the same name
	s.must(s.store.SetPIN(s.Context(), tenantA, "bo", "1234"))
	s.must(s.store.SetPIN(s.Context(), tenantA, "bo", ""))
	check("bo", "1234", false)
}

func switchAccess(s *shelf) {
	s.apply(sample())
	_, err := s.store.SwitchAccess(s.Context(), tenantA, "pbx")
	s.code(err, orchestrator.CodeNotFound)
	want := orchestrator.SwitchAccess{URL: "http://127.0.0.1:8088/ari", User: "ringmaster", Password: "canary-7f3a"} //nolint:gosec // not a secret of anything
	s.must(s.store.SetSwitchAccess(s.Context(), tenantA, "pbx", want))
	got, err := s.store.SwitchAccess(s.Context(), tenantA, "pbx")
	s.must(err)
	s.equal(got, want)
	s.code(s.store.SetSwitchAccess(s.Context(), tenantA, "none", want), orchestrator.CodeNotFound)

	config, _ := s.load()
	changes, err := s.store.Changes(s.Context(), tenantA, 0, 10)
	s.must(err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("switch", "access", got)
	if said := fmt.Sprintf("%v %+v %#v %v %v %s", got, got, got, config, changes, log.String()); strings.Contains(said, "canary") {
		s.Fatalf("the password shows: %s", said)
	}
	s.apply(orchestrator.Config{Removed: []orchestrator.Removal{{Kind: orchestrator.KindSwitch, ID: "pbx"}}})
	_, err = s.store.SwitchAccess(s.Context(), tenantA, "pbx")
	s.code(err, orchestrator.CodeNotFound)
}

func keys(s *shelf) {
	created := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	key := orchestrator.APIKey{
		Tenant: tenantA, Prefix: "k1abcdefgh", Hash: []byte{0, 1, 255}, Name: "crm", Scopes: []string{"read", "agents"}, Created: created,
	}
	s.must(s.store.CreateKey(s.Context(), key))
	s.code(s.store.CreateKey(s.Context(), key), orchestrator.CodeConflict)
	other := key
	other.Tenant = tenantB
	s.code(s.store.CreateKey(s.Context(), other), orchestrator.CodeConflict)
	got, err := s.store.FindKey(s.Context(), key.Prefix)
	s.must(err)
	s.equal(got, key)
	_, err = s.store.FindKey(s.Context(), "k1")
	s.code(err, orchestrator.CodeNotFound)

	later := created.Add(time.Hour)
	s.must(s.store.UsedKey(s.Context(), tenantA, key.Prefix, later))
	s.must(s.store.UsedKey(s.Context(), tenantA, key.Prefix, created)) // late news
	s.must(s.store.RevokeKey(s.Context(), tenantA, key.Prefix, later))
	s.must(s.store.RevokeKey(s.Context(), tenantA, key.Prefix, later.Add(time.Hour)))
	s.code(s.store.RevokeKey(s.Context(), tenantA, "nokey123", later), orchestrator.CodeNotFound)
	listed, err := s.store.Keys(s.Context(), tenantA)
	s.must(err)
	key.Used, key.Revoked, key.Hash = later, later, nil
	s.equal(listed, []orchestrator.APIKey{key})
}

func overdue(s *shelf) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, _, err := s.store.LoadConfig(ctx, tenantA)
	if err == nil {
		s.Fatal("answered after its context ended")
	}
}
