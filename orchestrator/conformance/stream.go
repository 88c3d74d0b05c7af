package conformance

import (
	"strings"
	"time"

	"ringmaster/orchestrator"
)

var streams = []sentence{
	{"what a leg says is sent to a server, alone and in a talk, until it is stopped", streamsWords},
	{"a stream begins once, and another is refused while it goes on", streamsOnce},
	{"a stream ends with its leg", streamEnds},
	{"a leg that is gone or rings is not streamed, and none to what is no address", streamsNothing},
}

// streamed is a leg whose words go to a server.
type streamed struct {
	sound func() []int16
	order orchestrator.StreamAudio
}

func (s *scene) streams(leg orchestrator.LegID) streamed {
	s.Helper()
	if !s.d.sw.Capabilities().StreamsAudio {
		s.Skip("this switch does not stream sound")
	}
	to, sound := s.h.Receive(s)
	x := streamed{sound, orchestrator.StreamAudio{Leg: leg, Stream: orchestrator.StreamID(newID()), To: to}}
	s.do(x.order, orchestrator.ResultAccepted)
	return x
}

// says holds what came to the server within a second: a tone and nothing else,
// or no packet at all.
func (s *scene) says(x streamed, hz int, others ...int) {
	s.Helper()
	if !s.st.Tones || !s.st.Files {
		return
	}
	time.Sleep(s.st.Quiet) // What is on its way.
	x.sound()
	time.Sleep(time.Second)
	got := x.sound()
	if hz == 0 {
		if len(got) > 0 {
			s.Errorf("%d samples came to the server, want none", len(got))
		}
		return
	}
	heard := tape{rate: 8000}.heardIn(got, append([]int{hz}, others...)...)
	if len(heard) < slicesPerSecond-2 || strings.Count(heard, "a") < len(heard)-2 {
		s.Errorf("the server hears %s, want %d Hz all the time", heard, hz)
	}
}

func streamsWords(s *scene) {
	caller, a := s.talker()
	s.must(caller.Tone(callerTone))
	x := s.streams(a)
	s.says(x, callerTone)
	agent, b := s.listener(0)
	s.must(agent.Tone(agentTone))
	bridge := s.connect(a, b)
	s.says(x, callerTone, agentTone)
	if l, _ := legIn(s.snapshot(), a); l.Stream != x.order.Stream || l.Bridge != bridge {
		s.Errorf("the snapshot has %+v, want stream %q", l, x.order.Stream)
	}
	s.do(orchestrator.StopStream{Leg: a, Stream: x.order.Stream}, orchestrator.ResultAccepted)
	s.do(orchestrator.StopStream{Leg: a, Stream: x.order.Stream}, answered...)
	s.says(x, 0)
	s.mutual(caller, agent)
	if l, _ := legIn(s.snapshot(), a); l.Stream != "" {
		s.Errorf("the snapshot has %+v after the stream was stopped", l)
	}
}

func streamsOnce(s *scene) {
	caller, leg := s.talker()
	x := s.streams(leg)
	s.do(x.order, twice...)
	other := x.order
	other.Stream = orchestrator.StreamID(newID())
	if got, why := s.tell(other); got != orchestrator.ResultRejected || why != orchestrator.ReasonStreams {
		s.Errorf("another stream was answered %q (%s), want rejected, %q", got, why, orchestrator.ReasonStreams)
	}
	s.must(caller.Tone(callerTone))
	s.says(x, callerTone)
	s.do(orchestrator.StopStream{Leg: leg, Stream: x.order.Stream}, orchestrator.ResultAccepted)
	s.do(other, orchestrator.ResultAccepted)
	s.says(x, callerTone)
}

func streamEnds(s *scene) {
	caller, leg := s.talker()
	x := s.streams(leg)
	s.must(caller.Tone(callerTone))
	s.says(x, callerTone)
	s.must(caller.Hangup())
	s.ended(leg)
	s.says(x, 0)
	snap := s.snapshot()
	if len(snap.Legs) != 0 || len(snap.Bridges) != 0 {
		s.Errorf("the snapshot has %+v, want nothing", snap)
	}
}

func streamsNothing(s *scene) {
	if !s.d.sw.Capabilities().StreamsAudio {
		s.Skip("this switch does not stream sound")
	}
	to, _ := s.h.Receive(s)
	id := orchestrator.StreamID(newID())
	s.do(orchestrator.StreamAudio{Leg: s.absent(), Stream: id, To: to}, orchestrator.ResultNotFound)
	s.do(orchestrator.StopStream{Leg: s.absent(), Stream: id}, answered...)
	_, ringing := s.ringing(0)
	s.do(orchestrator.StreamAudio{Leg: ringing, Stream: id, To: to}, orchestrator.ResultRejected)
	_, leg := s.talker()
	for _, bad := range []string{"", "localhost:4000", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:99999", "fe80::1%eth0:4000", "[fe80::1%eth0]:4000", "192.0.2.1:4000,x", "192.0.2.1:4000\r\n"} {
		s.do(orchestrator.StreamAudio{Leg: leg, Stream: id, To: bad}, orchestrator.ResultRejected)
	}
	s.do(orchestrator.StreamAudio{Leg: leg, Stream: "no/id", To: to}, orchestrator.ResultRejected)
	s.do(orchestrator.StopStream{Leg: leg, Stream: id}, answered...)
}

// streamsThroughAway: what goes on while we are away is ours again after.
func streamsThroughAway(s *scene) {
	s.firstSynced(s.d)
	caller, leg := s.talker()
	s.must(caller.Tone(callerTone))
	x := s.streams(leg)
	s.d.close(s, s.st)
	s.says(x, callerTone)
	s.d = open(s, s.h)
	if l, _ := legIn(s.firstSynced(s.d).Snapshot, leg); l.Stream != x.order.Stream {
		s.Errorf("after we were away the leg is %+v, want stream %q", l, x.order.Stream)
	}
	s.do(x.order, twice...)
	s.do(orchestrator.StopStream{Leg: leg, Stream: x.order.Stream}, orchestrator.ResultAccepted)
	s.says(x, 0)
	s.stays(caller, leg)
}
