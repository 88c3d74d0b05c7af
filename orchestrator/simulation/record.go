package simulation

import (
	"slices"
	"time"

	"ringmaster/orchestrator"
)

// recording is a leg being recorded; nothing of its sound is kept.
type recording struct {
	id     orchestrator.RecordingID
	began  time.Time
	masked bool
}

// recordingDir is where the simulated switch says its files are.
const recordingDir = "/recordings/"

func (s *Switch) startRecording(a orchestrator.StartRecording) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.recording(a.Recording) != nil || s.recorded[a.Recording]:
		return orchestrator.ResultAlready, ""
	case len(l.recordings) > 0:
		return orchestrator.ResultRejected, orchestrator.ReasonRecorded
	}
	s.recorded[a.Recording] = true
	if s.Quirks.RecordingFails {
		s.emit(orchestrator.RecordingDone{Leg: l.id, Recording: a.Recording, Fault: "the disk is full"})
		return orchestrator.ResultAccepted, ""
	}
	l.recordings = append(l.recordings, &recording{id: a.Recording, began: s.clock.Now()})
	s.emit(orchestrator.RecordingStarted{Leg: l.id, Recording: a.Recording})
	return orchestrator.ResultAccepted, ""
}

func (l *leg) recording(id orchestrator.RecordingID) *recording {
	for _, r := range l.recordings {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (s *Switch) stopRecording(a orchestrator.StopRecording) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil || l.recording(a.Recording) == nil {
		if s.recorded[a.Recording] {
			return s.already()
		}
		return orchestrator.ResultNotFound, ""
	}
	s.endRecording(l, l.recording(a.Recording))
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) endRecording(l *leg, r *recording) {
	l.recordings = slices.DeleteFunc(l.recordings, func(x *recording) bool { return x == r })
	s.emit(orchestrator.RecordingDone{
		Leg: l.id, Recording: r.id, Files: []string{recordingDir + string(r.id) + ".wav"},
		Length: orchestrator.MillisOf(s.clock.Now().Sub(r.began)),
	})
}

// endRecordings ends those of a leg that ends or leaves us.
func (s *Switch) endRecordings(l *leg) {
	for _, r := range slices.Clone(l.recordings) {
		s.endRecording(l, r)
	}
}

func (s *Switch) mask(a orchestrator.Mask) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil || l.recording(a.Recording) == nil {
		return orchestrator.ResultNotFound, ""
	}
	r := l.recording(a.Recording)
	if r.masked != a.Off {
		return s.already()
	}
	r.masked = !a.Off
	return orchestrator.ResultAccepted, ""
}

// Masked reports whether a recording writes silence now, for tests of what must
// never be written.
func (s *Switch) Masked(id orchestrator.RecordingID) bool {
	for _, l := range s.legs {
		if r := l.recording(id); r != nil {
			return r.masked
		}
	}
	return false
}
