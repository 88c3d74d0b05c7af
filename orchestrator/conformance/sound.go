package conformance

import (
	"strings"
	"time"

	"ringmaster/orchestrator"
)

var sounds = []sentence{
	{"a play ends with finished", playFinishes},
	{"stop play ends it early and may be repeated", playStopped},
	{"plays of one leg are heard in their order", playsInOrder},
	{"a play repeated with one id is heard once", playTwice},
	{"a sound that is not there fails", playMissing},
	{"a play on a leg that is gone is not found", playNothing},
	{"a caller going during a play ends the leg", goneDuringPlay},
	{"hangup during a play does not wait for it", hangUpDuringPlay},
	{"music starts and stops, each repeated without harm", music},
	{"a play is heard while there is music", playOverMusic},
	{"digits are reported in order, during a play too", digits},
	{"digits are sent to the far end", digitsSent},
	{"an unanswered caller can be played to", playEarly},
}

func (s *scene) start(leg orchestrator.LegID, media []orchestrator.Media) orchestrator.PlayID {
	s.Helper()
	id := orchestrator.PlayID(newID())
	s.do(orchestrator.Play{Leg: leg, Play: id, Media: media}, orchestrator.ResultAccepted)
	return id
}

func (s *scene) over(id orchestrator.PlayID, want orchestrator.PlayStatus) {
	s.Helper()
	e := await(s, s.d, 0, s.st.Event+3*time.Second, func(e orchestrator.PlayDone) bool { return e.Play == id })
	if e.Status != want {
		s.Errorf("the play ended %q, want %q", e.Status, want)
	}
}

func playFinishes(s *scene) {
	_, leg := s.talker()
	start := time.Now()
	s.over(s.start(leg, s.st.Prompt), orchestrator.PlayFinished)
	if took := time.Since(start); took < 200*time.Millisecond {
		s.Errorf("the prompt was over after %v", took)
	}
}

func playStopped(s *scene) {
	_, leg := s.talker()
	id := s.start(leg, s.st.Long)
	start := time.Now()
	s.do(orchestrator.StopPlay{Leg: leg, Play: id}, orchestrator.ResultAccepted)
	s.over(id, orchestrator.PlayStopped)
	if took := time.Since(start); took > 5*time.Second {
		s.Errorf("stopping took %v", took)
	}
	s.do(orchestrator.StopPlay{Leg: leg, Play: id}, orchestrator.ResultNotFound, orchestrator.ResultAlready)
}

func playsInOrder(s *scene) {
	_, leg := s.talker()
	mark := s.d.mark()
	ids := []orchestrator.PlayID{s.start(leg, s.st.Prompt), s.start(leg, s.st.Prompt)}
	s.over(ids[1], orchestrator.PlayFinished)
	var got []orchestrator.PlayID
	for _, e := range s.d.since(mark) {
		if e, ok := e.(orchestrator.PlayDone); ok && e.Leg == leg {
			got = append(got, e.Play)
		}
	}
	if len(got) != 2 || got[0] != ids[0] {
		s.Errorf("the plays ended in the order %v, want %v", got, ids)
	}
}

func playTwice(s *scene) {
	_, leg := s.talker()
	mark := s.d.mark()
	id := s.start(leg, s.st.Prompt)
	s.do(orchestrator.Play{Leg: leg, Play: id, Media: s.st.Prompt}, orchestrator.ResultAlready)
	s.over(id, orchestrator.PlayFinished)
	time.Sleep(s.st.Quiet)
	n := 0
	for _, e := range s.d.since(mark) {
		if e, ok := e.(orchestrator.PlayDone); ok && e.Play == id {
			n++
		}
	}
	if n != 1 {
		s.Errorf("the play ended %d times", n)
	}
}

func playMissing(s *scene) {
	far, leg := s.talker()
	id := orchestrator.PlayID(newID())
	switch got, why := s.tell(orchestrator.Play{Leg: leg, Play: id, Media: s.st.Missing}); got {
	case orchestrator.ResultAccepted:
		s.over(id, orchestrator.PlayFailed)
	case orchestrator.ResultRejected:
		never(s, s.d, 0, s.st.Quiet, func(e orchestrator.PlayDone) bool { return e.Play == id })
	default:
		s.Errorf("a missing sound was answered %q (%s)", got, why)
	}
	if !far.Up() {
		s.Error("a missing sound ended the call")
	}
}

func playNothing(s *scene) {
	s.do(orchestrator.Play{Leg: s.absent(), Play: orchestrator.PlayID(newID()), Media: s.st.Prompt}, orchestrator.ResultNotFound)
	s.do(orchestrator.StopPlay{Leg: s.absent(), Play: orchestrator.PlayID(newID())}, orchestrator.ResultNotFound, orchestrator.ResultAlready)
	s.do(orchestrator.StartMusic{Leg: s.absent(), Class: s.st.Music}, orchestrator.ResultNotFound)
	s.do(orchestrator.StopMusic{Leg: s.absent()}, orchestrator.ResultNotFound, orchestrator.ResultAlready)
	s.do(orchestrator.SendDigits{Leg: s.absent(), Digits: "1"}, orchestrator.ResultNotFound)
}

func goneDuringPlay(s *scene) {
	far, leg := s.talker()
	id := s.start(leg, s.st.Long)
	s.must(far.Hangup())
	s.ended(leg)
	s.cutOff(id)
}

// cutOff holds that a play that its leg did not outlive was stopped, if anything
// is told of it.
func (s *scene) cutOff(id orchestrator.PlayID) {
	s.Helper()
	never(s, s.d, 0, 0, func(e orchestrator.PlayDone) bool { return e.Play == id && e.Status != orchestrator.PlayStopped })
}

func hangUpDuringPlay(s *scene) {
	far, leg := s.talker()
	id := s.start(leg, s.st.Long)
	start := time.Now()
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
	s.ended(leg)
	if took := time.Since(start); took > 5*time.Second {
		s.Errorf("the hangup took %v", took)
	}
	s.until("the caller's phone knows the call is over", far.Ended)
	s.cutOff(id)
}

func music(s *scene) {
	far, leg := s.talker()
	again := []orchestrator.CommandResult{orchestrator.ResultAccepted, orchestrator.ResultAlready}
	s.do(orchestrator.StartMusic{Leg: leg, Class: s.st.Music}, orchestrator.ResultAccepted)
	s.do(orchestrator.StartMusic{Leg: leg, Class: s.st.Music}, again...)
	s.do(orchestrator.StopMusic{Leg: leg}, again...)
	s.do(orchestrator.StopMusic{Leg: leg}, again...)
	s.do(orchestrator.StartMusic{Leg: leg}, again...) // "" is the switch's default
	if !far.Up() {
		s.Error("music ended the call")
	}
}

func playOverMusic(s *scene) {
	_, leg := s.talker()
	s.do(orchestrator.StartMusic{Leg: leg, Class: s.st.Music}, orchestrator.ResultAccepted)
	s.over(s.start(leg, s.st.Prompt), orchestrator.PlayFinished)
	s.do(orchestrator.StopMusic{Leg: leg}, orchestrator.ResultAccepted, orchestrator.ResultAlready)
}

func digits(s *scene) {
	far, leg := s.talker()
	mark := s.d.mark()
	s.start(leg, s.st.Long)
	const keys = "1590*#"
	s.must(far.Press(keys))
	await(s, s.d, mark, s.st.Event+3*time.Second, func(e orchestrator.Digit) bool { return e.Leg == leg && e.Digit == "#" })
	var got strings.Builder
	for _, e := range s.d.since(mark) {
		if e, ok := e.(orchestrator.Digit); ok && e.Leg == leg {
			got.WriteString(e.Digit)
		}
	}
	if got.String() != keys {
		s.Errorf("the digits %q were reported as %q", keys, got.String())
	}
}

func digitsSent(s *scene) {
	far, leg := s.talker()
	s.do(orchestrator.SendDigits{Leg: leg, Digits: "42#"}, orchestrator.ResultAccepted)
	s.until("the far end has received 42#", func() bool { return far.Pressed() == "42#" })
}

// playEarly is an announcement before the answer, which costs the caller
// nothing. A switch sends 183 by itself.
func playEarly(s *scene) {
	far, leg := s.claimed()
	s.over(s.start(leg, s.st.Prompt), orchestrator.PlayFinished)
	if far.Up() {
		s.Error("playing answered the call")
	}
}
