package share

import (
	"context"
	"slices"

	o "ringmaster/orchestrator"
)

// Backlog is how many events may wait for one tenant's floor; one place is
// kept for the word that more were lost.
const Backlog = 1 << 14

// View is one tenant's side of a shared switch.
type View struct {
	shared *Shared
	tenant o.TenantID
	id     o.SwitchID
	events chan o.Event

	// Guarded by Shared.lock.
	lost     bool
	dialling map[o.LegID]struct{}
}

// ID is the tenant's own name for the switch.
func (v *View) ID() o.SwitchID { return v.id }

// Capabilities are those of the shared switch.
func (v *View) Capabilities() o.Capabilities { return v.shared.sw.Capabilities() }

// Events is the one ordered stream of this tenant.
func (v *View) Events() <-chan o.Event { return v.events }

// Run waits for ctx: the connection is kept by Shared.Run.
func (v *View) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Resync asks for a fresh snapshot. The other tenants get one too; a snapshot
// that follows no gap disturbs nobody.
func (v *View) Resync() { v.shared.sw.Resync() }

// Do carries out one action, on this tenant's legs only: another tenant's is
// ResultNotFound, as if it were not there.
func (v *View) Do(ctx context.Context, a o.Action) (o.CommandResult, string) {
	d, dial := a.(o.Dial)
	if !v.may(a) {
		return o.ResultNotFound, "no such leg"
	}
	if !dial {
		return v.shared.sw.Do(ctx, a)
	}
	v.begin(d.Leg)
	result, reason := v.shared.sw.Do(ctx, a)
	v.began(d.Leg, result)
	return result, reason
}

// may reports whether the legs an action names are this tenant's, or nobody's.
func (v *View) may(a o.Action) bool {
	v.shared.lock.Lock()
	defer v.shared.lock.Unlock()
	legs := []o.LegID{o.ActionLeg(a)}
	switch a := a.(type) {
	case o.Connect:
		legs = append(legs, a.A)
	case o.Supervise:
		legs = append(legs, a.Target)
	}
	return !slices.ContainsFunc(legs, func(leg o.LegID) bool {
		owner := v.shared.owner[leg]
		return owner != nil && owner != v
	})
}

// begin makes the events of a leg ours before the first can come.
func (v *View) begin(leg o.LegID) {
	v.shared.lock.Lock()
	defer v.shared.lock.Unlock()
	if v.dialling == nil {
		v.dialling = map[o.LegID]struct{}{}
	}
	v.dialling[leg] = struct{}{}
	v.shared.owner[leg] = v
}

// began ends begin. A dial that was rejected left no leg; of one that was
// answered ResultAlready the leg may live as well as not, and its end is told.
func (v *View) began(leg o.LegID, result o.CommandResult) {
	v.shared.lock.Lock()
	defer v.shared.lock.Unlock()
	delete(v.dialling, leg)
	if result == o.ResultRejected || result == o.ResultNotFound {
		delete(v.shared.owner, leg)
	}
}

// tell hands an event to the tenant without ever waiting. Called with the lock.
func (v *View) tell(e o.Event) {
	if _, synced := e.(o.SwitchSynced); synced && len(v.events) < Backlog/2 {
		v.lost = false
	}
	if v.lost {
		return // only a snapshot may follow the loss
	}
	if len(v.events) < Backlog-1 {
		v.events <- e
		return
	}
	v.lost = true
	v.events <- o.SwitchLost{Switch: v.id, Reason: "the floor did not keep up"} // the place kept free
}
