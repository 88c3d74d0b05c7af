package adapter_test

import (
	"context"
	"testing"
	"time"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/conformance"
	"ringmaster/orchestrator/runner/share"
	"ringmaster/orchestrator/simulation"
	"ringmaster/orchestrator/simulation/adapter"
)

// TestConformanceShared holds a tenant's view of a shared switch to the
// contract of a switch of its own.
func TestConformanceShared(t *testing.T) {
	t.Parallel()
	conformance.Switch(t, sharedHarness{newHarness(t, simulation.Quirks{})})
}

type sharedHarness struct{ *harness }

func (h sharedHarness) Stage() conformance.Stage {
	st := h.harness.Stage()
	st.Backlog = share.Backlog
	return st
}

func (h sharedHarness) Narrow(tb testing.TB) orchestrator.Switch {
	tb.Helper()
	return h.Connect(tb)
}

func (h sharedHarness) Connect(testing.TB) orchestrator.Switch {
	s := share.New(adapter.New(h.host), func(orchestrator.LegOffered) (orchestrator.TenantID, bool) {
		return "conformance", true
	})
	s.View("neighbour", "other")
	return sole{s.View("conformance", "lab"), s}
}

// sole runs the shared adapter with its view.
type sole struct {
	*share.View
	shared *share.Shared
}

func (s sole) Run(ctx context.Context) error { return s.shared.Run(ctx) }

// two are the floors of two tenants on one switch: numbers below 200 are red's.
func two(t *testing.T) (h *harness, red, blue *share.View) {
	t.Helper()
	h = newHarness(t, simulation.Quirks{})
	s := share.New(adapter.New(h.host), func(e orchestrator.LegOffered) (orchestrator.TenantID, bool) {
		switch {
		case e.Dialled < "200":
			return "red", true
		case e.Dialled < "300":
			return "blue", true
		}
		return "", false
	})
	red, blue = s.View("red", "red-pbx"), s.View("blue", "blue-pbx")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for _, v := range []*share.View{red, blue} {
		if e := next[orchestrator.SwitchSynced](t, v); e.Switch != v.ID() {
			t.Fatalf("synced as %q, want %q", e.Switch, v.ID())
		}
	}
	return h, red, blue
}

// next is the next event of a view, which must be a T.
func next[T orchestrator.Event](t *testing.T, v *share.View) T {
	t.Helper()
	select {
	case e := <-v.Events():
		if is, ok := e.(T); ok {
			return is
		}
		t.Fatalf("view %s was told %T %+v, want %T", v.ID(), e, e, *new(T))
	case <-time.After(3 * time.Second):
		t.Fatalf("view %s was told nothing, want %T", v.ID(), *new(T))
	}
	panic("unreachable")
}

// silent fails if a view has been told anything.
func silent(t *testing.T, v *share.View) {
	t.Helper()
	select {
	case e := <-v.Events():
		t.Fatalf("view %s was told %T %+v", v.ID(), e, e)
	case <-time.After(50 * time.Millisecond):
	}
}

func TestATenantHearsItsOwnCallsOnly(t *testing.T) {
	h, red, blue := two(t)
	far, err := h.Call("100", orchestrator.Party{Number: "49"})
	if err != nil {
		t.Fatal(err)
	}
	e := next[orchestrator.LegOffered](t, red)
	if e.Switch != "red-pbx" {
		t.Errorf("offered at switch %q", e.Switch)
	}
	claim := orchestrator.Claim{Leg: e.Leg, Stamp: orchestrator.Stamp{Tenant: "red", Call: "c", Leg: e.Leg, Role: orchestrator.RoleCaller, Epoch: 1}}
	if got, why := red.Do(t.Context(), claim); got != orchestrator.ResultAccepted {
		t.Fatal(got, why)
	}
	for _, a := range []orchestrator.Action{
		orchestrator.Answer{Leg: e.Leg},
		orchestrator.Hangup{Leg: e.Leg, Cause: 16},
		orchestrator.Supervise{Leg: "mine", Target: e.Leg, Mode: orchestrator.Listen},
	} {
		if got, _ := blue.Do(t.Context(), a); got != orchestrator.ResultNotFound {
			t.Errorf("a neighbour's %T was answered %q", a, got)
		}
	}
	blue.Resync()
	if s := next[orchestrator.SwitchSynced](t, blue); len(s.Snapshot.Legs) != 0 {
		t.Errorf("the neighbour's snapshot has %+v", s.Snapshot.Legs)
	}
	if s := next[orchestrator.SwitchSynced](t, red); len(s.Snapshot.Legs) != 1 {
		t.Errorf("the owner's snapshot has %+v", s.Snapshot.Legs)
	}
	if err := far.Hangup(); err != nil {
		t.Fatal(err)
	}
	next[orchestrator.LegEnded](t, red)
	silent(t, blue)
}

func TestANumberOfNobodyIsRefused(t *testing.T) {
	h, red, blue := two(t)
	far, err := h.Call("900", orchestrator.Party{})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(3 * time.Second); !far.Ended(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the call was not refused")
		}
	}
	if far.Status() != 404 {
		t.Errorf("refused with %d, want 404", far.Status())
	}
	silent(t, red)
	silent(t, blue)
}

// TestASlowTenantHarmsNobody holds that a floor that stops reading learns that
// it missed something, while its neighbour misses nothing.
func TestASlowTenantHarmsNobody(t *testing.T) {
	h, red, blue := two(t)
	slow, err := h.Call("100", orchestrator.Party{})
	if err != nil {
		t.Fatal(err)
	}
	next[orchestrator.LegOffered](t, red)
	for range 40 { // in portions that the adapter itself can carry
		for range 500 {
			if err := slow.Press("1"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	if _, err := h.Call("200", orchestrator.Party{}); err != nil {
		t.Fatal(err)
	}
	next[orchestrator.LegOffered](t, blue)
	lost := false
	for e := range red.Events() {
		if _, ok := e.(orchestrator.SwitchLost); ok {
			lost = true
		}
		if _, ok := e.(orchestrator.SwitchSynced); ok && lost {
			return
		}
	}
}
