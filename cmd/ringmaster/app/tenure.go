package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"ringmaster/adapters/journal"
	"ringmaster/adapters/postgres"
	"ringmaster/adapters/speech"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/runner"
)

// tenure is one stretch of leading, from the lease to its end: the floor and
// everything that lives as long as it does.
type tenure struct {
	*App
	keeper    *keeper
	journal   *journal.Journal
	reader    *journal.Reader
	runner    *runner.Runner
	projector *postgres.Projector
	switches  *switchboard
	alone     bool // begun without the database
}

// begin restores the floor and gets everything ready; it starts nothing.
func (a *App) begin(ctx context.Context, c claim) (t *tenure, err error) {
	t = &tenure{App: a, alone: c.alone, keeper: &keeper{
		store: a.store, tenant: a.tenant, me: a.me, memory: a.memory, epoch: c.lease.Epoch,
		term: a.cfg.Lease, log: a.log, clock: bootTime,
	}}
	t.keeper.held(c.asked)
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	var projected uint64
	if !c.alone {
		if projected, err = a.store.Projected(ctx, a.tenant); err != nil {
			return nil, fmt.Errorf("look up the last projected fact: %w", err)
		}
	}
	if err := t.openJournal(ctx, c.lease, projected); err != nil {
		return nil, err
	}
	if err := a.memory.lead(c.lease.Epoch); err != nil {
		return nil, err
	}
	if err := t.openFloor(projected); err != nil {
		return nil, err
	}
	return t, nil
}

// openJournal opens this installation's journal if it is the newest word on the
// floor, and otherwise begins one where the database ends.
func (t *tenure) openJournal(ctx context.Context, l orchestrator.Lease, projected uint64) (err error) {
	past := t.past
	t.past = nil
	if t.newestHere(l) {
		if t.journal, err = t.open(); err != nil {
			return err
		}
		if t.journal.LastSeq() >= projected {
			return t.checkPast()
		}
		t.log.Warn("the journal is older than the database", "journal", t.journal.LastSeq(), "database", projected)
		if err := t.journal.Close(); err != nil {
			return err
		}
	}
	if err := t.beginJournal(ctx, past); err != nil {
		return err
	}
	t.journal, err = t.open()
	return err
}

// newestHere reports whether nobody else has led since this journal's last fact.
func (t *tenure) newestHere(l orchestrator.Lease) bool {
	if t.alone || t.memory.Epoch != 0 {
		return t.alone || l.Reign <= t.memory.Epoch
	}
	// Before there were leases a data folder counted its starts in this file.
	old := filepath.Join(t.cfg.Data, "epoch")
	_, err := os.Stat(old)
	return err == nil && !errors.Is(os.Remove(old), fs.ErrPermission)
}

func (t *tenure) checkPast() error {
	if t.alone && t.journal.LastSeq() == 0 {
		return &orchestrator.Error{Code: orchestrator.CodeUnavailable, Message: "the journal is gone and the database is away"}
	}
	return nil
}

func (t *tenure) open() (*journal.Journal, error) {
	j, err := journal.Open(journal.Config{Dir: t.journalFolder(), MaxBytes: t.cfg.JournalBytes})
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if torn := j.Recovery(); torn.TornBytes > 0 {
		t.log.Warn("cut off what a crash left unfinished", "file", torn.TornFile, "bytes", torn.TornBytes)
	}
	return j, nil
}

func (t *tenure) openFloor(projected uint64) error {
	snapshot, _, err := t.journal.Snapshot()
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	voice, err := speech.New(speech.Config{Dir: filepath.Join(t.cfg.Prompts, "spoken")})
	if err != nil {
		return fmt.Errorf("set up speech: %w", err)
	}
	t.runner, err = runner.New(runner.Config{
		Tenant: t.tenant, Epoch: t.keeper.epoch, After: projected, Journal: t.journal, Full: journal.ErrFull,
		PINs: t.store, Voice: speaker{voice}, Log: t.log, Stalled: t.stalled, May: t.keeper.may,
	}, runner.Past{Image: snapshot.State, Records: func(yield func([]byte, error) bool) {
		for r, err := range t.journal.Records(snapshot.Seq) {
			if !yield(r.Payload, err) {
				return
			}
		}
	}})
	if err != nil {
		return fmt.Errorf("restore the floor: %w", err)
	}
	t.switches = newSwitchboard(t)
	return t.newProjector(projected)
}

func (t *tenure) close() error {
	var all error
	if t.reader != nil {
		all = t.reader.Close()
	}
	if t.journal != nil {
		all = errors.Join(all, t.journal.Close())
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
	facts := start(always, t.projector.Run)
	floor := start(always, t.runner.Run)
	a.tenure.Store(t)
	board := start(ctx, t.switches.run)

	outer, outerCtx := errgroup.WithContext(ctx)
	outer.Go(func() error { return t.catchUp(outerCtx) })
	outer.Go(func() error { t.images(outerCtx); return nil })
	outer.Go(func() error { t.defend(outerCtx); return nil })
	outer.Go(func() error { t.settleIn(outerCtx); return nil })
	for _, part := range []*part{lease, facts, floor} {
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
		err = t.handOver(floor, lease)
	} else if err == nil {
		a.log.Info("draining: calls go on at the switch and are adopted at the next start")
		<-a.served
	}
	board.stop() //nolint:errcheck // it has none
	t.switches.close()
	// What a part died of was returned by watch.
	return errors.Join(err, floor.stop(), facts.stop(), lease.stop())
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
	t.switches.hold(!may)
}

// catchUp tells the floor the configuration as the store has it, when it can be
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
	if err := t.lookAside(); err != nil {
		t.log.Warn("look at the old journal", "cause", err)
	}
}

func (t *tenure) configure(ctx context.Context) error {
	config, _, err := t.store.LoadConfig(ctx, t.tenant)
	if err != nil {
		return fmt.Errorf("load configuration: %w", err)
	}
	if _, err := t.runner.Submit(ctx, orchestrator.ConfigChanged{Change: config}); err != nil {
		return fmt.Errorf("configure the floor: %w", err)
	}
	return nil
}

func (t *tenure) announce() {
	if t.cfg.Announce != nil {
		t.cfg.Announce(t.Address(), t.firstKey)
		t.firstKey = ""
	}
	t.log.Info("leading", "address", t.Address(), "tenant", t.tenant, "epoch", t.keeper.epoch,
		"facts_restored", t.runner.Restored(), "without_database", t.alone)
}
