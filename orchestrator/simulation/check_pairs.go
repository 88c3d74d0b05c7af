package simulation

import (
	"time"

	o "ringmaster/orchestrator"
)

// pairs holds that facts and commands say the same: who is told to be rung is
// dialled, who is told to be rung no more is hung up, what is told to be played
// is played, and the other way round.
type pairs struct {
	w    *World
	hung map[o.LegID]time.Time // when it was ordered
}

func (p *pairs) fact(o.Fact) {}

func (p *pairs) step(in o.Input, out o.Effects) {
	if !p.w.heard() {
		return // nothing is ordered of a switch that cannot be heard
	}
	dialled, hung := map[o.LegID]o.Dial{}, map[o.LegID]bool{}
	played, music := map[o.PlayID]bool{}, map[o.LegID]bool{}
	answered := map[o.LegID]bool{} // true: accepted
	for _, c := range out.Commands {
		switch a := c.Do.(type) {
		case o.Dial:
			dialled[a.Leg] = a
		case o.Hangup:
			hung[a.Leg] = true
			p.hung[a.Leg] = in.At
		case o.Release:
			hung[a.Leg] = true
		case o.Play:
			played[a.Play] = true
		case o.StartMusic:
			music[a.Leg] = true
		case o.AcceptTransfer:
			answered[a.Leg] = true
		case o.RejectTransfer:
			answered[a.Leg] = false
		}
	}
	moved := movedLegs(out.Facts)
	for _, f := range out.Facts {
		switch d := f.What.(type) {
		case o.OfferMade:
			if moved[d.Leg] {
				break // on the line already
			}
			p.offered(d, dialled[d.Leg])
			delete(dialled, d.Leg)
		case o.LinkOpened:
			p.want(dialled[d.Leg].Number == d.Ticket && d.Ticket != "", f, "is not dialled")
			delete(dialled, d.Leg)
		case o.OfferEnded:
			if offer := p.w.book.offers[d.Offer]; offer == nil || !moved[offer.Leg] {
				p.withdrawn(d, hung)
			}
		case o.CallTransferred:
			accepted, is := answered[d.Leg]
			p.want(hung[d.Leg], f, "leaves who transferred on the line")
			p.want(is && accepted || happened(in), f, "is not what the phone is told")
			delete(answered, d.Leg)
		case o.TransferRefused:
			accepted, is := answered[d.Leg]
			p.want(is && !accepted, f, "is not what the phone is told")
			delete(answered, d.Leg)
		case o.PlayStarted:
			p.want(played[d.Play], f, "is not ordered")
			delete(played, d.Play)
		case o.MusicStarted:
			p.want(music[d.Leg], f, "is not ordered")
		case o.CallEnding:
			p.ending(in.At, f, d, hung)
		}
	}
	for _, d := range dialled { // order-free: any one is a failure
		p.w.fail("pairs: a phone is dialled that no offer is for: %+v", d)
	}
	if len(answered) > 0 {
		p.w.fail("pairs: phones are told of transfers that no fact tells of: %v", answered)
	}
	if len(played) > 0 {
		p.w.fail("pairs: plays are ordered that no fact tells of: %v", played)
	}
}

// movedLegs are the legs that went from one call to another.
func movedLegs(facts []o.Fact) map[o.LegID]bool {
	moved := map[o.LegID]bool{}
	for _, f := range facts {
		if d, is := f.What.(o.LegMoved); is {
			moved[d.Leg] = true
		}
	}
	return moved
}

// happened reports whether a transfer was the switch's own doing, told or found.
func happened(in o.Input) bool {
	switch in.Event.(type) {
	case o.TransferHappened, o.SwitchSynced:
		return true
	}
	return false
}

func (p *pairs) want(ok bool, f o.Fact, why string) {
	if !ok {
		p.w.fail("pairs: %s %+v %s", o.FactName(f.What), f.What, why)
	}
}

func (p *pairs) offered(d o.OfferMade, dial o.Dial) {
	ph := p.w.book.phones[d.Phone]
	if dial.Leg != d.Leg || dial.Endpoint != ph.Endpoint || dial.Stamp.Call != d.Call || dial.Stamp.Leg != d.Leg {
		p.w.fail("pairs: offer %+v is dialled as %+v", d, dial)
	}
}

// withdrawn: an offer that was not answered leaves no phone ringing.
func (p *pairs) withdrawn(d o.OfferEnded, hung map[o.LegID]bool) {
	offer := p.w.book.offers[d.Offer]
	if d.Outcome == o.OfferAnswered || offer == nil {
		return
	}
	if l := p.w.book.legs[offer.Leg]; l != nil && !l.closed && !hung[offer.Leg] {
		p.w.fail("pairs: offer %s ended as %s and its phone goes on ringing", d.Offer, d.Outcome)
	}
}

// ending: a call that is over leaves nobody on the line. A leg whose offer
// ended earlier has its hangup already; the switch's own end of it is near.
// ending holds that nobody stays on the line: a leg is hung up now, or was a
// moment ago and the word about its end is on its way.
func (p *pairs) ending(at time.Time, f o.Fact, d o.CallEnding, hung map[o.LegID]bool) {
	for _, l := range p.w.book.openLegs() {
		c := p.w.book.call(d.Call)
		if l.call != d.Call || hung[l.id] || c.released || at.Sub(p.hung[l.id]) < time.Second {
			continue
		}
		if l.role == o.RoleCaller || l.answered && l.bridge != "" {
			p.want(false, f, "leaves leg "+string(l.id)+" on the line")
		}
	}
}

func (p *pairs) end() {}
