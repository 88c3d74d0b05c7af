package postgres

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"ringmaster/orchestrator"
)

// foldLeg takes in what happened to one leg of a call. Service legs belong to
// no call and have no row.
func (l *ledger) foldLeg(f orchestrator.Fact) error {
	switch d := f.What.(type) {
	case orchestrator.LegStarted:
		return l.legStarted(f, d)
	case orchestrator.LegRang:
		return l.withLeg(d.Call, d.Leg, func(leg *legRow) {
			if leg.RangAt == nil {
				leg.RangAt = maybe(f.At)
			}
		})
	case orchestrator.LegAnswered:
		return l.withLeg(d.Call, d.Leg, func(leg *legRow) { l.legAnswered(f.At, leg) })
	case orchestrator.LegMoved:
		return l.legMoved(f, d)
	case orchestrator.LegHeld:
		return l.withLeg(d.Call, d.Leg, func(leg *legRow) {
			if leg.HeldSince == nil {
				leg.HeldSince = maybe(f.At)
			}
		})
	case orchestrator.LegResumed:
		return l.withLeg(d.Call, d.Leg, func(leg *legRow) { leg.resume(f.At) })
	case orchestrator.LegClosed:
		at := l.legEnd(f.At, d)
		return l.withLeg(d.Call, d.Leg, func(leg *legRow) {
			leg.resume(at)
			leg.EndedAt = maybe(latest(at, leg.StartedAt))
			leg.Cause, leg.SIPStatus, leg.EndedBy = d.Cause, d.SIP, clean(string(d.By))
		})
	}
	return nil
}

// legEnd is when a leg ended as far as it is known: one that was not there any
// more when its switch was back, when the switch was lost with its call.
func (l *ledger) legEnd(at time.Time, d orchestrator.LegClosed) time.Time {
	call := l.calls.rows[string(d.Call)]
	if call == nil || call.LostAt == nil || d.By != orchestrator.EndedBySwitch || d.Cause != 0 {
		return at
	}
	return *call.LostAt
}

func (l *ledger) legStarted(f orchestrator.Fact, d orchestrator.LegStarted) error {
	if d.Call == "" {
		return nil
	}
	if l.calls.rows[string(d.Call)] == nil {
		return noCall(d.Call)
	}
	key := legKey{string(d.Call), clean(string(d.Leg))}
	if l.legs.rows[key] != nil {
		return fmt.Errorf("leg %s started before", d.Leg)
	}
	l.legs.insert(key, legRow{
		TenantID: l.tenant, CallID: key.call, ID: key.leg, Seq: f.Seq, Idx: f.Index, SwitchID: clean(string(d.Switch)),
		Role: clean(string(d.Role)), Endpoint: clean(d.Endpoint), AgentID: clean(string(d.Agent)),
		SIPCallID: clean(d.SIPCall), StartedAt: stamp(f.At),
	})
	return nil
}

// legMoved closes the leg in the call it was in and opens it in the other,
// answered and on hold as it is: what an agent does from now on is that call's.
func (l *ledger) legMoved(f orchestrator.Fact, d orchestrator.LegMoved) error {
	to, from := legKey{string(d.Call), clean(string(d.Leg))}, legKey{string(d.From), clean(string(d.Leg))}
	switch {
	case l.calls.rows[to.call] == nil:
		return noCall(d.Call)
	case l.legs.rows[from] == nil:
		return fmt.Errorf("no leg %s of call %s is known", d.Leg, d.From)
	case l.legs.rows[to] != nil:
		return fmt.Errorf("leg %s started before", d.Leg)
	}
	old := l.legs.edit(from)
	row := legRow{
		TenantID: l.tenant, CallID: to.call, ID: to.leg, Seq: f.Seq, Idx: f.Index, SwitchID: old.SwitchID, Role: old.Role,
		Endpoint: old.Endpoint, AgentID: old.AgentID, SIPCallID: old.SIPCallID, StartedAt: stamp(f.At),
	}
	if d.State != orchestrator.LegNew {
		row.RangAt = maybe(f.At)
	}
	if d.State == orchestrator.LegIsUp {
		row.AnsweredAt = maybe(f.At)
	}
	if old.HeldSince != nil {
		row.HeldSince = maybe(f.At)
	}
	old.resume(f.At)
	old.EndedAt, old.EndedBy = maybe(f.At), string(orchestrator.EndedByUs)
	l.legs.insert(to, row)
	return nil
}

// legAnswered: the caller's leg being answered is the call being answered.
func (l *ledger) legAnswered(at time.Time, leg *legRow) {
	if leg.AnsweredAt == nil {
		leg.AnsweredAt = maybe(at)
	}
	call := l.calls.rows[leg.CallID]
	if leg.Role == string(orchestrator.RoleCaller) && call != nil && call.AnsweredAt == nil {
		l.calls.edit(leg.CallID).AnsweredAt = leg.AnsweredAt
	}
}

func (l *ledger) withLeg(call orchestrator.CallID, id orchestrator.LegID, change func(*legRow)) error {
	if call == "" {
		return nil
	}
	leg := l.legs.edit(legKey{string(call), clean(string(id))})
	if leg == nil {
		return fmt.Errorf("no leg %s of call %s is known", id, call)
	}
	change(leg)
	return nil
}

// resume ends a hold, if there is one, and counts it.
func (r *legRow) resume(at time.Time) {
	if r.HeldSince != nil {
		r.HeldMs += int64(orchestrator.MillisOf(max(0, stamp(at).Sub(*r.HeldSince))))
		r.HeldSince = nil
	}
}

// checkUUID accepts the one form the floor makes: what the database gives back
// must be what it was given.
func checkUUID(what, id string) error {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id {
		return fmt.Errorf("%s id %q is not a UUID", what, clean(id))
	}
	return nil
}
