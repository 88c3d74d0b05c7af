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
	if one.joining == "" || two.joining == "" {
		todo = b.overtaken(one, two, id)
	}
	for _, l := range []*leg{one, two} {
		b.forgetTransfer(l)
		l.arrive()
		l.conferring = false
		out = append(out, b.leaves(l)...)
		l.bridge, l.joining, l.heir, l.parked = id, "", "", false
		out = append(out, orchestrator.Joined{Leg: l.id, Bridge: id})
	}
	one.peer, two.peer = two, one
	return out, todo
}

// overtaken is what a bridge needs that FreeSWITCH made by itself: no guard may
// fire now, and each leg must know where it goes afterwards.
func (b *book) overtaken(one, two *leg, id orchestrator.BridgeID) (todo []chore) {
	mark, err := bridgeMark(id, b.bridges[id])
	if err != nil {
		return nil
	}
	for _, pair := range [][2]*leg{{one, two}, {two, one}} {
		l, peer := pair[0], pair[1]
		todo = append(todo, choresOf(l, append(l.disarm(), encodeJoining(b.cfg, l, peer, mark)))...)
	}
	return todo
}

// bridgeOf is the bridge that two legs have just been put into: as we ordered,
// or the one they were in before.
func (b *book) bridgeOf(one, two *leg) orchestrator.BridgeID {
	switch {
	case one.joining != "" && one.joining == two.joining:
		return one.joining
	case one.heir != "":
		return one.heir
	case two.heir != "":
		return two.heir
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
	if l.bridge == "" || l.quiet || l.conferring {
		return nil // Of a conference it is told by the conference.
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
	s.settled(ctx, one, two)
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
	if one.bridge == a.Bridge && two.bridge == a.Bridge || one.joining == a.Bridge && two.joining == a.Bridge {
		return nil, orchestrator.ResultAlready, "" // Or about to be: told twice, FreeSWITCH joins and hangs up.
	}
	now := time.Now()
	for _, l := range []*leg{one, two} {
		if l.state != orchestrator.LegIsUp || !l.hungUp.IsZero() {
			return nil, orchestrator.ResultRejected, "leg is not answered: " + string(l.id)
		}
	}
	orders := append(b.readied(one, two, mark, now), b.readied(two, one, mark, now)...)
	one.joining, two.joining = a.Bridge, a.Bridge
	b.bridges[a.Bridge] = a.Stamp
	return append(orders, encodeBridge(one.channel, two.channel)), "", ""
}

// readied readies one of two legs that are about to talk: silent, without a
// guard, and with word of where it goes when its peer is gone.
func (b *book) readied(l, peer *leg, mark string, now time.Time) []order {
	b.post(b.silence(l, now)...)
	l.joining, _ = readBridgeMark(mark)
	l.ordered = now
	// The break goes always, and not only while something sounds: what
	// FreeSWITCH has been told and has not begun would ride into the bridge.
	orders := []order{encodeBreak(l.channel), encodeJoining(b.cfg, l, peer, mark)}
	return append(orders, l.disarm()...)
}

// encodeJoining says where a leg goes when its peer is gone, or when it is gone
// while its phone has put its peer on hold: to the care context, which parks
// it under a guard. With park_after_bridge FreeSWITCH would park it without.
//
// It also ends what grows from bridge to bridge: the history of a leg, which
// is in each of its events, and the count of moves it may still make.
func encodeJoining(cfg Config, l, peer *leg, mark string) order {
	return set("joining", l.channel,
		bridgeVariable, mark, "park_after_bridge", "false", "transfer_after_bridge", l.role+":XML:"+cfg.Care,
		"hold_hangup_xfer_exten", peer.role+":XML:"+cfg.Care, "confirm_blind_transfer", "true",
		musicVariable, "", "force_transfer_context", cfg.Care, "force_transfer_dialplan", "XML",
		"max_session_transfers", "10000", "hangup_after_conference", "false", "transfer_history", "")
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
