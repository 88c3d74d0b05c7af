package simulation

import (
	"time"

	"ringmaster/orchestrator"
)

// presence is I5: no leg of ours on the switch is unknown to the floor, and no
// open leg of the floor is missing on the switch, for longer than it takes to
// tell. While the connection is broken nobody can know.
type presence struct {
	w     *World
	since map[string]time.Time
	seen  map[string]bool
}

// tolerated is how long floor and switch may differ: an event on its way, a
// command whose fate is asked for, or a hangup that is tried again.
const tolerated = 20 * time.Second

func (p *presence) fact(orchestrator.Fact) {}

func (p *presence) step(in orchestrator.Input, _ orchestrator.Effects) {
	if p.w.wire.down || p.w.book.attached[p.w.sw.ID()].IsZero() {
		clear(p.since)
		return
	}
	p.seen = map[string]bool{}
	there := map[orchestrator.LegID]bool{}
	for _, l := range p.w.sw.legs {
		there[l.id] = true
		if l.stamp == (orchestrator.Stamp{}) {
			continue
		}
		if known := p.w.book.legs[l.id]; known == nil || known.closed {
			p.differs(in.At, "leg "+string(l.id)+" is on the switch and unknown to the floor")
		}
	}
	for _, l := range p.w.book.legs { // order-free: each is looked at by itself
		if !l.closed && !there[l.id] {
			p.differs(in.At, "leg "+string(l.id)+" is open for the floor and not on the switch")
		}
	}
	for what := range p.since { // order-free: forgets what is mended
		if !p.seen[what] {
			delete(p.since, what)
		}
	}
}

func (p *presence) differs(at time.Time, what string) {
	p.seen[what] = true
	began, ok := p.since[what]
	if !ok {
		p.since[what] = at
		return
	}
	if since := later(began, p.w.wire.mended); at.Sub(since) > tolerated {
		p.w.fail("I5: for %s, %s", at.Sub(since), what)
	}
}

func (p *presence) end() {}
