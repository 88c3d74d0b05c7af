package asterisk

import (
	"context"
	"net/http"
	"time"

	"ringmaster/orchestrator"
)

const (
	// startTimeout bounds the wait for a created leg to enter our application;
	// 177 ms was the longest seen, at 80 calls a second.
	startTimeout = 5 * time.Second
	// tidyTimeout bounds the hang-up of a leg given up.
	tidyTimeout = 3 * time.Second
)

// dial makes a leg and rings it, in two requests: between them the leg enters
// our application, so that no event of it is missed, and can still be given up
// without its phone ringing.
func (s *Switch) dial(ctx context.Context, over <-chan struct{}, d orchestrator.Dial) (orchestrator.CommandResult, string) {
	r, err := encodeCreate(s.cfg.App, d)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	l, result, reason := s.enter(d)
	if l == nil {
		return result, reason
	}
	if result, reason := s.create(ctx, l, r); result != orchestrator.ResultAccepted {
		s.giveUp(ctx, l, result == orchestrator.ResultNoWord)
		return orchestrator.ResultRejected, reason
	}
	if reason := await(ctx, over, l); reason != "" {
		s.giveUp(ctx, l, true)
		return orchestrator.ResultRejected, reason
	}
	return s.letRing(ctx, l, encodeDial(l.channel, d.Timeout))
}

// enter takes a leg into the book before Asterisk knows it. Without a leg, the
// answer is why not.
func (s *Switch) enter(d orchestrator.Dial) (*leg, orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if s.book.ended.has(string(d.Leg)) {
		return nil, orchestrator.ResultRejected, ReasonHungUp
	}
	if s.book.live[d.Leg] != nil {
		return nil, orchestrator.ResultAlready, ""
	}
	l := s.book.open(d.Leg, time.Now())
	l.dialled, l.quiet, l.stamp, l.endpoint = true, true, d.Stamp, d.Endpoint
	l.subscribed.set()
	return l, orchestrator.ResultAccepted, ""
}

// create makes the leg at the pace Asterisk can bear.
func (s *Switch) create(ctx context.Context, l *leg, r request) (orchestrator.CommandResult, string) {
	turn, cancel := context.WithTimeout(ctx, s.cfg.CreateWait)
	defer cancel()
	if !s.creates.enter(turn) {
		s.counters.add(func(n *Stats) { n.Overloads++ })
		s.creates.trouble(overCap, time.Now())
		s.sayOverload()
		return orchestrator.ResultRejected, orchestrator.ReasonOverloaded
	}
	began := time.Now()
	err := s.rest.send(ctx, r, nil)
	s.creates.leave(time.Since(began), time.Now())
	s.sayOverload()
	switch {
	case err == nil:
		return orchestrator.ResultAccepted, ""
	case statusOf(err) == http.StatusInternalServerError:
		// "Allocation failed": not registered, unknown, or mistyped; Asterisk
		// tells them apart only in GET /endpoints.
		return orchestrator.ResultRejected, ReasonUnreachable
	case statusOf(err) == 0 && s.exists(ctx, l):
		return orchestrator.ResultAccepted, ""
	}
	return verdict(err)
}

// exists reads a leg whose create had no answer.
func (s *Switch) exists(ctx context.Context, l *leg) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	return s.rest.send(ctx, encodeRead("channels", l.channel), nil) == nil
}

// await waits for the leg to enter our application; a reason says it did not.
func await(ctx context.Context, over <-chan struct{}, l *leg) string {
	late := time.NewTimer(startTimeout)
	defer late.Stop()
	select {
	case <-l.started.c:
		return ""
	case <-l.cancelled.c:
		return ReasonHungUp
	case <-l.gone.c:
		return ReasonHungUp
	case <-over:
		return ReasonLost
	case <-ctx.Done():
	case <-late.C:
	}
	return ReasonNotStarted
}

// letRing rings the leg unless it was hung up. The lock makes a hang-up that
// comes at this instant either prevent the ringing or end it.
func (s *Switch) letRing(ctx context.Context, l *leg, r request) (orchestrator.CommandResult, string) {
	l.ring <- struct{}{} // Free: only a leg that rings is hung up under it.
	defer func() { <-l.ring }()
	s.book.mu.Lock()
	dead := l.cancelled.done || l.gone.done
	if !dead {
		l.quiet = false
	}
	s.book.mu.Unlock()
	if dead {
		s.giveUp(ctx, l, true)
		return orchestrator.ResultRejected, ReasonHungUp
	}
	err := s.rest.send(ctx, r, nil)
	if err == nil {
		return orchestrator.ResultAccepted, ""
	}
	if statusOf(err) == 0 {
		s.doubt(l)
		return verdict(err)
	}
	s.giveUp(ctx, l, true)
	return orchestrator.ResultRejected, err.Error()
}

// giveUp forgets a leg that never rang and remembers not to let it: whatever
// Asterisk still tells of it leads to its hang-up.
func (s *Switch) giveUp(ctx context.Context, l *leg, mayExist bool) {
	s.book.mu.Lock()
	if s.book.live[l.id] == l {
		s.book.shut(l, !mayExist)
	}
	s.book.mu.Unlock()
	if state, _ := s.link(); !mayExist || state == linkSuperseded {
		return // Superseded: the other orchestrator meets its StasisStart with a hang-up.
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	_ = s.rest.send(ctx, encodeHangup(l.channel, orchestrator.CauseNormal), nil) // 404 is as good; no answer: its StasisStart is met with a hang-up.
}

// hangup ends a leg, or sees to it that one being made never rings.
func (s *Switch) hangup(ctx context.Context, a orchestrator.Hangup) (orchestrator.CommandResult, string) {
	if err := checkID("leg", string(a.Leg)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.book.mu.Lock()
	l := s.book.live[a.Leg]
	switch {
	case l == nil && s.book.ended.has(string(a.Leg)):
		s.book.mu.Unlock()
		return orchestrator.ResultAlready, ""
	case l == nil:
		s.book.ended.add(string(a.Leg))
		s.book.mu.Unlock()
		return s.hangupStranger(ctx, a)
	case l.quiet:
		l.cancelled.set()
		s.book.mu.Unlock()
		return orchestrator.ResultAccepted, ""
	}
	l.byUs = l.byUs || !l.remote
	s.book.mu.Unlock()
	select {
	case l.ring <- struct{}{}: // A dial request under way goes first.
		defer func() { <-l.ring }()
	case <-ctx.Done():
		return orchestrator.ResultNoWord, "the dial of this leg is still without an answer"
	}
	result, reason := s.order(ctx, l, encodeHangup(l.channel, a.Cause))
	if result == orchestrator.ResultNotFound {
		return orchestrator.ResultAlready, ""
	}
	return result, reason
}

// hangupStranger ends a leg that is not in the book.
func (s *Switch) hangupStranger(ctx context.Context, a orchestrator.Hangup) (orchestrator.CommandResult, string) {
	result, reason := verdict(s.rest.send(ctx, encodeHangup(s.book.channelOf(a.Leg), a.Cause), nil))
	if result == orchestrator.ResultNotFound {
		return orchestrator.ResultAlready, ""
	}
	return result, reason
}
