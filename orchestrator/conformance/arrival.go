package conformance

import (
	"ringmaster/orchestrator"
)

var arrivals = []sentence{
	{"a leg from the trunk is offered with its number and caller", offeredFromTrunk},
	{"a leg from a desk phone is offered with its endpoint", offeredFromPhone},
	{"claim takes the leg and may be repeated", claimTwice},
	{"claim of a leg that is not there is not found", claimNothing},
	{"a caller who goes before the claim ends the leg", goneBeforeClaim},
	{"answer answers and may be repeated", answerTwice},
	{"answer of a leg that is not there is not found", answerNothing},
	{"the caller hanging up ends the leg", callerHangsUp},
	{"the caller giving up unanswered ends the leg", callerGivesUp},
	{"hangup ends an answered leg with its cause", hangUpAnswered},
	{"hangup refuses an unanswered leg with its cause", refuseUnanswered},
	{"hangup of a leg that is gone is not an error", hangUpGone},
}

func offeredFromTrunk(s *scene) {
	_, e := s.arrival(caller)
	if e.Switch != s.d.sw.ID() || e.Dialled != s.st.Number || e.Caller != caller {
		s.Errorf("offered %+v, want switch %q, dialled %q and caller %+v", e, s.d.sw.ID(), s.st.Number, caller)
	}
}

func offeredFromPhone(s *scene) {
	e := s.coded(0)
	if e.Endpoint != s.h.Phone(0).Endpoint() || e.Dialled != s.st.Code || e.Switch != s.d.sw.ID() {
		s.Errorf("offered %+v, want endpoint %q and dialled %q", e, s.h.Phone(0).Endpoint(), s.st.Code)
	}
}

// coded is the leg of the n-th phone dialling the feature code.
func (s *scene) coded(n int) orchestrator.LegOffered {
	s.Helper()
	mark := s.d.mark()
	far, err := s.h.Phone(n).Dial(s.st.Code)
	s.must(err)
	s.fars = append(s.fars, far)
	e := await(s, s.d, mark, s.st.Event, func(e orchestrator.LegOffered) bool { return e.Entry == orchestrator.EntryAgent })
	s.legs = append(s.legs, e.Leg)
	return e
}

func claimTwice(s *scene) {
	_, leg := s.claimed()
	st := stamp(leg, orchestrator.RoleCaller, callID(leg))
	s.do(orchestrator.Claim{Leg: leg, Stamp: st}, orchestrator.ResultAccepted, orchestrator.ResultAlready)
	s.wantLeg(s.snapshot(), orchestrator.SnapshotLeg{Leg: leg, Stamp: st, State: orchestrator.LegNew})
}

// absent is a leg of this switch that never was.
func (s *scene) absent() orchestrator.LegID {
	return orchestrator.LegID(string(s.d.sw.ID()) + "/1234567890.99999")
}

func claimNothing(s *scene) {
	leg := s.absent()
	s.do(orchestrator.Claim{Leg: leg, Stamp: stamp(leg, orchestrator.RoleCaller, callID(leg))}, orchestrator.ResultNotFound)
}

func goneBeforeClaim(s *scene) {
	far, e := s.arrival(caller)
	s.must(far.Hangup())
	if end := s.ended(e.Leg); end.By != orchestrator.EndedByRemote {
		s.Errorf("ended %+v, want by remote", end)
	}
	s.do(orchestrator.Claim{Leg: e.Leg, Stamp: stamp(e.Leg, orchestrator.RoleCaller, callID(e.Leg))}, orchestrator.ResultNotFound)
}

func answerTwice(s *scene) {
	far, leg := s.talker()
	s.do(orchestrator.Answer{Leg: leg}, orchestrator.ResultAccepted, orchestrator.ResultAlready)
	if !far.Up() {
		s.Error("the second answer harmed the call")
	}
}

func answerNothing(s *scene) {
	s.do(orchestrator.Answer{Leg: s.absent()}, orchestrator.ResultNotFound)
}

func callerHangsUp(s *scene) {
	far, leg := s.talker()
	s.must(far.Hangup())
	if end := s.ended(leg); end.By != orchestrator.EndedByRemote {
		s.Errorf("ended %+v, want by remote", end)
	}
}

func callerGivesUp(s *scene) {
	far, leg := s.claimed()
	s.must(far.Hangup())
	if end := s.ended(leg); end.By != orchestrator.EndedByRemote {
		s.Errorf("ended %+v, want by remote", end)
	}
}

func hangUpAnswered(s *scene) {
	far, leg := s.talker()
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
	if end := s.ended(leg); end.By != orchestrator.EndedByUs || end.Cause != orchestrator.CauseNormal {
		s.Errorf("ended %+v, want cause 16 by us", end)
	}
	s.until("the caller's phone knows the call is over", far.Ended)
}

// refuseUnanswered holds hang-up causes to RFC 3398 section 8.2.6.1, which
// maps 17 to SIP 486.
func refuseUnanswered(s *scene) {
	far, leg := s.claimed()
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseBusy}, orchestrator.ResultAccepted)
	if end := s.ended(leg); end.By != orchestrator.EndedByUs || end.Cause != orchestrator.CauseBusy {
		s.Errorf("ended %+v, want cause 17 by us", end)
	}
	s.until("the caller's phone knows the call is over", far.Ended)
	if far.Status() != 486 {
		s.Errorf("the caller was told %d, want 486", far.Status())
	}
}

func hangUpGone(s *scene) {
	far, leg := s.talker()
	s.must(far.Hangup())
	s.ended(leg)
	for _, gone := range []orchestrator.LegID{leg, s.absent(), orchestrator.LegID(newID())} {
		s.do(orchestrator.Hangup{Leg: gone, Cause: orchestrator.CauseNormal},
			orchestrator.ResultNotFound, orchestrator.ResultAlready, orchestrator.ResultAccepted)
	}
}
