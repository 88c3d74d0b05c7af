// Package runner gives a floor its one goroutine, its journal, its one timer
// and its hands: it drains the inbox, steps each input, makes the facts
// durable, and only then sends the commands and asks they came with.
//
// It is the only concurrency inside orchestrator. It refuses to decide
// anything: what a command's failure or a broken connection means is for the
// floor to say.
package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
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

// loop is the floor's goroutine.
func (r *Runner) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wake := time.Hour
		if at, ok := r.floor.NextWake(); ok {
			wake = max(0, time.Until(at))
		}
		timer.Reset(wake)
		select {
		case <-ctx.Done():
			return nil
		case m := <-r.inbox:
			if err := r.batch(m); err != nil {
				return err
			}
		case <-timer.C:
			if err := r.batch(message{event: o.Wake{}, at: time.Now()}); err != nil {
				return err
			}
		}
	}
}

// batch steps everything that has gathered, commits once, and then acts.
func (r *Runner) batch(first message) error {
	r.turnStart.Store(time.Now().UnixNano())
	defer r.turnStart.Store(0)
	var effects []o.Effects
	var replies []func()
	var lull <-chan time.Time // runs while there are facts that nothing waits for
	urgent := false
	for m, n, more := first, 1, true; more; n++ {
		if m.look != nil {
			m.look(r.floor, time.Now())
		} else {
			fx := r.step(m)
			effects = append(effects, fx)
			if result := m.result; result != nil { // m is another one by the time this runs
				replies = append(replies, func() { result <- fx.Facts })
			}
			switch {
			case urgent || m.result != nil || len(fx.Commands)+len(fx.Asks) > 0:
				urgent, lull = true, nil
			case lull == nil && len(fx.Facts) > 0:
				lull = time.After(lullMax)
			}
		}
		m, more = r.gather(n, lull)
	}
	if err := r.commit(effects); err != nil {
		return err
	}
	for _, fx := range effects {
		r.act(fx)
	}
	for _, reply := range replies {
		reply()
	}
	r.snapshot()
	return nil
}

// gather returns the next input of a batch of n, false when the batch is
// complete. Facts that nothing waits for may wait themselves: the end of a leg
// follows its leaving the bridge at once, and the agent it frees would
// otherwise be offered the next call one fsync later.
func (r *Runner) gather(n int, lull <-chan time.Time) (message, bool) {
	if n >= batchMax {
		return message{}, false
	}
	select {
	case m := <-r.inbox:
		return m, true
	default:
	}
	if lull == nil {
		return message{}, false
	}
	select {
	case m := <-r.inbox:
		return m, true
	case <-lull:
		return message{}, false
	}
}

// step lets one input happen. A panic sets it aside: the floor is restored
// from what is durable, is told, and looks at its switches again.
func (r *Runner) step(m message) (fx o.Effects) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		r.log().Error("input set aside", "seq", r.seq, "event", fmt.Sprintf("%T", m.event), "panic", cause, "stack", string(debug.Stack()))
		f, err := r.rebuild()
		if err != nil {
			panic(err) // the past was readable a moment ago: nothing is left to stand on
		}
		r.floor = f
		r.seq++
		fx = r.floor.Step(o.Input{Seq: r.seq, At: time.Now(), Event: o.InputFailed{
			Event: fmt.Sprintf("%T", m.event), Panic: fmt.Sprint(cause),
		}})
		r.since = append(r.since, fx.Facts...)
		r.switches.resync()
	}()
	r.seq++
	fx = r.floor.Step(o.Input{Seq: r.seq, At: m.at, Event: m.event})
	r.since = append(r.since, fx.Facts...)
	return fx
}

// commit makes the facts durable. A full journal does not stop calls: the
// facts are dropped from it, counted and reported, and a snapshot keeps the
// state.
func (r *Runner) commit(effects []o.Effects) error {
	wrote := 0
	for _, fx := range effects {
		if len(fx.Facts) == 0 {
			continue
		}
		payload, err := EncodeRecord(fx.Facts)
		if err == nil {
			err = r.cfg.Journal.Append(fx.Facts[0].Seq, payload)
		}
		if err != nil {
			return fmt.Errorf("append facts of input %d: %w", fx.Facts[0].Seq, err)
		}
		wrote++
	}
	if wrote == 0 {
		return nil
	}
	begun := time.Now()
	err := r.cfg.Journal.Commit()
	r.count(effects, time.Since(begun))
	if err == nil {
		return nil
	}
	if errors.Is(err, r.cfg.Full) {
		r.log().Error("journal full: facts dropped from it", "records", r.cfg.Journal.Discard(), "cause", err)
		r.unsaved = true
		return nil
	}
	return fmt.Errorf("commit journal: %w", err)
}

// act sends what the facts allow, now that they are durable.
func (r *Runner) act(fx o.Effects) {
	r.feed.publish(fx.Facts)
	for _, c := range fx.Commands {
		r.lanes.send(c)
	}
	for _, a := range fx.Asks {
		switch q := a.What.(type) {
		case o.ReadPIN:
			r.pins.open(a.ID, q)
		case o.Resync:
			if s := r.switches.of(q.Switch); s != nil {
				s.Resync()
			}
		}
	}
}

// snapshot writes one beside the floor when enough has happened.
func (r *Runner) snapshot() {
	due := r.unsaved || len(r.since) >= r.cfg.SnapshotEvery || len(r.since) > 0 && time.Since(r.saved) > snapshotAge
	if !due || !r.saving.CompareAndSwap(false, true) {
		return
	}
	r.image, r.since, r.unsaved, r.saved = r.floor.Image(), nil, false, time.Now()
	seq, image := r.floor.Seq, bytes.Clone(r.image)
	go func() {
		defer r.saving.Store(false)
		if err := r.cfg.Journal.WriteSnapshot(min(seq, r.cfg.Journal.LastSeq()), image); err != nil {
			r.log().Error("write snapshot", "seq", seq, "cause", err)
		}
	}()
}

func (r *Runner) log() *slog.Logger { return r.cfg.Log }

// watch ends the process when the floor hangs. It looks twice: a process that
// was stopped and goes on, or whose clock was set, seems to hang at the first
// look.
func (r *Runner) watch(ctx context.Context) {
	tick := time.NewTicker(StallAfter / 5)
	defer tick.Stop()
	hung := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			before := hung
			hung = hangs(&r.turnStart) || r.switches.stuck()
			if r.cfg.Stalled != nil && hung && before {
				r.cfg.Stalled()
				return
			}
		}
	}
}

// hangs reports whether what began then (Unix nanoseconds, 0: nothing) should
// long be over.
func hangs(begun *atomic.Int64) bool {
	at := begun.Load()
	return at != 0 && time.Since(time.Unix(0, at)) > StallAfter
}
