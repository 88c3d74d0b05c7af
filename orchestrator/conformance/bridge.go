package conformance

import (
	"time"

	"ringmaster/orchestrator"
)

var bridges = []sentence{
	{"connect joins both legs and each hears the other", connectHears},
	{"connect may be repeated", connectTwice},
	{"connect and separate may be repeated while they are carried out", connectAtOnce},
	{"connect ends plays and music first", connectSilences},
	{"connect with a leg that is gone joins neither", connectGone},
	{"separate takes a leg out and it stays ours", separate},
	{"the phone going leaves the caller in our care", agentGoes},
	{"the caller going leaves the phone in our care", callerGoes},
	{"the caller can be connected to the next phone", nextAgent},
	{"an empty bridge is closed and may be closed again", closeBridge},
	{"digits in a bridge are reported", bridgedDigits},
	{"hold and resume are reported", hold},
	{"going while holding ends only that leg", goesHolding},
}

func connectHears(s *scene) {
	p := s.connected()
	snap := s.snapshot()
	s.wantLeg(snap, orchestrator.SnapshotLeg{
		Leg: p.a, Stamp: stamp(p.a, orchestrator.RoleCaller, callID(p.a)), State: orchestrator.LegIsUp, Bridge: p.bridge,
	})
	s.wantLeg(snap, orchestrator.SnapshotLeg{
		Leg: p.b, Stamp: stamp(p.b, orchestrator.RoleAgent, callID(p.b)), State: orchestrator.LegIsUp, Bridge: p.bridge,
	})
	s.mutual(p.caller, p.agent)
}

// mutual holds that each hears the other's tone and not its own.
func (s *scene) mutual(a, b Far) {
	s.Helper()
	if !s.st.Tones {
		return
	}
	const low, high = 440, 1000
	s.must(a.Tone(low))
	s.must(b.Tone(high))
	if !a.Hears(high, s.st.Event) {
		s.Error("the first does not hear the second")
	}
	if !b.Hears(low, s.st.Event) {
		s.Error("the second does not hear the first")
	}
	if a.Hears(low, s.st.Quiet) || b.Hears(high, s.st.Quiet) {
		s.Error("one hears itself")
	}
}

func connectTwice(s *scene) {
	p := s.connected()
	again := orchestrator.Connect{Bridge: p.bridge, Stamp: stamp(p.a, orchestrator.RoleBridge, callID(p.a)), A: p.a, B: p.b}
	mark := s.d.mark()
	s.do(again, orchestrator.ResultAlready, orchestrator.ResultAccepted)
	s.mutual(p.caller, p.agent)
	never(s, s.d, mark, s.st.Quiet, func(e orchestrator.Left) bool { return e.Bridge == p.bridge })
}

// connectAtOnce is told again while it is being carried out, and so is Separate:
// FreeSWITCH by itself would hang up one of the two (live-freeswitch.md, 3).
func connectAtOnce(s *scene) {
	far, a := s.talker()
	agent, b := s.listener(0)
	for range 5 {
		bridge := orchestrator.BridgeID(newID())
		s.Cleanup(func() { s.tell(orchestrator.CloseBridge{Bridge: bridge}) })
		mark := s.d.mark()
		c := orchestrator.Connect{Bridge: bridge, Stamp: stamp(a, orchestrator.RoleBridge, callID(a)), A: a, B: b}
		s.do(c, orchestrator.ResultAccepted)
		s.do(c, orchestrator.ResultAlready, orchestrator.ResultAccepted)
		for _, leg := range []orchestrator.LegID{a, b} {
			await(s, s.d, mark, s.st.Event, func(e orchestrator.Joined) bool { return e.Leg == leg && e.Bridge == bridge })
		}
		never(s, s.d, mark, s.st.Quiet, func(e orchestrator.Left) bool { return e.Bridge == bridge })
		s.mutual(far, agent)
		for _, leg := range []orchestrator.LegID{a, b} {
			for range 2 {
				s.do(orchestrator.Separate{Leg: leg, Bridge: bridge}, orchestrator.ResultAccepted, orchestrator.ResultAlready)
			}
			await(s, s.d, mark, s.st.Event, func(e orchestrator.Left) bool { return e.Leg == leg && e.Bridge == bridge })
		}
	}
}

// connectSilences also holds that connecting does not wait for the prompt to
// be over, as some switches do when a leg is joined while it is played to.
func connectSilences(s *scene) {
	_, a := s.talker()
	s.do(orchestrator.StartMusic{Leg: a, Class: s.st.Music}, orchestrator.ResultAccepted)
	prompt := s.start(a, s.st.Long)
	_, b := s.listener(0)
	start := time.Now()
	s.connect(a, b)
	if took := time.Since(start); took > 5*time.Second {
		s.Errorf("connecting took %v", took)
	}
	s.over(prompt, orchestrator.PlayStopped)
}

func connectGone(s *scene) {
	far, a := s.talker()
	agent, b := s.listener(0)
	s.must(agent.Hangup())
	s.ended(b)
	mark := s.d.mark()
	bridge := orchestrator.BridgeID(newID())
	s.do(orchestrator.Connect{Bridge: bridge, Stamp: stamp(a, orchestrator.RoleBridge, callID(a)), A: a, B: b},
		orchestrator.ResultNotFound, orchestrator.ResultRejected)
	never(s, s.d, mark, s.st.Quiet, on[orchestrator.Joined](a))
	if !far.Up() {
		s.Error("the failed connect ended the caller")
	}
	s.tell(orchestrator.CloseBridge{Bridge: bridge})
}

func separate(s *scene) {
	p := s.connected()
	mark := s.d.mark()
	s.do(orchestrator.Separate{Leg: p.a, Bridge: p.bridge}, orchestrator.ResultAccepted)
	await(s, s.d, mark, s.st.Event, func(e orchestrator.Left) bool { return e.Leg == p.a && e.Bridge == p.bridge })
	s.do(orchestrator.Separate{Leg: p.a, Bridge: p.bridge},
		orchestrator.ResultAccepted, orchestrator.ResultAlready, orchestrator.ResultNotFound)
	s.wantLeg(s.snapshot(), orchestrator.SnapshotLeg{
		Leg: p.a, Stamp: stamp(p.a, orchestrator.RoleCaller, callID(p.a)), State: orchestrator.LegIsUp,
	})
	s.over(s.start(p.a, s.st.Prompt), orchestrator.PlayFinished)
}

func agentGoes(s *scene) {
	p := s.connected()
	s.must(p.agent.Hangup())
	if end := s.ended(p.b); end.By != orchestrator.EndedByRemote {
		s.Errorf("ended %+v, want by remote", end)
	}
	s.stays(p.caller, p.a)
}

func callerGoes(s *scene) {
	p := s.connected()
	s.must(p.caller.Hangup())
	if end := s.ended(p.a); end.By != orchestrator.EndedByRemote {
		s.Errorf("ended %+v, want by remote", end)
	}
	s.stays(p.agent, p.b)
}

// stays holds that a leg outlives its peer until we end it.
func (s *scene) stays(far Far, leg orchestrator.LegID) {
	s.Helper()
	never(s, s.d, 0, s.st.Quiet, on[orchestrator.LegEnded](leg))
	if !far.Up() {
		s.Error("the other party was cut off")
	}
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
	s.ended(leg)
}

func nextAgent(s *scene) {
	p := s.connected()
	s.must(p.agent.Hangup())
	s.ended(p.b)
	s.do(orchestrator.Separate{Leg: p.a, Bridge: p.bridge}, orchestrator.ResultAccepted, orchestrator.ResultAlready)
	s.do(orchestrator.StartMusic{Leg: p.a, Class: s.st.Music}, orchestrator.ResultAccepted)
	second, b := s.listener(1)
	s.connect(p.a, b)
	s.mutual(p.caller, second)
}

func closeBridge(s *scene) {
	p := s.connected()
	for _, leg := range []orchestrator.LegID{p.a, p.b} {
		s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
		s.ended(leg)
	}
	gone := []orchestrator.CommandResult{orchestrator.ResultNotFound, orchestrator.ResultAlready}
	s.do(orchestrator.CloseBridge{Bridge: p.bridge}, append(gone, orchestrator.ResultAccepted)...)
	s.do(orchestrator.CloseBridge{Bridge: p.bridge}, gone...)
	s.do(orchestrator.CloseBridge{Bridge: orchestrator.BridgeID(newID())}, gone...)
	for _, b := range s.snapshot().Bridges {
		if b.Bridge == p.bridge {
			s.Error("the closed bridge is in the snapshot")
		}
	}
}

func bridgedDigits(s *scene) {
	p := s.connected()
	mark := s.d.mark()
	s.must(p.agent.Press("7"))
	await(s, s.d, mark, s.st.Event, func(e orchestrator.Digit) bool { return e.Leg == p.b && e.Digit == "7" })
}

func hold(s *scene) {
	p := s.connected()
	s.must(p.agent.Hold())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegHold](p.b))
	s.must(p.agent.Resume())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUnhold](p.b))
	s.mutual(p.caller, p.agent)
}

func goesHolding(s *scene) {
	p := s.connected()
	s.must(p.agent.Hold())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegHold](p.b))
	s.must(p.agent.Hangup())
	s.ended(p.b)
	s.stays(p.caller, p.a)
}
