package simulation

import (
	"slices"

	"ringmaster/orchestrator"
)

// wish is a transfer that a phone has asked for and nobody has answered yet.
type wish struct {
	party *leg
	// parted is the bridge both were taken out of while the wish waits; nil
	// where they talk on.
	parted *bridge
}

// SIP statuses a phone is told about its transfer.
const (
	toldDone    = 200
	toldNobody  = 503 // there is no one party to be sent
	toldRefused = 603
)

// Transfer is the phone's transfer key: the other party is to be sent to a
// number. What becomes of it, Transferred tells.
func (f *Far) Transfer(number string) {
	f.refer(func(l, party *leg) {
		ask := orchestrator.TransferAsked{Leg: l.id, Party: party.id, Target: number}
		l.wish = &wish{party: party}
		if f.sw.Quirks.PartsWhileAsked {
			l.wish.parted = l.bridge
			f.sw.leave(party, true)
			f.sw.leave(l, true)
		}
		f.sw.emit(ask)
	})
}

// TransferTo is the attended transfer: the other party is to talk to the one at
// the other end of consult, a call of the same phone.
func (f *Far) TransferTo(consult *Far) {
	c := consult.live()
	if c == nil {
		f.told = toldNobody
		return
	}
	f.refer(func(l, party *leg) {
		ask := orchestrator.TransferAsked{Leg: l.id, Party: party.id, Consult: c.id}
		peer := c.partner()
		if peer != nil {
			ask.Peer = peer.id
		}
		if f.sw.Quirks.DoesAttended {
			f.sw.replace(ask, c, party, peer)
			f.learn(toldDone)
			return
		}
		l.wish = &wish{party: party}
		f.sw.emit(ask)
	})
	f.consult = consult
}

// refer asks for a transfer of the one party this far end talks to.
func (f *Far) refer(ask func(l, party *leg)) {
	f.told, f.consult = 0, nil
	l := f.live()
	switch {
	case l == nil || l.partner() == nil:
		f.told = toldNobody
	case l.wish == nil:
		ask(l, l.partner())
	}
}

// Transferred is what the phone was last told of its transfer: a SIP status, 0
// while it waits.
func (f *Far) Transferred() int { return f.told }

// learn is the phone hearing of its transfer. Most phones hang up when it
// succeeded.
func (f *Far) learn(status int) {
	f.told = status
	if status != toldDone || f.sw.Quirks.StaysTransferred {
		return
	}
	f.sw.clock.After(f.sw.react(), func() {
		f.Hangup()
		if f.consult != nil {
			f.consult.Hangup()
		}
	})
}

// partner is the one other leg of a talk of two, nil when there is none or are
// several.
func (l *leg) partner() *leg {
	if l.bridge == nil || len(l.bridge.legs) != 2 {
		return nil
	}
	i := slices.Index(l.bridge.legs, l)
	return l.bridge.legs[1-i]
}

// replace does an attended transfer by itself, as FreeSWITCH does: party takes
// the place of consult. A consult that talks to nobody is ended.
func (s *Switch) replace(t orchestrator.TransferAsked, consult, party, peer *leg) {
	to := consult.bridge
	s.leave(party, true)
	s.leave(s.leg(t.Leg), true)
	if peer != nil {
		s.leave(consult, true)
	}
	s.emit(orchestrator.TransferHappened(t))
	if peer == nil {
		s.end(consult, orchestrator.CauseNormal, 0, orchestrator.EndedBySwitch)
		return
	}
	s.enter(party, to)
	party.far.together()
	peer.far.together()
}

// answerWish is our word about a transfer.
func (s *Switch) answerWish(id orchestrator.LegID, accepted bool) (answer, string) {
	l := s.leg(id)
	if l == nil || l.wish == nil {
		return orchestrator.ResultNotFound, "no transfer waits for an answer"
	}
	w := l.wish
	l.wish = nil
	if accepted {
		l.far.learn(toldDone)
		return orchestrator.ResultAccepted, ""
	}
	l.far.learn(toldRefused)
	if w.parted != nil && slices.Contains(s.legs, w.party) && w.party.bridge == nil && l.bridge == nil {
		s.enter(w.party, w.parted)
		s.enter(l, w.parted)
		w.party.far.together()
		l.far.together()
	}
	return orchestrator.ResultAccepted, ""
}
