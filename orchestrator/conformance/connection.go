package conformance

import (
	"testing"
	"time"

	"ringmaster/orchestrator"
)

var connections = []sentence{
	{"the first event is a snapshot", firstIsSynced},
	{"a cut is lost, then synced before anything else, and calls go on", cut},
	{"who does not take events is told that the switch is lost, and then how it stands", fallsBehind},
	{"an adapter that was away adopts what it finds", adopts},
	{"a newer orchestrator supersedes and the older is fenced", superseded},
	{"a restarted switch has another epoch and no legs", restarted},
}

// firstSynced holds that the stream begins with a snapshot.
func (s *scene) firstSynced(d *desk) orchestrator.SwitchSynced {
	s.Helper()
	e := await[orchestrator.SwitchSynced](s, d, 0, s.st.Recover, nil)
	if _, ok := d.since(0)[0].(orchestrator.SwitchSynced); !ok {
		s.Errorf("the first event is not a snapshot:%s", listing(d.since(0)))
	}
	if e.Switch != d.sw.ID() || e.Epoch == "" {
		s.Errorf("synced as switch %q of epoch %q, want %q and some epoch", e.Switch, e.Epoch, d.sw.ID())
	}
	return e
}

func firstIsSynced(s *scene) { s.firstSynced(s.d) }

// resynced waits for the loss and the snapshot after it; between them nothing
// else may come.
func (s *scene) resynced(mark int) orchestrator.SwitchSynced {
	s.Helper()
	await(s, s.d, mark, s.st.Recover, func(e orchestrator.SwitchLost) bool { return e.Switch == s.d.sw.ID() })
	e := await[orchestrator.SwitchSynced](s, s.d, mark, s.st.Recover, nil)
	lost := false
	for _, e := range s.d.since(mark) {
		switch e := e.(type) {
		case orchestrator.SwitchLost:
			lost = true
			continue
		case orchestrator.SwitchSynced:
			return e
		}
		if lost {
			s.Errorf("%T came between loss and snapshot", e)
		}
	}
	return e
}

func cut(s *scene) {
	before := s.firstSynced(s.d)
	p := s.connected()
	waiting, leg := s.talker()
	s.do(orchestrator.StartMusic{Leg: leg, Class: s.st.Music}, orchestrator.ResultAccepted)
	_, ringing := s.ringing(1)

	mark := s.d.mark()
	s.h.Cut(s)
	after := s.resynced(mark)

	if after.Epoch != before.Epoch {
		s.Errorf("the epoch changed from %q to %q though the switch did not restart", before.Epoch, after.Epoch)
	}
	own := func(leg orchestrator.LegID, role orchestrator.LegRole, state orchestrator.LegState, b orchestrator.BridgeID) {
		s.wantLeg(after.Snapshot, orchestrator.SnapshotLeg{
			Leg: leg, Stamp: stamp(leg, role, callID(leg)), State: state, Bridge: b,
		})
	}
	own(p.a, orchestrator.RoleCaller, orchestrator.LegIsUp, p.bridge)
	own(p.b, orchestrator.RoleAgent, orchestrator.LegIsUp, p.bridge)
	own(leg, orchestrator.RoleCaller, orchestrator.LegIsUp, "")
	own(ringing, orchestrator.RoleAgent, orchestrator.LegRings, "")
	s.mutual(p.caller, p.agent)

	s.must(waiting.Hangup())
	s.ended(leg)
	s.must(s.h.Phone(1).Rung()[0].Answer())
	await(s, s.d, mark, s.st.Event, on[orchestrator.LegUp](ringing))
}

// fallsBehind makes more events than fit while nobody takes any.
func fallsBehind(s *scene) {
	s.firstSynced(s.d)
	s.d.close(s, s.st)
	s.d = run(s, s.h, s.h.Narrow(s))
	s.firstSynced(s.d)
	p := s.connected()
	goer, gone := s.talker()
	mark := s.d.mark()
	s.d.idle.Lock()
	for range s.st.Backlog/2 + 1 {
		s.must(p.caller.Hold())
		s.must(p.caller.Resume())
	}
	s.must(goer.Hangup())
	s.until("the caller is gone", goer.Ended)
	time.Sleep(s.st.Quiet)
	s.d.idle.Unlock()
	after := s.resynced(mark)
	s.goesOn(after.Snapshot, p, gone)
}

// goesOn holds that a talk went on unheard, and that a leg which ended meanwhile
// is not told as there.
func (s *scene) goesOn(snap orchestrator.Snapshot, p pair, gone orchestrator.LegID) {
	s.Helper()
	s.wantLeg(snap, orchestrator.SnapshotLeg{
		Leg: p.a, Stamp: stamp(p.a, orchestrator.RoleCaller, callID(p.a)), State: orchestrator.LegIsUp, Bridge: p.bridge,
	})
	if l, ok := legIn(snap, gone); ok && l.State != orchestrator.LegIsDown {
		s.Errorf("the snapshot has the leg that ended meanwhile: %+v", l)
	}
	s.mutual(p.caller, p.agent)
	s.must(p.caller.Press("5"))
	await(s, s.d, 0, s.st.Event, func(e orchestrator.Digit) bool { return e.Leg == p.a && e.Digit == "5" })
}

func adopts(s *scene) {
	s.firstSynced(s.d)
	p := s.connected()
	goer, gone := s.talker()
	s.d.close(s, s.st)
	s.must(goer.Hangup())
	s.until("the caller is gone", goer.Ended)

	s.d = open(s, s.h)
	after := s.firstSynced(s.d)
	s.goesOn(after.Snapshot, p, gone)
	s.must(p.caller.Hangup())
	if end := s.ended(p.a); end.By != orchestrator.EndedByRemote {
		s.Errorf("the adopted leg ended %+v, want by remote", end)
	}
	s.do(orchestrator.Hangup{Leg: p.b, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
	s.ended(p.b)
}

func superseded(s *scene) {
	s.firstSynced(s.d)
	far, leg := s.talker()
	older, mark := s.d, s.d.mark()
	newer := open(s, s.h)
	s.firstSynced(newer)
	await(s, older, mark, s.st.Recover, func(e orchestrator.SwitchSuperseded) bool { return e.Switch == older.sw.ID() })
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultRejected)
	time.Sleep(s.st.Quiet)
	if !far.Up() {
		s.Error("the superseded orchestrator ended a call")
	}
	s.d = newer
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
	s.ended(leg)
}

func restarted(s *scene) {
	before := s.firstSynced(s.d)
	p := s.connected()
	mark := s.d.mark()
	s.h.Restart(s)
	after := s.resynced(mark)
	if after.Epoch == before.Epoch {
		s.Errorf("the epoch is %q before and after the restart", after.Epoch)
	}
	for _, leg := range []orchestrator.LegID{p.a, p.b} {
		if l, ok := legIn(after.Snapshot, leg); ok && l.State != orchestrator.LegIsDown {
			s.Errorf("the snapshot has a leg from before the restart: %+v", l)
		}
	}
	for n := range 3 {
		_, reachable := maybe(s.d, mark, s.st.Recover, about(s.h.Phone(n), true))
		if e, ok := endpointIn(s.snapshot(), s.h.Phone(n)); !reachable && (!ok || !e.Reachable) {
			s.Errorf("phone %d is %+v (%v) after the restart", n, e, ok)
		}
	}
	s.talker()
}

// stream holds the order of every leg's events over a whole test run.
func stream(t *testing.T, d *desk) {
	t.Helper()
	type life struct{ offered, rang, up, over bool }
	lives := map[orchestrator.LegID]*life{}
	for _, e := range d.since(0) {
		leg := orchestrator.EventLeg(e)
		if leg == "" {
			continue
		}
		l := lives[leg]
		if l == nil {
			l = &life{}
			lives[leg] = l
		}
		if _, late := e.(orchestrator.RecordingDone); l.over && !late {
			t.Errorf("%T %+v came after the end of its leg", e, e)
		}
		switch e.(type) {
		case orchestrator.LegOffered:
			if l.up || l.offered {
				t.Errorf("leg %s was offered after it was up or twice", leg)
			}
			l.offered = true
		case orchestrator.LegRinging:
			if l.up {
				t.Errorf("leg %s rings after it was up", leg)
			}
			l.rang = true
		case orchestrator.LegUp:
			l.up = true
		case orchestrator.LegEnded, orchestrator.LegReleased:
			l.over = true
		}
	}
}
