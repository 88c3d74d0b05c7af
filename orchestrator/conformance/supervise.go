package conformance

import (
	"time"

	"ringmaster/orchestrator"
)

var supervisions = []sentence{
	{"who listens hears both and is heard by nobody", superviseListen},
	{"the mode is changed while they talk, to whisper and barge and back", superviseChanges},
	{"who supervises one is refused another, and goes on with the first", superviseOne},
	{"who talks is refused supervising and talks on, and who rings is not supervised", superviseFree},
	{"a supervisor's own keys keep the mode or change it, as declared", superviseKeys},
	{"stop supervising ends it and all stay", superviseStops},
	{"the supervisor going leaves the talk as it was", supervisorGoes},
	{"the agent going leaves the supervisor with us", supervisedGoes},
	{"supervising with or of a leg that is gone is not found", superviseNothing},
}

// supervised is a pair and a supervisor who listens to its agent.
type supervised struct {
	pair
	boss Far
	c    orchestrator.LegID
}

const (
	lowTone  = 600
	highTone = 1000
	bossTone = 1400
)

func (s *scene) supervised(mode orchestrator.Supervision) supervised {
	s.Helper()
	if !s.d.sw.Capabilities().Supervision {
		s.Skip("this switch does not supervise")
	}
	p := supervised{pair: s.connected()}
	p.boss, p.c = s.listener(1)
	s.must(p.caller.Tone(lowTone))
	s.must(p.agent.Tone(highTone))
	s.must(p.boss.Tone(bossTone))
	s.supervises(p, mode)
	return p
}

func (s *scene) supervises(p supervised, mode orchestrator.Supervision) {
	s.Helper()
	s.do(orchestrator.Supervise{Leg: p.c, Target: p.b, Mode: mode}, orchestrator.ResultAccepted)
	s.supervising(p, mode)
}

// supervising holds who hears whom in a mode.
func (s *scene) supervising(p supervised, mode orchestrator.Supervision) {
	s.Helper()
	if !s.st.Tones {
		return
	}
	time.Sleep(s.st.Quiet) // What is on its way is still heard as before.
	hears := func(who string, f Far, hz int, want bool) {
		s.Helper()
		patience := s.st.Event
		if !want {
			patience = s.st.Quiet
		}
		if f.Hears(hz, patience) != want {
			s.Errorf("in mode %s the %s hears %d Hz: %v", mode, who, hz, !want)
		}
	}
	hears("agent", p.agent, bossTone, mode != orchestrator.Listen)
	hears("caller", p.caller, bossTone, mode == orchestrator.Barge)
	hears("supervisor", p.boss, lowTone, true)
	hears("supervisor", p.boss, highTone, true)
	hears("caller", p.caller, highTone, true)
	hears("agent", p.agent, lowTone, true)
}

func superviseListen(s *scene) {
	mark := s.d.mark()
	p := s.supervised(orchestrator.Listen)
	s.do(orchestrator.Supervise{Leg: p.c, Target: p.b, Mode: orchestrator.Listen}, orchestrator.ResultAlready, orchestrator.ResultAccepted)
	s.supervising(p, orchestrator.Listen)
	// It is no bridge of the talk.
	never(s, s.d, mark, 0, on[orchestrator.Joined](p.c))
	snap := s.snapshot()
	s.wantLeg(snap, orchestrator.SnapshotLeg{
		Leg: p.c, Stamp: stamp(p.c, orchestrator.RoleAgent, callID(p.c)), State: orchestrator.LegIsUp,
	})
	if l, _ := legIn(snap, p.c); l.Supervises != p.b {
		s.Errorf("the snapshot has the supervisor as %+v, want supervising %q", l, p.b)
	}
	if len(snap.Bridges) != 1 || len(snap.Bridges[0].Legs) != 2 {
		s.Errorf("the snapshot has bridges %+v, want that of the pair", snap.Bridges)
	}
}

func superviseChanges(s *scene) {
	p := s.supervised(orchestrator.Listen)
	for _, mode := range []orchestrator.Supervision{orchestrator.Whisper, orchestrator.Barge, orchestrator.Listen} {
		s.supervises(p, mode)
	}
}

func superviseOne(s *scene) {
	p := s.supervised(orchestrator.Listen)
	other := orchestrator.Supervise{Leg: p.c, Target: p.a, Mode: orchestrator.Whisper}
	if got, why := s.tell(other); got != orchestrator.ResultRejected || why != orchestrator.ReasonSupervises {
		s.Errorf("another target was answered %q (%s), want rejected, %q", got, why, orchestrator.ReasonSupervises)
	}
	s.supervising(p, orchestrator.Listen)
	if l, _ := legIn(s.snapshot(), p.c); l.Supervises != p.b {
		s.Errorf("the snapshot has the supervisor as %+v, want supervising %q", l, p.b)
	}
	s.do(orchestrator.StopSupervising{Leg: p.c}, orchestrator.ResultAccepted)
	s.do(other, orchestrator.ResultAccepted)
}

func superviseFree(s *scene) {
	if !s.d.sw.Capabilities().Supervision {
		s.Skip("this switch does not supervise")
	}
	p := s.connected()
	rings, c := s.ringing(1)
	s.do(orchestrator.Supervise{Leg: p.b, Target: c, Mode: orchestrator.Barge}, orchestrator.ResultRejected)
	s.must(rings.Answer())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](c))
	s.do(orchestrator.Supervise{Leg: p.b, Target: c, Mode: orchestrator.Barge}, orchestrator.ResultRejected)
	s.mutual(p.caller, p.agent)
	s.do(orchestrator.Supervise{Leg: c, Target: p.b, Mode: orchestrator.Listen}, orchestrator.ResultAccepted)
}

// superviseKeys presses what would be barge.
func superviseKeys(s *scene) {
	p := s.supervised(orchestrator.Listen)
	mark := s.d.mark()
	s.must(p.boss.Press("3"))
	await(s, s.d, mark, s.st.Event, func(e orchestrator.Digit) bool { return e.Leg == p.c && e.Digit == "3" })
	mode, again := orchestrator.Listen, orchestrator.ResultAlready
	if !s.d.sw.Capabilities().KeepsMode {
		mode, again = orchestrator.Barge, orchestrator.ResultAccepted
	}
	s.supervising(p, mode)
	s.do(orchestrator.Supervise{Leg: p.c, Target: p.b, Mode: orchestrator.Listen}, again)
	s.supervising(p, orchestrator.Listen)
}

func superviseStops(s *scene) {
	p := s.supervised(orchestrator.Barge)
	s.do(orchestrator.StopSupervising{Leg: p.c}, orchestrator.ResultAccepted)
	s.do(orchestrator.StopSupervising{Leg: p.c}, answered...)
	time.Sleep(s.st.Quiet) // What is on its way is still heard.
	if s.st.Tones && (p.agent.Hears(bossTone, s.st.Quiet) || p.boss.Hears(lowTone, s.st.Quiet)) {
		s.Error("the supervision goes on")
	}
	s.mutual(p.caller, p.agent)
	if l, _ := legIn(s.snapshot(), p.c); l.Supervises != "" {
		s.Errorf("the snapshot has the supervisor as %+v", l)
	}
	s.stays(p.boss, p.c)
}

func supervisorGoes(s *scene) {
	p := s.supervised(orchestrator.Barge)
	s.must(p.boss.Hangup())
	s.ended(p.c)
	s.mutual(p.caller, p.agent)
	s.do(orchestrator.StopSupervising{Leg: p.c}, answered...)
}

func supervisedGoes(s *scene) {
	p := s.supervised(orchestrator.Listen)
	s.must(p.agent.Hangup())
	s.ended(p.b)
	if l, _ := legIn(s.snapshot(), p.c); l.Supervises != "" {
		s.Errorf("the snapshot has the supervisor as %+v", l)
	}
	s.do(orchestrator.StopSupervising{Leg: p.c}, append(answered, orchestrator.ResultAccepted)...)
	s.stays(p.boss, p.c)
	s.stays(p.caller, p.a)
}

func superviseNothing(s *scene) {
	if !s.d.sw.Capabilities().Supervision {
		s.Skip("this switch does not supervise")
	}
	far, leg := s.listener(0)
	s.do(orchestrator.Supervise{Leg: leg, Target: s.absent(), Mode: orchestrator.Listen}, orchestrator.ResultNotFound)
	s.do(orchestrator.Supervise{Leg: s.absent(), Target: leg, Mode: orchestrator.Listen}, orchestrator.ResultNotFound)
	s.do(orchestrator.Supervise{Leg: leg, Target: leg, Mode: orchestrator.Listen}, orchestrator.ResultRejected, orchestrator.ResultNotFound)
	s.do(orchestrator.Supervise{Leg: leg, Target: s.absent(), Mode: "shout"}, orchestrator.ResultRejected, orchestrator.ResultNotFound)
	s.do(orchestrator.StopSupervising{Leg: s.absent()}, answered...)
	if !far.Up() {
		s.Error("it ended the leg")
	}
}
