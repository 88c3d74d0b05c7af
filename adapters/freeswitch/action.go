package freeswitch

import (
	"context"
	"strings"

	"ringmaster/orchestrator"
)

const reasonUnanswered = "the leg is not answered"

// ring and early are for callers who wait for an answer.
func (s *Switch) ring(ctx context.Context, l *leg) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	known := l.ringing || l.state == orchestrator.LegIsUp
	l.ringing = l.ringing || !l.dialled
	s.book.mu.Unlock()
	switch {
	case known:
		return orchestrator.ResultAlready, ""
	case l.dialled:
		return orchestrator.ResultRejected, "the leg was dialled by us"
	}
	return s.order(ctx, l, encodeRing(l.channel))
}

func (s *Switch) early(ctx context.Context, l *leg) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	known := l.early || l.state == orchestrator.LegIsUp
	l.early = l.early || !l.dialled
	s.book.mu.Unlock()
	switch {
	case known:
		return orchestrator.ResultAlready, ""
	case l.dialled:
		return orchestrator.ResultRejected, "the leg was dialled by us"
	}
	return s.order(ctx, l, encodeEarlyMedia(l.channel))
}

// mute needs an answered leg: FreeSWITCH would open the way for sound first.
func (s *Switch) mute(ctx context.Context, l *leg, a orchestrator.Mute) (orchestrator.CommandResult, string) {
	o, err := encodeMute(l.channel, a.Direction, a.Off)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.book.mu.Lock()
	up := l.state == orchestrator.LegIsUp
	s.book.mu.Unlock()
	if !up {
		return orchestrator.ResultRejected, reasonUnanswered
	}
	return s.order(ctx, l, o)
}

// readVariable answers by an event, like every switch.
func (s *Switch) readVariable(ctx context.Context, l *leg, name string) (orchestrator.CommandResult, string) {
	o, err := encodeGetVariable(l.channel, name)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	answers, err := s.send(ctx, l.channel, o)
	result, reason := verdict(err)
	if result != orchestrator.ResultAccepted {
		if result != orchestrator.ResultRejected {
			s.book.doubt(l)
		}
		return result, reason
	}
	value := strings.TrimSuffix(answers[0], "\n")
	if value == "_undef_" {
		value = ""
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if s.book.live[l.id] == l {
		s.book.post(orchestrator.VariableRead{Leg: l.id, Name: name, Value: orchestrator.PlainText(value, orchestrator.MaxVariable)})
	}
	return orchestrator.ResultAccepted, ""
}
