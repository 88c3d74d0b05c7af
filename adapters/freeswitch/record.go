package freeswitch

import (
	"context"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// recording is a recording of a leg. FreeSWITCH says yes to a file it cannot
// write and tells its beginning and end as if all were well, so it is told as
// begun only once the file was seen to exist.
type recording struct {
	id    orchestrator.RecordingID
	path  string
	began time.Time
	told  bool // as begun
}

// recordingVariable marks a leg that is recorded, for those who adopt it.
const recordingVariable = "rm_recording"

func (s *Switch) startRecording(ctx context.Context, l *leg, id orchestrator.RecordingID) (orchestrator.CommandResult, string) {
	path, err := recordingPath(s.cfg, id)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.book.mu.Lock()
	current, over := l.recording, l.recorded[id]
	if current == nil && !over {
		l.recording = &recording{id: id, path: path, began: time.Now()}
	}
	s.book.mu.Unlock()
	switch {
	case over || current != nil && current.id == id:
		return orchestrator.ResultAlready, ""
	case current != nil:
		return orchestrator.ResultRejected, orchestrator.ReasonRecorded
	}
	result, reason := s.order(ctx, l,
		set("record_start", l.channel, "RECORD_STEREO", "true", recordingVariable, string(id)),
		encodeRecord(l.channel, "start", path))
	if result == orchestrator.ResultRejected || result == orchestrator.ResultNotFound {
		s.book.mu.Lock()
		l.recording = nil
		s.book.mu.Unlock()
		return result, reason
	}
	return result, reason
}

// recordingBegins looks whether FreeSWITCH really writes.
func (b *book) recordingBegins(l *leg, path string) []chore {
	if l.recording == nil || l.recording.path != path {
		return nil
	}
	return []chore{{leg: l, about: l.channel, orders: []order{encodeFileExists(path)}, then: func(answer string) {
		b.recordingSeen(l, path, strings.HasPrefix(answer, "true"))
	}}}
}

// recordingSeen tells that a recording has begun, or that it has failed.
func (b *book) recordingSeen(l *leg, path string, exists bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := l.recording
	if b.live[l.id] != l || r == nil || r.path != path || r.told {
		return
	}
	if exists {
		r.told = true
		b.post(orchestrator.RecordingStarted{Leg: l.id, Recording: r.id})
		return
	}
	b.post(b.recordingOver(l, 0, "the switch cannot write "+r.path)...)
}

// recordingOver tells the end of a recording once.
func (b *book) recordingOver(l *leg, ms int, fault string) []orchestrator.Event {
	r := l.recording
	if r == nil {
		return nil
	}
	l.recording = nil
	if l.recorded == nil {
		l.recorded = map[orchestrator.RecordingID]bool{}
	}
	if len(l.recorded) < maxRecorded {
		l.recorded[r.id] = true
	}
	out := orchestrator.RecordingDone{Leg: l.id, Recording: r.id, Length: orchestrator.Millis(ms), Fault: fault}
	if fault == "" {
		out.Files = []string{r.path}
		if ms == 0 {
			out.Length = orchestrator.MillisOf(time.Since(r.began))
		}
	}
	return []orchestrator.Event{out}
}

// maxRecorded bounds the recordings remembered per leg.
const maxRecorded = 256

// recorded finds the recording of a leg by its id.
func (s *Switch) findRecording(l *leg, id orchestrator.RecordingID) (path string, result orchestrator.CommandResult, reason string) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	switch {
	case l.recording != nil && l.recording.id == id:
		return l.recording.path, "", ""
	case l.recorded[id]:
		return "", orchestrator.ResultAlready, ""
	}
	return "", orchestrator.ResultNotFound, "no such recording"
}

func (s *Switch) stopRecording(ctx context.Context, l *leg, id orchestrator.RecordingID) (orchestrator.CommandResult, string) {
	path, result, reason := s.findRecording(l, id)
	if path == "" {
		return result, reason
	}
	return s.order(ctx, l, encodeRecord(l.channel, "stop", path), set("record_stop", l.channel, recordingVariable, ""))
}

// mask is idempotent on FreeSWITCH. When its fate is unknown the recording ends
// rather than perhaps keep what must not be heard.
func (s *Switch) mask(ctx context.Context, l *leg, a orchestrator.Mask) (orchestrator.CommandResult, string) {
	path, result, reason := s.findRecording(l, a.Recording)
	if path == "" {
		if result == orchestrator.ResultAlready {
			result, reason = orchestrator.ResultNotFound, "the recording is over"
		}
		return result, reason
	}
	action := "mask"
	if a.Off {
		action = "unmask"
	}
	result, reason = s.order(ctx, l, encodeRecord(l.channel, action, path))
	if result == orchestrator.ResultNoWord && !a.Off {
		s.book.mu.Lock()
		s.book.todo = append(s.book.todo, choresOf(l, []order{encodeRecord(l.channel, "stop", path)})...)
		s.book.mu.Unlock()
		wish(s.book.posted)
	}
	return result, reason
}
