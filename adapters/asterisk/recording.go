package asterisk

import (
	"strings"
	"time"

	"github.com/CyCoreSystems/ari/v5"

	"ringmaster/orchestrator"
)

// recording is a leg being recorded. Asterisk cannot record a leg that is in a
// bridge, and records mono: so two taps hang on the leg, one hears what it says
// and one what it hears, and each is recorded into a file of its own. Both
// follow the leg wherever it goes.
//
// What the leg hears is lost to them from the second agent on in half of all
// calls (seen on 22.10.1; Capabilities.RecordsEveryAgent is false): the tap
// decodes the packets of one agent after the other with one decoder, which takes
// sequence numbers that go back for late packets. Having Asterisk pass decoded
// sound (genericplc_on_equal_codecs in codecs.conf) mends that and brings the
// same fault into the talk itself after a hold or a third party: do not.
//
// The taps and the files are named after the recording, because Asterisk does
// not list recordings: after a restart of ours the taps are found among the
// channels.
type recording struct {
	id   orchestrator.RecordingID
	leg  orchestrator.LegID
	born time.Time
	// word is held by who changes the recording: what Asterisk does with two
	// changes at once cannot be read afterwards.
	word   chan struct{}
	mask   maskState
	doomed bool   // its end was ordered and nothing is known of it
	quiet  bool   // StartRecording has not been answered yet
	fault  string // why it ends, when not by order
	begun  mark
	sides  [2]side // as sideNames
}

// side is one of the two files.
type side struct {
	begun, over bool
	from, to    time.Time // by Asterisk's clock; zero when not heard
	left        time.Time // its tap ended, the end of the recording was not told yet
}

// sideNames end the names of taps and files: left is what the leg says, right
// what it hears.
var sideNames = [2]string{"-in", "-out"}

// maskState is whether silence is written. Asterisk's mute is not idempotent
// (a second one un-mutes) and cannot be read back.
type maskState int

const (
	maskOff maskState = iota
	maskOn
	maskUnknown
)

func newRecording(id orchestrator.RecordingID, leg orchestrator.LegID, now time.Time) *recording {
	return &recording{id: id, leg: leg, born: now, word: make(chan struct{}, 1), begun: newMark()}
}

func (r *recording) name(i int) string { return string(r.id) + sideNames[i] }

// sideOf finds the recording a tap or file belongs to.
func (b *book) sideOf(name string) (*recording, *side) {
	for i, suffix := range sideNames {
		if id, ok := strings.CutSuffix(name, suffix); ok {
			if r := b.recordings[orchestrator.RecordingID(id)]; r != nil {
				return r, &r.sides[i]
			}
		}
	}
	return nil, nil
}

// applyRecording enters an event of a recording.
func (b *book) applyRecording(event ari.Event) ([]orchestrator.Event, []chore) {
	switch e := event.(type) {
	case *ari.RecordingStarted:
		return b.recordingBegan(e.Recording.Name, time.Time(e.Timestamp)), nil
	case *ari.RecordingFinished:
		return b.recordingOver(e.Recording.Name, time.Time(e.Timestamp), "")
	case *ari.RecordingFailed:
		fault := "the switch could not record"
		if e.Recording.Cause != "" {
			fault += ": " + orchestrator.PlainText(e.Recording.Cause, orchestrator.MaxPartyName)
		}
		return b.recordingOver(e.Recording.Name, time.Time(e.Timestamp), fault)
	}
	return nil, nil
}

func (b *book) recordingBegan(name string, at time.Time) []orchestrator.Event {
	r, s := b.sideOf(name)
	if s == nil || s.begun {
		return nil
	}
	s.begun, s.from = true, at
	if !r.sides[0].begun || !r.sides[1].begun {
		return nil
	}
	r.begun.set()
	return []orchestrator.Event{orchestrator.RecordingStarted{Leg: r.leg, Recording: r.id}}
}

// recordingOver ends one side. The other goes with it, because half a recording
// is none.
func (b *book) recordingOver(name string, at time.Time, fault string) ([]orchestrator.Event, []chore) {
	r, s := b.sideOf(name)
	if s == nil || s.over {
		return nil, nil
	}
	s.over, s.to = true, at
	if r.fault == "" {
		r.fault = fault
	}
	for i := range r.sides {
		if !r.sides[i].over {
			return nil, []chore{{what: choreDiscard, id: r.name(0)}, {what: choreDiscard, id: r.name(1)}}
		}
	}
	todo := []chore{{what: choreDiscard, id: r.name(0)}, {what: choreDiscard, id: r.name(1)}}
	if r.quiet {
		return nil, todo // It never began, or its end is told when StartRecording is answered.
	}
	return []orchestrator.Event{b.closeRecording(r)}, todo
}

// closeRecording takes a recording out that is over on both sides.
func (b *book) closeRecording(r *recording) orchestrator.Event {
	delete(b.recordings, r.id)
	b.recorded.add(string(r.id))
	r.begun.set()
	done := orchestrator.RecordingDone{Leg: r.leg, Recording: r.id, Fault: r.fault}
	for i := range r.sides {
		s := &r.sides[i]
		if s.begun {
			done.Files = append(done.Files, b.recordingDir+"/"+r.name(i)+".wav")
		}
		if !s.from.IsZero() && s.to.After(s.from) {
			done.Length = max(done.Length, orchestrator.MillisOf(s.to.Sub(s.from)))
		}
	}
	return done
}

// overdue ends recordings whose taps ended some time ago without a word about
// the recording itself.
func (b *book) overdue(before time.Time) []orchestrator.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []orchestrator.Event
	for _, r := range b.recordings {
		for i := range r.sides {
			if s := &r.sides[i]; !s.over && !s.left.IsZero() && s.left.Before(before) && !r.quiet {
				told, _ := b.recordingOver(r.name(i), time.Time{}, "its end was not told by the switch")
				out = append(out, told...)
			}
		}
	}
	return out
}
