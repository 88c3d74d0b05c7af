package asterisk

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"ringmaster/orchestrator"
)

// onRecording carries out the actions on recordings.
func (s *Switch) onRecording(ctx context.Context, a orchestrator.Action) (orchestrator.CommandResult, string) {
	switch a := a.(type) {
	case orchestrator.StopRecording:
		return s.stopRecording(ctx, a.Recording)
	case orchestrator.Mask:
		return s.mask(ctx, a)
	}
	return orchestrator.ResultRejected, "unknown action"
}

// startRecording hangs both taps on the leg and then records both, each pair at
// once: what the two files are apart, they stay.
func (s *Switch) startRecording(ctx context.Context, l *leg, a orchestrator.StartRecording) (orchestrator.CommandResult, string) {
	if !tapPattern.MatchString(string(a.Recording)) {
		return orchestrator.ResultRejected, "recording id is not a UUID"
	}
	r, result, reason := s.book.beginRecording(a.Recording, l.id)
	if r == nil {
		return result, reason
	}
	err := both(func(i int) error {
		request, err := encodeTap(s.cfg.App, tap{on: l.channel, id: r.name(i), spy: [2]string{"in", "out"}[i], whisper: "none"})
		if err != nil {
			return err
		}
		started, done := s.tapping(r.name(i))
		defer done()
		return s.tapInto(ctx, started, request)
	})
	if err == nil {
		err = both(func(i int) error { return s.rest.send(ctx, encodeRecord(r.name(i)), nil) })
	}
	if err != nil {
		return s.notRecorded(ctx, l, r, err)
	}
	s.say(s.book.settleRecording(r)...)
	return orchestrator.ResultAccepted, ""
}

func both(do func(i int) error) error {
	var group errgroup.Group
	for i := range sideNames {
		group.Go(func() error { return do(i) })
	}
	return group.Wait()
}

// beginRecording enters a recording, nil when it was begun before or the leg has
// another.
func (b *book) beginRecording(id orchestrator.RecordingID, leg orchestrator.LegID) (*recording, orchestrator.CommandResult, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.recordings[id] != nil || b.recorded.has(string(id)) {
		return nil, orchestrator.ResultAlready, ""
	}
	for _, other := range b.recordings {
		if other.leg == leg {
			return nil, orchestrator.ResultRejected, orchestrator.ReasonRecorded
		}
	}
	r := newRecording(id, leg, time.Now())
	r.quiet = true
	b.recordings[id] = r
	return r, "", ""
}

// settleRecording ends the silence about a recording that was begun.
func (b *book) settleRecording(r *recording) (out []orchestrator.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.quiet = false
	if r.sides[0].over && r.sides[1].over {
		out = append(out, b.closeRecording(r))
	}
	return out
}

// notRecorded takes back what was begun. After a definite refusal nothing was;
// without an answer the recording is told as begun and failed.
func (s *Switch) notRecorded(ctx context.Context, l *leg, r *recording, err error) (orchestrator.CommandResult, string) {
	_ = s.endTaps(ctx, r) // What is left of them is found when the switch is read again.
	result, reason := verdict(err)
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	switch result {
	case orchestrator.ResultNoWord:
		r.quiet, r.doomed, r.fault = false, true, "the switch gave no answer"
		s.Resync()
	default:
		delete(s.book.recordings, r.id)
	}
	if result == orchestrator.ResultNotFound || result == orchestrator.ResultNoWord {
		l.doubtful = true
	}
	if statusOf(err) == http.StatusInternalServerError {
		reason = "the switch cannot write recordings: see the directory " + s.cfg.RecordingDir
	}
	return result, reason
}

// endTaps ends a recording by its taps, for good or not at all.
func (s *Switch) endTaps(ctx context.Context, r *recording) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	return both(func(i int) error {
		if err := s.rest.send(ctx, encodeHangup(r.name(i), orchestrator.CauseNormal), nil); statusOf(err) != http.StatusNotFound {
			return err
		}
		return nil
	})
}

// take finds a recording and holds it until release.
func (s *Switch) take(ctx context.Context, id orchestrator.RecordingID) (r *recording, release func(), result orchestrator.CommandResult) {
	s.book.mu.Lock()
	r = s.book.recordings[id]
	over := s.book.recorded.has(string(id))
	s.book.mu.Unlock()
	switch {
	case over:
		return nil, nil, orchestrator.ResultAlready
	case r == nil:
		return nil, nil, orchestrator.ResultNotFound
	}
	select {
	case r.word <- struct{}{}:
		return r, func() { <-r.word }, orchestrator.ResultAccepted
	case <-ctx.Done():
		return nil, nil, orchestrator.ResultNoWord
	}
}

func (s *Switch) stopRecording(ctx context.Context, id orchestrator.RecordingID) (orchestrator.CommandResult, string) {
	r, release, result := s.take(ctx, id)
	if r == nil {
		return result, ""
	}
	defer release()
	err := both(func(i int) error {
		err := s.rest.send(ctx, encodeStopRecord(r.name(i)), nil)
		if statusOf(err) == http.StatusNotFound {
			return nil // The end of one side ends the other, maybe before our word.
		}
		return err
	})
	result, reason := verdict(err)
	if result == orchestrator.ResultNoWord {
		s.doom(r, "")
	}
	return result, reason
}

// doom sees to it that a recording ends, if not now then when the switch is
// read again.
func (s *Switch) doom(r *recording, fault string) {
	s.book.mu.Lock()
	r.doomed = true
	if r.fault == "" {
		r.fault = fault
	}
	s.book.mu.Unlock()
	s.Resync()
}

// errMaskUnknown is a mask that may be on on one side and off on the other.
var errMaskUnknown = errors.New("whether silence is written is not known: the recording was ended")

// mask writes silence or sound on both sides. It goes on when ctx ends, because
// a mask half ordered must be settled: as ordered, or by the end of the
// recording.
func (s *Switch) mask(ctx context.Context, a orchestrator.Mask) (orchestrator.CommandResult, string) {
	r, release, result := s.take(ctx, a.Recording)
	if r == nil {
		if result == orchestrator.ResultAlready {
			result = orchestrator.ResultNotFound // It is over.
		}
		return result, ""
	}
	settled := make(chan error, 1)
	go func() {
		defer release()
		settled <- s.settleMask(context.WithoutCancel(ctx), r, a.Off)
	}()
	select {
	case err := <-settled:
		switch {
		case errors.Is(err, errMaskAlready):
			return orchestrator.ResultAlready, ""
		case errors.Is(err, errMaskUnknown):
			return orchestrator.ResultRejected, err.Error()
		}
		return verdict(err)
	case <-ctx.Done():
		return orchestrator.ResultNoWord, "the mask is still being ordered"
	}
}

var errMaskAlready = errors.New("it is so already")

// settleMask orders the mask once, and ends the recording unless it took.
func (s *Switch) settleMask(ctx context.Context, r *recording, off bool) error {
	ctx, cancel := context.WithTimeout(ctx, tidyTimeout)
	defer cancel()
	want := maskOn
	if off {
		want = maskOff
	}
	s.book.mu.Lock()
	now, began := r.mask, r.begun.c
	s.book.mu.Unlock()
	if now == want {
		return errMaskAlready
	}
	select {
	case <-began: // Before that Asterisk knows no such recording.
	case <-ctx.Done():
		now = maskUnknown
	}
	if now != maskUnknown {
		s.setMask(r, maskUnknown)
		err := both(func(i int) error { return s.rest.send(ctx, encodeMask(r.name(i), off), nil) })
		if err == nil {
			s.setMask(r, want)
			return nil
		}
		if statusOf(err) == http.StatusNotFound {
			_ = s.endTaps(ctx, r) // One side is over: the other goes with it.
			return err
		}
	}
	s.doom(r, errMaskUnknown.Error())
	_ = s.endTaps(ctx, r) // If not now, then when the switch is read again.
	return errMaskUnknown
}

func (s *Switch) setMask(r *recording, to maskState) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	r.mask = to
}
