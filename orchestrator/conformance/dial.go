package conformance

import (
	"sync"
	"time"

	"ringmaster/orchestrator"
)

var dials = []sentence{
	{"a dialled phone rings, shows the caller and is answered", dialAnswered},
	{"the phone hanging up ends the leg", dialledHangsUp},
	{"busy is cause 17", dialBusy},
	{"declined is cause 21", dialDeclined},
	{"away is cause 19", dialAway},
	{"a phone that rings too long is given up with cause 19", dialNoAnswer},
	{"a phone that never replies is given up without ringing", dialDeaf},
	{"an endpoint without a phone does not ring", dialNowhere},
	{"an endpoint that does not exist does not ring", dialUnknown},
	{"the end of a leg says whose doing it was", endedBy},
	{"hangup while ringing takes the ring away", cancelRinging},
	{"hangup right after dial: the phone does not go on ringing", cancelAtOnce},
	{"hangup during dial: the leg never comes to life", cancelDuring},
	{"dial repeated with one leg rings once", dialTwice},
	{"a phone that answers after the hangup stays alone", answerAfterCancel},
}

func dialAnswered(s *scene) {
	far, leg := s.ringing(0)
	if shown := far.Shown(); shown.Number != "4711" || shown.Name != "Support" {
		s.Errorf("the phone shows %+v, want Support, 4711", shown)
	}
	never(s, s.d, 0, s.st.Quiet, on[orchestrator.LegUp](leg))
	s.must(far.Answer())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](leg))
	s.wantLeg(s.snapshot(), orchestrator.SnapshotLeg{
		Leg: leg, Stamp: stamp(leg, orchestrator.RoleAgent, callID(leg)), State: orchestrator.LegIsUp,
	})
	if n := len(s.h.Phone(0).Rung()); n != 1 {
		s.Errorf("the phone rang %d times", n)
	}
}

func dialledHangsUp(s *scene) {
	far, leg := s.listener(0)
	s.must(far.Hangup())
	if end := s.ended(leg); end.By != orchestrator.EndedByRemote || end.Cause != orchestrator.CauseNormal {
		s.Errorf("ended %+v, want cause 16 by remote", end)
	}
}

func dialBusy(s *scene)     { s.refused(Busy, orchestrator.CauseBusy, 486) }
func dialDeclined(s *scene) { s.refused(Declines, orchestrator.CauseRejected, 603) }
func dialAway(s *scene)     { s.refused(Away, orchestrator.CauseNoAnswer, 480) }

func (s *scene) refused(c Conduct, cause, sip int) {
	s.Helper()
	s.must(s.h.Phone(0).Behave(c))
	d := s.dial(0)
	s.do(d, orchestrator.ResultAccepted)
	end := s.ended(d.Leg)
	if end.Cause != cause || end.SIP != sip || end.By != orchestrator.EndedByRemote {
		s.Errorf("ended %+v, want cause %d, SIP %d, by remote", end, cause, sip)
	}
	never(s, s.d, 0, 0, on[orchestrator.LegUp](d.Leg))
}

func dialNoAnswer(s *scene) {
	s.must(s.h.Phone(0).Behave(Rings))
	end := s.givenUp()
	await(s, s.d, 0, 0, on[orchestrator.LegRinging](end.Leg))
	s.until("the phone stops ringing", s.h.Phone(0).Rung()[0].Ended)
}

func dialDeaf(s *scene) {
	s.must(s.h.Phone(0).Behave(Deaf))
	end := s.givenUp()
	never(s, s.d, 0, 0, on[orchestrator.LegRinging](end.Leg))
}

// givenUp is a dial that nobody answers until its timeout.
func (s *scene) givenUp() orchestrator.LegEnded {
	s.Helper()
	d := s.dial(0)
	d.Timeout = 1000
	start := time.Now()
	s.do(d, orchestrator.ResultAccepted)
	end := await(s, s.d, 0, s.st.Event+time.Second, on[orchestrator.LegEnded](d.Leg))
	if took := time.Since(start); took < 900*time.Millisecond {
		s.Errorf("given up after %v, want 1 s", took)
	}
	if end.Cause != orchestrator.CauseNoAnswer || end.By == orchestrator.EndedByRemote {
		s.Errorf("ended %+v, want cause 19, not by remote", end)
	}
	return end
}

func endedBy(s *scene) {
	by := func(leg orchestrator.LegID, what string, want orchestrator.EndedBy) {
		s.Helper()
		if end := s.ended(leg); end.By != want {
			s.Errorf("%s: ended %+v, want by %s", what, end, want)
		}
	}
	far, leg := s.claimed()
	s.must(far.Hangup())
	by(leg, "a caller gives up", orchestrator.EndedByRemote)
	far, leg = s.talker()
	s.must(far.Hangup())
	by(leg, "a caller who is alone hangs up", orchestrator.EndedByRemote)
	p := s.connected()
	s.must(p.agent.Hangup())
	by(p.b, "an agent who talks hangs up", orchestrator.EndedByRemote)
	s.do(orchestrator.Hangup{Leg: p.a, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
	by(p.a, "we hang up the caller left behind", orchestrator.EndedByUs)
	_, leg = s.ringing(0)
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
	by(leg, "we take a ring away", orchestrator.EndedByUs)
	s.must(s.h.Phone(0).Behave(Declines))
	refused := s.dial(0)
	s.do(refused, orchestrator.ResultAccepted)
	by(refused.Leg, "a phone refuses", orchestrator.EndedByRemote)
	s.must(s.h.Phone(0).Behave(Rings))
	by(s.givenUp().Leg, "a phone rings too long", orchestrator.EndedBySwitch)
}

func dialNowhere(s *scene) { s.unreachable(s.st.Nowhere) }
func dialUnknown(s *scene) { s.unreachable(s.st.Unknown) }

// unreachable holds both honest answers to be right: the dial is refused and
// no leg was, or it was accepted and the leg ended without ringing.
func (s *scene) unreachable(endpoint string) {
	s.Helper()
	d := s.dial(0)
	d.Endpoint = endpoint
	got, why := s.tell(d)
	switch got {
	case orchestrator.ResultAccepted:
		s.ended(d.Leg)
	case orchestrator.ResultRejected:
		if why != "unreachable" {
			s.Errorf("dial of %q was rejected with %q, want unreachable: the agent's rest depends on it", endpoint, why)
		}
		never(s, s.d, 0, s.st.Quiet, on[orchestrator.LegEnded](d.Leg))
	case orchestrator.ResultNotFound:
		never(s, s.d, 0, s.st.Quiet, on[orchestrator.LegEnded](d.Leg))
	default:
		s.Fatalf("dial of %q was answered %q (%s)", endpoint, got, why)
	}
	never(s, s.d, 0, 0, on[orchestrator.LegRinging](d.Leg))
	never(s, s.d, 0, 0, on[orchestrator.LegUp](d.Leg))
}

func cancelRinging(s *scene) {
	far, leg := s.ringing(0)
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseAnsweredElsewhere}, orchestrator.ResultAccepted)
	end := s.ended(leg)
	if end.Cause != orchestrator.CauseAnsweredElsewhere || end.By != orchestrator.EndedByUs {
		s.Errorf("ended %+v, want cause 26 by us", end)
	}
	s.until("the phone stops ringing", far.Ended)
	s.silent(0)
}

func cancelAtOnce(s *scene) {
	s.must(s.h.Phone(0).Behave(Rings))
	d := s.dial(0)
	s.do(d, orchestrator.ResultAccepted)
	s.do(orchestrator.Hangup{Leg: d.Leg, Cause: orchestrator.CauseNormal},
		orchestrator.ResultAccepted, orchestrator.ResultAlready, orchestrator.ResultNotFound)
	s.ended(d.Leg)
	s.silent(0)
}

// cancelDuring sends the hangup while the dial is still on its way, at several
// distances, because a switch may know nothing of the leg yet.
func cancelDuring(s *scene) {
	for _, apart := range []time.Duration{0, 200 * time.Microsecond, time.Millisecond, 5 * time.Millisecond} {
		s.must(s.h.Phone(0).Behave(Rings))
		d := s.dial(0)
		var dialled orchestrator.CommandResult
		var both sync.WaitGroup
		both.Go(func() { dialled, _ = s.tell(d) })
		time.Sleep(apart)
		hung, why := s.tell(orchestrator.Hangup{Leg: d.Leg, Cause: orchestrator.CauseNormal})
		both.Wait()
		if hung == orchestrator.ResultRejected || hung == orchestrator.ResultNoWord {
			s.Errorf("hangup during dial was answered %q (%s)", hung, why)
		}
		if dialled == orchestrator.ResultAccepted {
			s.ended(d.Leg)
		}
		s.silent(0)
	}
}

// silent holds that the n-th phone does not ring now nor soon after.
func (s *scene) silent(n int) {
	s.Helper()
	p := s.h.Phone(n)
	s.until("every ring of the phone is over", func() bool { return allEnded(p.Rung()) })
	rang := len(p.Rung())
	time.Sleep(s.st.Quiet)
	if len(p.Rung()) != rang || !allEnded(p.Rung()) {
		s.Errorf("phone %d rang again after the hangup", n)
	}
}

func allEnded(fars []Far) bool {
	for _, f := range fars {
		if !f.Ended() {
			return false
		}
	}
	return true
}

func dialTwice(s *scene) {
	s.must(s.h.Phone(0).Behave(Rings))
	d := s.dial(0)
	s.do(d, orchestrator.ResultAccepted)
	s.do(d, orchestrator.ResultAlready)
	far := s.rung(0)
	s.do(d, orchestrator.ResultAlready)
	time.Sleep(s.st.Quiet)
	if n := len(s.h.Phone(0).Rung()); n != 1 {
		s.Errorf("the phone rang %d times", n)
	}
	s.must(far.Answer())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](d.Leg))
	s.do(d, orchestrator.ResultAlready)
}

// answerAfterCancel is the agent lifting the receiver as the caller goes: who
// wins is a matter of milliseconds, but the leg ends once and stays ended.
func answerAfterCancel(s *scene) {
	far, leg := s.ringing(0)
	var both sync.WaitGroup
	both.Go(func() { _ = far.Answer() }) // losing the race is allowed
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted, orchestrator.ResultAlready)
	both.Wait()
	s.ended(leg)
	s.until("the phone is on the hook", far.Ended)
}
