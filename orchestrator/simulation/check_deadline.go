package simulation

import (
	"time"

	"ringmaster/orchestrator"
)

// deadlines is I14: whatever waits for a moment has the floor wake by then.
type deadlines struct{ w *World }

func (d *deadlines) fact(orchestrator.Fact) {}

func (d *deadlines) step(orchestrator.Input, orchestrator.Effects) {
	wake, wants := d.w.floor.NextWake()
	by := func(at time.Time, what string, id string) {
		if !at.IsZero() && (!wants || wake.After(at)) {
			d.w.fail("I14: %s of %s is due at %s, but the floor wakes at %s (%v)", what, id, at.Format("15:04:05.000"), wake.Format("15:04:05.000"), wants)
		}
	}
	b := d.w.book
	for _, id := range b.open {
		c := b.calls[id]
		if b.attached[c.pbx].IsZero() {
			continue // it cannot be heard; nothing could be done
		}
		switch {
		case c.ending || !c.gone.IsZero():
			if !wants {
				d.w.fail("I14: call %s is ending and the floor waits for nothing", id)
			}
		case c.phase == orchestrator.PhaseRinging && b.legs[c.offer.Leg].answered:
			by(d.w.clock.Now().Add(10*time.Second), "the connection", string(id))
		case c.phase == orchestrator.PhaseRinging:
			by(c.offer.RingUntil, "the ring", string(c.offer.Offer))
		case c.phase == orchestrator.PhaseQueued:
			if limit := b.versions[versionKey(c.queue, c.version)].MaxWait; limit > 0 {
				by(c.joined.Add(limit.Duration()), "the longest wait", string(id))
			}
		case c.phase == orchestrator.PhaseFlow:
			by(d.w.clock.Now().Add(10*time.Minute), "the node", string(id))
		}
	}
	for _, a := range b.sortedAgents() {
		by(a.until, "the wrap-up", string(a.id))
		by(a.notBefore, "the rest", string(a.id))
	}
}

func (d *deadlines) end() {}
