package simulation

import (
	"time"

	o "ringmaster/orchestrator"
)

// calm holds that mending does not harm: a snapshot that follows no gap cuts
// nothing short, and floor and switch do not drive each other round in circles.
type calm struct {
	w      *World
	epochs map[o.SwitchID]string // of the switches that are attached
	wake   time.Time             // the floor's next deadline, as of the step before
	second time.Time
	orders map[o.LegID]int // in this second
}

// busy is how many orders one leg may get in a second. A caller pressing keys
// in a menu gets some.
const busy = 60

func newCalm(w *World) *calm { return &calm{w: w, epochs: map[o.SwitchID]string{}} }

func (c *calm) fact(o.Fact) {}

func (c *calm) step(in o.Input, out o.Effects) {
	switch e := in.Event.(type) {
	case o.SwitchSynced:
		// What falls due at this very instant is ended by its own deadline.
		due := !c.wake.IsZero() && !c.wake.After(in.At)
		if c.epochs[e.Switch] == e.Epoch && !due {
			c.undisturbed(e, out)
		}
		c.epochs[e.Switch] = e.Epoch
	case o.SwitchLost:
		delete(c.epochs, e.Switch)
	case o.SwitchSuperseded:
		delete(c.epochs, e.Switch)
	case o.Restarted, o.InputFailed:
		clear(c.epochs)
	}
	c.count(in, out)
	c.once(out)
	c.wake, _ = c.w.floor.NextWake()
}

// undisturbed: whoever is on the switch hears on and rings on, unless it tells
// of an agent who has answered.
func (c *calm) undisturbed(e o.SwitchSynced, out o.Effects) {
	there := map[o.LegID]bool{}
	for _, l := range e.Snapshot.Legs {
		there[l.Leg] = true
	}
	connected := map[o.LegID]bool{}
	for _, cmd := range out.Commands {
		if a, ok := cmd.Do.(o.Connect); ok {
			connected[a.A] = true
		}
	}
	for _, f := range out.Facts {
		switch d := f.What.(type) {
		case o.PlayEnded:
			if there[d.Leg] && !connected[d.Leg] {
				c.w.fail("calm: a snapshot that was only asked for cuts short what leg %s hears", d.Leg)
			}
		case o.OfferEnded:
			if call := c.w.book.call(d.Call); d.Outcome != o.OfferAnswered && there[c.w.book.offers[d.Offer].Leg] && there[call.leg] {
				c.w.fail("calm: a snapshot that was only asked for ends offer %s", d.Offer)
			}
		}
	}
}

func (c *calm) count(in o.Input, out o.Effects) {
	if second := in.At.Truncate(time.Second); !second.Equal(c.second) {
		c.second, c.orders = second, map[o.LegID]int{}
	}
	for _, cmd := range out.Commands {
		leg := o.ActionLeg(cmd.Do)
		if c.orders[leg]++; leg != "" && c.orders[leg] > busy {
			c.w.fail("calm: leg %s got more than %d orders in one second", leg, busy)
		}
	}
}

// once: no step orders the same move twice. Each may be repeated, but two at once
// meet each other half done. Hang-ups and music harm nobody.
func (c *calm) once(out o.Effects) {
	for i, cmd := range out.Commands {
		switch cmd.Do.(type) {
		case o.Dial, o.Connect, o.Join, o.Separate, o.Release:
		default:
			continue
		}
		for _, other := range out.Commands[:i] {
			if other.Do == cmd.Do {
				c.w.fail("calm: one step orders %T %+v twice", cmd.Do, cmd.Do)
			}
		}
	}
}

func (c *calm) end() {}
