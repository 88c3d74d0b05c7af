package freeswitch

import (
	"context"
	"time"

	"ringmaster/orchestrator"
)

const (
	// startTimeout bounds the wait for the first sign of a leg; 20 to 40 ms are
	// usual, more than a second is a FreeSWITCH past its knee.
	startTimeout = 5 * time.Second
	// tidyTimeout bounds the hang-up of a leg given up.
	tidyTimeout = 3 * time.Second
)

// dial makes a leg and waits for the first sign of it, so that a phone that is
// not there is its answer and not a leg that ends.
func (s *Switch) dial(ctx context.Context, over <-chan struct{}, d orchestrator.Dial) (orchestrator.CommandResult, string) {
	o, err := encodeDial(s.cfg, d)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	l, result, reason := s.enter(d)
	if l == nil {
		return result, reason
	}
	if reason := s.create(ctx, over, l, o); reason != "" {
		s.giveUp(ctx, l)
		return orchestrator.ResultRejected, reason
	}
	return orchestrator.ResultAccepted, ""
}

// enter takes a leg into the book before FreeSWITCH knows it: its Job-UUID must
// be known before it can be told. Without a leg, the answer is why not.
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
	l.dialled, l.quiet, l.stamp, l.endpoint, l.role = true, true, d.Stamp, d.Endpoint, roleOf(d)
	return l, "", ""
}

// create has FreeSWITCH make the leg, at the pace it can bear. A reason says
// that there is none.
func (s *Switch) create(ctx context.Context, over <-chan struct{}, l *leg, o order) string {
	turn, cancel := context.WithTimeout(ctx, s.cfg.CreateWait)
	defer cancel()
	if !s.creates.enter(turn, time.Now()) {
		s.counters.add(func(n *Stats) { n.Overloads++ })
		return orchestrator.ReasonOverloaded
	}
	began := time.Now()
	_, err := s.send(ctx, l.channel, o)
	result, reason := verdict(err)
	if result == orchestrator.ResultAccepted || result == orchestrator.ResultNoWord {
		reason = s.await(ctx, over, l)
	}
	if over, changed := s.creates.leave(time.Since(began), time.Now()); changed {
		s.overloaded(over)
	}
	return reason
}

// overloaded tells that the switch is past what it can carry, or fit again.
func (s *Switch) overloaded(over bool) {
	s.cfg.Log.Warn("switch overloaded", "switch", s.cfg.ID, "over", over, "creates_per_second", s.creates.rate())
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.post(s.overload(over))
}

func (s *Switch) overload(over bool) orchestrator.Event {
	return orchestrator.SwitchOverloaded{Switch: s.cfg.ID, Over: over, Reason: "legs are set up slowly"}
}

// await waits for the leg's first sign; a reason says that it will not live.
func (s *Switch) await(ctx context.Context, over <-chan struct{}, l *leg) string {
	late := time.NewTimer(startTimeout)
	defer late.Stop()
	select {
	case <-l.started.c:
		return s.made(l)
	case <-l.cancelled.c:
		// FreeSWITCH may not have begun yet: it is hung up once it has, so that
		// after our answer the phone does not ring any more.
		select {
		case <-l.started.c:
		case <-l.failed.c:
		case <-over:
		case <-ctx.Done():
		case <-late.C:
		}
		return ReasonHungUp
	case <-l.failed.c:
		return s.notMade(l)
	case <-over:
		return ReasonLost
	case <-ctx.Done():
	case <-late.C:
	}
	return ReasonNotStarted
}

// made makes sure that a hang-up did not come before the first sign.
func (s *Switch) made(l *leg) string {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if l.quiet {
		return ReasonHungUp
	}
	return ""
}

func (s *Switch) notMade(l *leg) string {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	switch {
	case !l.quiet:
		return "" // Its end is told by events.
	case unreachable[l.failure]:
		return ReasonUnreachable
	case l.failure == "DESTINATION_OUT_OF_ORDER":
		// FreeSWITCH says so too of a command it cannot read.
		s.cfg.Log.Error("dial refused as if it were misspelt", "switch", s.cfg.ID, "leg", l.id, "endpoint", l.endpoint)
		s.counters.add(func(n *Stats) { n.Misspelt++ })
		return ReasonUnreachable
	}
	return orchestrator.PlainText(l.failure, maxID)
}

// giveUp forgets a leg that never rang and remembers not to let it: whatever
// FreeSWITCH still tells of it leads to its hang-up.
func (s *Switch) giveUp(ctx context.Context, l *leg) {
	s.book.mu.Lock()
	if s.book.live[l.id] == l {
		s.book.shut(l, false)
	}
	s.book.mu.Unlock()
	if state, _ := s.link(); state == linkSuperseded {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	_, _ = s.send(ctx, l.channel, encodeHangup(l.channel, orchestrator.CauseNormal)) // No such channel is as good; no answer: its first sign is met with a hang-up.
}

// hangup ends a leg, or sees to it that one being made never rings.
func (s *Switch) hangup(ctx context.Context, a orchestrator.Hangup) (orchestrator.CommandResult, string) {
	channel := s.book.channelOf(a.Leg)
	if !channelPattern.MatchString(channel) {
		return orchestrator.ResultNotFound, "no leg can have that id: " + clip(string(a.Leg), maxID)
	}
	s.book.mu.Lock()
	l := s.book.live[a.Leg]
	switch {
	case l == nil && s.book.ended.has(string(a.Leg)):
		s.book.mu.Unlock()
		return orchestrator.ResultAlready, ""
	case l == nil:
		s.book.ended.add(string(a.Leg))
	case l.quiet:
		l.cancelled.set()
		s.book.mu.Unlock()
		return orchestrator.ResultAccepted, ""
	case l.hungUp.IsZero():
		l.killed = a.Cause
		if l.killed < 1 || l.killed > 127 {
			l.killed = orchestrator.CauseNormal
		}
	}
	s.book.mu.Unlock()
	_, err := s.send(ctx, channel, encodeHangup(channel, a.Cause))
	result, reason := verdict(err)
	switch result {
	case orchestrator.ResultNotFound:
		result = orchestrator.ResultAlready
	case orchestrator.ResultAccepted:
		return result, reason
	}
	if l != nil {
		s.book.doubt(l)
	}
	return result, reason
}
