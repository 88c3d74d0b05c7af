package simulation

import (
	o "ringmaster/orchestrator"
)

// possible holds that the floor orders nothing that, by what it was told and
// what it ordered before, cannot be done. The world may have moved on
// meanwhile; that is no fault and the switch answers not_found.
type possible struct {
	w       *World
	legs    map[o.LegID]*ledger
	plays   map[o.PlayID]bool // still to be heard, as far as the floor knows
	bridges map[o.BridgeID]bool
	fenced  map[o.SwitchID]bool
	asks    map[o.LegID]bool      // transfers, not answered yet as far as the floor knows
	epochs  map[o.SwitchID]string // of the switches that are heard without a gap

	// justGone are the legs this step's snapshot lacks. The floor closes them
	// one by one; what it orders of one before its turn is no fault.
	justGone map[o.LegID]bool
}

// ledger is what the floor knows of one leg.
type ledger struct {
	on       o.SwitchID
	dialled  string // the endpoint; "" if it arrived
	rang     bool
	up       bool
	ended    bool
	hungUp   bool // ordered
	released bool // ordered
	told     bool // and not ordered yet
}

func newPossible(w *World) *possible {
	return &possible{
		w: w, legs: map[o.LegID]*ledger{}, plays: map[o.PlayID]bool{}, bridges: map[o.BridgeID]bool{},
		fenced: map[o.SwitchID]bool{}, justGone: map[o.LegID]bool{},
		asks: map[o.LegID]bool{}, epochs: map[o.SwitchID]string{},
	}
}

// fact enters a leg at a switch that cannot be heard: it is told, and its dial
// has nowhere to go.
func (p *possible) fact(f o.Fact) {
	d, ok := f.What.(o.LegStarted)
	if ok && p.legs[d.Leg] == nil && p.epochs[d.Switch] == "" && (d.Role == o.RoleAgent || d.Role == o.RoleLink) {
		p.legs[d.Leg] = &ledger{on: d.Switch, dialled: d.Endpoint, told: true}
	}
}

func (p *possible) step(in o.Input, out o.Effects) {
	clear(p.justGone)
	p.learn(in.Event)
	for _, c := range out.Commands {
		if p.fenced[c.Switch] {
			p.w.fail("impossible: %T to switch %s, which another orchestrator took over", c.Do, c.Switch)
		}
		if p.w.wireOf(c.Switch).sw.ID() != c.Switch || c.Lane == "" || c.ID.Epoch != p.w.floors || c.ID.Seq != in.Seq {
			p.w.fail("impossible: %T has no switch, no lane or a wrong id: %+v", c.Do, c)
		}
		if why := p.order(c.Do); why != "" {
			p.w.fail("impossible: %T %+v: %s", c.Do, c.Do, why)
		}
		if l := p.legs[o.ActionLeg(c.Do)]; l != nil && l.on == "" {
			l.on = c.Switch
		} else if l != nil && l.on != c.Switch {
			p.w.fail("impossible: %T %+v to switch %s, but the leg is on %s", c.Do, c.Do, c.Switch, l.on)
		}
	}
}

// learn is what an event tells the floor.
func (p *possible) learn(e o.Event) {
	switch e := e.(type) {
	case o.SwitchSynced:
		p.fenced[e.Switch] = false
		p.learnAll(e, p.epochs[e.Switch] != e.Epoch)
		p.epochs[e.Switch] = e.Epoch
	case o.SwitchLost:
		delete(p.epochs, e.Switch)
	case o.Restarted, o.InputFailed:
		clear(p.epochs)
	case o.LegRinging:
		p.leg(e.Leg).rang = true
	case o.SwitchSuperseded:
		p.fenced[e.Switch] = true
		delete(p.epochs, e.Switch)
	case o.LegOffered:
		if p.legs[e.Leg] == nil {
			p.legs[e.Leg] = &ledger{on: e.Switch}
		}
	case o.LegUp:
		p.leg(e.Leg).up = true
	case o.TransferAsked:
		p.asks[e.Leg] = true
	case o.LegEnded:
		p.leg(e.Leg).ended = true
	case o.LegReleased:
		p.leg(e.Leg).ended = true
	case o.PlayDone:
		p.plays[e.Play] = false
	case o.CommandDone:
		if l := p.leg(e.Leg); isDial(e.Do) && !l.rang && !l.up {
			l.ended = true // it was refused, or the floor gives it up
		}
	}
}

func isDial(a o.Action) bool {
	_, dial := a.(o.Dial)
	return dial
}

// learnAll is what a snapshot tells. Without a gap before it, a leg that is not
// there yet may still come.
func (p *possible) learnAll(e o.SwitchSynced, gap bool) {
	snap, there := e.Snapshot, map[o.LegID]bool{}
	for _, s := range snap.Legs {
		there[s.Leg] = true
		l := p.legs[s.Leg]
		if l == nil {
			l = &ledger{on: e.Switch, dialled: s.Endpoint}
			if s.Entry != "" {
				l.dialled = ""
			}
			p.legs[s.Leg] = l
		}
		l.up, l.rang = l.up || s.State == o.LegIsUp, l.rang || s.State == o.LegRings
		if s.Stamp == (o.Stamp{}) {
			l.released, l.hungUp = false, false // offered again: the release, or the refusal, may have been lost
		}
	}
	for id, l := range p.legs { // order-free: each by itself
		coming := !gap && l.dialled != "" && !l.rang && !l.up && !l.hungUp
		if l.on == e.Switch && !there[id] && !l.ended && !coming {
			l.ended = true
			p.justGone[id] = true
		}
	}
	for _, b := range snap.Bridges {
		p.bridges[b.Bridge] = true
	}
}

// leg is the ledger's page of a leg; of one nobody told of, an ended one.
func (p *possible) leg(id o.LegID) *ledger {
	if l := p.legs[id]; l != nil {
		return l
	}
	return &ledger{ended: true}
}

// alive says what is wrong with ordering something of a leg, "" if nothing is.
func (p *possible) alive(id o.LegID) string {
	l := p.leg(id)
	switch {
	case p.justGone[id]:
		return ""
	case l.ended:
		return "the leg has ended or never was"
	case l.hungUp:
		return "the leg was hung up before"
	case l.released:
		return "the leg was released before"
	case l.dialled != "" && !l.up:
		return "the leg is not up"
	}
	return ""
}

// order judges an action and notes it.
func (p *possible) order(a o.Action) string {
	switch a := a.(type) {
	case o.Dial:
		return p.dial(a)
	case o.Claim:
		return p.alive(a.Leg)
	case o.Answer:
		l := p.leg(a.Leg)
		if l.dialled != "" {
			return "we dialled it"
		}
		if l.up {
			return "the leg is up"
		}
		return p.alive(a.Leg)
	case o.Hangup:
		l := p.leg(a.Leg)
		l.hungUp = true
		if p.legs[a.Leg] == nil {
			return "no such leg"
		}
	case o.Release:
		l := p.leg(a.Leg)
		if l.released {
			return "" // again, because the first may have been lost
		}
		why := p.alive(a.Leg)
		l.released = true
		return why
	case o.Ring:
		if l := p.leg(a.Leg); l.dialled != "" || l.up {
			return "it is no caller who could ring"
		}
		return p.alive(a.Leg)
	case o.AcceptTransfer:
		return p.answerAsk(a.Leg)
	case o.RejectTransfer:
		return p.answerAsk(a.Leg)
	case o.Play:
		p.plays[a.Play] = true
		return p.alive(a.Leg)
	case o.StopPlay:
		if !p.plays[a.Play] {
			return "the play is over or never was"
		}
		p.plays[a.Play] = false
		return p.alive(a.Leg)
	case o.StartMusic:
		return p.alive(a.Leg)
	case o.StopMusic:
		return p.alive(a.Leg)
	case o.SendDigits:
		return p.alive(a.Leg)
	case o.Connect:
		p.bridges[a.Bridge] = true
		return p.alive(a.A) + p.alive(a.B)
	case o.Separate:
		return p.alive(a.Leg)
	case o.CloseBridge:
		if !p.bridges[a.Bridge] {
			return "no such bridge"
		}
	}
	return ""
}

// answerAsk: a transfer is answered once for each time it was asked for.
func (p *possible) answerAsk(id o.LegID) string {
	if !p.asks[id] {
		return "no transfer was asked for"
	}
	p.asks[id] = false
	return p.alive(id)
}

// dial: a leg is dialled once, and a phone rings for one leg at a time.
func (p *possible) dial(a o.Dial) string {
	if l := p.legs[a.Leg]; l != nil && !l.told {
		return "the leg was dialled before"
	}
	p.legs[a.Leg] = &ledger{dialled: a.Endpoint}
	for id, l := range p.legs { // order-free: any one is a fault
		if id != a.Leg && l.dialled == a.Endpoint && !l.ended && a.Number == "" {
			return "the phone is still in leg " + string(id)
		}
	}
	return ""
}

func (p *possible) end() {}
