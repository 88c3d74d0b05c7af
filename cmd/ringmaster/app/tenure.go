package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"ringmaster/adapters/postgres"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/runner"
)

// tenure is one stretch of leading, from the lease to its end: the floors and
// everything that lives as long as they do.
type tenure struct {
	*App
	keeper  *keeper
	lines   *exchange // the switches that several tenants share
	centres []*centre // the first tenant's first
	alone   bool      // begun without the database
}

// begin restores the floors and gets everything ready; it starts nothing.
func (a *App) begin(ctx context.Context, c claim) (t *tenure, err error) {
	t = &tenure{App: a, alone: c.alone, keeper: &keeper{
		store: a.store, tenant: a.tenant, me: a.me, memory: a.memory, epoch: c.lease.Epoch,
		others: map[orchestrator.TenantID]uint64{}, term: a.cfg.Lease, log: a.log, clock: bootTime,
	}}
	t.lines = newExchange(a.cfg.all())
	t.keeper.held(c.asked)
	begun := t
	defer func() { // "return nil, err" has set t by then
		if err != nil {
			err = errors.Join(err, begun.close())
		}
	}()
	for _, tenant := range a.cfg.all() {
		lease, err := t.leaseOf(ctx, tenant, c)
		if err != nil {
			return nil, err
		}
		centre, err := t.openCentre(ctx, tenant, lease)
		if err != nil {
			return nil, err
		}
		t.centres = append(t.centres, centre)
		if err := centre.remember(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// centre is the one of a tenant, nil if it is not led here.
func (t *tenure) centre(tenant orchestrator.TenantID) *centre {
	for _, c := range t.centres {
		if c.tenant == tenant {
			return c
		}
	}
	return nil
}

func (t *tenure) close() error {
	var all error
	for _, c := range t.centres {
		all = errors.Join(all, c.close())
	}
	return all
}

// lead runs a tenure to its end. It returns errLost when another leads now, nil
// when ctx ended, and any other error when this process cannot go on.
func (a *App) lead(ctx context.Context, c claim) (err error) {
	t, err := a.begin(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	// Inner parts outlive outer ones: the floor runs until API and switches
	// have let go of it, and the lease is kept until the last fact is moved.
	always := context.WithoutCancel(ctx)
	lease := start(always, func(ctx context.Context) error { return t.keeper.keep(ctx, t.stand) })
	var facts, floors, boards parts
	for _, c := range t.centres {
		facts = append(facts, start(always, c.projector.Run))
		floors = append(floors, start(always, c.runner.Run))
	}
	a.tenure.Store(t)
	for _, c := range t.centres {
		boards = append(boards, start(ctx, c.switches.run))
	}

	outer, outerCtx := errgroup.WithContext(ctx)
	outer.Go(func() error { return t.catchUp(outerCtx) })
	outer.Go(func() error { t.defend(outerCtx); return nil })
	for _, c := range t.centres {
		outer.Go(func() error { c.images(outerCtx); return nil })
	}
	outer.Go(func() error { t.settleIn(outerCtx); return nil })
	for _, part := range slices.Concat(parts{lease}, facts, floors) {
		outer.Go(func() error { return part.watch(outerCtx) })
	}
	err = outer.Wait()
	a.tenure.Store(nil)
	if errors.Is(err, postgres.ErrSuperseded) {
		err = fmt.Errorf("%w: %w", errLost, err)
	}
	hung := time.AfterFunc(runner.StallAfter, t.stalled)
	defer hung.Stop()
	if err == nil && t.keeper.yields() {
		a.log.Info("handing over: calls go on, the standby takes the floor")
		err = t.handOver(floors, lease)
	} else if err == nil {
		a.log.Info("draining: calls go on at the switch and are adopted at the next start")
		<-a.served
	}
	boards.stop() //nolint:errcheck // they have none
	for _, c := range t.centres {
		c.switches.close()
	}
	// What a part died of was returned by watch.
	return errors.Join(err, floors.stop(), facts.stop(), lease.stop())
}

// parts are those of one kind, one of each tenant.
type parts []*part

// stop ends them all and returns what they died of.
func (p parts) stop() error {
	var all error
	for _, one := range p {
		all = errors.Join(all, one.stop())
	}
	return all
}

// part is something that runs until it is told to stop.
type part struct {
	end   context.CancelFunc
	ended chan struct{}
	err   error
	told  bool
}

func start(ctx context.Context, run func(context.Context) error) *part {
	ctx, end := context.WithCancel(ctx)
	p := &part{end: end, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.err = run(ctx)
	}()
	return p
}

// watch returns when the part ends by itself, with the reason.
func (p *part) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-p.ended:
		p.told = true
		if p.err == nil {
			return errors.New("a part of this process ended by itself")
		}
		return p.err
	}
}

// stop ends the part and returns what it died of, unless watch did.
func (p *part) stop() error {
	p.end()
	<-p.ended
	if p.told {
		return nil
	}
	return p.err
}

// stand stops everything at the switches when the lease may be another's, and
// begins anew when it turns out not to be. Closing the connections lets new
// calls take the dialplan's fallback.
func (t *tenure) stand(may bool) {
	if may {
		t.log.Info("going on: the lease is still ours")
	} else {
		t.log.Error("standing still: the lease could not be renewed in time and a standby may lead")
	}
	for _, c := range t.centres {
		c.switches.hold(!may)
	}
}

// catchUp tells the floors the configuration as the store has it, when it can be
// asked, and tells the caller that everything is up.
func (t *tenure) catchUp(ctx context.Context) error {
	announced := false
	for {
		ready := t.prepared.Load()
		if !ready {
			err := t.prepare(ctx)
			ready = err == nil
			if err != nil && orchestrator.CodeOf(err) != orchestrator.CodeUnavailable && ctx.Err() == nil {
				return err
			}
		}
		if ready {
			err := t.configure(ctx)
			ready = err == nil
			if err != nil && orchestrator.CodeOf(err) != orchestrator.CodeUnavailable && ctx.Err() == nil {
				return err
			}
		}
		if !announced {
			t.announce()
			announced = true
		}
		if ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(prepareEvery):
		}
	}
}

// settleIn does what can wait until this process leads.
func (t *tenure) settleIn(ctx context.Context) {
	if !t.alone {
		if err := t.store.StandDown(ctx, t.tenant, t.me.ID); err != nil && ctx.Err() == nil {
			t.log.Warn("stand down", "cause", err) // the others' promises last a while longer
		}
	}
	for _, c := range t.centres {
		if err := c.lookAside(); err != nil {
			t.log.Warn("look at the old journal", "tenant", c.tenant, "cause", err)
		}
	}
}

// configure tells every floor its configuration.
func (t *tenure) configure(ctx context.Context) error {
	for _, c := range t.centres {
		if err := c.configure(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *tenure) announce() {
	if t.cfg.Announce != nil {
		t.cfg.Announce(t.Address(), t.firstKeys)
		t.firstKeys = nil
	}
	for _, c := range t.centres {
		t.log.Info("leading", "address", t.Address(), "tenant", c.tenant, "epoch", c.lease.Epoch,
			"facts_restored", c.runner.Restored(), "without_database", t.alone)
	}
}
