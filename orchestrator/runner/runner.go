// Package runner gives a floor its one goroutine, its journal, its one timer
// and its hands: it drains the inbox, steps each input, makes the facts
// durable, and only then sends the commands and asks they came with.
//
// It is the only concurrency inside orchestrator. It refuses to decide
// anything: what a command's failure or a broken connection means is for the
// floor to say.
package runner

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// Journal is the write-ahead log a runner needs; adapters/journal is one.
type Journal interface {
	Append(seq uint64, payload []byte) error
	Commit() error
	Discard() int
	WriteSnapshot(seq uint64, state []byte) error
	LastSeq() uint64
}

// PINs checks an agent's PIN.
type PINs interface {
	CheckPIN(ctx context.Context, tenant o.TenantID, agent o.AgentID, pin string) (bool, error)
}

// Voice turns words into a file the switch can play.
type Voice interface {
	// Speak returns an absolute path without extension.
	Speak(ctx context.Context, language, words string) (string, error)
}

// Config is what a runner needs. Switches come and go with Attach and Detach.
type Config struct {
	Tenant  o.TenantID
	Epoch   uint64 // grows with every start; names the commands of this one
	After   uint64 // the last input known elsewhere; numbering goes on after it
	Journal Journal
	Full    error // what Journal.Commit returns when there is no room
	PINs    PINs
	Voice   Voice
	Log     *slog.Logger
	// SnapshotEvery is after how many facts a snapshot is written; 0 is 20,000.
	SnapshotEvery int
	// May is asked before each command leaves: whether this floor still leads.
	// A command it refuses is answered rejected, ReasonFenced. Nil: always.
	May func() bool
	// Stalled is called when the floor has not come to the end of a step, or a
	// switch's event not into the inbox, for StallAfter: the process should
	// end, because a client that hangs without dying harms the switch
	// (DESIGN.md 4).
	Stalled func()
}

// StallAfter is how long one turn of the floor may take before it counts as hung.
const StallAfter = 10 * time.Second

const (
	inboxMax       = 1 << 16              // inputs waiting for the floor
	batchMax       = 256                  // inputs that share one fsync
	snapshotAge    = time.Hour            // of the last snapshot, in a floor where little happens
	lullMax        = 2 * time.Millisecond // that facts wait for company when nothing waits for them
	commandTimeout = 5 * time.Second
	submitTimeout  = 5 * time.Second
)

// Past is what a restart begins with: the newest snapshot and the records
// after it, each as it was handed to Journal.Append.
type Past struct {
	Image   []byte
	Records func(yield func([]byte, error) bool)
}

// Runner runs one floor. Make it with New, then Run it once.
type Runner struct {
	cfg      Config
	inbox    chan message
	floor    *floor.Floor
	seq      uint64
	switches switches
	lanes    lanes
	pins     pinReaders
	feed     *feed

	image     []byte   // the last snapshot taken
	since     []o.Fact // the facts after it
	saving    atomic.Bool
	restored  int
	unsaved   bool // facts were dropped: a snapshot is due at once
	saved     time.Time
	turnStart atomic.Int64
	stats     Stats
	statsLock sync.Mutex
	done      chan struct{}
	quiet     chan struct{}
}

// message is one thing for the floor's goroutine to do.
type message struct {
	event  o.Event
	result chan []o.Fact
	look   func(*floor.Floor, time.Time)
	at     time.Time // when it reached us
}

// New restores the floor from its past. It fails on a past it cannot read
// whole: half a memory is worse than none.
func New(cfg Config, past Past) (*Runner, error) {
	r := &Runner{
		cfg: cfg, inbox: make(chan message, inboxMax),
		image: past.Image, saved: time.Now(), done: make(chan struct{}), quiet: make(chan struct{}), feed: newFeed(),
	}
	if r.cfg.SnapshotEvery == 0 {
		r.cfg.SnapshotEvery = 20000
	}
	if past.Records != nil {
		for payload, err := range past.Records {
			if err != nil {
				return nil, fmt.Errorf("read journal of %s: %w", cfg.Tenant, err)
			}
			facts, err := DecodeRecord(payload)
			if err != nil {
				return nil, fmt.Errorf("read journal of %s: %w", cfg.Tenant, err)
			}
			r.since = append(r.since, facts...)
		}
	}
	r.restored = len(r.since)
	f, err := r.rebuild()
	if err != nil {
		return nil, err
	}
	r.floor = f
	r.seq = max(cfg.Journal.LastSeq(), f.Seq, cfg.After)
	r.feed.first = r.seq
	r.switches.init(r)
	r.lanes.init(r)
	r.pins.init(r)
	return r, nil
}

// rebuild makes the floor anew from the last snapshot and the facts since.
func (r *Runner) rebuild() (*floor.Floor, error) {
	f, err := floor.Restore(floor.Config{Tenant: r.cfg.Tenant, Epoch: r.cfg.Epoch}, r.image)
	if err != nil {
		return nil, err
	}
	for _, fact := range r.since {
		f.Apply(fact)
	}
	return f, nil
}

// Run keeps the floor going until ctx ends, then writes a last snapshot and
// returns nil. It is called once.
func (r *Runner) Run(ctx context.Context) error {
	defer close(r.done)
	watchCtx, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { r.watch(watchCtx) })
	err := r.forgetSwitches()
	if err == nil {
		err = r.loop(ctx)
	}
	stop()
	watch.Wait()
	r.switches.close()
	r.lanes.drain()
	r.pins.close()
	close(r.quiet)
	// Inputs that caused no fact are not in the journal.
	last := min(r.floor.Seq, r.cfg.Journal.LastSeq())
	if saveErr := r.cfg.Journal.WriteSnapshot(last, r.floor.Image()); saveErr != nil && err == nil {
		err = fmt.Errorf("write last snapshot: %w", saveErr)
	}
	r.feed.close()
	return err
}

// Quiet is closed when Run has decided and sent the last it will: every fact is
// in the journal, and only its own last snapshot is still to be written.
func (r *Runner) Quiet() <-chan struct{} { return r.quiet }

func (r *Runner) post(ctx context.Context, m message) {
	select {
	case r.inbox <- m:
	case <-ctx.Done():
	case <-r.done:
	}
}

// forgetSwitches tells the floor before anything else that it begins again.
func (r *Runner) forgetSwitches() error {
	if len(r.floor.Attached()) == 0 {
		return nil
	}
	return r.batch(message{event: o.Restarted{}, at: time.Now()})
}

func (r *Runner) log() *slog.Logger { return r.cfg.Log }
