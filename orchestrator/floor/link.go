package floor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	o "ringmaster/orchestrator"
)

// link carries a call from its switch to the one at which the agent's phone is
// registered: two legs of one trunk call between two of our switches.
type link struct {
	Out o.LegID    // on the call's switch, in a bridge with the caller
	In  o.LegID    // on the other, in a bridge with the agent; "" until it arrives
	To  o.SwitchID // the other
	Far o.BridgeID // the bridge there
	Up  bool       // Out is answered: it may be in a bridge with the caller
	Met bool       // In is answered: it may be in Far with the agent
}

// bridged reports whether a bridge on the call's own switch can have been
// made: who is not answered is joined with nobody.
func (f *Floor) bridged(c *call) bool { return f.up(c) && (c.Link == nil || c.Link.Up) }

func (lk *link) has(id o.LegID) bool { return lk != nil && (lk.Out == id || lk.In == id) }

// A ticket is the number a link dials: its leg's id in digits alone, because
// that is what every trunk passes on. Each four hexadecimal digits of the id
// become five decimal ones.

func ticketOf(id o.LegID) string {
	var ticket strings.Builder
	hex := strings.ReplaceAll(string(id), "-", "")
	for i := 0; i+4 <= len(hex); i += 4 {
		n, _ := strconv.ParseUint(hex[i:i+4], 16, 16) // the floor minted it
		fmt.Fprintf(&ticket, "%05d", n)
	}
	return ticket.String()
}

// legOfTicket is ticketOf backwards; "" for a number that is no ticket.
func legOfTicket(ticket string) o.LegID {
	if len(ticket) != 40 {
		return ""
	}
	var hex strings.Builder
	for i := 0; i < len(ticket); i += 5 {
		n, err := strconv.ParseUint(ticket[i:i+5], 10, 16)
		if err != nil {
			return ""
		}
		fmt.Fprintf(&hex, "%04x", n)
	}
	h := hex.String()
	return o.LegID(strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"))
}

// trunk is the endpoint through which one switch dials another, "" if there is
// no link.
func (f *Floor) trunk(from, to o.SwitchID) string {
	links := f.PBXs[from].Links
	if i := slices.IndexFunc(links, func(l o.Link) bool { return l.To == to }); i >= 0 {
		return links[i].Trunk
	}
	return ""
}

// reaches reports whether a call on one switch can be brought to a phone on
// another.
func (f *Floor) reaches(from, to o.SwitchID) bool { return from == to || f.trunk(from, to) != "" }

// openLink dials from the call's switch to the agent's. The agent has answered
// by now: no phone rings for a link that fails, and none fails for a phone that
// is not answered.
func (f *Floor) openLink(c *call, to o.SwitchID) {
	f.dropLink(c, "another agent")
	trunk := f.trunk(c.Switch, to)
	if trunk == "" { // the configuration has changed meanwhile
		f.connectFailed(c)
		return
	}
	out := o.LegID(f.newID())
	ticket := ticketOf(out)
	f.emit(o.LinkOpened{Call: c.ID, Leg: out, From: c.Switch, To: to, Ticket: ticket, Bridge: o.BridgeID(f.newID())})
	f.emit(o.LegStarted{Call: c.ID, Leg: out, Switch: c.Switch, Role: o.RoleLink, Endpoint: trunk})
	f.order(c, o.Dial{
		Leg: out, Stamp: f.stamp(c.ID, out, o.RoleLink), Endpoint: trunk, Number: ticket, Display: c.Caller,
		Timeout: o.MillisOf(connectMax),
	})
}

// linkOffered is the other end of a link arriving at the agent's switch. A
// ticket of no link that is waited for leads nowhere.
func (f *Floor) linkOffered(e o.LegOffered) {
	c := f.ticketed(e)
	if c == nil {
		f.emit(o.CallRefused{Leg: e.Leg, Switch: e.Switch, Dialled: e.Dialled, Caller: e.Caller, Reason: o.ReasonNoNumber})
		f.command(e.Switch, string(e.Leg), o.Hangup{Leg: e.Leg, Cause: o.CauseUnallocated})
		return
	}
	f.emit(o.LegStarted{Call: c.ID, Leg: e.Leg, Switch: e.Switch, Role: o.RoleLink, Endpoint: e.Endpoint, SIPCall: e.SIPCall})
	f.order(c, o.Claim{Leg: e.Leg, Stamp: f.stamp(c.ID, e.Leg, o.RoleLink)})
	f.order(c, o.Answer{Leg: e.Leg})
}

// ticketed is the call whose link has arrived, nil when nobody waits for it.
func (f *Floor) ticketed(e o.LegOffered) *call {
	id := legOfTicket(e.Dialled)
	c := f.callOf(id)
	if c == nil || c.Link == nil || c.Offer == nil || c.Ending != nil {
		return nil
	}
	if lk := c.Link; lk.Out != id || lk.In != "" || lk.To != e.Switch {
		return nil
	}
	return c
}

// connectFar puts the agent together with the link's end on their switch.
func (f *Floor) connectFar(c *call, agent o.LegID) {
	f.command(c.Link.To, string(c.ID), o.Connect{
		Bridge: c.Link.Far, Stamp: f.stamp(c.ID, c.Link.In, o.RoleBridge), A: c.Link.In, B: agent,
	})
}

// linkUp is an end of a link answered: each joins its side when its switch has
// said so, and not before (see agentLegUp).
func (f *Floor) linkUp(c *call, id o.LegID) {
	if c == nil || c.Link == nil || c.Offer == nil || c.Ending != nil {
		return
	}
	switch id {
	case c.Link.Out:
		f.connect(c, id, string(c.ID))
	case c.Link.In:
		f.connectFar(c, c.Offer.Leg)
	}
}

// dropLink hangs up a link that is needed no more.
func (f *Floor) dropLink(c *call, reason string) {
	lk := c.Link
	if lk == nil {
		return
	}
	f.emit(o.LinkClosed{Call: c.ID, Leg: lk.Out, Reason: reason})
	for _, id := range []o.LegID{lk.Out, lk.In} {
		if f.Legs[id] != nil {
			f.order(c, o.Hangup{Leg: id, Cause: o.CauseNormal})
		}
	}
	if lk.Met { // else it was not made yet
		f.command(lk.To, string(c.ID), o.CloseBridge{Bridge: lk.Far})
	}
}

// linkEnded is an end of a link that closed. One that nobody hung up has
// broken: two who talk cannot hear each other any more, and a caller who was
// being brought to an agent waits for another.
func (f *Floor) linkEnded(c *call, closed o.LegClosed) {
	f.emit(closed)
	if c == nil {
		return
	}
	switch {
	case !c.Link.has(closed.Leg) || c.Ending != nil:
	case c.Offer != nil:
		f.connectFailed(c)
	default:
		f.dropLink(c, "broken")
		f.end(c, o.Outcome{Result: o.ResultCarrier, Reason: o.ReasonSwitchLost}, o.CauseNormal)
	}
	f.tidy(c)
	f.finish(c)
}

// linkFailed is a link the switch would not even begin, or may not have begun.
func (f *Floor) linkFailed(c *call, l *leg, e o.CommandDone) {
	if e.Result == o.ResultNoWord {
		f.command(l.Switch, string(l.Call), o.Hangup{Leg: l.ID, Cause: o.CauseNormal})
	}
	f.linkEnded(c, o.LegClosed{Call: l.Call, Leg: l.ID, Cause: o.CauseAbsent, By: o.EndedBySwitch})
}

// cutOffers withdraws the offers that a lost switch cuts in two: the call on
// one side, the phone on the other. Neither can reach the other any more.
func (f *Floor) cutOffers(lost o.SwitchID) {
	for _, id := range sortedKeys(f.Calls) {
		c := f.Calls[id]
		if c.Offer == nil || c.Ending != nil {
			continue
		}
		l := f.Legs[c.Offer.Leg]
		if l != nil && l.Switch != c.Switch && (l.Switch == lost || c.Switch == lost) {
			f.withdraw(c)
		}
	}
}

// resumeLinks goes on with calls of other switches that have legs on this one.
func (f *Floor) resumeLinks(sw o.SwitchID, there map[o.LegID]o.SnapshotLeg, gap bool) {
	for _, id := range sortedKeys(f.Calls) {
		c := f.Calls[id]
		if c.Switch == sw {
			continue
		}
		for _, id := range f.stray(c, there) {
			f.order(c, o.Hangup{Leg: id, Cause: o.CauseAnsweredElsewhere})
		}
		switch {
		case c.Ending != nil:
			for _, id := range c.Legs {
				if _, carried := there[id]; carried {
					f.order(c, o.Hangup{Leg: id, Cause: o.CauseNormal})
				}
			}
		case c.Link == nil || c.Link.To != sw:
		case c.Phase == o.PhaseTalking:
			f.rejoin(c)
		case gap && c.Offer != nil && c.Offer.Answered:
			f.connectFailed(c) // what was ordered may be lost; begin anew
		}
	}
}

// applyLink folds the facts about links.
func (f *Floor) applyLink(deed o.Deed) {
	switch d := deed.(type) {
	case o.LinkOpened:
		f.Calls[d.Call].Link = &link{Out: d.Leg, To: d.To, Far: d.Bridge}
	case o.LinkClosed:
		f.Calls[d.Call].Link = nil
	}
}
