package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"ringmaster/adapters/journal"
	"ringmaster/adapters/postgres"
	"ringmaster/adapters/postgres/cluster"
	"ringmaster/adapters/speech"
	"ringmaster/api"
	"ringmaster/api/console"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/runner"
)

// App is one Ringmaster process. Make it with New, Run it once.
type App struct {
	cfg     Config
	log     *slog.Logger
	tenant  orchestrator.TenantID
	closers []func() error

	store    *postgres.Store
	journal  *journal.Journal
	runner   *runner.Runner
	switches *switchboard
	server   *api.Server
	registry *prometheus.Registry
	listener net.Listener
	firstKey string
	epoch    uint64
	draining atomic.Bool

	projector *postgres.Projector
	figures   *figures
}

// httpGrace is how long running requests may take after the end was asked for.
const httpGrace = 5 * time.Second

// New opens everything a process needs and starts nothing but the private
// database. On error whatever was opened is closed again.
func New(ctx context.Context, cfg Config) (a *App, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	a = &App{cfg: cfg, log: cfg.Log, tenant: orchestrator.TenantID(cfg.Tenant), registry: prometheus.NewRegistry()}
	a.figures = newFigures(a.registry)
	opened := a
	defer func() { // "return nil, err" has set a by then
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	for _, open := range []func(context.Context) error{
		a.openListener, a.openJournal, a.openDatabase, a.openFloor, a.openAPI,
	} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *App) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *App) close() error {
	var all error
	for i := len(a.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, a.closers[i]())
	}
	a.closers = nil
	return all
}

func (a *App) openListener(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if a.listener, err = lc.Listen(ctx, "tcp", a.cfg.Listen); err != nil {
		return fmt.Errorf("listen on %s: %w (choose another address with --listen)", a.cfg.Listen, err)
	}
	a.onClose(func() error {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

func (a *App) openJournal(context.Context) (err error) {
	a.journal, err = journal.Open(journal.Config{
		Dir: filepath.Join(a.cfg.Data, "journal", a.cfg.Tenant), MaxBytes: a.cfg.JournalBytes,
	})
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("data folder %s is in use by another ringmaster", a.cfg.Data)
	}
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	a.onClose(a.journal.Close)
	if torn := a.journal.Recovery(); torn.TornBytes > 0 {
		a.log.Warn("cut off what a crash left unfinished", "file", torn.TornFile, "bytes", torn.TornBytes)
	}
	a.epoch, err = nextEpoch(a.cfg.Data)
	return err
}

func (a *App) openDatabase(ctx context.Context) error {
	dsn := a.cfg.Database
	if dsn == "" {
		private, err := cluster.Start(ctx, cluster.Config{Folder: filepath.Join(a.cfg.Data, "postgres"), Log: a.log})
		if err != nil {
			return fmt.Errorf("start the private database: %w", err)
		}
		a.onClose(func() error { private.Stop(); return nil })
		if err := private.CreateDatabase(ctx, "ringmaster"); err != nil {
			return fmt.Errorf("create the database: %w", err)
		}
		dsn = private.DSN("ringmaster")
	}
	store, err := postgres.Open(postgres.Config{DSN: dsn, Log: a.log})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	a.store = store
	a.onClose(store.Close)
	if err := store.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	if err := store.OpenTenant(ctx, a.tenant); err != nil {
		return fmt.Errorf("open tenant %s: %w", a.tenant, err)
	}
	if a.firstKey, err = api.EnsureFirstKey(ctx, store, a.tenant, time.Now()); err != nil {
		return fmt.Errorf("make the first API key: %w", err)
	}
	return nil
}

func (a *App) openFloor(ctx context.Context) error {
	snapshot, _, err := a.journal.Snapshot()
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	// A journal that was lost must not number again what the database knows.
	after, err := a.store.Projected(ctx, a.tenant)
	if err != nil {
		return fmt.Errorf("look up the last projected fact: %w", err)
	}
	voice, err := speech.New(speech.Config{Dir: filepath.Join(a.cfg.Prompts, "spoken")})
	if err != nil {
		return fmt.Errorf("set up speech: %w", err)
	}
	a.runner, err = runner.New(runner.Config{
		Tenant: a.tenant, Epoch: a.epoch, After: after, Journal: a.journal, Full: journal.ErrFull,
		PINs: a.store, Voice: speaker{voice}, Log: a.log, Stalled: a.stalled,
	}, runner.Past{Image: snapshot.State, Records: func(yield func([]byte, error) bool) {
		for r, err := range a.journal.Records(snapshot.Seq) {
			if !yield(r.Payload, err) {
				return
			}
		}
	}})
	if err != nil {
		return fmt.Errorf("restore the floor: %w", err)
	}
	a.switches = newSwitchboard(a)
	a.projector, err = a.newProjector(after)
	return err
}

func (a *App) openAPI(context.Context) (err error) {
	proxies, err := a.cfg.proxies()
	if err != nil {
		return err
	}
	a.registerGauges()
	a.server, err = api.New(api.Config{
		Floors: func(t orchestrator.TenantID) (api.Floor, bool) { return a.runner, t == a.tenant },
		Store:  a.store, Log: a.log, Registry: a.registry, Version: a.cfg.Version, Checks: a.checks,
		SwitchAccessChanged: func(orchestrator.TenantID, orchestrator.SwitchID) { a.switches.changed() },
		Console:             console.Handler(), TrustedProxies: proxies,
	})
	return err
}

// Address is where API and console listen.
func (a *App) Address() string { return a.listener.Addr().String() }

// Run runs until ctx ends and then drains: no new requests, running commands
// finish, the last snapshot is written. Calls go on at their switches; the
// next start adopts them.
func (a *App) Run(ctx context.Context) error {
	defer func() {
		if err := a.close(); err != nil {
			a.log.Error("close", "cause", err)
		}
	}()
	// Inner parts outlive outer ones: the floor runs until the API and the
	// switches have let go of it.
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInner()
	core, _ := errgroup.WithContext(inner)
	core.Go(func() error { return a.runner.Run(inner) })
	core.Go(func() error { return a.projector.Run(inner) })

	outer, outerCtx := errgroup.WithContext(ctx)
	outer.Go(func() error { return a.server.Serve(outerCtx, a.listener, httpGrace) })
	outer.Go(func() error { a.switches.run(outerCtx); return nil })
	outer.Go(func() error { return a.catchUp(outerCtx) })
	outer.Go(func() error { a.partitions(outerCtx); return nil })
	outer.Go(func() error { return a.guard(outerCtx, core) })
	err := outer.Wait()
	a.draining.Store(true)
	a.log.Info("draining: calls go on at the switch and are adopted at the next start")
	stopInner()
	return errors.Join(err, core.Wait())
}

// guard ends the process when the floor or the projector does.
func (a *App) guard(ctx context.Context, core *errgroup.Group) error {
	ended := make(chan error, 1)
	go func() { ended <- core.Wait() }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		if err == nil {
			err = errors.New("the floor ended by itself")
		}
		return err
	}
}

// catchUp tells the floor the configuration as the store has it, and then the
// caller that everything is up.
func (a *App) catchUp(ctx context.Context) error {
	config, _, err := a.store.LoadConfig(ctx, a.tenant)
	if err != nil {
		return fmt.Errorf("load configuration: %w", err)
	}
	if _, err := a.runner.Submit(ctx, orchestrator.ConfigChanged{Change: config}); err != nil {
		return fmt.Errorf("configure the floor: %w", err)
	}
	if a.cfg.Announce != nil {
		a.cfg.Announce(a.Address(), a.firstKey)
	}
	a.log.Info("ready", "address", a.Address(), "tenant", a.tenant, "epoch", a.epoch, "facts_restored", a.runner.Restored())
	return nil
}

// partitions makes the database's monthly partitions ahead of time.
func (a *App) partitions(ctx context.Context) {
	tick := time.NewTicker(12 * time.Hour)
	defer tick.Stop()
	for {
		if err := a.store.MakePartitions(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.log.Error("make partitions", "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stalled ends the process at once: a client that hangs without dying starves
// the switch, and a supervisor restarts what exits.
func (a *App) stalled() {
	a.log.Error("the floor hangs; ending the process so that it can be restarted")
	os.Exit(70) // EX_SOFTWARE
}

// checks are what /readyz asks.
func (a *App) checks(ctx context.Context) []api.Check {
	health := a.journal.Health()
	checks := []api.Check{
		{Name: "database", Err: a.store.Ping(ctx)},
		{Name: "journal", Err: health.Err, Needed: true},
	}
	if a.draining.Load() {
		checks = append(checks, api.Check{Name: "draining", Err: errors.New("this process is ending"), Needed: true})
	}
	for id, s := range a.switches.stats() {
		c := api.Check{Name: "switch " + string(id)}
		if !s.Connected {
			c.Err = errors.New("not connected")
		}
		checks = append(checks, c)
	}
	return checks
}
