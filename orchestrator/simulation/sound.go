package simulation

import (
	"slices"

	"ringmaster/orchestrator"
)

// watch is a supervisor's leg listening to another.
type watch struct {
	target *leg
	mode   orchestrator.Supervision
}

func (s *Switch) supervise(a orchestrator.Supervise) (answer, string) {
	l, target := s.leg(a.Leg), s.leg(a.Target)
	switch {
	case l == nil || target == nil:
		return orchestrator.ResultNotFound, ""
	case l == target:
		return s.object("leg %s supervises itself", a.Leg)
	case l.state != orchestrator.LegIsUp || target.state != orchestrator.LegIsUp:
		return orchestrator.ResultRejected, "a leg is not up"
	case l.watches != nil && *l.watches == watch{target, a.Mode}:
		return s.already()
	case l.watches != nil && l.watches.target != target:
		return orchestrator.ResultRejected, orchestrator.ReasonSupervises
	case l.watches == nil && l.bridge != nil:
		return orchestrator.ResultRejected, "the leg is in another talk"
	}
	s.silence(l, true)
	l.watches = &watch{target, a.Mode}
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) stopSupervising(a orchestrator.StopSupervising) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.watches == nil:
		return s.already()
	}
	l.watches = nil
	return orchestrator.ResultAccepted, ""
}

// superviseKey changes the mode of a supervisor who presses a key, where keys do.
func (s *Switch) superviseKey(l *leg, key byte) {
	mode := map[byte]orchestrator.Supervision{'0': orchestrator.Listen, '2': orchestrator.Whisper, '3': orchestrator.Barge}[key]
	if s.Quirks.SupervisorKeys && l.watches != nil && mode != "" {
		l.watches = &watch{l.watches.target, mode}
	}
}

// unwatch ends what others hear of a leg that ends.
func (s *Switch) unwatch(l *leg) {
	for _, x := range s.legs {
		if x.watches != nil && x.watches.target == l {
			x.watches = nil
		}
	}
}

func (s *Switch) streamAudio(a orchestrator.StreamAudio) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case s.Quirks.NoStreams:
		return orchestrator.ResultRejected, orchestrator.ReasonUnsupported
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.state != orchestrator.LegIsUp:
		return orchestrator.ResultRejected, "the leg is not up"
	case l.stream == a.Stream:
		return s.already()
	case l.stream != "":
		return orchestrator.ResultRejected, orchestrator.ReasonStreams
	}
	l.stream = a.Stream
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) stopStream(a orchestrator.StopStream) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case s.Quirks.NoStreams:
		return orchestrator.ResultRejected, orchestrator.ReasonUnsupported
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.stream != a.Stream:
		return s.already()
	}
	l.stream = ""
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) mute(a orchestrator.Mute) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	muted := &l.deaf
	if a.Direction == orchestrator.MuteIn {
		muted = &l.dumb
	}
	if *muted != a.Off {
		return s.already()
	}
	*muted = !a.Off
	return orchestrator.ResultAccepted, ""
}

// audible reports whether what one leg says reaches another now.
func audible(from, to *leg) bool {
	if from == to || from.dumb || to.deaf || from.far.held || to.far.held {
		return false
	}
	talk := func(a, b *leg) bool { return a == b || a.bridge != nil && a.bridge == b.bridge }
	if from.bridge != nil && from.bridge == to.bridge {
		return true
	}
	if w := to.watches; w != nil && talk(w.target, from) {
		return true
	}
	w := from.watches
	switch {
	case w == nil || w.mode == orchestrator.Listen:
		return false
	case w.mode == orchestrator.Whisper:
		return w.target == to
	}
	return talk(w.target, to)
}

// Hears reports whether a tone reaches this far end now.
func (f *Far) Hears(hz int) bool {
	l := f.live()
	return l != nil && slices.ContainsFunc(f.sw.legs, func(other *leg) bool {
		return other.far.tone == hz && audible(other, l)
	})
}

// Tone sends a tone from now on; 0 is silence.
func (f *Far) Tone(hz int) {
	f.tone = hz
	f.spoke = f.spoke || hz != 0
}
