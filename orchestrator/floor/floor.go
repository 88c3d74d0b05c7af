// Package floor is one tenant's call centre as one sequential state machine.
//
// Step takes an input and returns everything it caused: facts, which are also
// the only thing that changes the floor's state; commands to switches; asks to
// anything else. The package reads no clock, starts no goroutine and does no
// I/O: the same inputs give the same effects, on any machine, for ever.
//
// It refuses to know how a switch is spoken to, where facts are kept and who
// reads them. DESIGN.md in this folder draws the state machines and numbers
// the decisions.
package floor

import (
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/acd"
	"ringmaster/orchestrator/calendar"
)

// Config names a floor. Two floors, and two leases of one floor, must differ
// in Tenant or Epoch: the identifiers they mint depend on both.
type Config struct {
	Tenant o.TenantID
	Epoch  uint64
}

// Floor is the engine. It is not safe for concurrent use: one goroutine owns
// it (see orchestrator/runner).
type Floor struct {
	cfg  Config
	mint o.Minter

	// The state: a fold of facts, nothing else. Image shows all of it.
	state

	// Indexes over the state, rebuilt from it by Restore.
	matcher   *acd.Matcher
	deadlines deadlineHeap
	hours     map[o.HoursID]*calendar.Compiled
	zone      *time.Location

	// What one Step has gathered so far.
	out        o.Effects
	minted     uint64
	newWaiting []o.CallID  // calls that began to wait in this step
	newFree    []o.AgentID // agents who became free in this step
	rematch    bool        // who may serve which queue changed in this step
}

// New returns an empty floor: no configuration, no switch, no call.
func New(cfg Config) *Floor {
	f := &Floor{cfg: cfg, state: newState()}
	f.mint = o.Minter{Space: spaceOf(cfg)}
	f.reindex()
	return f
}

// spaceOf hashes tenant and epoch (FNV-1a, 64 bit).
func spaceOf(cfg Config) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(cfg.Tenant) {
		h = (h ^ uint64(cfg.Tenant[i])) * 1099511628211
	}
	for i := range 8 {
		h = (h ^ (cfg.Epoch >> (8 * i) & 0xff)) * 1099511628211
	}
	return h
}

// Step lets one input happen. Inputs come with growing Seq; At may stand
// still but not run backwards (an earlier At is taken as the last one).
func (f *Floor) Step(in o.Input) o.Effects {
	if in.Seq <= f.Seq {
		panic("floor: input out of line")
	}
	f.Seq = in.Seq
	if in.At.After(f.At) {
		f.At = in.At
	}
	f.out, f.minted = o.Effects{}, 0
	f.newWaiting, f.newFree, f.rematch = f.newWaiting[:0], f.newFree[:0], false
	f.handle(in.Event)
	f.expire()
	f.match()
	return f.out
}

// handle is the one switch over everything that can happen.
func (f *Floor) handle(event o.Event) {
	switch e := event.(type) {
	case o.SwitchSynced:
		f.switchSynced(e)
	case o.SwitchLost:
		f.switchLost(e.Switch, e.Reason)
	case o.SwitchSuperseded:
		f.switchLost(e.Switch, "superseded")
	case o.SwitchOverloaded:
		f.switchOverloaded(e)
	case o.LegOffered:
		if !f.gone(e.Switch, e.Leg) { // else told after its end
			f.legOffered(e)
		}
	case o.LegRinging:
		f.legRinging(e.Leg)
	case o.LegUp:
		f.legUp(e.Leg)
	case o.LegHold:
		f.legHold(e.Leg, true)
	case o.LegUnhold:
		f.legHold(e.Leg, false)
	case o.Digit:
		f.digit(e)
	case o.Joined:
		f.joined(e)
	case o.Left:
		f.left(e)
	case o.PlayDone:
		f.playDone(e)
	case o.TransferAsked:
		f.transferAsked(e)
	case o.TransferHappened:
		f.transferHappened(e)
	case o.LegReleased:
		f.legReleased(e.Leg)
	case o.LegEnded:
		f.legEnded(e)
	case o.EndpointChanged:
		f.endpointChanged(e)
	case o.CommandDone:
		f.commandDone(e)
	case o.ConfigChanged:
		f.configChanged(e.Change)
	case o.AgentAsked:
		f.agentAsked(e)
	case o.HangupAsked:
		f.hangupAsked(e)
	case o.PINRead:
		f.pinRead(e)
	case o.Restarted:
		for _, id := range f.Attached() {
			f.switchLost(id, "restart")
		}
	case o.InputFailed:
		f.emit(o.InputSetAside(e))
	case o.Wake:
	}
}

// NextWake is the earliest deadline, if there is any: the runner injects a
// Wake then. An earlier or needless Wake does no harm.
func (f *Floor) NextWake() (time.Time, bool) { return f.deadlines.next() }

// emit decides a fact: it joins the step's effects and changes the state.
func (f *Floor) emit(d o.Deed) {
	fact := o.Fact{Seq: f.Seq, Index: len(f.out.Facts), At: f.At, What: d}
	f.out.Facts = append(f.out.Facts, fact)
	f.fold(fact)
}

// command orders something of a switch, in the lane of its call or leg. To a
// switch that cannot be heard, or that is another's now, nothing is sent: once
// it is synced, switchSynced orders again what is still wanted.
func (f *Floor) command(sw o.SwitchID, lane string, do o.Action) {
	if !f.attached(sw) {
		return
	}
	id := o.CommandID{Epoch: f.cfg.Epoch, Seq: f.Seq, Index: len(f.out.Commands)}
	f.out.Commands = append(f.out.Commands, o.Command{ID: id, Switch: sw, Lane: lane, Do: do})
}

// order is command in a call's lane, to the switch that carries the leg.
func (f *Floor) order(c *call, do o.Action) {
	sw := c.Switch
	if l := f.Legs[o.ActionLeg(do)]; l != nil {
		sw = l.Switch
	}
	f.command(sw, string(c.ID), do)
}

// ask puts a question to the outside.
func (f *Floor) ask(q o.Question) {
	id := o.AskID{Epoch: f.cfg.Epoch, Seq: f.Seq, Index: len(f.out.Asks)}
	f.out.Asks = append(f.out.Asks, o.Ask{ID: id, What: q})
}

// newID mints the step's next identifier.
func (f *Floor) newID() string {
	f.minted++
	return f.mint.Mint(f.At, f.Seq, f.minted)
}

func (f *Floor) stamp(c o.CallID, leg o.LegID, role o.LegRole) o.Stamp {
	return o.Stamp{Tenant: f.cfg.Tenant, Call: c, Leg: leg, Role: role, Epoch: f.cfg.Epoch}
}
