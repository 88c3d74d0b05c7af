package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringmaster/adapters/postgres/cluster"
	o "ringmaster/orchestrator"
)

// tape is a journal in memory: steps of facts, read from anywhere.
type tape struct {
	mu    sync.Mutex
	steps [][]o.Fact
	acked uint64
	more  chan struct{} // closed and replaced when a step is added
}

func newTape() *tape { return &tape{more: make(chan struct{})} }

// steps cuts facts where one step ends.
func steps(facts []o.Fact) (out [][]o.Fact) {
	for len(facts) > 0 {
		n := slices.IndexFunc(facts, func(f o.Fact) bool { return f.Seq != facts[0].Seq })
		if n < 0 {
			n = len(facts)
		}
		out = append(out, facts[:n])
		facts = facts[n:]
	}
	return out
}

// add takes whole steps.
func (t *tape) add(facts []o.Fact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps = append(t.steps, steps(facts)...)
	close(t.more)
	t.more = make(chan struct{})
}

func (t *tape) acknowledged() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.acked
}

// reader is one run's place on the tape: behind what was acknowledged.
type reader struct {
	*tape
	next int
}

func (t *tape) reader() *reader {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := slices.IndexFunc(t.steps, func(step []o.Fact) bool { return step[0].Seq > t.acked })
	if next < 0 {
		next = len(t.steps)
	}
	return &reader{tape: t, next: next}
}

func (r *reader) Next(ctx context.Context) ([]o.Fact, error) {
	for {
		r.mu.Lock()
		more := r.more
		if r.next < len(r.steps) {
			r.next++
			defer r.mu.Unlock()
			return r.steps[r.next-1], nil
		}
		r.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *reader) Acknowledge(seq uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acked = max(r.acked, seq)
	return nil
}

// runProjector runs one until the returned function is called.
func runProjector(tb testing.TB, s *Store, source Source) (*Projector, func()) {
	tb.Helper()
	p := NewProjector(ProjectorConfig{Store: s, Tenant: acme, Source: source, Log: s.log})
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return p, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
}

func eventually(tb testing.TB, what string, check func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if check() {
			return
		}
	}
	tb.Fatal("never: " + what)
}

// expected is the rows the facts lead to when nothing goes wrong.
func expected(t *testing.T, facts []o.Fact) string {
	t.Helper()
	s := newTenant(t)
	project(t, s, facts)
	return derived(t, s)
}

func TestProjectorMovesFactsAsTheyCome(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	facts := newCentre(11, 5).run(800)
	last := facts[len(facts)-1].Seq
	log := newTape()
	p, stop := runProjector(t, s, log.reader())
	defer stop()
	for chunk := range slices.Chunk(steps(facts), 10) {
		log.add(slices.Concat(chunk...))
	}
	eventually(t, "all is acknowledged", func() bool { return log.acknowledged() == last })
	if h := p.Health(); h.Seq != last || h.Trouble != nil || h.SetAside != 0 {
		t.Fatalf("%+v", h)
	}
	same(t, derived(t, s), expected(t, facts))
}

func TestProjectorStopsAtWhatItCannotRead(t *testing.T) {
	t.Parallel()
	broken := errors.New("frame 7 is damaged")
	p := NewProjector(ProjectorConfig{Store: newTenant(t), Tenant: acme, Source: failing{broken}})
	if err := p.Run(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if p.Health().Trouble == nil {
		t.Fatal("its health does not tell")
	}
}

type failing struct{ error }

func (f failing) Next(context.Context) ([]o.Fact, error) { return nil, f.error }
func (failing) Acknowledge(uint64) error                 { return nil }

// ownServer is a cluster for a test that harms it.
func ownServer(t *testing.T) (folder string, c *cluster.Cluster, s *Store) {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "rmdb") // a socket needs a short path
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	c, err = cluster.Start(t.Context(), cluster.Config{Folder: folder})
	must(t, err)
	must(t, c.CreateDatabase(t.Context(), "ringmaster"))
	s = openStore(t, c.DSN("ringmaster"))
	must(t, s.Migrate(t.Context()))
	must(t, s.OpenTenant(t.Context(), acme))
	return folder, c, s
}

func postmaster(t *testing.T, folder string) int {
	t.Helper()
	var pid int
	eventually(t, "a postmaster runs", func() bool {
		text, err := os.ReadFile(filepath.Join(folder, "cluster", "postmaster.pid"))
		if err != nil {
			return false
		}
		first, _, _ := bytes.Cut(text, []byte("\n"))
		pid, err = strconv.Atoi(string(first))
		return err == nil
	})
	return pid
}

func TestNothingIsLostWhenTheServerIsKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	folder, c, s := ownServer(t)
	defer c.Stop()
	facts := newCentre(12, 8).run(6000)
	last := facts[len(facts)-1].Seq
	log := newTape()
	_, stop := runProjector(t, s, log.reader())
	defer stop()
	chance := rand.New(rand.NewPCG(12, 12))
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		for _, step := range steps(facts) {
			log.add(step)
			time.Sleep(2 * time.Millisecond)
		}
	}()
	kills := 0
	for feeding := true; feeding; {
		select {
		case <-fed:
			feeding = false
		case <-time.After(time.Duration(100+chance.IntN(900)) * time.Millisecond):
			if syscall.Kill(postmaster(t, folder), syscall.SIGKILL) == nil {
				kills++
			}
		}
	}
	eventually(t, "all is acknowledged", func() bool { return log.acknowledged() == last })
	stop()
	t.Logf("killed %d times", kills)
	same(t, derived(t, s), expected(t, facts))
}

func TestAnOutageIsWaitedForAndReported(t *testing.T) {
	t.Parallel()
	folder, c, s := ownServer(t)
	facts := newCentre(13, 5).run(1500)
	last := facts[len(facts)-1].Seq
	log := newTape()
	p, stop := runProjector(t, s, log.reader())
	defer stop()
	half := slices.IndexFunc(facts, func(f o.Fact) bool { return f.Seq > last/2 })
	log.add(facts[:half])
	eventually(t, "the first half is stored", func() bool { return log.acknowledged() == facts[half-1].Seq })

	c.Stop()
	log.add(facts[half:])
	eventually(t, "the trouble is told", func() bool { return p.Health().Trouble != nil })
	time.Sleep(2 * time.Second)
	h := p.Health()
	if h.Seq != facts[half-1].Seq || time.Since(h.Since) < 2*time.Second || o.CodeOf(h.Trouble) != o.CodeUnavailable {
		t.Fatalf("%+v", h)
	}
	if _, err := s.Projected(t.Context(), acme); o.CodeOf(err) != o.CodeUnavailable {
		t.Fatalf("a question meanwhile: %v", err)
	}
	c, err := cluster.Start(t.Context(), cluster.Config{Folder: folder})
	must(t, err)
	defer c.Stop()
	eventually(t, "all is acknowledged", func() bool { return log.acknowledged() == last })
	if h := p.Health(); h.Trouble != nil || h.Seq != last {
		t.Fatalf("%+v", h)
	}
	same(t, derived(t, s), expected(t, facts))
}

func TestAProjectorCutOffAnywhereGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	facts := newCentre(14, 6).run(4000)
	last := facts[len(facts)-1].Seq
	log := newTape()
	log.add(facts)
	chance := rand.New(rand.NewPCG(14, 14))
	for cuts := 0; log.acknowledged() < last; cuts++ {
		_, stop := runProjector(t, s, log.reader())
		// Longer from time to time, or a slow machine never stores a batch.
		time.Sleep(time.Duration(chance.IntN(100*(cuts+1))) * time.Millisecond)
		stop()
	}
	same(t, derived(t, s), expected(t, facts))
}

// BenchmarkLag moves 200 facts a second for ten seconds, as some five calls a
// second make, and reports how long after it happened a fact was stored.
func BenchmarkLag(b *testing.B) {
	const perSecond, seconds = 200, 10
	for b.Loop() {
		s := newTenant(b)
		var mu sync.Mutex
		var lags []time.Duration
		log := newTape()
		p := NewProjector(ProjectorConfig{
			Store: s, Tenant: acme, Source: log.reader(),
			Moved: func(_ int, lag time.Duration) { mu.Lock(); lags = append(lags, lag); mu.Unlock() },
		})
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		facts := newCentre(15, 50).run(perSecond * seconds)
		tick := time.NewTicker(time.Second / perSecond)
		for _, step := range steps(facts) {
			for i := range step {
				<-tick.C
				step[i].At = time.Now()
			}
			log.add(step)
		}
		tick.Stop()
		for log.acknowledged() != facts[len(facts)-1].Seq {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		slices.Sort(lags)
		for _, q := range []int{50, 99, 100} {
			b.ReportMetric(float64(lags[min(len(lags)*q/100, len(lags)-1)].Microseconds())/1000, fmt.Sprintf("p%d-ms", q))
		}
	}
}
