package conformance

import (
	"time"

	"ringmaster/orchestrator"
)

var mutes = []sentence{
	{"muted inwards a leg is not heard and goes on hearing", muteIn},
	{"muted outwards a leg does not hear and goes on being heard", muteOut},
	{"muting a leg that is gone is not found", muteNothing},
}

func muteIn(s *scene)  { s.muted(orchestrator.MuteIn) }
func muteOut(s *scene) { s.muted(orchestrator.MuteOut) }

// muted mutes the caller one way, more than once, and takes it back once.
func (s *scene) muted(way orchestrator.Direction) {
	s.Helper()
	p := s.connected()
	s.mutual(p.caller, p.agent) // The caller sends 440 Hz, the agent 1000.
	on, off := orchestrator.Mute{Leg: p.a, Direction: way}, orchestrator.Mute{Leg: p.a, Direction: way, Off: true}
	s.do(on, orchestrator.ResultAccepted)
	for range 2 {
		s.do(on, twice...)
	}
	time.Sleep(s.st.Quiet) // What is on its way is still heard.
	if s.st.Tones {
		patience := map[bool]time.Duration{true: s.st.Event, false: s.st.Quiet}
		in := way == orchestrator.MuteIn
		if p.agent.Hears(440, patience[!in]) == in {
			s.Errorf("muted %s, the agent hears the caller: %v", way, in)
		}
		if p.caller.Hears(1000, patience[in]) != in {
			s.Errorf("muted %s, the caller hears the agent: %v", way, !in)
		}
	}
	s.do(off, orchestrator.ResultAccepted)
	s.do(off, twice...)
	s.mutual(p.caller, p.agent)
}

func muteNothing(s *scene) {
	s.do(orchestrator.Mute{Leg: s.absent(), Direction: orchestrator.MuteIn}, orchestrator.ResultNotFound)
	_, leg := s.talker()
	s.do(orchestrator.Mute{Leg: leg, Direction: "up"}, orchestrator.ResultRejected)
}
