package freeswitch

import (
	"context"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// transferor is a phone that used its transfer key.
//
// Blind: the other party is on its way to the care context and the phone waits
// for our word (confirm_blind_transfer). It is told to the floor once the party
// is parked. Attended: FreeSWITCH has done it already.
func (b *book) transferor(e *event) []orchestrator.Event {
	asker := b.byChannel(e.get("Unique-ID"))
	if asker == nil {
		return nil
	}
	if e.get("att_xfer_destination_call_id") != "" {
		return b.attended(e, asker)
	}
	name, blind := strings.CutPrefix(e.variable("transfer_to"), "blind:")
	party := b.byChannel(name)
	if !blind || party == nil || party == asker {
		return nil
	}
	b.forgetTransfer(asker)
	b.forgetTransfer(party)
	asker.asks, party.askedBy = party, asker
	party.target = orchestrator.PlainText(strings.TrimPrefix(e.variable("transfer_destination"), "blind:"), orchestrator.MaxPartyNumber)
	party.move()
	return nil
}

// attended tells a transfer that FreeSWITCH has done. The party either takes
// the consulted one, or, where the consultation talks to nobody, goes to the
// place of the consultation and so into our care.
func (b *book) attended(e *event, asker *leg) []orchestrator.Event {
	one, two := b.byChannel(e.get("att_xfer_original_call_id")), b.byChannel(e.get("att_xfer_destination_call_id"))
	three := b.byChannel(e.get("att_xfer_destination_peer_uuid"))
	if one == nil || two == nil {
		return nil
	}
	out := orchestrator.TransferHappened{Leg: asker.id}
	if three == asker || three == nil {
		out.Party, out.Consult, out.Target = two.id, one.id, one.number
		two.move()
		return []orchestrator.Event{out}
	}
	out.Party, out.Peer, out.Consult, out.Target = one.id, two.id, three.id, three.number
	one.heir = two.bridge
	return []orchestrator.Event{out}
}

// move marks a leg that FreeSWITCH is carrying elsewhere. What it is told
// meanwhile would be cut off.
func (l *leg) move() {
	if l.moving == nil {
		l.moving = make(chan struct{})
	}
}

// arrive is the end of that.
func (l *leg) arrive() {
	if l.moving != nil {
		close(l.moving)
		l.moving = nil
	}
}

// settled waits until a leg that is being carried elsewhere is there.
func (s *Switch) settled(ctx context.Context, legs ...*leg) {
	for _, l := range legs {
		s.book.mu.Lock()
		moving := l.moving
		s.book.mu.Unlock()
		if moving == nil {
			continue
		}
		select {
		case <-moving:
		case <-ctx.Done():
		case <-time.After(joinGrace):
		}
	}
}

// asked tells a blind transfer whose party has been parked.
func (b *book) asked(l *leg) []orchestrator.Event {
	asker := l.askedBy
	if asker == nil || !asker.hungUp.IsZero() {
		return nil
	}
	return []orchestrator.Event{orchestrator.TransferAsked{Leg: asker.id, Party: l.id, Target: l.target}}
}

// forgetTransfer ends the waiting of a blind transfer on either side.
func (b *book) forgetTransfer(l *leg) {
	if l.asks != nil {
		l.asks.askedBy, l.asks = nil, nil
	}
	if l.askedBy != nil {
		l.askedBy.asks, l.askedBy = nil, nil
	}
}

// accept tells the phone that its transfer succeeded.
func (s *Switch) accept(ctx context.Context, l *leg) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	party := l.asks
	s.book.forgetTransfer(l)
	s.book.mu.Unlock()
	if party == nil {
		return orchestrator.ResultNotFound, "no transfer is waiting"
	}
	return s.order(ctx, party, encodeTransferWord(party.channel, true))
}

// reject tells the phone no. FreeSWITCH joins the two again by itself, so both
// are made ready for that before, as for a Connect.
func (s *Switch) reject(ctx context.Context, l *leg) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	party := l.asks
	s.book.mu.Unlock()
	if party == nil {
		return orchestrator.ResultNotFound, "no transfer is waiting"
	}
	defer inTurn(l, party)()
	s.book.mu.Lock()
	mark, err := bridgeMark(party.was, s.book.bridges[party.was])
	if l.asks != party || err != nil {
		s.book.mu.Unlock()
		return orchestrator.ResultNotFound, "no transfer is waiting"
	}
	s.book.forgetTransfer(l)
	now := time.Now()
	orders := append(s.book.readied(l, party, mark, now), s.book.readied(party, l, mark, now)...)
	s.book.mu.Unlock()
	return s.order(ctx, party, append(orders, encodeTransferWord(party.channel, false))...)
}

// encodeTransferWord answers a REFER that waits (confirm_blind_transfer): the
// phone is notified 200 or 403.
func encodeTransferWord(party string, yes bool) order {
	word := "false"
	if yes {
		word = "true"
	}
	return execute("transfer_word", party, "blind_transfer_ack", word, "")
}
