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

// resume lets a call that came through go on: commands that were lost are
// given again, and what is heard starts anew, because its end may have passed
// unheard.
func (f *Floor) resume(c *call, there map[o.LegID]o.SnapshotLeg, gap bool) {
	_, carried := there[c.Leg]
	if carried && c.Ending == nil && c.Phase != o.PhaseTalking && (c.Offer == nil || !c.Offer.Answered) {
		f.separate(c) // out of a talk that was transferred
	}
	switch {
	case f.Calls[c.ID] != c || !carried:
	case c.Ending != nil:
		for _, id := range c.Legs {
			f.order(c, o.Hangup{Leg: id, Cause: o.CauseNormal})
		}
	case c.Phase == o.PhaseTalking:
		f.rejoin(c)
	case !gap:
		if c.Phase == o.PhaseFlow && f.node(c).Type == o.NodeAnswer && !f.up(c) {
			f.order(c, o.Answer{Leg: c.Leg})
		}
	case c.Released: // again, and with the time it takes
		n := f.node(c)
		f.emit(o.CallReleased{Call: c.ID, Context: n.Context, Extension: n.Extension})
		f.order(c, o.Release{Leg: c.Leg, Context: n.Context, Extension: n.Extension})
	case c.Phase == o.PhaseQueued || c.Phase == o.PhaseRinging:
		f.claim(c)
		f.resumeQueue(c, there)
	case c.Phase == o.PhaseFlow:
		f.resumeFlow(c)
	}
	for _, id := range f.stray(c, there) {
		f.order(c, o.Hangup{Leg: id, Cause: o.CauseAnsweredElsewhere})
	}
}

// stray lists legs that ring or stand for no offer, no talk and no link.
func (f *Floor) stray(c *call, there map[o.LegID]o.SnapshotLeg) (stray []o.LegID) {
	for _, id := range c.Legs {
		_, carried := there[id]
		needed := c.Offer != nil && c.Offer.Leg == id || c.Link.has(id)
		if carried && id != c.Leg && id != c.AgentLeg && !needed && c.Ending == nil {
			stray = append(stray, id)
		}
	}
	return stray
}

// rejoin puts two who talked back into their bridges if one fell out.
func (f *Floor) rejoin(c *call) {
	if f.hear(c, c.AgentLeg, c.Bridge) {
		return
	}
	near := c.AgentLeg
	if lk := c.Link; lk != nil {
		near = lk.Out
		if !f.inBridge(lk.In, lk.Far) || !f.inBridge(c.AgentLeg, lk.Far) {
			f.connectFar(c, c.AgentLeg)
		}
	}
	if !f.inBridge(c.Leg, c.Bridge) || !f.inBridge(near, c.Bridge) {
		f.order(c, o.Connect{Bridge: c.Bridge, Stamp: f.stamp(c.ID, c.Leg, o.RoleBridge), A: c.Leg, B: near})
	}
}

// claim takes the caller's leg again, because the first claim may not have
// got through.
func (f *Floor) claim(c *call) {
	if l := f.Legs[c.Leg]; l == nil || l.Role != o.RoleCaller {
		return // one we dialled has its stamp
	}
	f.order(c, o.Claim{Leg: c.Leg, Stamp: f.stamp(c.ID, c.Leg, o.RoleCaller)})
}

func (f *Floor) resumeQueue(c *call, there map[o.LegID]o.SnapshotLeg) {
	if of := c.Offer; of != nil {
		s, carried := there[of.Leg]
		switch {
		case carried && of.Answered:
			f.agentLegUp(c)
			return
		case carried && s.State == o.LegNew:
			// Made but not rung: whether its dial got through is unknown, and
			// no phone may ring twice for one offer.
			f.withdraw(c)
		}
		if of.Queue == "" {
			f.resumeRinging(c, of)
			return
		}
	}
	if !f.up(c) {
		f.order(c, o.Answer{Leg: c.Leg})
	}
	f.stopPlay(c)
	f.musicAgain(c)
}

// resumeRinging lets the caller of a direct offer hear again that it rings. If
// the offer was withdrawn the call has gone on already.
func (f *Floor) resumeRinging(c *call, of *offer) {
	if c.Offer != of {
		return
	}
	if !f.up(c) {
		f.order(c, o.Ring{Leg: c.Leg})
		return
	}
	f.musicAgain(c)
}

// musicAgain starts music whose order may have been lost.
func (f *Floor) musicAgain(c *call) {
	if c.Music {
		f.order(c, o.StartMusic{Leg: c.Leg, Class: musicOf(c)})
		return
	}
	f.music(c)
}

func (f *Floor) resumeFlow(c *call) {
	f.claim(c)
	f.stopPlay(c)
	n := f.node(c)
	switch n.Type {
	case o.NodeAnswer:
		if f.up(c) {
			f.follow(c, o.ExitNext)
			return
		}
		f.order(c, o.Answer{Leg: c.Leg})
	case o.NodePlay:
		f.play(c, o.PurposePrompt, n.Play)
	case o.NodeMenu:
		f.play(c, o.PurposeQuestion, n.Play)
	}
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
