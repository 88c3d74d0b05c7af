package runner

import (
	"context"
	"errors"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

var errBusy = &o.Error{Code: o.CodeUnavailable, Message: "the floor cannot take this now; try again"}

// Submit lets an event happen and returns the facts it caused, durable.
// CodeUnavailable means it may or may not have happened.
func (r *Runner) Submit(ctx context.Context, e o.Event) ([]o.Fact, error) {
	m := message{event: e, result: make(chan []o.Fact, 1), at: now()}
	if err := r.enter(ctx, m); err != nil {
		return nil, err
	}
	select {
	case facts := <-m.result:
		return facts, nil
	case <-ctx.Done():
	case <-r.done:
	case <-time.After(submitTimeout):
	}
	return nil, errBusy
}

func (r *Runner) enter(ctx context.Context, m message) error {
	select {
	case <-r.done:
		return errBusy
	default:
	}
	select {
	case r.inbox <- m:
		return nil
	case <-ctx.Done():
	case <-r.done:
	case <-time.After(submitTimeout):
	}
	return errBusy
}

// Live is the floor now, with what the switches at hand can do.
func (r *Runner) Live(ctx context.Context) (o.Live, error) {
	var live o.Live
	if err := r.look(ctx, func(f *floor.Floor, at time.Time) { live = f.Live(at) }); err != nil {
		return live, err
	}
	for i := range live.Switches {
		live.Switches[i].Capabilities = r.switches.capabilities(live.Switches[i].Switch)
	}
	return live, nil
}

// Explain says why a call that is here is where it is; false for one that is not.
func (r *Runner) Explain(ctx context.Context, id o.CallID) (o.Explanation, bool, error) {
	var e o.Explanation
	var found bool
	err := r.look(ctx, func(f *floor.Floor, at time.Time) { e, found = f.Explain(id, at) })
	return e, found, err
}

func (r *Runner) look(ctx context.Context, see func(*floor.Floor, time.Time)) error {
	seen := make(chan struct{})
	m := message{at: now(), look: func(f *floor.Floor, at time.Time) { see(f, at); close(seen) }}
	if err := r.enter(ctx, m); err != nil {
		return err
	}
	select {
	case <-seen:
		return nil
	case <-ctx.Done():
		return errors.Join(errBusy, ctx.Err())
	case <-r.done:
	case <-time.After(submitTimeout):
	}
	return errBusy
}

// Subscribe tells facts as they happen, those after a Seq first. complete is
// false when the past does not reach back that far: look at Live and subscribe
// anew. The channel is closed when the listener falls too far behind.
func (r *Runner) Subscribe(after uint64) (facts <-chan o.Fact, complete bool, cancel func()) {
	return r.feed.subscribe(after)
}

// Restored is how many facts New read back.
func (r *Runner) Restored() int { return r.restored }

// Stats is what a runner has done since its start.
type Stats struct {
	Inputs, Facts, Commands uint64
	Inbox                   int
	CommitNanos             int64 // the last one's
	CommitsNanos            int64 // sum
	Commits                 uint64
}

// Stats returns the counts.
func (r *Runner) Stats() Stats {
	r.statsLock.Lock()
	defer r.statsLock.Unlock()
	s := r.stats
	s.Inbox = len(r.inbox)
	return s
}

func (r *Runner) count(effects []o.Effects, commit time.Duration) {
	r.statsLock.Lock()
	defer r.statsLock.Unlock()
	for _, fx := range effects {
		r.stats.Inputs++
		r.stats.Facts += uint64(len(fx.Facts))
		r.stats.Commands += uint64(len(fx.Commands))
	}
	r.stats.Commits++
	r.stats.CommitNanos = int64(commit)
	r.stats.CommitsNanos += int64(commit)
}
