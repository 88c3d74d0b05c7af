package simulation

import "ringmaster/orchestrator"

// phases is I1: a call is in exactly one phase and moves on legally; an offer
// ends exactly once, and never missed after it was answered.
type phases struct{ w *World }

func (p *phases) fact(f orchestrator.Fact) {
	switch d := f.What.(type) {
	case orchestrator.CallArrived:
		if p.w.book.calls[d.Call] != nil {
			p.w.fail("I1: call %s arrived twice", d.Call)
		}
	case orchestrator.NodeEntered:
		c := p.going(d.Call, f)
		p.want(c, f, c.phase == orchestrator.PhaseFlow)
	case orchestrator.CallQueued:
		c := p.going(d.Call, f)
		p.want(c, f, c.phase == orchestrator.PhaseFlow && !c.inQueue)
	case orchestrator.OfferMade:
		c := p.going(d.Call, f)
		if d.Queue == "" {
			p.want(c, f, c.phase == orchestrator.PhaseFlow && !c.inQueue && c.offer == nil)
			break
		}
		p.want(c, f, c.phase == orchestrator.PhaseQueued && c.inQueue && c.offer == nil && c.queue == d.Queue)
	case orchestrator.CallTransferred:
		c := p.going(d.Call, f)
		asks, stays := d.Leg == c.agentLeg && d.Party == c.leg, d.Leg == c.leg && d.Party == c.agentLeg && c.internal
		p.want(c, f, c.phase == orchestrator.PhaseTalking && (asks || stays))
	case orchestrator.LegMoved:
		c, l := p.going(d.Call, f), p.w.book.legs[d.Leg]
		p.want(c, f, l != nil && !l.closed && l.call == d.From && l.agent == d.Agent && c.phase != orchestrator.PhaseTalking)
	case orchestrator.OfferEnded:
		p.offerEnded(d, f)
	case orchestrator.CallLeftQueue:
		c := p.w.book.call(d.Call)
		p.want(c, f, c.inQueue && (c.offer == nil || d.Reason == orchestrator.ReasonConnected))
	case orchestrator.CallConnected:
		p.connected(d, f)
	case orchestrator.DigitTaken, orchestrator.MenuDecided, orchestrator.CallReleased:
		c := p.going(callIn(d), f)
		p.want(c, f, c.phase == orchestrator.PhaseFlow)
	case orchestrator.CallEnded:
		c := p.w.book.call(d.Call)
		p.want(c, f, !c.gone.IsZero() && c.offer == nil && !c.inQueue)
	}
}

// going is a call that may still be decided on.
func (p *phases) going(id orchestrator.CallID, f orchestrator.Fact) *bookCall {
	c := p.w.book.call(id)
	p.want(c, f, c.id != "" && !c.ended && !c.ending && c.gone.IsZero())
	return c
}

func (p *phases) want(c *bookCall, f orchestrator.Fact, ok bool) {
	if !ok {
		p.w.fail("I1: %s %+v does not follow from call %+v", orchestrator.FactName(f.What), f.What, *c)
	}
}

func (p *phases) offerEnded(d orchestrator.OfferEnded, f orchestrator.Fact) {
	c, o := p.w.book.call(d.Call), p.w.book.offers[d.Offer]
	p.want(c, f, o != nil && !o.ended && c.offer == o && d.Agent == o.Agent)
}

// connected holds that two who are told to hear each other do: both answered,
// both in the bridge, or in the bridges at the two ends of a link.
func (p *phases) connected(d orchestrator.CallConnected, f orchestrator.Fact) {
	b := p.w.book
	c, o := p.going(d.Call, f), b.offers[d.Offer]
	if o == nil || c.phase != orchestrator.PhaseRinging || c.inQueue {
		p.want(c, f, false)
		return
	}
	in := func(id orchestrator.LegID, bridge orchestrator.BridgeID) bool {
		l := b.legs[id]
		up := l != nil && (l.answered || p.w.plan.Faults.Panics) // an input that is set aside may be its LegUp
		return up && !l.closed && l.bridge == bridge
	}
	p.want(c, f, in(c.leg, d.Bridge))
	if c.link == nil {
		p.want(c, f, in(o.Leg, d.Bridge) && b.legs[o.Leg].pbx == c.pbx)
		return
	}
	far := b.farEnd(c)
	p.want(c, f, far != nil && in(c.link.Leg, d.Bridge) && in(far.id, c.link.Bridge) && in(o.Leg, c.link.Bridge))
}

// farEnd is the link's leg at the agent's switch, nil before it is there.
func (b *book) farEnd(c *bookCall) *bookLeg {
	for _, l := range b.openLegs() {
		if l.call == c.id && l.role == orchestrator.RoleLink && l.pbx == c.link.To && l.started.Compare(b.legs[c.link.Leg].started) >= 0 {
			return l
		}
	}
	return nil
}

func (p *phases) step(_ orchestrator.Input, _ orchestrator.Effects) {
	for _, id := range p.w.book.open {
		c := p.w.book.calls[id]
		waits := c.phase == orchestrator.PhaseQueued || c.phase == orchestrator.PhaseRinging && (c.offer == nil || c.offer.Queue != "")
		if c.inQueue != waits || (c.phase == orchestrator.PhaseRinging) != (c.offer != nil) {
			p.w.fail("I1: call %s is in phase %s, in a queue %v, offered %v", id, c.phase, c.inQueue, c.offer != nil)
		}
	}
}

func (p *phases) end() {
	for _, id := range p.w.book.open {
		p.w.fail("liveness: call %s never ended: %+v", id, *p.w.book.calls[id])
	}
}

// callIn is the call a fact is about, "" if none.
func callIn(d orchestrator.Deed) orchestrator.CallID {
	switch d := d.(type) {
	case orchestrator.DigitTaken:
		return d.Call
	case orchestrator.MenuDecided:
		return d.Call
	case orchestrator.CallReleased:
		return d.Call
	}
	return ""
}
