package conformance

import (
	"time"

	"ringmaster/orchestrator"
)

var releases = []sentence{
	{"release gives the leg to the dialplan, alive and no longer ours", release},
	{"release of a leg that is gone is not found", releaseNothing},
}

func release(s *scene) {
	far, leg := s.talker()
	s.do(orchestrator.Release{Leg: leg, Context: s.st.Context, Extension: s.st.Extension}, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegReleased](leg))
	if _, ok := legIn(s.snapshot(), leg); ok {
		s.Error("the released leg is still in the snapshot")
	}
	time.Sleep(s.st.Quiet)
	if !far.Up() {
		s.Error("the release ended the call")
	}
}

func releaseNothing(s *scene) {
	s.do(orchestrator.Release{Leg: s.absent(), Context: s.st.Context, Extension: s.st.Extension}, orchestrator.ResultNotFound)
}

var endpoints = []sentence{
	{"a phone leaving and coming back is reported", reachability},
	{"a phone in use is reported", inUse},
}

func about(p Phone, reachable bool) func(orchestrator.EndpointChanged) bool {
	return func(e orchestrator.EndpointChanged) bool {
		return e.Endpoint == p.Endpoint() && e.Reachable == reachable
	}
}

func reachability(s *scene) {
	p := s.h.Phone(2)
	mark := s.d.mark()
	s.must(p.Unregister())
	await(s, s.d, mark, s.st.Event, about(p, false))
	if e, ok := endpointIn(s.snapshot(), p); !ok || e.Reachable {
		s.Errorf("the snapshot has the phone as %+v (%v), want unreachable", e, ok)
	}
	mark = s.d.mark()
	s.must(p.Register())
	await(s, s.d, mark, s.st.Event, about(p, true))
	if e, ok := endpointIn(s.snapshot(), p); !ok || !e.Reachable || e.InUse {
		s.Errorf("the snapshot has the phone as %+v (%v), want reachable and idle", e, ok)
	}
}

func endpointIn(snap orchestrator.Snapshot, p Phone) (orchestrator.SnapshotEndpoint, bool) {
	for _, e := range snap.Endpoints {
		if e.Endpoint == p.Endpoint() {
			return e, true
		}
	}
	return orchestrator.SnapshotEndpoint{}, false
}

func inUse(s *scene) {
	p := s.h.Phone(1)
	busy := func(want bool) func(orchestrator.EndpointChanged) bool {
		return func(e orchestrator.EndpointChanged) bool { return e.Endpoint == p.Endpoint() && e.InUse == want }
	}
	mark := s.d.mark()
	far, leg := s.listener(1)
	await(s, s.d, mark, s.st.Event, busy(true))
	if e, ok := endpointIn(s.snapshot(), p); !ok || !e.InUse {
		s.Errorf("the snapshot has the phone as %+v (%v), want in use", e, ok)
	}
	mark = s.d.mark()
	s.must(far.Hangup())
	s.ended(leg)
	await(s, s.d, mark, s.st.Event, busy(false))
}

var snapshots = []sentence{
	{"it has an offered leg without a stamp", snapshotOffered},
	{"it has a ringing leg with its stamp", snapshotRinging},
	{"it has bridges with their legs and stamp", snapshotBridge},
	{"it has every phone of ours", snapshotEndpoints},
	{"it lacks legs that ended", snapshotEnded},
}

func snapshotOffered(s *scene) {
	_, e := s.arrival(caller)
	snap := s.snapshot()
	s.wantLeg(snap, orchestrator.SnapshotLeg{Leg: e.Leg, State: orchestrator.LegNew})
	if l, _ := legIn(snap, e.Leg); l.Entry != orchestrator.EntryIn || l.Dialled != s.st.Number || l.Caller != caller {
		s.Errorf("the snapshot has %+v, want entry, dialled number and caller as offered", l)
	}
}

func snapshotRinging(s *scene) {
	_, leg := s.ringing(0)
	snap := s.snapshot()
	s.wantLeg(snap, orchestrator.SnapshotLeg{
		Leg: leg, Stamp: stamp(leg, orchestrator.RoleAgent, callID(leg)), State: orchestrator.LegRings,
	})
	if l, _ := legIn(snap, leg); l.Entry != "" || l.Endpoint != s.h.Phone(0).Endpoint() {
		s.Errorf("the snapshot has %+v, want no entry and endpoint %q", l, s.h.Phone(0).Endpoint())
	}
}

func snapshotBridge(s *scene) {
	p := s.connected()
	for _, b := range s.snapshot().Bridges {
		if b.Bridge != p.bridge {
			continue
		}
		if len(b.Legs) != 2 || b.Stamp != stamp(p.a, orchestrator.RoleBridge, callID(p.a)) {
			s.Errorf("the snapshot has %+v, want two legs and the bridge's stamp", b)
		}
		return
	}
	s.Error("the snapshot lacks the bridge")
}

func snapshotEndpoints(s *scene) {
	snap := s.snapshot()
	for n := range 3 {
		if e, ok := endpointIn(snap, s.h.Phone(n)); !ok || !e.Reachable || e.InUse {
			s.Errorf("the snapshot has phone %d as %+v (%v), want reachable and idle", n, e, ok)
		}
	}
}

func snapshotEnded(s *scene) {
	p := s.connected()
	for _, leg := range []orchestrator.LegID{p.a, p.b} {
		s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
		s.ended(leg)
	}
	snap := s.snapshot()
	for _, leg := range []orchestrator.LegID{p.a, p.b} {
		if l, ok := legIn(snap, leg); ok && l.State != orchestrator.LegIsDown {
			s.Errorf("the snapshot has the ended leg %+v", l)
		}
	}
}
