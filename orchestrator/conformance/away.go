package conformance

import (
	"slices"
	"time"

	"ringmaster/orchestrator"
)

// aways are what must outlive a connection, or an orchestrator.
var aways = []sentence{
	{"a recording goes on while the switch is cut off, and is masked and stopped after", recordsThroughCut},
	{"an adapter that was away finds recordings and supervisions that go on", recordsThroughAway},
	{"an adapter that was away finds a stream that goes on, and stops it", streamsThroughAway},
	{"what is masked after a restart of ours is silent, or ends", masksAfterAway},
	{"who waits when we go is kept for us or goes to the fallback, as declared; who arrives then does", fallsBack},
	{"a transfer asked for while we were away harms nobody", transfersWhileAway},
}

// wantRecording holds that a snapshot lists a running recording.
func (s *scene) wantRecording(snap orchestrator.Snapshot, leg orchestrator.LegID, id orchestrator.RecordingID) {
	s.Helper()
	l, _ := legIn(snap, leg)
	if !slices.Contains(l.Recordings, id) && s.d.sw.Capabilities().ListsRecordings {
		s.Errorf("the snapshot has %+v, want recording %q", l, id)
	}
}

func recordsThroughCut(s *scene) {
	s.firstSynced(s.d)
	p := s.connected()
	s.must(p.caller.Tone(callerTone))
	s.must(p.agent.Tone(agentTone))
	id := s.records(p.a)
	time.Sleep(time.Second)
	mark := s.d.mark()
	s.h.Cut(s)
	s.wantRecording(s.resynced(mark).Snapshot, p.a, id)
	s.do(orchestrator.Mask{Leg: p.a, Recording: id}, orchestrator.ResultAccepted)
	time.Sleep(time.Second)
	s.do(orchestrator.Mask{Leg: p.a, Recording: id, Off: true}, orchestrator.ResultAccepted)
	time.Sleep(time.Second)
	if t, ok := s.tape(s.recorded(p.a, id)); ok {
		said := t.heardIn(t.said, callerTone, agentTone)
		if runs(said[1:]) != "a.a" {
			s.Errorf("through the cut the leg says %s", said)
		}
	}
	never(s, s.d, mark, 0, func(e orchestrator.RecordingStarted) bool { return e.Recording == id })
}

// restart ends the adapter, lets something happen and starts another.
func (s *scene) restart(meanwhile func()) orchestrator.Snapshot {
	s.Helper()
	s.d.close(s, s.st)
	meanwhile()
	s.d = open(s, s.h)
	return s.firstSynced(s.d).Snapshot
}

func recordsThroughAway(s *scene) {
	s.firstSynced(s.d)
	p := s.supervised(orchestrator.Listen)
	kept, since := s.records(p.a), time.Now()
	goer, gone := s.talker()
	lost := s.records(gone)
	snap := s.restart(func() {
		s.must(goer.Hangup())
		s.until("the caller is gone", goer.Ended)
		time.Sleep(time.Second)
	})
	s.wantRecording(snap, p.a, kept)
	if l, _ := legIn(snap, p.c); l.Supervises != p.b {
		s.Errorf("the snapshot has the supervisor as %+v, want supervising %q", l, p.b)
	}
	s.supervises(p, orchestrator.Whisper)
	s.do(orchestrator.StopSupervising{Leg: p.c}, orchestrator.ResultAccepted)
	if !s.d.sw.Capabilities().ListsRecordings {
		return
	}
	s.lasted(s.recorded(p.a, kept), since, 900*time.Millisecond)
	s.do(orchestrator.StopRecording{Leg: gone, Recording: lost}, answered...)
}

func masksAfterAway(s *scene) {
	s.firstSynced(s.d)
	_, leg := s.talker()
	id := s.records(leg)
	s.do(orchestrator.Mask{Leg: leg, Recording: id}, orchestrator.ResultAccepted)
	s.restart(func() {})
	if !s.d.sw.Capabilities().ListsRecordings {
		s.Skip("this switch does not find recordings again")
	}
	switch got, why := s.tell(orchestrator.Mask{Leg: leg, Recording: id}); got {
	case orchestrator.ResultAccepted, orchestrator.ResultAlready:
		s.recorded(leg, id)
	case orchestrator.ResultRejected:
		e := await(s, s.d, 0, s.st.Event, func(e orchestrator.RecordingDone) bool { return e.Recording == id })
		if e.Fault == "" {
			s.Errorf("the recording ended as %+v, want a fault", e)
		}
	default:
		s.Errorf("the mask was answered %q (%s)", got, why)
	}
}

func fallsBack(s *scene) {
	s.firstSynced(s.d)
	waiting, leg := s.talker()
	s.do(orchestrator.StartMusic{Leg: leg, Class: s.st.Music}, orchestrator.ResultAccepted)
	p := s.connected()
	var late Far
	snap := s.restart(func() {
		time.Sleep(s.st.Quiet) // Who comes before the switch sees us gone is one who waits.
		var err error
		late, err = s.h.Call(s.st.Number, caller)
		s.must(err)
		s.fars = append(s.fars, late)
		time.Sleep(s.st.Alone)
	})
	if !waiting.Up() || late.Ended() {
		s.Errorf("while we were away the caller who waited was cut off: %v, and the one who came: %v", !waiting.Up(), late.Ended())
	}
	if _, kept := legIn(snap, leg); kept == s.d.sw.Capabilities().FallsBackAlone {
		s.Errorf("declared is falls_back_alone %v, and the caller who waited is kept for us: %v", !kept, kept)
	}
	for _, l := range snap.Legs {
		if l.Entry == orchestrator.EntryIn && l.Leg != leg && l.Leg != p.a {
			s.Errorf("the caller who came while we were away is kept for us: %+v", l)
		}
	}
	if _, kept := legIn(snap, p.a); !kept {
		s.Error("a caller who talks was given to the fallback")
	}
	s.mutual(p.caller, p.agent)
}

func transfersWhileAway(s *scene) {
	s.firstSynced(s.d)
	p := s.connected()
	s.restart(func() {
		s.must(p.agent.Transfer(elsewhere))
		time.Sleep(s.st.Quiet)
	})
	if !p.caller.Up() {
		s.Error("the caller was lost")
	}
	// The word may come too late, and must not be refused for good.
	s.do(orchestrator.RejectTransfer{Leg: p.b}, append(answered, orchestrator.ResultAccepted)...)
	s.do(orchestrator.Hangup{Leg: p.b, Cause: orchestrator.CauseNormal}, append(answered, orchestrator.ResultAccepted)...)
	s.stays(p.caller, p.a)
}
