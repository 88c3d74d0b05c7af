package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ringmaster/orchestrator"
)

// keeper holds a lease while this process leads, and knows at every instant
// whether it still may.
//
// It judges by a clock that nobody sets and that goes on while the machine
// sleeps, from before it asked for the lease, less a margin: it stops before the
// database gives the lease to another. Whether it must stop at all when it
// cannot renew is DESIGN.md 3: only if it has promised to.
type keeper struct {
	store  orchestrator.LeaseStore
	tenant orchestrator.TenantID
	me     orchestrator.Instance
	memory *memory
	epoch  uint64
	others map[orchestrator.TenantID]uint64 // further tenants that are led along, and their epochs
	term   time.Duration
	log    *slog.Logger
	clock  func() time.Duration

	turn     sync.Mutex // one renewal at a time: what the row says last must be what we know
	lock     sync.Mutex
	until    time.Duration // by clock, that the lease is surely ours
	promised bool          // to stop when it is not
	say      bool          // that the next renewal tells the database so
	lost     bool
	parting  time.Duration // by clock, until when switches are listened to after a release
	trouble  error
}

// errLost ends a tenure: another process leads.
var errLost = errors.New("another ringmaster leads")

const (
	defaultTerm = 3 * time.Second
	leastTerm   = time.Second
	mostTerm    = time.Minute
	// renewals is how often a lease is renewed in its term: one may be lost.
	renewals = 3
	// marginPart of the term is left for clocks that do not run alike and for
	// what is between asking whether we lead and the command leaving.
	marginPart = 10
)

// bootTime goes on while the machine is suspended, as Go's own does not.
func bootTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(fmt.Sprintf("read the boot clock: %v", err)) // it is there since Linux 2.6.39
	}
	return time.Duration(t.Nano())
}

// may reports whether this process leads now. It is asked before every command.
func (k *keeper) may() bool {
	k.lock.Lock()
	defer k.lock.Unlock()
	return !k.lost && (!k.promised || k.clock() < k.until)
}

// listens reports whether the connections to the switches may be used: while
// this process leads, and for a moment after it gave the lease away. No command
// is left then; what is written is what keeps a connection alive.
func (k *keeper) listens() bool {
	if k.may() {
		return true
	}
	k.lock.Lock()
	defer k.lock.Unlock()
	return k.clock() < k.parting
}

// held notes that the lease is ours for a term from asked.
func (k *keeper) held(asked time.Duration) {
	k.until = asked + k.term - k.term/marginPart
	if k.trouble != nil {
		k.log.Info("the lease is renewed again")
	}
	k.trouble = nil
}

// keep renews until ctx ends (nil) or the lease is another's (errLost). It
// tells changed when this process must stand still and when it may go on.
func (k *keeper) keep(ctx context.Context, changed func(may bool)) error {
	may := true
	for {
		err := k.renew(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		if errors.Is(err, errLost) {
			return err
		}
		pause := k.term / renewals
		if err != nil {
			pause = k.term / marginPart // what is left of the lease is for more than one more try
		}
		wait := time.NewTimer(pause)
		for waiting := true; waiting; {
			if now := k.may(); now != may {
				may = now
				changed(may)
			}
			select {
			case <-ctx.Done():
				wait.Stop()
				return nil
			case <-wait.C:
				waiting = false
			case <-k.runsOut(may):
			}
		}
	}
}

// runsOut is the moment at which may turns to no by itself.
func (k *keeper) runsOut(may bool) <-chan time.Time {
	k.lock.Lock()
	defer k.lock.Unlock()
	if !may || !k.promised {
		return nil
	}
	return time.After(k.until - k.clock())
}

// renew asks once. What it is told about others who stand by changes what it
// promises, in this order: first it is bound, then it says so; first the
// database knows that it takes the promise back, then it is free.
func (k *keeper) renew(ctx context.Context) error {
	k.turn.Lock()
	defer k.turn.Unlock()
	k.lock.Lock()
	asked, said := k.clock(), k.say
	patience := k.patience(asked)
	k.lock.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	standbys, err := k.renewAll(ctx, said)
	k.lock.Lock()
	defer k.lock.Unlock()
	switch {
	case orchestrator.CodeOf(err) == orchestrator.CodeConflict:
		k.lost = true
		return fmt.Errorf("%w: %w", errLost, errors.Join(err, k.memory.setAlone(false)))
	case err != nil:
		if k.trouble == nil {
			k.log.Warn("the lease is not renewed", "yields", k.promised, "cause", err)
		}
		k.trouble = err
		return err
	}
	k.held(asked)
	switch {
	case standbys > 0:
		k.say = k.promise(true)
	case said:
		k.say = false
	default:
		k.promise(false)
	}
	return nil
}

// patience is how long a renewal that is asked for now may take. After a failure
// it is more: connecting anew takes several rounds, and each its time when the
// database is far. But when this process must stand still, that must be told.
func (k *keeper) patience(asked time.Duration) time.Duration {
	if k.trouble == nil {
		return k.term / renewals
	}
	long := 2 * k.term / renewals
	if left := k.until - asked; k.promised && left > 0 {
		return min(long, left)
	}
	return long
}

// renewAll renews every tenant's lease. Who leads one leads all of them, so the
// lease is held when all are, and lost with any. It asks at once for all: the
// database may be far.
func (k *keeper) renewAll(ctx context.Context, yields bool) (standbys int, err error) {
	type answer struct {
		standbys int
		err      error
	}
	leases := k.leases()
	answers := make(chan answer, len(leases))
	for tenant, epoch := range leases {
		go func() {
			n, err := k.store.RenewLease(ctx, tenant, orchestrator.LeaseHold{
				Instance: k.me, Epoch: epoch, Term: k.term, Yields: yields,
			})
			answers <- answer{n, err}
		}()
	}
	for range leases {
		a := <-answers
		standbys += a.standbys
		if err == nil || orchestrator.CodeOf(a.err) == orchestrator.CodeConflict {
			err = a.err
		}
	}
	return standbys, err
}

// leases are the epochs of all that are held.
func (k *keeper) leases() map[orchestrator.TenantID]uint64 {
	all := map[orchestrator.TenantID]uint64{k.tenant: k.epoch}
	maps.Copy(all, k.others)
	return all
}

// unwell is why the lease is not renewed just now, nil when it is.
func (k *keeper) unwell() error {
	k.lock.Lock()
	defer k.lock.Unlock()
	return k.trouble
}

// promise binds this process to stop when its lease runs out, or frees it, and
// reports whether it is bound for sure, after a restart too.
func (k *keeper) promise(yields bool) bool {
	if k.promised != yields {
		k.log.Info("standby seen or gone", "yields", yields)
	}
	k.promised = yields
	if err := k.memory.setAlone(!yields); err != nil {
		k.log.Error("note whether this process yields", "cause", err)
		return false
	}
	return yields
}

// yields reports whether somebody else may take the lease when it runs out.
func (k *keeper) yields() bool {
	k.lock.Lock()
	defer k.lock.Unlock()
	return k.promised
}

// release gives the lease away. Nothing may be sent any more.
func (k *keeper) release(ctx context.Context) error {
	k.lock.Lock()
	k.lost = true
	k.parting = k.clock() + followMax
	err := k.memory.setAlone(false)
	k.lock.Unlock()
	if err != nil {
		return err
	}
	// The first tenant's last: it is the one that is waited for, and whoever has
	// it takes the others.
	for tenant, epoch := range k.others {
		if err := k.store.ReleaseLease(ctx, tenant, k.me.ID, epoch); err != nil {
			return err
		}
	}
	return k.store.ReleaseLease(ctx, k.tenant, k.me.ID, k.epoch)
}
