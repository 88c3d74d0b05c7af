package conformance

import (
	"time"

	"ringmaster/orchestrator"
)

var progresses = []sentence{
	{"ring lets an unanswered caller hear that it rings", ringHeard},
	{"early media opens the sound before the answer", earlyOpened},
	{"sound of a called phone before its answer is told", earlyTold},
	{"ring and early media of a leg that is gone are not found", progressNothing},
	{"legs are connected before the answer, or refused as declared", earlyBridge},
}

var twice = []orchestrator.CommandResult{orchestrator.ResultAccepted, orchestrator.ResultAlready}

func ringHeard(s *scene) {
	far, leg := s.claimed()
	s.do(orchestrator.Ring{Leg: leg}, orchestrator.ResultAccepted)
	s.until("the caller hears that it rings", far.Ringing)
	s.do(orchestrator.Ring{Leg: leg}, twice...)
	s.answers(far, leg)
	s.do(orchestrator.Ring{Leg: leg}, orchestrator.ResultAlready, orchestrator.ResultRejected)
}

func earlyOpened(s *scene) {
	far, leg := s.claimed()
	s.do(orchestrator.EarlyMedia{Leg: leg}, orchestrator.ResultAccepted)
	s.until("the caller's sound is open", far.Early)
	s.do(orchestrator.EarlyMedia{Leg: leg}, twice...)
	s.over(s.start(leg, s.st.Prompt), orchestrator.PlayFinished)
	s.answers(far, leg)
}

// answers holds that nothing before has answered the call, and does it.
func (s *scene) answers(far Far, leg orchestrator.LegID) {
	s.Helper()
	time.Sleep(s.st.Quiet)
	if far.Up() {
		s.Error("the call was answered before it was")
	}
	never(s, s.d, 0, 0, on[orchestrator.LegUp](leg))
	s.do(orchestrator.Answer{Leg: leg}, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](leg))
	s.until("the caller's phone is up", far.Up)
}

func earlyTold(s *scene) {
	s.must(s.h.Phone(0).Behave(Early))
	d := s.dial(0)
	s.do(d, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegEarly](d.Leg))
	far := s.rung(0)
	never(s, s.d, 0, 0, on[orchestrator.LegUp](d.Leg))
	s.must(far.Answer())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](d.Leg))
}

func progressNothing(s *scene) {
	s.do(orchestrator.Ring{Leg: s.absent()}, orchestrator.ResultNotFound)
	s.do(orchestrator.EarlyMedia{Leg: s.absent()}, orchestrator.ResultNotFound)
}

func earlyBridge(s *scene) {
	far, a := s.claimed()
	phone, b := s.ringing(0)
	bridge := orchestrator.BridgeID(newID())
	c := orchestrator.Connect{Bridge: bridge, Stamp: stamp(a, orchestrator.RoleBridge, callID(a)), A: a, B: b}
	s.Cleanup(func() { s.tell(orchestrator.CloseBridge{Bridge: bridge}) })
	if !s.d.sw.Capabilities().EarlyBridge {
		s.do(c, orchestrator.ResultRejected)
		never(s, s.d, 0, s.st.Quiet, func(e orchestrator.Joined) bool { return e.Bridge == bridge })
		if !far.Ringing() && far.Ended() || !phone.Ringing() {
			s.Error("a refused connect ended a leg")
		}
		return
	}
	s.do(c, orchestrator.ResultAccepted)
	for _, leg := range []orchestrator.LegID{a, b} {
		await(s, s.d, 0, s.st.Event, func(e orchestrator.Joined) bool { return e.Leg == leg && e.Bridge == bridge })
	}
	s.do(orchestrator.Answer{Leg: a}, orchestrator.ResultAccepted)
	s.must(phone.Answer())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](b))
	s.mutual(far, phone)
}
