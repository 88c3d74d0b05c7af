package floor

import (
	"slices"

	o "ringmaster/orchestrator"
)

// How the calls of a switch go on that is heard again.

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
			if !f.connecting(c) {
				f.agentLegUp(c)
			}
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

// connecting reports whether this very step orders a call's connection: the
// snapshot told of its last answer.
func (f *Floor) connecting(c *call) bool {
	return slices.ContainsFunc(f.out.Commands, func(x o.Command) bool {
		do, ok := x.Do.(o.Connect)
		return ok && do.Stamp.Call == c.ID
	})
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
