package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringmaster/api"
	"ringmaster/orchestrator"
)

const (
	// looks is how often in a term a waiting process looks at the lease.
	looks = 30
	// prepareEvery is how long a database that is away is left alone.
	prepareEvery = time.Second
	// shadowEvery is how often a waiting process reads what the leader did.
	shadowEvery = time.Second
)

// claim is the right to lead, as far as it is known.
type claim struct {
	lease orchestrator.Lease
	asked time.Duration // by the boot clock, before it was asked for
	alone bool          // without the database's word: see memory.Alone

	forced bool // a person said that whoever had it is gone for good
}

// prepare brings the database to where this program can use it. It may be
// repeated.
func (a *App) prepare(ctx context.Context) error {
	if err := a.store.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	for _, t := range a.cfg.all() {
		if err := a.store.OpenTenant(ctx, t); err != nil {
			return fmt.Errorf("open tenant %s: %w", t, err)
		}
		key, err := api.EnsureFirstKey(ctx, a.store, t, time.Now())
		if err != nil {
			return fmt.Errorf("make the first API key of %s: %w", t, err)
		}
		if key != "" {
			a.firstKeys = append(a.firstKeys, FirstKey{t, key})
		}
	}
	a.prepared.Store(true)
	return nil
}

// await returns when this process may lead. Meanwhile it says why not, once
// for each reason.
func (a *App) await(ctx context.Context) (claim, error) {
	w := &waiting{App: a, first: a.tenures == 0 && !a.cfg.Standby}
	defer a.blocked.Store(nil)
	for {
		c, err := w.look(ctx)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			w.standDown()
			return claim{}, ctx.Err()
		}
		if stop, is := errors.AsType[*hopeless](err); is {
			return claim{}, stop.error
		}
		a.block(err)
		pause := a.cfg.Lease / looks
		if !a.prepared.Load() {
			pause = prepareEvery
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// block keeps and logs why this process does not lead.
func (a *App) block(why error) {
	text := why.Error()
	if old := a.blocked.Swap(&text); old == nil || *old != text {
		a.log.Warn("not leading", "reason", text)
	}
}

// hopeless is an error that waiting does not mend.
type hopeless struct{ error }

// waiting is one stretch of not leading.
type waiting struct {
	*App
	first bool // nobody's first wish to lead is for them to hear of a standby
	began time.Time
	told  bool // that we stand by
	tried bool // to acquire, without learning what became of it

	shadows map[orchestrator.TenantID]*shadow
	shadAt  time.Time
}

// look tries once to lead.
func (w *waiting) look(ctx context.Context) (claim, error) {
	if !w.prepared.Load() {
		if err := w.prepare(ctx); err != nil {
			return w.withoutDatabase(err)
		}
	}
	if w.first || w.cfg.TakeOver {
		w.first = false
		c, err := w.acquire(ctx)
		if err == nil || orchestrator.CodeOf(err) != orchestrator.CodeConflict {
			return c, err
		}
	}
	lease, err := w.store.StandBy(ctx, w.tenant, w.me)
	switch {
	case err != nil:
		return claim{}, err
	case w.doubled(lease):
		return claim{}, &hopeless{fmt.Errorf("%s leads under this installation's own name: was the data folder copied? "+
			"remove the file %s from the copy", lease.Holder.Name, w.memory.path)}
	case lease.Epoch != 0 && lease.Holder.ID == w.me.ID, lease.Free() && !w.polite(lease):
		return w.acquire(ctx)
	}
	w.follow(ctx)
	w.tell(lease)
	return claim{}, because(lease)
}

// doubled reports that another process goes by our name: the lease is ours,
// under an epoch we never had.
func (w *waiting) doubled(l orchestrator.Lease) bool {
	return l.Holder.ID == w.me.ID && l.Epoch > w.memory.Epoch && w.tenures > 0 && !w.tried
}

// polite lets the one that was started without --standby lead first.
func (w *waiting) polite(lease orchestrator.Lease) bool {
	if w.began.IsZero() {
		w.began = time.Now()
	}
	return lease.Epoch == 0 && time.Since(w.began) < w.cfg.Lease
}

// because says in words why a lease cannot be taken.
func because(l orchestrator.Lease) error {
	switch {
	case l.Epoch == 0:
		return errors.New("standing by: nobody leads yet")
	case l.Left < 0 && !l.Yields:
		return fmt.Errorf("standing by: %s led last and may still lead, cut off from the database, because it knew of no standby; "+
			"if it is gone for good, start this one with --take-over", l.Holder.Name)
	}
	return fmt.Errorf("standing by: %s leads", l.Holder.Name)
}

// acquire takes the lease and everything that goes with it.
func (w *waiting) acquire(ctx context.Context) (claim, error) {
	asked := bootTime()
	lease, err := w.store.AcquireLease(ctx, w.tenant, orchestrator.LeaseClaim{
		Instance: w.me, Term: w.cfg.Lease, AtLeast: w.memory.Epoch + 1, Force: w.cfg.TakeOver,
	})
	if err != nil {
		w.tried = w.tried || orchestrator.CodeOf(err) != orchestrator.CodeConflict
		return claim{}, err
	}
	forced := w.cfg.TakeOver
	w.cfg.TakeOver = false // said once, meant once
	w.past = w.shadows
	return claim{lease: lease, asked: asked, forced: forced}, nil
}

// withoutDatabase is a start while the database is away. Who led last, promised
// nothing and has a past goes on from it: nobody else can have taken over.
func (w *waiting) withoutDatabase(cause error) (claim, error) {
	if orchestrator.CodeOf(cause) != orchestrator.CodeUnavailable {
		return claim{}, &hopeless{cause}
	}
	if w.memory.Epoch == 0 {
		return claim{}, fmt.Errorf("waiting for the database, which a first start needs: %w", cause)
	}
	if w.cfg.Standby || !w.memory.Alone || w.tenures > 0 {
		return claim{}, fmt.Errorf("waiting for the database, because another ringmaster may lead: %w", cause)
	}
	return claim{alone: true, lease: orchestrator.Lease{Epoch: w.memory.Epoch + 1, Holder: w.me}}, nil
}

// follow keeps the state of the floor at hand, so that taking over does not
// begin with reading all of it.
func (w *waiting) follow(ctx context.Context) {
	if time.Since(w.shadAt) < shadowEvery {
		return
	}
	w.shadAt = time.Now()
	if w.shadows == nil {
		w.shadows = map[orchestrator.TenantID]*shadow{}
	}
	for _, t := range w.cfg.all() {
		if w.shadows[t] == nil {
			w.shadows[t] = newShadow(w.store, t)
		}
		if err := w.shadows[t].catchUp(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("follow the leader", "tenant", t, "cause", err)
		}
	}
}

// tell announces once that this process stands by.
func (w *waiting) tell(l orchestrator.Lease) {
	if !w.told && w.cfg.StandsBy != nil {
		w.cfg.StandsBy(w.Address(), l.Holder.Name)
	}
	w.told = true
}

func (w *waiting) standDown() {
	ctx, cancel := context.WithTimeout(context.Background(), prepareEvery)
	defer cancel()
	if w.prepared.Load() {
		if err := w.store.StandDown(ctx, w.tenant, w.me.ID); err != nil {
			w.log.Warn("stand down", "cause", err)
		}
	}
}
