package app

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringmaster/orchestrator"
)

const testTerm = 3 * time.Second

// row is a LeaseStore in memory. How it can be reached is up to the test.
type row struct {
	orchestrator.LeaseStore
	lock    sync.Mutex
	lease   orchestrator.Lease
	expires time.Time
	seen    map[orchestrator.InstanceID]time.Time
}

func newRow() *row { return &row{seen: map[orchestrator.InstanceID]time.Time{}} }

// look reads the row as somebody who is not on a wire.
func (r *row) look() orchestrator.Lease {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.now()
}

// forget is a standby that has not been heard of for too long.
func (r *row) forget(id orchestrator.InstanceID) {
	r.lock.Lock()
	defer r.lock.Unlock()
	delete(r.seen, id)
}

func (r *row) now() orchestrator.Lease {
	l := r.lease
	l.Left = time.Until(r.expires)
	return l
}

// wire is one process's way to the row.
type wire struct {
	*row
	away  atomic.Bool // nothing gets there
	mute  atomic.Bool // it gets there, and no answer comes back
	delay atomic.Int64
}

var errAway = &orchestrator.Error{Code: orchestrator.CodeUnavailable, Message: "the database is away"}

// reach does something at the row, unless it cannot be reached.
func (w *wire) reach(ctx context.Context, do func() error) error {
	pause := time.Duration(w.delay.Load() / 2)
	time.Sleep(pause)
	if w.away.Load() {
		<-ctx.Done()
		return errAway
	}
	w.lock.Lock()
	err := do()
	w.lock.Unlock()
	time.Sleep(pause)
	if w.mute.Load() || ctx.Err() != nil {
		<-ctx.Done()
		return errAway
	}
	return err
}

func (w *wire) AcquireLease(ctx context.Context, _ orchestrator.TenantID, c orchestrator.LeaseClaim) (l orchestrator.Lease, err error) {
	err = w.reach(ctx, func() error {
		if now := w.now(); !now.Free() && now.Holder.ID != c.Instance.ID {
			return &orchestrator.Error{Code: orchestrator.CodeConflict}
		}
		w.lease = orchestrator.Lease{Epoch: max(w.lease.Epoch+1, c.AtLeast), Holder: c.Instance}
		w.expires = time.Now().Add(c.Term)
		l = w.now()
		return nil
	})
	return l, err
}

func (w *wire) RenewLease(ctx context.Context, _ orchestrator.TenantID, h orchestrator.LeaseHold) (standbys int, err error) {
	err = w.reach(ctx, func() error {
		if w.lease.Holder.ID != h.Instance.ID || w.lease.Epoch > h.Epoch || w.lease.Released {
			return &orchestrator.Error{Code: orchestrator.CodeConflict}
		}
		w.lease.Epoch, w.lease.Yields, w.expires = h.Epoch, h.Yields, time.Now().Add(h.Term)
		for id, at := range w.seen {
			if id != h.Instance.ID && time.Since(at) < orchestrator.StandbyKept {
				standbys++
			}
		}
		return nil
	})
	return standbys, err
}

func (w *wire) StandBy(ctx context.Context, _ orchestrator.TenantID, i orchestrator.Instance) (l orchestrator.Lease, err error) {
	err = w.reach(ctx, func() error {
		w.seen[i.ID] = time.Now()
		l = w.now()
		return nil
	})
	return l, err
}

func (w *wire) StandDown(ctx context.Context, _ orchestrator.TenantID, id orchestrator.InstanceID) error {
	return w.reach(ctx, func() error { delete(w.seen, id); return nil })
}

// begin acquires the lease and keeps it in the background, as lead does.
func begin(t *testing.T, w *wire, id orchestrator.InstanceID) (k *keeper, changes chan bool, ended chan error) {
	t.Helper()
	m, err := remember(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	k = &keeper{
		store: w, me: orchestrator.Instance{ID: id}, memory: m, term: testTerm,
		log: slog.New(slog.DiscardHandler), clock: func() time.Duration { return time.Since(start) },
	}
	l, err := w.AcquireLease(t.Context(), "", orchestrator.LeaseClaim{Instance: k.me, Term: testTerm})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.lead(l.Epoch); err != nil {
		t.Fatal(err)
	}
	k.epoch = l.Epoch
	k.held(0)
	changes, ended = make(chan bool, 10), make(chan error, 1)
	go func() { ended <- k.keep(t.Context(), func(may bool) { changes <- may }) }()
	return k, changes, ended
}

func TestALoneLeaderGoesOnWithoutTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{row: newRow()}
		k, changes, _ := begin(t, w, "a")
		w.away.Store(true)
		time.Sleep(time.Hour)
		if !k.may() || len(changes) != 0 {
			t.Error("it stands still and nobody else can lead")
		}
		if w.look().Free() {
			t.Error("another could lead")
		}
		if again, err := remember(pathOf(k)); err != nil || !again.Alone {
			t.Errorf("a restart would not go on: %+v, %v", again, err)
		}
	})
}

func TestALeaderThatPromisedStandsStillInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{row: newRow()}
		other := &wire{row: w.row}
		k, changes, _ := begin(t, w, "a")
		standBy(t, other, "b")
		time.Sleep(2 * testTerm)
		if !w.look().Yields || !k.yields() {
			t.Fatal("no promise, and another stands by")
		}
		if again, err := remember(pathOf(k)); err != nil || again.Alone {
			t.Errorf("after a restart it would lead without asking: %+v, %v", again, err)
		}
		w.away.Store(true)
		if may := soon(t, changes); may || k.may() || w.look().Free() {
			t.Errorf("may %v, and another may %v", k.may(), w.look().Free())
		}
		time.Sleep(testTerm)
		if !w.look().Free() {
			t.Error("the other may not lead either")
		}
		w.away.Store(false) // and nobody took it
		if may := soon(t, changes); !may || !k.may() {
			t.Error("it does not go on")
		}
	})
}

func TestALeaderWhoseLeaseIsAnothersEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{row: newRow()}
		other := &wire{row: w.row}
		k, _, ended := begin(t, w, "a")
		standBy(t, other, "b")
		time.Sleep(2 * testTerm)
		w.away.Store(true)
		time.Sleep(2 * testTerm)
		if _, err := other.AcquireLease(t.Context(), "", orchestrator.LeaseClaim{Instance: orchestrator.Instance{ID: "b"}, Term: time.Hour}); err != nil {
			t.Fatal(err)
		}
		w.away.Store(false)
		if err := <-ended; !errors.Is(err, errLost) || k.may() {
			t.Errorf("%v, may %v", err, k.may())
		}
	})
}

// TestAPromiseIsTakenBackWhenTheDatabaseKnows: a leader whose standby is gone
// is free again, but not before the row says that nobody may take its lease.
func TestAPromiseIsTakenBackWhenTheDatabaseKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{row: newRow()}
		k, _, _ := begin(t, w, "a")
		standBy(t, w, "b")
		time.Sleep(2 * testTerm)
		w.forget("b")
		for range 200 {
			time.Sleep(20 * time.Millisecond)
			if w.look().Yields && !k.yields() {
				t.Fatal("free, and the row gives its lease away")
			}
		}
		if k.yields() || w.look().Yields {
			t.Error("it is bound for ever")
		}
	})
}

func soon(t *testing.T, changes <-chan bool) bool {
	t.Helper()
	select {
	case may := <-changes:
		return may
	case <-time.After(testTerm):
		t.Fatal("nothing changes")
	}
	return false
}

func standBy(t *testing.T, w *wire, id orchestrator.InstanceID) {
	t.Helper()
	if _, err := w.StandBy(t.Context(), "", orchestrator.Instance{ID: id}); err != nil {
		t.Fatal(err)
	}
}

func pathOf(k *keeper) string { return k.memory.path[:len(k.memory.path)-len("/instance")] }

// TestAtMostOneLeads lets several processes lead and wait in turn while their
// ways to the database break in every way, and their clocks do not run alike.
func TestAtMostOneLeads(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	led, changes := 0, 0
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			f := &fray{t: t, random: rand.New(rand.NewPCG(uint64(seed), 1)), row: newRow()}
			for _, id := range []orchestrator.InstanceID{"a", "b", "c"} {
				f.start(ctx, id)
			}
			for range 3000 {
				time.Sleep(20 * time.Millisecond)
				f.check(seed)
				f.disturb()
			}
			end()
			f.all.Wait()
			led += f.led
			changes += f.changes
		})
	}
	// A test in which nobody ever leads finds nothing.
	if led < seeds*1000 || changes < seeds {
		t.Errorf("in %d runs somebody led at %d instants of %d, and it changed %d times", seeds, led, 3000*seeds, changes)
	}
}

// fray is a few processes around one row.
type fray struct {
	t            *testing.T
	random       *rand.Rand
	row          *row
	players      []*player
	led, changes int
	last         string
	all          sync.WaitGroup
}

type player struct {
	me   orchestrator.Instance
	wire *wire
	now  atomic.Pointer[keeper]
}

func (f *fray) start(ctx context.Context, id orchestrator.InstanceID) {
	m, err := remember(f.t.TempDir())
	if err != nil {
		f.t.Fatal(err)
	}
	p := &player{me: orchestrator.Instance{ID: id}, wire: &wire{row: f.row}}
	f.players = append(f.players, p)
	started, drift := time.Now(), 0.96+0.04*f.random.Float64()
	clock := func() time.Duration { return time.Duration(float64(time.Since(started)) * drift) }
	f.all.Go(func() {
		for ctx.Err() == nil {
			if k := p.await(ctx, m, clock); k != nil {
				p.now.Store(k)
				k.keep(ctx, func(bool) {})
				p.now.Store(nil)
			}
			time.Sleep(testTerm / looks)
		}
	})
}

// await is App.await without an App.
func (p *player) await(ctx context.Context, m *memory, clock func() time.Duration) *keeper {
	ctx, cancel := context.WithTimeout(ctx, testTerm)
	defer cancel()
	l, err := p.wire.StandBy(ctx, "", p.me)
	if err != nil || !l.Free() && l.Holder.ID != p.me.ID {
		return nil
	}
	k := &keeper{store: p.wire, me: p.me, memory: m, term: testTerm, log: slog.New(slog.DiscardHandler), clock: clock}
	asked := clock()
	l, err = p.wire.AcquireLease(ctx, "", orchestrator.LeaseClaim{Instance: p.me, Term: testTerm, AtLeast: m.Epoch + 1})
	if err != nil || m.lead(l.Epoch) != nil {
		return nil
	}
	p.wire.StandDown(ctx, "", p.me.ID)
	k.epoch = l.Epoch
	k.held(asked)
	return k
}

// check counts who may lead at this instant.
func (f *fray) check(seed int) {
	synctest.Wait()
	who := ""
	for _, p := range f.players {
		if k := p.now.Load(); k != nil && k.may() {
			who += string(p.me.ID)
		}
	}
	if len(who) > 1 {
		f.t.Fatalf("seed %d: %s lead at once; the row is %+v", seed, who, f.row.look())
	}
	f.led += len(who)
	if who != "" && who != f.last {
		f.last = who
		f.changes++
	}
}

// disturb breaks or mends somebody's way now and then.
func (f *fray) disturb() {
	if f.random.IntN(40) > 0 {
		return
	}
	w := f.players[f.random.IntN(len(f.players))].wire
	w.away.Store(f.random.IntN(3) == 0)
	w.mute.Store(f.random.IntN(4) == 0)
	w.delay.Store(int64(f.random.IntN(400)) * int64(time.Millisecond))
}
