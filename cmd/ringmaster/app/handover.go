package app

import (
	"context"
	"errors"
	"time"

	"ringmaster/orchestrator"
)

const (
	// drainMax bounds how long a hand-over waits for the last facts to reach
	// the database; then it is a stop like any other.
	drainMax = 5 * time.Second
	// followMax bounds how long the switches are listened to until the standby
	// has them: until then they know a call that arrives is wanted.
	followMax = 2 * time.Second
	imageEach = 10 * time.Second
)

// handOver gives a standby the floor: nothing is decided any more, all that was
// is brought into the database, and then the lease is free. The connections to
// the switches stay until the other has taken them, so that no caller falls
// between the two.
func (t *tenure) handOver(floor, lease *part) error {
	begun := time.Now()
	floor.end()
	select {
	case <-t.runner.Quiet():
	case <-floor.ended:
		return nil // it failed before it came to that; its error is returned by whoever stops it
	}
	for t.journal.Acknowledged() < t.journal.LastSeq() {
		if time.Since(begun) > drainMax {
			t.log.Warn("not handed over: the last facts are not in the database", "after", drainMax)
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainMax)
	defer cancel()
	if err := errors.Join(lease.stop(), t.keeper.release(ctx)); err != nil {
		t.log.Warn("not handed over", "cause", err)
		return nil
	}
	t.log.Info("handed over", "took", time.Since(begun))
	for begun = time.Now(); time.Since(begun) < followMax; time.Sleep(5 * time.Millisecond) {
		if _, all := t.switches.taken(); all {
			break
		}
	}
	return nil
}

// images keeps in the database what the journal's newest snapshot holds, for
// the day another machine has to begin without this journal.
func (t *tenure) images(ctx context.Context) {
	tick := time.NewTicker(imageEach)
	defer tick.Stop()
	var saved uint64
	for {
		h := t.journal.Health()
		if h.SnapshotSeq > saved && h.Acknowledged >= h.SnapshotSeq {
			if err := t.saveImage(ctx); err == nil {
				saved = h.SnapshotSeq
			} else if ctx.Err() == nil {
				t.log.Warn("save the floor's state", "seq", h.SnapshotSeq, "cause", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (t *tenure) saveImage(ctx context.Context) error {
	snapshot, found, err := t.journal.Snapshot()
	if err != nil || !found {
		return err
	}
	return t.store.SaveImage(ctx, t.tenant, orchestrator.FloorImage{
		Epoch: t.keeper.epoch, Seq: snapshot.Seq, State: snapshot.State,
	})
}

const (
	defendFirst = time.Second
	defendMost  = 30 * time.Second
)

// defend takes a switch back that somebody else took, after the database has
// said that this process still leads. Two connecting at the same instant can
// leave the older in place. One that works with another database, on the same
// switch, is found again and again: the pause grows.
func (t *tenure) defend(ctx context.Context) {
	pause := defendFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if some, _ := t.switches.taken(); !some {
			pause = defendFirst
			continue
		}
		if err := t.keeper.renew(ctx); err != nil {
			continue
		}
		t.log.Warn("taking back switches that another ringmaster took: this one leads")
		t.switches.takeBack()
		pause = min(2*pause, defendMost)
	}
}
