package simulation

import (
	"slices"
	"time"

	"ringmaster/orchestrator"
)

// addSwitch puts a switch and its connection into the world. Every other one
// differs from the first in what honest switches differ in.
func (w *World) addSwitch(id orchestrator.SwitchID, i int) {
	sw := NewSwitch(id, w.clock)
	sw.Quirks = w.plan.Quirks
	if i%2 == 1 {
		sw.Quirks.DoesAttended, sw.Quirks.PartsWhileAsked = !sw.Quirks.DoesAttended, !sw.Quirks.PartsWhileAsked
	}
	sw.Object = func(text string) { w.fail("impossible on %s: %s", id, text) }
	w.wires = append(w.wires, newWire(w, sw))
}

// layTrunks lays a trunk for every link of the configuration.
func (w *World) layTrunks() {
	for _, pbx := range w.plan.Config.Switches {
		for _, l := range pbx.Links {
			w.trunks = append(w.trunks, LinkSwitches(w.wireOf(pbx.ID).sw, l.Trunk, w.wireOf(l.To).sw))
		}
	}
}

// wireOf is the connection to a switch.
func (w *World) wireOf(id orchestrator.SwitchID) *wire {
	for _, x := range w.wires {
		if x.sw.ID() == id {
			return x
		}
	}
	w.fail("impossible: there is no switch %q", id)
	return w.wires[0]
}

// someWire is one of the connections.
func (w *World) someWire() *wire {
	if len(w.wires) == 1 {
		return w.wires[0]
	}
	return pick(w.dice, w.wires...)
}

func (w *World) connect() {
	for _, x := range w.wires {
		x.connect()
	}
}

func (w *World) resync() {
	for _, x := range w.wires {
		x.resync()
	}
}

// cutTrunk breaks a trunk for a while, or lets it carry nothing new.
func (w *World) cutTrunk() {
	t := pick(w.dice, w.trunks...)
	if w.dice.chance(50) {
		t.Break()
	}
	t.Down(true)
	w.clock.After(w.dice.between(time.Second, 30*time.Second), func() { t.Down(false) })
}

// heard reports whether the floor hears every switch, and was told so.
func (w *World) heard() bool {
	for _, x := range w.wires {
		if x.down || w.book.attached[x.sw.ID()].IsZero() {
			return false
		}
	}
	return true
}

// mended is when the last connection began.
func (w *World) mended() (at time.Time) {
	for _, x := range w.wires {
		at = later(at, x.mended)
	}
	return at
}

// within reports whether a leg hears one that is meant: in its bridge, or in
// the one at the other end of a trunk.
func (w *World) within(id orchestrator.LegID, is func(*leg) bool) bool {
	for _, x := range w.wires {
		l := x.sw.leg(id)
		if l == nil || l.bridge == nil {
			continue
		}
		for _, other := range l.bridge.legs {
			if other != l && (is(other) || w.beyond(other.far, is)) {
				return true
			}
		}
	}
	return false
}

// beyond is within, at the other end of the trunk that a far end is one of.
func (w *World) beyond(f *Far, is func(*leg) bool) bool {
	for _, t := range w.trunks {
		if peer := t.across(f); peer != nil && peer.live() != nil && peer.leg.bridge != nil {
			return slices.ContainsFunc(peer.leg.bridge.legs, is)
		}
	}
	return false
}
