package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"ringmaster/orchestrator"
)

// rows are the leases of several tenants, each with a wire of its own.
type rows struct {
	orchestrator.LeaseStore
	of map[orchestrator.TenantID]*wire
}

func (r rows) RenewLease(ctx context.Context, t orchestrator.TenantID, h orchestrator.LeaseHold) (int, error) {
	return r.of[t].RenewLease(ctx, t, h)
}

func (r rows) ReleaseLease(_ context.Context, t orchestrator.TenantID, _ orchestrator.InstanceID, _ uint64) error {
	w := r.of[t]
	w.lock.Lock()
	defer w.lock.Unlock()
	w.lease.Released = true
	return nil
}

// beginTwo is begin for a process that leads "main" and "acme".
func beginTwo(t *testing.T) (k *keeper, main, acme *wire, changes chan bool, ended chan error) {
	t.Helper()
	main, acme = &wire{row: newRow()}, &wire{row: newRow()}
	var epochs []uint64
	for _, w := range []*wire{main, acme} {
		l, err := w.AcquireLease(t.Context(), "", orchestrator.LeaseClaim{Instance: orchestrator.Instance{ID: "a"}, Term: testTerm, AtLeast: uint64(len(epochs)) + 7})
		if err != nil {
			t.Fatal(err)
		}
		epochs = append(epochs, l.Epoch)
	}
	m, err := remember(t.TempDir())
	if err != nil || m.lead(epochs[0]) != nil {
		t.Fatal(err)
	}
	start := time.Now()
	k = &keeper{
		store: rows{of: map[orchestrator.TenantID]*wire{"main": main, "acme": acme}}, tenant: "main",
		others: map[orchestrator.TenantID]uint64{"acme": epochs[1]}, epoch: epochs[0],
		me: orchestrator.Instance{ID: "a"}, memory: m, term: testTerm, log: slog.New(slog.DiscardHandler),
		clock: func() time.Duration { return time.Since(start) },
	}
	k.held(0)
	changes, ended = make(chan bool, 10), make(chan error, 1)
	go func() { ended <- k.keep(t.Context(), func(may bool) { changes <- may }) }()
	return k, main, acme, changes, ended
}

// TestEveryTenantsLeaseIsKept: the further tenants' leases run on with the
// first's and carry the same promise, so that whoever takes one may take all.
func TestEveryTenantsLeaseIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, main, acme, changes, _ := beginTwo(t)
		standBy(t, main, "b")
		time.Sleep(10 * testTerm)
		for name, w := range map[string]*wire{"main": main, "acme": acme} {
			if l := w.look(); l.Left <= 0 || !l.Yields {
				t.Errorf("the lease of %s: %+v", name, l)
			}
		}
		if !k.may() || len(changes) != 0 {
			t.Error("it does not lead")
		}
		// One that cannot be renewed may soon be another's.
		acme.away.Store(true)
		if may := soon(t, changes); may || k.may() || acme.look().Free() {
			t.Errorf("may %v, and another may take acme %v", k.may(), acme.look().Free())
		}
		if k.unwell() == nil {
			t.Error("it does not say that a lease is not renewed")
		}
		acme.away.Store(false)
		if may := soon(t, changes); !may || k.unwell() != nil {
			t.Errorf("it does not go on: %v", k.unwell())
		}
		if err := k.release(t.Context()); err != nil || !main.look().Released || !acme.look().Released {
			t.Errorf("handed over: %v, main %+v, acme %+v", err, main.look(), acme.look())
		}
	})
}

// TestATenantThatIsTakenEndsTheTenure: who leads several stops when one of them
// is another's, be the first still its own.
func TestATenantThatIsTakenEndsTheTenure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _, acme, _, ended := beginTwo(t)
		time.Sleep(testTerm)
		acme.lock.Lock()
		acme.lease = orchestrator.Lease{Epoch: 100, Holder: orchestrator.Instance{ID: "b"}}
		acme.lock.Unlock()
		if err := <-ended; !errors.Is(err, errLost) || k.may() {
			t.Errorf("%v, may %v", err, k.may())
		}
	})
}

// TestAFarDatabaseAfterABreak: a connection is gone and the next takes longer
// than a renewal may. The leader does not try in vain for ever.
func TestAFarDatabaseAfterABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{row: newRow()}
		k, _, _ := begin(t, w, "a")
		standBy(t, w, "b")
		w.delay.Store(int64(testTerm / 6))
		time.Sleep(3 * testTerm)
		if !k.yields() || !k.may() {
			t.Fatal("it did not lead")
		}
		w.delay.Store(int64(testTerm / 2)) // to connect, to prepare, to ask
		for k.unwell() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		for end := time.Now().Add(2 * testTerm); k.unwell() != nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it is never renewed again")
			}
		}
		w.delay.Store(int64(testTerm / 6))
		time.Sleep(testTerm)
		if !k.may() {
			t.Error("it does not lead")
		}
	})
}
