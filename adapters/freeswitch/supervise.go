package freeswitch

import (
	"context"
	"time"

	"ringmaster/orchestrator"
)

// supervision is a leg listening to another.
type supervision struct {
	target *leg
	mode   orchestrator.Supervision
	since  time.Time
	keys   int // keys of ours that are still to be told as its digits
}

// supervise begins to listen, or changes the mode while they talk. The
// supervisor's own keys 0 to 3 change it too; see digit.
func (s *Switch) supervise(ctx context.Context, l *leg, a orchestrator.Supervise) (orchestrator.CommandResult, string) {
	target, result, reason := s.known(a.Target)
	if target == nil {
		return result, reason
	}
	if target == l {
		return orchestrator.ResultRejected, "a leg cannot listen to itself"
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	orders, result, reason := s.book.listening(l, target, a.Mode)
	if orders == nil {
		return result, reason
	}
	result, reason = s.order(ctx, l, orders...)
	if result == orchestrator.ResultRejected || result == orchestrator.ResultNotFound {
		s.book.mu.Lock()
		l.supervising = nil
		s.book.mu.Unlock()
	}
	return result, reason
}

// listening is what has to be ordered for it.
func (b *book) listening(l, target *leg, mode orchestrator.Supervision) ([]order, orchestrator.CommandResult, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.state != orchestrator.LegIsUp || target.state != orchestrator.LegIsUp || !l.hungUp.IsZero() {
		return nil, orchestrator.ResultRejected, reasonUnanswered
	}
	if v := l.supervising; v != nil && v.target == target {
		if v.mode == mode {
			return nil, orchestrator.ResultAlready, ""
		}
		o, err := encodeMode(l.channel, mode)
		if err != nil {
			return nil, orchestrator.ResultRejected, err.Error()
		}
		v.mode = mode
		v.keys++
		return []order{o}, "", ""
	}
	if l.supervising != nil {
		return nil, orchestrator.ResultRejected, orchestrator.ReasonSupervises
	}
	if l.bridge != "" {
		return nil, orchestrator.ResultRejected, "the leg is in another talk"
	}
	orders, err := encodeEavesdrop(l.channel, target.channel, mode)
	if err != nil {
		return nil, orchestrator.ResultRejected, err.Error()
	}
	b.post(b.silence(l, time.Now())...)
	l.supervising = &supervision{target: target, mode: mode, since: time.Now()}
	orders = append([]order{encodeBreak(l.channel)}, orders...)
	return append(l.disarm(), orders...), "", ""
}

// stopSupervising takes the leg back into care; a break would not end it.
func (s *Switch) stopSupervising(ctx context.Context, l *leg) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	on := l.supervising != nil
	if on {
		l.supervising = nil
		l.move()
	}
	s.book.mu.Unlock()
	if !on {
		return orchestrator.ResultAlready, ""
	}
	return s.orderOr(ctx, l)(encodeTransfer(l.channel, l.role, s.cfg.Care))
}

// ownKey reports a digit that came from a change of mode and not from the
// phone. A key of the phone that changes the mode is followed.
func (l *leg) ownKey(digit string) bool {
	v := l.supervising
	if v == nil {
		return false
	}
	if v.keys > 0 && digit == modeKeys[v.mode] {
		v.keys--
		return true
	}
	for mode, key := range modeKeys {
		if key == digit {
			v.mode = mode
		}
	}
	return false
}
