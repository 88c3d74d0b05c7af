package runner

import (
	"context"
	"sync/atomic"
	"time"
)

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
