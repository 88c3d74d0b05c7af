package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"ringmaster/adapters/postgres"
	"ringmaster/adapters/postgres/cluster"
	"ringmaster/api"
	"ringmaster/api/console"
	"ringmaster/orchestrator"
)

// App is one Ringmaster process. Make it with New, Run it once.
type App struct {
	cfg     Config
	log     *slog.Logger
	tenant  orchestrator.TenantID
	me      orchestrator.Instance
	memory  *memory
	closers []func() error

	store    *postgres.Store
	server   *api.Server
	registry *prometheus.Registry
	listener net.Listener
	figures  *figures
	served   chan struct{} // closed when the API has answered its last request

	tenure    atomic.Pointer[tenure] // nil while this process does not lead
	blocked   atomic.Pointer[string] // why it does not
	prepared  atomic.Bool            // the database's schema is ours
	tenures   int
	firstKeys []FirstKey
	past      map[orchestrator.TenantID]*shadow // what was learnt of the floors while waiting
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
	a = &App{
		cfg: cfg, log: cfg.Log, tenant: orchestrator.TenantID(cfg.Tenant), registry: prometheus.NewRegistry(),
		served: make(chan struct{}),
	}
	a.figures = newFigures(a.registry)
	opened := a
	defer func() { // "return nil, err" has set a by then
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	for _, open := range []func(context.Context) error{a.openFolder, a.openListener, a.openDatabase, a.openAPI} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *App) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *App) close() error {
	var all error
	for _, closer := range slices.Backward(a.closers) {
		all = errors.Join(all, closer())
	}
	a.closers = nil
	return all
}

func (a *App) openFolder(context.Context) error {
	lock, err := lockFolder(a.cfg.Data)
	if err != nil {
		return err
	}
	a.onClose(lock.Close)
	a.memory, err = remember(a.cfg.Data)
	return err
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
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	a.me = orchestrator.Instance{ID: a.memory.Instance, Name: host + " (" + a.Address() + ")"}
	return nil
}

// openDatabase starts the private one, or notes where the other is: that may be
// away for now.
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
	store, err := postgres.Open(postgres.Config{DSN: dsn, Instance: a.me.ID, Log: a.log})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	a.store = store
	a.onClose(store.Close)
	return nil
}

func (a *App) openAPI(context.Context) (err error) {
	proxies, err := a.cfg.proxies()
	if err != nil {
		return err
	}
	a.registerGauges()
	a.server, err = api.New(api.Config{
		Floors: func(t orchestrator.TenantID) (api.Floor, bool) {
			if now := a.leading(); now != nil {
				if c := now.centre(t); c != nil {
					return c.runner, true
				}
			}
			return nil, false
		},
		Elsewhere: a.elsewhere,
		Store:     a.store, Log: a.log, Registry: a.registry, Version: a.cfg.Version, Checks: a.checks,
		SwitchAccessChanged: func(t orchestrator.TenantID, _ orchestrator.SwitchID) {
			if now := a.leading(); now != nil {
				if c := now.centre(t); c != nil {
					c.switches.changed()
				}
			}
		},
		Console: console.Handler(), TrustedProxies: proxies,
	})
	return err
}

// leading is the present tenure, nil while this process does not lead or must
// not now.
func (a *App) leading() *tenure {
	if t := a.tenure.Load(); t != nil && t.keeper.may() {
		return t
	}
	return nil
}

// elsewhere says why there is no floor here.
func (a *App) elsewhere(orchestrator.TenantID) string {
	if why := a.blocked.Load(); why != nil {
		return *why
	}
	return "this process does not lead now"
}

// Address is where API and console listen.
func (a *App) Address() string { return a.listener.Addr().String() }

// Run leads when it may and waits when it may not, until ctx ends. Then it
// hands the floor over to a standby, or drains: no new requests, running
// commands finish, the last snapshot is written. Calls go on at their switches
// and are adopted by whoever leads next.
func (a *App) Run(ctx context.Context) error {
	defer func() {
		if err := a.close(); err != nil {
			a.log.Error("close", "cause", err)
		}
	}()
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		defer close(a.served)
		return a.server.Serve(ctx, a.listener, httpGrace)
	})
	all.Go(func() error { a.partitions(ctx); return nil })
	all.Go(func() error { return a.govern(ctx) })
	return all.Wait()
}

// govern leads and waits in turn.
func (a *App) govern(ctx context.Context) error {
	for ctx.Err() == nil {
		c, err := a.await(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		if err != nil {
			return err
		}
		a.tenures++
		err = a.lead(ctx, c)
		switch {
		case errors.Is(err, errLost):
			a.log.Error("not leading any more", "cause", err)
		case orchestrator.CodeOf(err) == orchestrator.CodeUnavailable: // the database went in the middle of a start
			a.log.Error("not leading", "cause", err)
		case errors.Is(err, errApart):
			a.giveBack(ctx, c, err)
		case err != nil:
			return err
		}
	}
	return nil
}

// giveBack lets go of the first tenant, whose others are led elsewhere, and
// leaves it for a while to a process that fits better.
func (a *App) giveBack(ctx context.Context, c claim, why error) {
	a.block(why)
	err := a.memory.setAlone(false) // first: a restart may not lead what is another's by then
	if err == nil {
		err = a.store.ReleaseLease(ctx, a.tenant, a.me.ID, c.lease.Epoch)
	}
	if err != nil {
		a.log.Warn("give the lease back", "cause", err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(a.cfg.Lease):
	}
}

// partitions makes the database's monthly partitions ahead of time, and drops
// those that are kept no longer.
func (a *App) partitions(ctx context.Context) {
	tick := time.NewTicker(12 * time.Hour)
	defer tick.Stop()
	for {
		if days := a.cfg.RetentionDays; days > 0 {
			if err := a.store.Retain(ctx, time.Now().AddDate(0, 0, -days)); err != nil && ctx.Err() == nil {
				a.log.Error("drop what is kept no longer", "cause", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.store.MakePartitions(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.log.Error("make partitions", "cause", err)
		}
	}
}

// stalled ends the process at once: a client that hangs without dying starves
// the switch, and a supervisor restarts what exits. What every goroutine was
// doing is written down first.
func (a *App) stalled() {
	a.log.Error("the floor hangs; ending the process so that it can be restarted")
	if err := pprof.Lookup("goroutine").WriteTo(os.Stderr, 2); err != nil {
		a.log.Error("write goroutines", "cause", err)
	}
	os.Exit(exitStalled)
}

// exitStalled is sysexits.h's EX_SOFTWARE.
const exitStalled = 70

// checks are what /readyz asks.
func (a *App) checks(ctx context.Context) []api.Check {
	t := a.leading()
	checks := []api.Check{{Name: "database", Err: cmp.Or(a.store.Ping(ctx), t.trouble())}}
	if t == nil {
		return append(checks, api.Check{Name: "leading", Err: errors.New(a.elsewhere(a.tenant)), Needed: true})
	}
	checks = append(checks, api.Check{Name: "leading"})
	for _, c := range t.centres {
		of := ""
		if len(t.centres) > 1 {
			of = " of " + string(c.tenant)
		}
		checks = append(checks, api.Check{Name: "journal" + of, Err: c.journal.Health().Err, Needed: true})
		for id, s := range c.switches.stats() {
			check := api.Check{Name: "switch " + string(id) + of}
			if !s.Connected {
				check.Err = errors.New("not connected")
			}
			checks = append(checks, check)
		}
	}
	return checks
}

// trouble is what the database does not do for this process although it
// answers: read-only, locked, without a connection to spare. Nil when all is
// well, or when nothing is led here.
func (t *tenure) trouble() error {
	if t == nil {
		return nil
	}
	for _, c := range t.centres {
		if err := c.projector.Health().Trouble; err != nil {
			return err
		}
	}
	return t.keeper.unwell()
}
