package freeswitch

import (
	"context"
	"time"

	"ringmaster/orchestrator"
)

// A bridge of FreeSWITCH has two sides. A third leg makes it a conference of
// the same name to the floor: the two stay in their bridge, and are silent for
// as long as the move takes.

// join puts a further leg into a bridge.
func (s *Switch) join(ctx context.Context, l *leg, a orchestrator.Join) (orchestrator.CommandResult, string) {
	if err := checkID("bridge", string(a.Bridge)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.settled(ctx, l)
	l.turn.Lock()
	defer l.turn.Unlock()
	orders, result, reason := s.book.confer(l, a.Bridge)
	if orders == nil {
		return result, reason
	}
	result, reason = s.order(ctx, l, orders...)
	if result != orchestrator.ResultAccepted {
		s.book.mu.Lock()
		l.joining, l.doubtful = "", true
		s.book.mu.Unlock()
	}
	return result, reason
}

// confer is what has to be ordered for it.
func (b *book) confer(l *leg, id orchestrator.BridgeID) ([]order, orchestrator.CommandResult, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.bridge == id || l.joining == id {
		return nil, orchestrator.ResultAlready, "" // Or about to be.
	}
	if l.state != orchestrator.LegIsUp || !l.hungUp.IsZero() {
		return nil, orchestrator.ResultRejected, reasonUnanswered
	}
	var pair, inside *leg
	for _, other := range b.live {
		switch {
		case other.bridge != id || !other.hungUp.IsZero():
		case other.conferring:
			inside = other
		case other.peer != nil && other.peer.bridge == id && (pair == nil || other.id < pair.id): // the same one each time
			pair = other
		}
	}
	mark, err := bridgeMark(id, b.bridges[id])
	if pair == nil && inside == nil || err != nil {
		return nil, orchestrator.ResultNotFound, "nobody talks in that bridge"
	}
	var orders []order
	if pair != nil {
		orders = append(orders, encodeConfer(b.cfg, pair.channel, id, true))
		pair.conferring, pair.peer.conferring = true, true
	}
	orders = append(orders, b.readied(l, l, mark, time.Now())...)
	return append(orders, encodeConfer(b.cfg, l.channel, id, false)), "", ""
}

// conferenced is a leg entering or leaving a conference of ours.
func (b *book) conferenced(l *leg, e *event) []orchestrator.Event {
	switch e.get("Action") {
	case "add-member":
		return b.enters(l)
	case "del-member":
		was := l.conferring
		l.conferring = false
		if was && l.bridge != "" && l.joining == "" {
			return b.leaves(l)
		}
	}
	return nil
}

func (b *book) enters(l *leg) []orchestrator.Event {
	id := l.bridge
	if l.joining != "" {
		id = l.joining
	}
	if id == "" {
		return nil
	}
	var out []orchestrator.Event
	if l.bridge != id {
		out = append(b.leaves(l), orchestrator.Joined{Leg: l.id, Bridge: id})
	}
	if l.peer != nil {
		l.peer.peer, l.peer = nil, nil
	}
	l.bridge, l.joining, l.conferring, l.parked = id, "", true, false
	l.arrive()
	return out
}
