package freeswitch

import (
	"context"
	"time"

	"ringmaster/orchestrator"
)

// byChannel finds the leg of a channel, nil when it is not ours.
func (b *book) byChannel(channel string) *leg {
	if channel == "" {
		return nil
	}
	return b.live[b.legID(channel, "")]
}

// bridged is two channels hearing each other from now on; FreeSWITCH tells it
// once for both.
func (b *book) bridged(e *event) (out []orchestrator.Event, todo []chore) {
	one, two := b.byChannel(e.get("Bridge-A-Unique-ID")), b.byChannel(e.get("Bridge-B-Unique-ID"))
	if one == nil || two == nil || one == two {
		return nil, nil
	}
	id := b.bridgeOf(one, two)
	if id == "" || one.peer == two && one.bridge == id {
		return nil, nil
	}
	for _, l := range []*leg{one, two} {
		out = append(out, b.leaves(l)...)
		if l.joining == "" { // By FreeSWITCH itself: no guard may fire now.
			todo = append(todo, choresOf(l, l.disarm())...)
		}
		l.bridge, l.joining, l.parked = id, "", false
		out = append(out, orchestrator.Joined{Leg: l.id, Bridge: id})
	}
	one.peer, two.peer = two, one
	return out, todo
}

// bridgeOf is the bridge that two legs have just been put into: as we ordered,
// or the one they were in before.
func (b *book) bridgeOf(one, two *leg) orchestrator.BridgeID {
	switch {
	case one.joining != "" && one.joining == two.joining:
		return one.joining
	case one.bridge != "" && one.bridge == two.bridge:
		return one.bridge
	case one.was != "" && one.was == two.was:
		return one.was
	case two.bridge != "":
		return two.bridge
	case two.was != "":
		return two.was
	}
	return one.was
}

func (b *book) unbridged(e *event) (out []orchestrator.Event) {
	for _, name := range []string{"Bridge-A-Unique-ID", "Bridge-B-Unique-ID", "Unique-ID"} {
		if l := b.byChannel(e.get(name)); l != nil {
			out = append(out, b.leaves(l)...)
		}
	}
	return out
}

// leaves tells that a leg is out of its bridge.
func (b *book) leaves(l *leg) []orchestrator.Event {
	if l.bridge == "" || l.quiet {
		return nil
	}
	id := l.bridge
	l.was, l.bridge = id, ""
	if l.peer != nil {
		l.peer.peer, l.peer = nil, nil
	}
	return []orchestrator.Event{orchestrator.Left{Leg: l.id, Bridge: id}}
}

// connect joins two answered legs. FreeSWITCH would say yes to others and then
// hang up both. What takes the guards off and what joins leaves in one piece:
// there is no moment in which the two neither talk nor have a guard.
func (s *Switch) connect(ctx context.Context, a orchestrator.Connect) (orchestrator.CommandResult, string) {
	mark, err := bridgeMark(a.Bridge, a.Stamp)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	one, result, reason := s.known(a.A)
	if one == nil {
		return result, reason
	}
	two, result, reason := s.known(a.B)
	if two == nil {
		return result, reason
	}
	defer inTurn(one, two)()
	orders, result, reason := s.book.prepare(one, two, a, mark)
	if orders == nil {
		return result, reason
	}
	answers, err := s.send(ctx, one.channel, orders...)
	if err == nil || len(answers) == len(orders) && !refused(answers[len(orders)-1]) {
		return orchestrator.ResultAccepted, ""
	}
	s.book.mu.Lock()
	for _, l := range []*leg{one, two} {
		l.joining = ""
		l.doubtful = true
		l.guard.since = time.Time{} // Arm it again at once.
	}
	s.book.mu.Unlock()
	wish(s.hurry)
	if result, reason = verdict(err); result == orchestrator.ResultRejected {
		result = orchestrator.ResultNotFound // One of the legs; neither joined.
	}
	return result, reason
}

// inTurn takes the turns of two legs, always in the same order.
func inTurn(one, two *leg) (release func()) {
	if one == two {
		return func() {}
	}
	if one.channel > two.channel {
		one, two = two, one
	}
	one.turn.Lock()
	two.turn.Lock()
	return func() { two.turn.Unlock(); one.turn.Unlock() }
}

// prepare readies two legs in the book and returns what to order.
func (b *book) prepare(one, two *leg, a orchestrator.Connect, mark string) ([]order, orchestrator.CommandResult, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if one == two {
		return nil, orchestrator.ResultRejected, "a leg cannot talk to itself"
	}
	if one.bridge == a.Bridge && two.bridge == a.Bridge {
		return nil, orchestrator.ResultAlready, ""
	}
	now := time.Now()
	var orders []order
	for _, l := range []*leg{one, two} {
		if l.state != orchestrator.LegIsUp || !l.hungUp.IsZero() {
			return nil, orchestrator.ResultRejected, "leg is not answered: " + string(l.id)
		}
	}
	for _, l := range []*leg{one, two} {
		b.post(b.silence(l, now)...)
		// Always, and not only while something sounds: what FreeSWITCH has been
		// told and has not begun would ride into the bridge.
		orders = append(orders, encodeBreak(l.channel))
		orders = append(orders, encodeJoining(b.cfg, l, mark))
		orders = append(orders, l.disarm()...)
		l.joining, l.ordered = a.Bridge, now
	}
	b.bridges[a.Bridge] = a.Stamp
	return append(orders, encodeBridge(one.channel, two.channel)), "", ""
}

// encodeJoining says where a leg goes when its peer is gone: to the care
// context, which parks it under a guard. With park_after_bridge FreeSWITCH
// would park it without.
func encodeJoining(cfg Config, l *leg, mark string) order {
	return set("joining", l.channel,
		bridgeVariable, mark, "park_after_bridge", "false", "transfer_after_bridge", l.role+":XML:"+cfg.Care)
}

// separate takes a leg out of its bridge; both park.
func (s *Switch) separate(ctx context.Context, l *leg, a orchestrator.Separate) (orchestrator.CommandResult, string) {
	if err := checkID("bridge", string(a.Bridge)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.book.mu.Lock()
	in := l.bridge == a.Bridge || l.joining == a.Bridge
	s.book.mu.Unlock()
	if !in {
		return orchestrator.ResultAlready, ""
	}
	o, err := encodeTransfer(l.channel, l.role, s.cfg.Care)
	return s.orderOr(ctx, l)(o, err)
}

// closeBridge forgets a bridge: on the switch it is only a word that legs carry.
func (s *Switch) closeBridge(a orchestrator.CloseBridge) (orchestrator.CommandResult, string) {
	if err := checkID("bridge", string(a.Bridge)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if _, known := s.book.bridges[a.Bridge]; !known {
		return orchestrator.ResultAlready, ""
	}
	delete(s.book.bridges, a.Bridge)
	return orchestrator.ResultAccepted, ""
}
