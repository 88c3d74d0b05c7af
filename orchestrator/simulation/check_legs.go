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
	p.seen = map[string]bool{}
	for _, x := range p.w.wires {
		if !x.down && !p.w.book.attached[x.sw.ID()].IsZero() {
			p.compare(in.At, x)
		}
	}
	for what := range p.since { // order-free: forgets what is mended, or cannot be known
		if !p.seen[what] {
			delete(p.since, what)
		}
	}
}

// compare looks at one switch that can be heard.
func (p *presence) compare(at time.Time, x *wire) {
	there := map[orchestrator.LegID]bool{}
	for _, l := range x.sw.legs {
		there[l.id] = true
		if l.stamp == (orchestrator.Stamp{}) {
			continue
		}
		if known := p.w.book.legs[l.id]; known == nil || known.closed {
			p.differs(at, x, "leg "+string(l.id)+" is on the switch and unknown to the floor")
		}
	}
	for _, l := range p.w.book.legs { // order-free: each is looked at by itself
		if l.pbx == x.sw.ID() && !l.closed && !there[l.id] {
			p.differs(at, x, "leg "+string(l.id)+" is open for the floor and not on the switch")
		}
	}
}

func (p *presence) differs(at time.Time, x *wire, what string) {
	p.seen[what] = true
	began, ok := p.since[what]
	if !ok {
		p.since[what] = at
		return
	}
	if since := later(began, x.mended); at.Sub(since) > tolerated {
		p.w.fail("I5: for %s, %s", at.Sub(since), what)
	}
}

func (p *presence) end() {}
