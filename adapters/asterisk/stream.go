package asterisk

import (
	"context"
	"net/http"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// stream is a leg whose words are sent to a server: a tap on it, in a bridge with
// a channel that sends what it hears (externalMedia). All three are named after
// the stream, so that after a restart of ours they are found among the channels.
type stream struct {
	id   orchestrator.StreamID
	leg  orchestrator.LegID
	born time.Time
	// making is a stream whose order has not been answered: a picture may lack
	// its channels.
	making bool
}

// What ends the names of a stream's tap and sender. Its bridge is named like a
// supervisor's, as it is no talk either.
const (
	streamTap    = "-stream"
	streamSender = "-sender"
)

func (x *stream) tap() string    { return string(x.id) + streamTap }
func (x *stream) sender() string { return string(x.id) + streamSender }
func (x *stream) bridge() string { return string(x.id) + spySuffix }

func isSender(channel string) bool { return strings.HasSuffix(channel, streamSender) }

func (s *Switch) streamAudio(ctx context.Context, l *leg, a orchestrator.StreamAudio) (orchestrator.CommandResult, string) {
	if !tapPattern.MatchString(string(a.Stream)) {
		return orchestrator.ResultRejected, "stream id is not a UUID"
	}
	speak, err := encodeSender(s.cfg.App, string(a.Stream)+streamSender, a.To)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	x, result, reason := s.book.beginStream(a.Stream, l)
	if x == nil {
		return result, reason
	}
	if err := s.send(ctx, l, x, speak); err != nil {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
		defer cancel()
		_ = s.dropStream(tidy, x)
		s.doubt(l)
		s.book.mu.Lock()
		s.book.closeStream(x)
		s.book.mu.Unlock()
		return verdict(err)
	}
	s.book.mu.Lock()
	x.making = false
	s.book.mu.Unlock()
	return orchestrator.ResultAccepted, ""
}

// send makes the bridge, what hears and what sends, and puts the two together.
func (s *Switch) send(ctx context.Context, l *leg, x *stream, speak request) error {
	defer s.hold(orchestrator.BridgeID(x.bridge()))()
	hear, err := encodeTap(s.cfg.App, tap{on: l.channel, id: x.tap(), spy: "in", whisper: "none"})
	if err != nil {
		return err
	}
	put, err := encodeJoin(orchestrator.BridgeID(x.bridge()), x.tap(), x.sender())
	if err != nil {
		return err
	}
	if err := s.rest.send(ctx, encodeSpyBridge(x.bridge()), nil); err != nil {
		return err
	}
	if err := s.enterTap(ctx, x.sender(), speak); err != nil {
		return err
	}
	if err := s.enterTap(ctx, x.tap(), hear); err != nil {
		return err
	}
	return s.rest.send(ctx, put, nil)
}

func (s *Switch) enterTap(ctx context.Context, id string, r request) error {
	started, done := s.tapping(id)
	defer done()
	return s.tapInto(ctx, started, r)
}

// dropStream ends what a stream is made of. The error is that of its tap, without
// which nothing is sent; what else is left is found when the switch is read again.
func (s *Switch) dropStream(ctx context.Context, x *stream) error {
	err := s.rest.send(ctx, encodeHangup(x.tap(), orchestrator.CauseNormal), nil)
	_ = s.rest.send(ctx, encodeHangup(x.sender(), orchestrator.CauseNormal), nil)
	_ = s.rest.send(ctx, encodeCloseBridge(x.bridge()), nil)
	if statusOf(err) == http.StatusNotFound {
		return nil
	}
	return err
}

func (s *Switch) stopStream(ctx context.Context, l *leg, a orchestrator.StopStream) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	x := s.book.streams[a.Stream]
	ours := x != nil && x.leg == l.id
	if ours {
		s.book.closeStream(x)
	}
	s.book.mu.Unlock()
	if !ours {
		return orchestrator.ResultAlready, ""
	}
	result, reason := verdict(s.dropStream(ctx, x))
	if result == orchestrator.ResultNoWord {
		s.Resync() // The snapshot says whether it goes on.
	}
	return result, reason
}

// beginStream enters a stream, nil when it was begun before or the leg has
// another.
func (b *book) beginStream(id orchestrator.StreamID, l *leg) (*stream, orchestrator.CommandResult, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch has := b.streamOf(l.id); {
	case l.state != orchestrator.LegIsUp:
		return nil, orchestrator.ResultRejected, "the leg is not up"
	case b.streams[id] != nil:
		return nil, orchestrator.ResultAlready, ""
	case has != "":
		return nil, orchestrator.ResultRejected, orchestrator.ReasonStreams
	}
	x := &stream{id: id, leg: l.id, born: time.Now(), making: true}
	b.streams[id] = x
	return x, "", ""
}

func (b *book) streamOf(id orchestrator.LegID) orchestrator.StreamID {
	for _, x := range b.streams {
		if x.leg == id {
			return x.id
		}
	}
	return ""
}

// streamBy finds a stream by its tap or its sender.
func (b *book) streamBy(channel string) *stream {
	id, tap := strings.CutSuffix(channel, streamTap)
	if !tap {
		id, _ = strings.CutSuffix(channel, streamSender)
	}
	return b.streams[orchestrator.StreamID(id)]
}

// closeStream takes a stream out, of which a part is gone, and returns what is
// left to be ended.
func (b *book) closeStream(x *stream) []chore {
	delete(b.streams, x.id)
	return []chore{{what: choreDiscard, id: x.tap()}, {what: choreDiscard, id: x.sender()}, {what: choreCloseBridge, id: x.bridge()}}
}

// adoptStream takes a stream into the book that goes on, false when its leg is
// gone.
func (b *book) adoptStream(id orchestrator.StreamID, tapped *leg, born time.Time) bool {
	if tapped == nil {
		return false
	}
	if b.streams[id] == nil {
		b.streams[id] = &stream{id: id, leg: tapped.id, born: born}
	}
	return true
}

// checkStreams ends streams of which a picture shows a part only, and senders of
// none.
func (b *book) checkStreams(present map[string]bool, asked time.Time) (todo []chore) {
	for _, x := range b.streams {
		if !x.making && x.born.Before(asked) && (!present[x.tap()] || !present[x.sender()]) {
			todo = append(todo, b.closeStream(x)...)
		}
	}
	for channel := range present {
		if isSender(channel) && b.tapping[channel] == nil && b.streamBy(channel) == nil {
			todo = append(todo, chore{what: choreDiscard, id: channel})
		}
	}
	return todo
}
