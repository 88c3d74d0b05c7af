package conformance

import (
	"time"

	"ringmaster/orchestrator"
)

var machines = []sentence{
	{"who says hello and waits is a person", func(s *scene) { s.sounds(500*time.Millisecond, orchestrator.VerdictPerson) }},
	{"who talks on is a machine", func(s *scene) { s.sounds(6*time.Second, orchestrator.VerdictMachine) }},
	{"who says nothing is unsure", func(s *scene) { s.sounds(0, orchestrator.VerdictUnsure) }},
	{"hanging up while it is listened ends the leg", hangUpDetecting},
	{"what a switch cannot do it rejects as unsupported", unsupported},
}

// detecting is an answered phone whose leg is being listened to.
func (s *scene) detecting() (Far, orchestrator.LegID) {
	s.Helper()
	if !s.d.sw.Capabilities().DetectsMachine {
		s.Skip("this switch does not detect machines")
	}
	far, leg := s.listener(0)
	s.do(orchestrator.DetectMachine{Leg: leg}, orchestrator.ResultAccepted)
	return far, leg
}

// sounds has the phone speak for so long and wants this verdict.
func (s *scene) sounds(long time.Duration, want orchestrator.MachineVerdict) {
	s.Helper()
	far, leg := s.detecting()
	if long > 0 {
		s.must(far.Tone(600))
		quiet := time.AfterFunc(long, func() { _ = far.Tone(0) }) // The call may be over by then.
		defer quiet.Stop()
	}
	e := await(s, s.d, 0, s.st.Event+5*time.Second, on[orchestrator.MachineDetected](leg))
	if e.Verdict != want {
		s.Errorf("after speaking for %v the verdict is %q (%s), want %q", long, e.Verdict, e.Cause, want)
	}
	never(s, s.d, 0, 0, on[orchestrator.LegReleased](leg))
	s.over(s.start(leg, s.st.Prompt), orchestrator.PlayFinished)
	s.wantLeg(s.snapshot(), orchestrator.SnapshotLeg{
		Leg: leg, Stamp: stamp(leg, orchestrator.RoleAgent, callID(leg)), State: orchestrator.LegIsUp,
	})
}

func hangUpDetecting(s *scene) {
	far, leg := s.detecting()
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
	s.ended(leg)
	s.until("the phone is on the hook", far.Ended)
	never(s, s.d, 0, s.st.Quiet, on[orchestrator.MachineDetected](leg))
}

func unsupported(s *scene) {
	can := s.d.sw.Capabilities()
	if can.Kind == "" || can.Version == "" {
		s.Errorf("the capabilities name kind %q and version %q", can.Kind, can.Version)
	}
	_, leg := s.listener(0)
	_, other := s.talker()
	for _, c := range []struct {
		works bool
		a     orchestrator.Action
	}{
		{can.DetectsMachine, orchestrator.DetectMachine{Leg: leg}},
		{can.Recording, orchestrator.StartRecording{Leg: leg, Recording: orchestrator.RecordingID(newID())}},
		{can.StreamsAudio, orchestrator.StreamAudio{Leg: leg, Stream: orchestrator.StreamID(newID()), To: "192.0.2.1:4000"}},
		{can.StreamsAudio, orchestrator.StopStream{Leg: leg, Stream: orchestrator.StreamID(newID())}},
		{can.Supervision, orchestrator.Supervise{Leg: leg, Target: other, Mode: orchestrator.Listen}},
	} {
		if c.works {
			continue // Its own sentences hold it to that.
		}
		if got, why := s.tell(c.a); got != orchestrator.ResultRejected || why != orchestrator.ReasonUnsupported {
			s.Errorf("%T was answered %q (%s), want rejected, %q", c.a, got, why, orchestrator.ReasonUnsupported)
		}
	}
}
