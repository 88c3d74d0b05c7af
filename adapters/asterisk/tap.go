package asterisk

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// A tap is a snoop channel of ours: it hears one leg, and may speak into it. It
// is no leg, and hangs on its leg to the end of either.

// tapping announces a tap: until done, a reading of the switch does not take it
// for one that belongs to nothing.
func (s *Switch) tapping(id string) (started *mark, done func()) {
	m := newMark()
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.tapping[id] = &m
	return &m, func() {
		s.book.mu.Lock()
		defer s.book.mu.Unlock()
		delete(s.book.tapping, id)
	}
}

// tapInto makes a tap and waits until it has entered our application, which may
// be after Asterisk answered.
func (s *Switch) tapInto(ctx context.Context, m *mark, r request) error {
	if err := s.rest.send(ctx, r, nil); err != nil {
		return err
	}
	late := time.NewTimer(startTimeout)
	defer late.Stop()
	_, over := s.link()
	select {
	case <-m.c:
		return nil
	case <-over:
	case <-ctx.Done():
	case <-late.C:
	}
	return &failure{request: r.name, status: http.StatusConflict, message: "the tap did not start"}
}

// tapEnded notes that a tap is gone: its recording's end follows, or is asked
// for by overdue; who listened by it listens no more.
func (b *book) tapEnded(channel string, now time.Time) []chore {
	if _, s := b.sideOf(channel); s != nil {
		s.left = now
		return nil
	}
	if x := b.streamBy(channel); x != nil {
		return b.closeStream(x)
	}
	for sup, x := range b.spies {
		if x.tap == channel {
			delete(b.spies, sup)
			return []chore{{what: choreCloseBridge, id: x.bridge}}
		}
	}
	return nil
}

// adoptTaps brings recordings and supervisions in line with a picture whose legs
// are in the book already. What it tells comes after the snapshot.
func (b *book) adoptTaps(pic picture, app string) (out []orchestrator.Event, todo []chore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	present := map[string]bool{}
	for i := range pic.channels {
		c := &pic.channels[i]
		if !c.in(app) || strings.Join(c.args(), ",") != argsTap {
			continue
		}
		present[c.ID] = true
		if !b.adoptTap(c) && !isSender(c.ID) {
			todo = append(todo, chore{what: choreDiscard, id: c.ID})
		}
	}
	todo = append(todo, b.checkStreams(present, pic.asked)...)
	for _, r := range b.recordings {
		if r.born.After(pic.asked) || r.quiet {
			continue
		}
		for i := range r.sides {
			switch s := &r.sides[i]; {
			case !present[r.name(i)] && !s.over:
				// It ended while nobody listened: how long it is, only its file says.
				s.from = time.Time{}
				told, more := b.recordingOver(r.name(i), time.Time{}, "")
				out, todo = append(out, told...), append(todo, more...)
			case r.doomed:
				todo = append(todo, chore{what: choreDiscard, id: r.name(i)})
			}
		}
	}
	for sup, x := range b.spies {
		if !present[x.tap] && x.born.Before(pic.asked) {
			delete(b.spies, sup)
			todo = append(todo, chore{what: choreCloseBridge, id: x.bridge})
		}
	}
	return out, todo
}

// adoptTap takes one tap into the book, false when it belongs to nothing.
func (b *book) adoptTap(c *channel) bool {
	tapped := b.live[b.legID(tappedBy(c.Name), "")]
	if b.tapping[c.ID] != nil {
		return true // Whoever makes it knows what it is for.
	}
	if sup, _, ok := strings.Cut(c.ID, spySuffix+"-"); ok {
		return b.adoptSpy(c, b.live[b.legID(sup, "")], tapped)
	}
	if id, ok := strings.CutSuffix(c.ID, streamTap); ok {
		return b.adoptStream(orchestrator.StreamID(id), tapped, time.Time(c.Created))
	}
	if _, s := b.sideOf(c.ID); s != nil {
		s.begun = true
		return true
	}
	for i, suffix := range sideNames {
		id, ok := strings.CutSuffix(c.ID, suffix)
		if !ok || tapped == nil {
			continue
		}
		r := newRecording(orchestrator.RecordingID(id), tapped.id, time.Time(c.Created))
		r.mask = maskUnknown
		r.begun.set()
		r.sides[i] = side{begun: true, from: r.born}
		r.sides[1-i].begun = true
		b.recordings[r.id] = r
		return true
	}
	return false
}

// tappedBy is the channel a tap hangs on, from its name: "Snoop/<channel>-0000002a".
func tappedBy(name string) string {
	name = strings.TrimPrefix(name, "Snoop/")
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		return name[:i]
	}
	return ""
}

// recordingsOf lists the recordings of a leg, in the order of their ids.
func (b *book) recordingsOf(id orchestrator.LegID) (out []orchestrator.RecordingID) {
	for _, r := range b.recordings {
		if r.leg == id && !r.quiet {
			out = append(out, r.id)
		}
	}
	slices.Sort(out)
	return out
}

func (b *book) supervisedBy(id orchestrator.LegID) orchestrator.LegID {
	if x := b.spies[id]; x != nil {
		return x.target
	}
	return ""
}
