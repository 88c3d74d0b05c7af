package conformance

import (
	"strings"
	"time"

	"ringmaster/orchestrator"
)

var recordings = []sentence{
	{"a recording starts once, is stopped and is done with its files", recordStops},
	{"left is what the leg says, right what it hears", recordSides},
	{"a mask is silence on both sides and never un-masks when repeated", recordMasked},
	{"a recording follows the leg from agent to agent", recordFollows},
	{"a leg has one recording at a time: another is refused until it is done", recordOne},
	{"the end of the leg ends its recording", recordEnds},
	{"a recording of a leg that is gone, and one that never was, are not found", recordNothing},
	{"a hostile recording id is refused", recordHostile},
}

// The tones of a recording's two sides.
const (
	callerTone = 600
	agentTone  = 1000
	secondTone = 1400
)

// records starts a recording and waits until it runs.
func (s *scene) records(leg orchestrator.LegID) orchestrator.RecordingID {
	s.Helper()
	if !s.d.sw.Capabilities().Recording {
		s.Skip("this switch does not record")
	}
	id := orchestrator.RecordingID(newID())
	s.do(orchestrator.StartRecording{Leg: leg, Recording: id}, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, func(e orchestrator.RecordingStarted) bool { return e.Recording == id && e.Leg == leg })
	return id
}

// recorded stops a recording and returns what it left.
func (s *scene) recorded(leg orchestrator.LegID, id orchestrator.RecordingID) orchestrator.RecordingDone {
	s.Helper()
	s.do(orchestrator.StopRecording{Leg: leg, Recording: id}, orchestrator.ResultAccepted)
	return s.done(leg, id)
}

// done waits for the sound end of a recording.
func (s *scene) done(leg orchestrator.LegID, id orchestrator.RecordingID) orchestrator.RecordingDone {
	s.Helper()
	e := await(s, s.d, 0, s.st.Event, func(e orchestrator.RecordingDone) bool { return e.Recording == id })
	files := 2
	if s.d.sw.Capabilities().StereoFile {
		files = 1
	}
	if e.Leg != leg || e.Fault != "" || len(e.Files) != files {
		s.Errorf("done as %+v, want leg %q, %d files and no fault", e, leg, files)
	}
	return e
}

// lasted holds a length to the time that passed.
func (s *scene) lasted(e orchestrator.RecordingDone, since time.Time, atLeast time.Duration) {
	s.Helper()
	if took := time.Since(since); e.Length.Duration() < atLeast || e.Length.Duration() > took+time.Second {
		s.Errorf("the recording lasted %v, want %v to %v", e.Length.Duration(), atLeast, took)
	}
}

// tape fetches a recording; where it cannot be, ok is false.
func (s *scene) tape(e orchestrator.RecordingDone) (t tape, ok bool) {
	s.Helper()
	if !s.st.Files {
		return t, false
	}
	t, err := fetch(s.h, e.Files)
	s.must(err)
	return t, true
}

func recordStops(s *scene) {
	_, leg := s.talker()
	mark, since := s.d.mark(), time.Now()
	id := s.records(leg)
	s.do(orchestrator.StartRecording{Leg: leg, Recording: id}, orchestrator.ResultAlready)
	time.Sleep(time.Second)
	e := s.recorded(leg, id)
	s.lasted(e, since, 900*time.Millisecond)
	s.do(orchestrator.StopRecording{Leg: leg, Recording: id}, answered...)
	s.do(orchestrator.StartRecording{Leg: leg, Recording: id}, orchestrator.ResultAlready)
	time.Sleep(s.st.Quiet)
	told := map[string]int{}
	for _, e := range s.d.since(mark) {
		switch e.(type) {
		case orchestrator.RecordingStarted:
			told["started"]++
		case orchestrator.RecordingDone:
			told["done"]++
		}
	}
	if told["started"] != 1 || told["done"] != 1 {
		s.Errorf("one recording was told as %v", told)
	}
}

func recordSides(s *scene) {
	p := s.connected()
	s.must(p.caller.Tone(callerTone))
	s.must(p.agent.Tone(agentTone))
	if s.st.Tones && (!p.caller.Hears(agentTone, s.st.Event) || !p.agent.Hears(callerTone, s.st.Event)) {
		s.Fatal("they do not hear each other")
	}
	id := s.records(p.a)
	time.Sleep(2 * time.Second)
	t, ok := s.tape(s.recorded(p.a, id))
	if !ok {
		return
	}
	// A slice that is '?' or silent amid the tone is a hole.
	for side, heard := range map[string]string{"a": t.heardIn(t.said, callerTone, agentTone), "b": t.heardIn(t.heard, callerTone, agentTone)} {
		if len(heard) < 2*slicesPerSecond-4 || strings.Count(heard[1:], side) < len(heard)-2 || strings.Contains(heard, string('a'+'b'-side[0])) {
			s.Errorf("side %s of the recording is %s", side, heard)
		}
	}
}

func recordMasked(s *scene) {
	p := s.connected()
	s.must(p.caller.Tone(callerTone))
	s.must(p.agent.Tone(agentTone))
	since := time.Now()
	id := s.records(p.a)
	again := []orchestrator.CommandResult{orchestrator.ResultAlready, orchestrator.ResultAccepted}
	time.Sleep(time.Second)
	on, off := orchestrator.Mask{Leg: p.a, Recording: id}, orchestrator.Mask{Leg: p.a, Recording: id, Off: true}
	s.do(off, again...) // It was off: nothing happens.
	s.do(on, orchestrator.ResultAccepted)
	masked := time.Now()
	for range 3 {
		time.Sleep(400 * time.Millisecond)
		s.do(on, again...)
	}
	time.Sleep(300 * time.Millisecond)
	s.do(off, orchestrator.ResultAccepted)
	silent := time.Since(masked)
	s.do(off, again...)
	time.Sleep(time.Second)
	e := s.recorded(p.a, id)
	s.lasted(e, since, silent+1900*time.Millisecond)
	t, ok := s.tape(e)
	if !ok {
		return
	}
	for want, heard := range map[string]string{
		"a.a": t.heardIn(t.said, callerTone, agentTone), "b.b": t.heardIn(t.heard, callerTone, agentTone),
	} {
		n := time.Duration(strings.Count(heard, ".")) * time.Second / slicesPerSecond
		if runs(heard[1:]) != want || (n-silent).Abs() > 300*time.Millisecond {
			s.Errorf("masked for %v the side is %s, want %s", silent, heard, want)
		}
	}
}

func recordFollows(s *scene) {
	p := s.connected()
	s.must(p.caller.Tone(callerTone))
	s.must(p.agent.Tone(agentTone))
	since := time.Now()
	id := s.records(p.a)
	time.Sleep(time.Second)
	s.must(p.agent.Hangup())
	s.ended(p.b)
	s.do(orchestrator.Separate{Leg: p.a, Bridge: p.bridge}, orchestrator.ResultAccepted, orchestrator.ResultAlready)
	second, b := s.listener(1)
	s.must(second.Tone(secondTone))
	s.connect(p.a, b)
	if s.st.Tones && !p.caller.Hears(secondTone, s.st.Event) {
		s.Fatal("the caller does not hear the second agent")
	}
	time.Sleep(time.Second)
	e := s.recorded(p.a, id)
	took := time.Since(since)
	t, ok := s.tape(e)
	if !ok {
		return
	}
	wanted := map[string]bool{"ab": true, "a": !s.d.sw.Capabilities().RecordsEveryAgent}
	if heard := strings.ReplaceAll(runs(t.heardIn(t.heard, agentTone, secondTone)), ".", ""); !wanted[heard] {
		s.Errorf("it hears %s, want one agent and then the other", t.heardIn(t.heard, agentTone, secondTone))
	}
	said := t.heardIn(t.said, callerTone)
	length := time.Duration(len(said)) * time.Second / slicesPerSecond
	if strings.Count(said, "a") < len(said)-3 || (length-took).Abs() > time.Second {
		s.Errorf("in %v it says %s", took, said)
	}
}

func recordOne(s *scene) {
	_, leg := s.talker()
	first, second := s.records(leg), orchestrator.RecordingID(newID())
	start := orchestrator.StartRecording{Leg: leg, Recording: second}
	if got, why := s.tell(start); got != orchestrator.ResultRejected || why != orchestrator.ReasonRecorded {
		s.Errorf("a second recording was answered %q (%s), want rejected, %q", got, why, orchestrator.ReasonRecorded)
	}
	never(s, s.d, 0, s.st.Quiet, func(e orchestrator.RecordingStarted) bool { return e.Recording == second })
	s.recorded(leg, first)
	s.do(start, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, func(e orchestrator.RecordingStarted) bool { return e.Recording == second && e.Leg == leg })
	s.recorded(leg, second)
}

func recordEnds(s *scene) {
	far, leg := s.talker()
	since := time.Now()
	id := s.records(leg)
	time.Sleep(time.Second)
	s.must(far.Hangup())
	s.ended(leg)
	s.lasted(s.done(leg, id), since, 900*time.Millisecond)
	s.do(orchestrator.StopRecording{Leg: leg, Recording: id}, answered...)
}

func recordNothing(s *scene) {
	id := orchestrator.RecordingID(newID())
	if s.d.sw.Capabilities().Recording {
		s.do(orchestrator.StartRecording{Leg: s.absent(), Recording: id}, orchestrator.ResultNotFound)
	}
	_, leg := s.talker()
	s.do(orchestrator.StopRecording{Leg: leg, Recording: id}, answered...)
	s.do(orchestrator.Mask{Leg: leg, Recording: id}, orchestrator.ResultNotFound)
}

func recordHostile(s *scene) {
	far, leg := s.talker()
	for _, id := range []orchestrator.RecordingID{"", "../../../etc/passwd", "a/b", "x y", "x\r\ny", "${X}", "x,y", "x'y"} {
		s.do(orchestrator.StartRecording{Leg: leg, Recording: id}, orchestrator.ResultRejected)
		s.do(orchestrator.Mask{Leg: leg, Recording: id}, orchestrator.ResultRejected, orchestrator.ResultNotFound)
	}
	if !far.Up() {
		s.Error("a hostile recording ended the call")
	}
}
