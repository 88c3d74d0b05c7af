package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"ringmaster/adapters/asterisk"
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

	lock    sync.Mutex
	running map[orchestrator.SwitchID]*running
	wanted  chan struct{}
	wg      sync.WaitGroup
}

type running struct {
	*asterisk.Switch
	access orchestrator.SwitchAccess
	stop   context.CancelFunc
}

// retryAfter is when the switchboard looks again after the store was away.
const retryAfter = 5 * time.Second

func newSwitchboard(a *App) *switchboard {
	return &switchboard{
		tenant: a.tenant, store: a.store, runner: a.runner, log: a.log,
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

// run follows the configuration until ctx ends, then stops every adapter.
func (b *switchboard) run(ctx context.Context) {
	facts, _, cancel := b.runner.Subscribe(0)
	defer func() { cancel() }()
	b.changed()
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			b.close()
			return
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

// follow starts, replaces and stops adapters so that they match the store.
func (b *switchboard) follow(ctx context.Context) error {
	config, _, err := b.store.LoadConfig(ctx, b.tenant)
	if err != nil {
		return err
	}
	endpoints := map[orchestrator.SwitchID][]string{}
	for _, p := range config.Phones {
		endpoints[p.Switch] = append(endpoints[p.Switch], p.Endpoint)
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	keep := map[orchestrator.SwitchID]bool{}
	for _, pbx := range config.Switches {
		access, err := b.store.SwitchAccess(ctx, b.tenant, pbx.ID)
		if orchestrator.CodeOf(err) == orchestrator.CodeNotFound {
			continue // not told yet how to reach it
		}
		if err != nil {
			return err
		}
		keep[pbx.ID] = true
		b.keep(ctx, pbx.ID, access, endpoints[pbx.ID])
	}
	for id, r := range b.running {
		if !keep[id] {
			b.stop(id, r)
		}
	}
	return nil
}

// keep makes sure that one adapter runs with this access.
func (b *switchboard) keep(ctx context.Context, id orchestrator.SwitchID, access orchestrator.SwitchAccess, endpoints []string) {
	if r := b.running[id]; r != nil {
		if r.access == access {
			r.Watch(endpoints)
			return
		}
		b.stop(id, r)
	}
	sw, err := asterisk.New(asterisk.Config{
		ID: id, URL: access.URL, User: access.User, Password: access.Password, Endpoints: endpoints,
		Log: b.log.With("switch", string(id)),
	})
	if err != nil {
		b.log.Error("set up switch", "switch", id, "cause", err)
		return
	}
	runCtx, stop := context.WithCancel(ctx)
	b.running[id] = &running{Switch: sw, access: access, stop: stop}
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

func (b *switchboard) close() {
	b.lock.Lock()
	for id, r := range b.running {
		r.stop()
		delete(b.running, id)
	}
	b.lock.Unlock()
	b.wg.Wait()
}

// stats are the adapters' own counts.
func (b *switchboard) stats() map[orchestrator.SwitchID]asterisk.Stats {
	b.lock.Lock()
	defer b.lock.Unlock()
	all := make(map[orchestrator.SwitchID]asterisk.Stats, len(b.running))
	for id, r := range b.running {
		all[id] = r.Stats()
	}
	return all
}
