package simulation

import (
	"time"

	"ringmaster/orchestrator"
)

// wire is the connection between the floor and the switch, with everything a
// runner, an adapter and a network do to commands and events on their way.
type wire struct {
	w    *World
	sw   *Switch
	port *Port

	life     int                  // grows when what is on its way is lost
	lanes    map[string]time.Time // when a lane is free again
	streams  map[string]time.Time // when the last event of a leg or endpoint arrives
	horizon  time.Time            // when the last event on its way arrives
	barrier  time.Time            // nothing that begins now arrives before: a snapshot is on its way
	syncing  bool                 // a snapshot was asked for already
	down     bool                 // cut, from the switch's side
	fenced   bool                 // taken over by another orchestrator
	mended   time.Time            // when the connection began
	reopened *Timer
}

func newWire(w *World, sw *Switch) *wire {
	return &wire{w: w, sw: sw, lanes: map[string]time.Time{}, streams: map[string]time.Time{}}
}

// latency of one passage.
func (x *wire) latency() time.Duration {
	d := x.w.dice
	if x.w.plan.Exact || x.w.plan.Coarse > 0 {
		return time.Millisecond
	}
	if x.w.faults().Slow && d.chance(30) {
		return d.between(5*time.Millisecond, time.Second)
	}
	return d.between(time.Millisecond, 6*time.Millisecond)
}

// connect opens the connection for a floor that just began.
func (x *wire) connect() {
	x.fresh()
	x.down, x.fenced, x.mended = false, false, x.w.clock.Now()
	x.reopened.Stop()
	x.port = x.sw.Connect(x.take)
}

// fresh loses what is on its way.
func (x *wire) fresh() {
	x.life++
	x.syncing = false
	clear(x.lanes)
	clear(x.streams)
	x.horizon, x.barrier = time.Time{}, time.Time{}
}

// take is an event leaving the switch.
func (x *wire) take(e orchestrator.Event) {
	switch e.(type) {
	case orchestrator.SwitchLost, orchestrator.SwitchSuperseded:
		x.broken(e)
		return
	case orchestrator.SwitchSynced:
		x.snapshot(e)
		return
	}
	key := keyOf(e)
	at := x.w.clock.Now().Add(x.latency())
	if x.w.faults().Reorder && x.w.dice.chance(25) {
		at = at.Add(x.w.dice.between(0, 400*time.Millisecond))
	}
	at = later(at, x.streams[key], x.barrier)
	if !x.w.faults().Reorder {
		at = later(at, x.horizon)
	}
	x.streams[key] = at
	x.horizon = later(x.horizon, at)
	x.arrive(e, at)
	if x.w.faults().Duplicates && x.w.dice.chance(20) {
		x.arrive(e, at)
	}
}

// broken is the connection lost: noticing takes time, and what was on its way
// is lost, or came just before.
func (x *wire) broken(e orchestrator.Event) {
	at := x.w.clock.Now().Add(x.latency())
	if !x.w.plan.Exact {
		at = at.Add(x.w.dice.between(0, 4*time.Second))
	}
	if x.w.dice.chance(50) {
		x.fresh()
	}
	at = later(at, x.horizon)
	x.horizon, x.barrier, x.down = at, at, true
	x.arrive(e, at)
	if _, lost := e.(orchestrator.SwitchLost); lost && !x.w.plan.Exact {
		away := x.w.dice.between(4*time.Second, 40*time.Second)
		if x.w.dice.chance(10) {
			away = x.w.dice.between(5*time.Minute, 15*time.Minute) // long enough to be given up
		}
		x.reopen(away)
	}
}

// snapshot puts a barrier into the stream. Events from before it arrive before
// it, unless the seed says that they may be late.
func (x *wire) snapshot(e orchestrator.Event) {
	at := later(x.w.clock.Now().Add(x.latency()), x.barrier)
	if !x.w.faults().Late {
		at = later(at, x.horizon)
	}
	x.barrier = at
	x.horizon = later(x.horizon, at)
	x.arrive(e, at)
}

func (x *wire) arrive(e orchestrator.Event, at time.Time) {
	life := x.life
	x.w.clock.After(at.Sub(x.w.clock.Now()), func() {
		if life == x.life {
			if _, ok := e.(orchestrator.SwitchSynced); ok {
				x.syncing = false
			}
			x.w.deliver(e)
		}
	})
}

func later(times ...time.Time) (latest time.Time) {
	for _, t := range times {
		if t.After(latest) {
			latest = t
		}
	}
	return latest
}

// keyOf is what events keep their order within: a leg or an endpoint.
func keyOf(e orchestrator.Event) string {
	if e, ok := e.(orchestrator.EndpointChanged); ok {
		return "endpoint " + e.Endpoint
	}
	return string(orchestrator.EventLeg(e))
}

// send carries a command over. Commands of one lane wait for each other.
func (x *wire) send(c orchestrator.Command) {
	now := x.w.clock.Now()
	there := later(now.Add(x.latency()), x.lanes[c.Lane])
	back := there.Add(x.latency())
	fate := x.fate()
	if fate == unheard || fate == lostEffect {
		back = there.Add(2 * time.Second) // the runner's patience
	}
	x.lanes[c.Lane] = back
	life := x.life
	x.w.clock.After(there.Sub(now), func() {
		if x.w.floors != c.ID.Epoch {
			return // died before it was sent
		}
		result, reason := x.carry(c.Do, fate)
		x.w.clock.After(back.Sub(x.w.clock.Now()), func() {
			if x.w.floors != c.ID.Epoch {
				return // died before the answer
			}
			if life != x.life && result != orchestrator.ResultRejected {
				result, reason = orchestrator.ResultNoWord, "the connection broke"
			}
			if result != orchestrator.ResultAccepted && result != orchestrator.ResultAlready {
				x.w.deliver(orchestrator.CommandDone{
					Command: c.ID, Switch: c.Switch, Leg: orchestrator.ActionLeg(c.Do), Do: c.Do, Result: result, Reason: reason,
				})
			}
		})
	})
}

// fate is what the seed has in store for a command.
type fate int

const (
	carried fate = iota
	refused
	unheard    // never reached the switch
	lostEffect // done, but the answer was lost
)

func (x *wire) fate() fate {
	d := x.w.dice
	switch {
	case x.w.faults().Refusals && d.chance(4):
		return refused
	case x.w.faults().Silence && d.chance(4):
		return pick(d, unheard, lostEffect)
	}
	return carried
}

func (x *wire) carry(a orchestrator.Action, f fate) (orchestrator.CommandResult, string) {
	switch f {
	case refused:
		return orchestrator.ResultRejected, "trouble on the switch"
	case unheard:
		return orchestrator.ResultNoWord, "no answer"
	}
	result, reason := x.port.Do(a)
	if f == lostEffect {
		return orchestrator.ResultNoWord, "no answer"
	}
	return result, reason
}

// resync asks for a snapshot, once until it comes.
func (x *wire) resync() {
	if x.syncing {
		return
	}
	x.syncing = true
	life := x.life
	x.w.clock.After(x.latency(), func() {
		if life == x.life {
			x.port.Resync()
		}
	})
}

// cut breaks the connection for a while.
func (x *wire) cut() { x.port.Cut("the cable was pulled") }

// die is the floor's process gone: nobody hears, nobody speaks.
func (x *wire) die() {
	x.reopened.Stop()
	x.port.Close()
	x.fresh()
}

// taken is another orchestrator taking the switch over for a while.
func (x *wire) taken() {
	if x.down {
		return
	}
	other := x.sw.Connect(func(orchestrator.Event) {})
	x.fenced = true
	x.w.clock.After(x.w.dice.between(5*time.Second, 30*time.Second), func() {
		if x.fenced {
			other.Close()
			x.connect()
		}
	})
}

func (x *wire) reopen(after time.Duration) {
	x.reopened.Stop()
	x.reopened = x.w.clock.After(after, func() {
		if x.down && !x.fenced {
			x.down, x.mended = false, x.w.clock.Now()
			x.port.Open()
		}
	})
}
