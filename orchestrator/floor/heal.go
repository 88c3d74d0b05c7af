package floor

import (
	o "ringmaster/orchestrator"
)

// switchLost is a switch that cannot be heard. Its calls go on there; here
// they stand still until it is back, or until it is given up.
func (f *Floor) switchLost(id o.SwitchID, reason string) {
	if p := f.Switches[id]; p == nil || p.Attached {
		f.emit(o.SwitchDetached{Switch: id, Reason: reason})
		f.cutOffers(id)
		f.settleAt(id)
	}
}

// switchOverloaded is a switch past what it can carry, or fit again. It is told
// and nothing follows from it: the adapter holds dials back by itself, and an
// offer it refuses is made again like any other.
func (f *Floor) switchOverloaded(e o.SwitchOverloaded) {
	if p := f.Switches[e.Switch]; p != nil && p.Attached && p.Overloaded != e.Over {
		f.emit(o.OverloadNoted(e))
	}
}

// settleAt tells the state of every agent at the switch's phones.
func (f *Floor) settleAt(id o.SwitchID) {
	for _, agentID := range sortedKeys(f.Agents) {
		a := f.Agents[agentID]
		if ph := f.Phones[a.Phone]; ph != nil && ph.Switch == id {
			f.settle(a)
		}
	}
}

// giveUp ends the calls of a switch that stayed away too long. It stays
// detached; the deadline is not set again.
func (f *Floor) giveUp(p *pbx) {
	f.emit(o.SwitchDetached{Switch: p.ID, Reason: p.Reason})
	f.lose(p.ID, nil)
	f.closeMissing(p.ID, nil, true)
}

// switchSynced compares what a switch carries with what the floor believes,
// and mends the difference. The switch is right about what is; the floor is
// right about what was to become of it.
//
// A snapshot that follows a gap, in which events were lost, starts anew what
// may have passed unheard. One that was only asked for disturbs nobody: what is
// on its way will arrive.
func (f *Floor) switchSynced(e o.SwitchSynced) {
	gap := !f.attached(e.Switch) || f.Switches[e.Switch].Epoch != e.Epoch || f.Switches[e.Switch].Doubt
	f.emit(o.SwitchAttached{Switch: e.Switch, Epoch: e.Epoch})
	f.healEndpoints(e)
	there := make(map[o.LegID]o.SnapshotLeg, len(e.Snapshot.Legs))
	for _, s := range e.Snapshot.Legs {
		there[s.Leg] = s
	}
	if gap {
		f.missedTransfers(e.Switch, there)
		f.missedTalks(e.Switch, there)
		f.adoptTalks(e, there)
		f.lose(e.Switch, there)
	}
	f.closeMissing(e.Switch, there, gap)
	at := make(map[*call]int)
	for _, c := range f.callsOn(e.Switch) {
		at[c] = c.Nodes
	}
	for _, s := range e.Snapshot.Legs {
		f.healLeg(e.Switch, s)
	}
	for _, c := range f.callsOn(e.Switch) {
		if at[c] == c.Nodes { // else it goes on already
			f.resume(c, there, gap)
		}
	}
	f.resumeLinks(e.Switch, there, gap)
	if gap {
		f.dropServices(e.Switch)
	}
	f.closeBridges(e)
	f.settleAt(e.Switch)
}

// closeBridges removes what outlived its call: empty bridges survive on a
// switch for ever (live-asterisk.md 1, 11).
func (f *Floor) closeBridges(e o.SwitchSynced) {
	used := map[o.BridgeID]bool{}
	for _, c := range f.Calls { // order-free: fills a set
		if c.Link != nil {
			used[c.Link.Far] = true
		}
	}
	for _, c := range f.callsOn(e.Switch) {
		used[c.Bridge] = true
		if c.Offer != nil {
			used[c.Offer.Bridge] = true
		}
	}
	for _, b := range e.Snapshot.Bridges {
		if len(b.Legs) == 0 && !used[b.Bridge] {
			f.emit(o.Healed{Bridge: string(b.Bridge), Repair: "closed: empty"})
			f.command(e.Switch, string(b.Bridge), o.CloseBridge{Bridge: b.Bridge})
		}
	}
}

func (f *Floor) healEndpoints(e o.SwitchSynced) {
	for _, s := range e.Snapshot.Endpoints {
		ph := f.phoneAt(e.Switch, s.Endpoint)
		if ph != nil && (ph.Reachable != s.Reachable || ph.InUse != s.InUse) {
			f.emit(o.EndpointNoted{Switch: e.Switch, Endpoint: s.Endpoint, Reachable: s.Reachable, InUse: s.InUse})
		}
	}
}

// closeMissing ends the legs the switch does not carry any more. Callers come
// last, so that an agent's end is told before the call's. Without a gap an
// offer's leg that is not there yet is on its way.
func (f *Floor) closeMissing(sw o.SwitchID, there map[o.LegID]o.SnapshotLeg, gap bool) {
	for _, callers := range []bool{false, true} {
		for _, id := range sortedKeys(f.Legs) {
			l := f.Legs[id]
			if l == nil || l.Switch != sw || (l.Role == o.RoleCaller) != callers {
				continue
			}
			if _, ok := there[id]; ok || !gap && f.dialling(l) {
				continue
			}
			if !gap && callers {
				f.closeUntold(l)
				continue
			}
			f.closeMissed(l)
		}
	}
}

// closeUntold ends a caller's leg of whose end nothing was told though the
// switch was heard all the time: they have hung up, and the word is late.
func (f *Floor) closeUntold(l *leg) {
	f.emit(o.Healed{Leg: l.ID, Repair: "closed: its end was not told"})
	f.legEnded(o.LegEnded{Leg: l.ID, By: o.EndedBySwitch, Cause: o.CauseNormal})
}

// closeMissed ends a leg the switch does not carry any more.
func (f *Floor) closeMissed(l *leg) {
	f.emit(o.Healed{Leg: l.ID, Repair: "closed: the switch does not carry it"})
	if l.State == o.LegNew && (l.Role == o.RoleAgent || l.Role == o.RoleLink) {
		// Its dial may have been on the way; it must not come to life.
		f.command(l.Switch, string(l.Call), o.Hangup{Leg: l.ID, Cause: o.CauseNormal})
	}
	f.legEnded(o.LegEnded{Leg: l.ID, By: o.EndedBySwitch})
}

// healLeg brings the floor up to what one leg has become meanwhile.
func (f *Floor) healLeg(sw o.SwitchID, s o.SnapshotLeg) {
	l := f.Legs[s.Leg]
	if l == nil {
		f.adopt(sw, s)
		return
	}
	if s.State == o.LegRings {
		f.legRinging(s.Leg)
	}
	if s.State == o.LegIsUp && l.State != o.LegIsUp {
		f.legUp(s.Leg)
	}
	if l = f.Legs[s.Leg]; l == nil || l.Bridge == s.Bridge {
		return
	}
	if l.Bridge != "" {
		f.left(o.Left{Leg: s.Leg, Bridge: l.Bridge})
	}
	if s.Bridge != "" {
		f.joined(o.Joined{Leg: s.Leg, Bridge: s.Bridge})
	}
}

// dialling reports whether a leg is an offer's or a link's that was ordered and
// no more.
func (f *Floor) dialling(l *leg) bool {
	c := f.Calls[l.Call]
	if c == nil || l.State != o.LegNew {
		return false
	}
	return c.Offer != nil && c.Offer.Leg == l.ID || c.Link != nil && c.Link.Out == l.ID
}

// dropServices ends the service calls of before: their dialogue is lost, and
// dialling the code again is quick.
func (f *Floor) dropServices(sw o.SwitchID) {
	for _, id := range sortedKeys(f.Services) {
		if s := f.Services[id]; s.Switch == sw && s.Step != stepAnswer {
			f.stepTo(s, stepBye, s.Agent, "")
			f.serviceHangup(s)
		} else if s.Switch == sw {
			f.command(sw, string(id), o.Answer{Leg: id})
		}
	}
}
