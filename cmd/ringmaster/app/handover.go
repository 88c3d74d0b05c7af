package app

import (
	"context"
	"errors"
	"slices"
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
func (t *tenure) handOver(floors parts, lease *part) error {
	begun := time.Now()
	for _, f := range floors {
		f.end()
	}
	for i, f := range floors {
		select {
		case <-t.centres[i].runner.Quiet():
		case <-f.ended:
			return nil // it failed before it came to that; its error is returned by whoever stops it
		}
	}
	for !t.drained() {
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
		if _, all := t.taken(); all {
			break
		}
	}
	return nil
}

// drained reports whether every fact is in the database.
func (t *tenure) drained() bool {
	return !slices.ContainsFunc(t.centres, func(c *centre) bool { return c.journal.Acknowledged() < c.journal.LastSeq() })
}

// taken reports whether another ringmaster has some of the switches, and
// whether it has all of them.
func (t *tenure) taken() (some, all bool) {
	all = true
	for _, c := range t.centres {
		s, a := c.switches.taken()
		some, all = some || s, all && a
	}
	return some, all
}

// images keeps in the database what the journal's newest snapshot holds, for
// the day another machine has to begin without this journal.
func (c *centre) images(ctx context.Context) {
	tick := time.NewTicker(imageEach)
	defer tick.Stop()
	var saved uint64
	for {
		h := c.journal.Health()
		if h.SnapshotSeq > saved && h.Acknowledged >= h.SnapshotSeq {
			if err := c.saveImage(ctx); err == nil {
				saved = h.SnapshotSeq
			} else if ctx.Err() == nil {
				c.log.Warn("save the floor's state", "seq", h.SnapshotSeq, "cause", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *centre) saveImage(ctx context.Context) error {
	snapshot, found, err := c.journal.Snapshot()
	if err != nil || !found {
		return err
	}
	return c.store.SaveImage(ctx, c.tenant, orchestrator.FloorImage{
		Epoch: c.lease.Epoch, Seq: snapshot.Seq, State: snapshot.State,
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
		if some, _ := t.taken(); !some {
			pause = defendFirst
			continue
		}
		if err := t.keeper.renew(ctx); err != nil {
			continue
		}
		t.log.Warn("taking back switches that another ringmaster took: this one leads")
		for _, c := range t.centres {
			c.switches.takeBack()
		}
		pause = min(2*pause, defendMost)
	}
}
