package simulation

import (
	"time"

	"ringmaster/orchestrator"
)

// trunkDelay is how long a SIP message takes from one switch to another.
const trunkDelay = 2 * time.Millisecond

// Trunk is a SIP trunk from one switch to another: what is dialled through it
// arrives there as a call from a switch of ours. While it is down it carries
// nothing new; Break also ends what it carries.
type Trunk struct {
	to    *Switch
	clock *Clock
	down  bool
	calls map[*Far]*Far // this side's far end -> the other's
	order []*Far        // this side's, oldest first
}

// LinkSwitches lays a trunk that from dials through endpoint.
func LinkSwitches(from *Switch, endpoint string, to *Switch) *Trunk {
	t := &Trunk{to: to, clock: from.clock, calls: map[*Far]*Far{}}
	from.AddTrunk(endpoint, t)
	return t
}

// Down keeps the trunk from carrying anything new, or no longer does.
func (t *Trunk) Down(down bool) { t.down = down }

// Break ends every call on the trunk, as a cut cable does once both sides have
// noticed.
func (t *Trunk) Break() {
	t.down = true
	for _, near := range t.order {
		if far := t.calls[near]; far != nil {
			near.Hangup()
			far.Hangup()
		}
	}
}

// across is the far end at the other side of a call this trunk carries.
func (t *Trunk) across(f *Far) *Far {
	if far := t.calls[f]; far != nil {
		return far
	}
	for near, far := range t.calls { // order-free: there is one at most
		if far == f {
			return near
		}
	}
	return nil
}

// Called is the other switch being dialled.
func (t *Trunk) Called(near *Far) int {
	if t.down {
		return 503
	}
	far := t.to.Link(near.Dialled(), near.Shown(), arrived{t, near})
	if far.Ended() {
		return 503
	}
	t.calls[near] = far
	t.order = append(t.order, near)
	return 180
}

// Ended is this side hanging up; the other hears of it.
func (t *Trunk) Ended(near *Far) {
	if far := t.calls[near]; far != nil {
		delete(t.calls, near)
		t.clock.After(trunkDelay, far.Hangup)
	}
}

// Up changes nothing on a trunk.
func (t *Trunk) Up(*Far) {}

// Hears changes nothing on a trunk.
func (t *Trunk) Hears(*Far, []orchestrator.Media) {}

// Together changes nothing on a trunk.
func (t *Trunk) Together(*Far) {}

// Alone changes nothing on a trunk.
func (t *Trunk) Alone(*Far) {}

// Fallback changes nothing on a trunk.
func (t *Trunk) Fallback(*Far) {}

// arrived is the trunk as a caller of the other switch.
type arrived struct {
	*Trunk
	near *Far
}

// Up is the other switch answering.
func (a arrived) Up(*Far) { a.clock.After(trunkDelay, a.near.Answer) }

// Ended is the other switch hanging up, or refusing.
func (a arrived) Ended(far *Far) {
	if a.calls[a.near] == nil {
		return
	}
	delete(a.calls, a.near)
	a.clock.After(trunkDelay, func() {
		if a.near.Up() {
			a.near.Hangup()
			return
		}
		a.near.Refuse(max(far.Status(), 400))
	})
}
