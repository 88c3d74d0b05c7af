package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/runner"
)

// switchboard keeps one adapter running per configured switch that has access
// data, and tells it which endpoints to watch.
type switchboard struct {
	tenant orchestrator.TenantID
	store  orchestrator.Store
	runner *runner.Runner
	log    *slog.Logger
	lines  *exchange
	epoch  uint64 // of the first tenant: it goes to the switches, for all
	may    func() bool
	cache  string // file of what is needed to reach the switches without the database

	lock    sync.Mutex
	running map[orchestrator.SwitchID]*running
	held    bool // nothing may run
	wanted  chan struct{}
	wg      sync.WaitGroup
}

type running struct {
	adapter
	kind   string
	access orchestrator.SwitchAccess
	stop   context.CancelFunc
}

// retryAfter is when the switchboard looks again after the store was away.
const retryAfter = 5 * time.Second

func newSwitchboard(c *centre) *switchboard {
	cache := filepath.Join(c.cfg.Data, "switches")
	if c.tenant != c.App.tenant {
		cache += "." + string(c.tenant)
	}
	return &switchboard{
		tenant: c.tenant, store: c.store, runner: c.runner, log: c.log, lines: c.lines,
		epoch: c.keeper.epoch, may: c.keeper.listens, cache: cache,
		running: map[orchestrator.SwitchID]*running{}, wanted: make(chan struct{}, 1),
	}
}

// changed asks for another look at the configuration.
func (b *switchboard) changed() {
	select {
	case b.wanted <- struct{}{}:
	default:
	}
}

// run follows the configuration until ctx ends and then returns nil. Adapters
// go on until close.
func (b *switchboard) run(ctx context.Context) error {
	facts, _, cancel := b.runner.Subscribe(0)
	defer func() { cancel() }()
	b.changed()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case fact, ok := <-facts:
			if !ok { // fell behind: look at everything again
				if ctx.Err() == nil {
					facts, _, cancel = b.runner.Subscribe(^uint64(0))
					b.changed()
				}
				continue
			}
			if _, is := fact.What.(orchestrator.ConfigApplied); is {
				b.changed()
			}
		case <-b.wanted:
			if err := b.follow(ctx); err != nil {
				b.log.Error("look up switches", "cause", err)
				retry.Reset(retryAfter)
			}
		case <-retry.C:
			b.changed()
		}
	}
}

// follow starts, replaces and stops adapters so that they match the store, or,
// while that is away and nothing runs yet, what it said last.
func (b *switchboard) follow(ctx context.Context) error {
	wanted, err := b.lookUp(ctx)
	if err == nil {
		b.remember(wanted)
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	if err != nil {
		if len(b.running) > 0 || b.held {
			return err
		}
		if wanted = b.recall(); len(wanted) == 0 {
			return err
		}
		b.log.Warn("switches reached as they were known last", "cause", err)
	}
	if b.held {
		return nil
	}
	keep := map[orchestrator.SwitchID]bool{}
	for _, w := range wanted {
		keep[w.ID] = true
		b.keep(w)
	}
	for id, r := range b.running {
		if !keep[id] {
			b.stop(id, r)
		}
	}
	return err
}

// keep makes sure that one adapter runs with this access.
func (b *switchboard) keep(w wanted) {
	id, access := w.ID, w.access()
	if r := b.running[id]; r != nil {
		if r.access == access && r.kind == w.Kind {
			r.Watch(w.Endpoints)
			b.lines.know(b.tenant, w)
			return
		}
		b.stop(id, r)
	}
	sw, err := b.lines.connect(b, w)
	if err != nil {
		b.log.Error("set up switch", "switch", id, "cause", err)
		return
	}
	runCtx, stop := context.WithCancel(context.Background())
	b.running[id] = &running{adapter: sw, kind: w.Kind, access: access, stop: stop}
	b.runner.Attach(sw)
	b.wg.Go(func() {
		if err := sw.Run(runCtx); err != nil {
			b.log.Error("switch cannot be used as configured", "switch", id, "cause", err)
		}
	})
}

func (b *switchboard) stop(id orchestrator.SwitchID, r *running) {
	r.stop()
	b.runner.Detach(id)
	delete(b.running, id)
}

// close stops every adapter for good.
func (b *switchboard) close() {
	b.lock.Lock()
	b.held = true
	for id, r := range b.running {
		r.stop()
		delete(b.running, id)
	}
	b.lock.Unlock()
	b.wg.Wait()
}

// hold stops every adapter until it is called with false. The floor learns that
// it cannot hear the switches, and keeps everything as it is.
func (b *switchboard) hold(on bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.held = on
	if !on {
		b.changed()
		return
	}
	for id, r := range b.running {
		b.stop(id, r)
	}
}

// taken reports whether another ringmaster has some of the switches, and
// whether it has all of them.
func (b *switchboard) taken() (some, all bool) {
	all = true
	for _, s := range b.stats() {
		some, all = some || s.Superseded, all && s.Superseded
	}
	return some, all
}

// takeBack connects again to the switches that another has.
func (b *switchboard) takeBack() {
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, r := range b.running {
		if r.stats().Superseded {
			r.Resync()
		}
	}
}

// stats are the adapters' own counts.
func (b *switchboard) stats() map[orchestrator.SwitchID]switchStats {
	b.lock.Lock()
	defer b.lock.Unlock()
	all := make(map[orchestrator.SwitchID]switchStats, len(b.running))
	for id, r := range b.running {
		all[id] = r.stats()
	}
	return all
}
