package runner_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/runner"
)

// TestNothingIsSentOnceItMayNot: the lease ends between the decision and the
// sending.
func TestNothingIsSentOnceItMayNot(t *testing.T) {
	var may atomic.Bool
	may.Store(true)
	h := buildWith(t, &paper{}, func(c *runner.Config) { c.May = may.Load })
	h.furnish("Hello.")
	h.submit(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"})
	h.eventually("the greeting", func() bool { return strings.Contains(h.diary.text(), "Play") })
	facts, _, cancel := h.r.Subscribe(h.live().Seq)
	defer cancel()
	before := h.diary.text()
	may.Store(false)
	h.submit(o.LegOffered{Switch: "pbx", Leg: "pbx/2", Entry: o.EntryIn, Dialled: "500"})
	for f := range facts {
		if failed, is := f.What.(o.CommandFailed); is {
			if failed.Result != o.ResultRejected || failed.Reason != runner.ReasonFenced {
				t.Errorf("%+v", failed)
			}
			break
		}
	}
	if after := h.diary.text(); strings.ReplaceAll(strings.TrimPrefix(after, before), "\ndurable", "") != "" {
		t.Errorf("sent without a lease:\n%s", after)
	}
}

// stuck is a disk that never answers again, from a moment on.
type stuck struct {
	paper
	from  atomic.Bool
	heals chan struct{}
}

func (s *stuck) Commit() error {
	if s.from.Load() {
		<-s.heals
	}
	return s.paper.Commit()
}

// watched is a floor on a disk that can hang, and its watchdog's word.
func watched(t *testing.T, test func(h *house, disk *stuck, stalled chan time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		disk := &stuck{heals: make(chan struct{})}
		disk.diary = &diary{}
		stalled := make(chan time.Time, 1)
		h := &house{t: t, diary: disk.diary, sw: &wire{diary: disk.diary, events: make(chan o.Event, 100), resyncs: make(chan struct{}, 10)}}
		r, err := runner.New(runner.Config{
			Tenant: "acme", Epoch: 1, Journal: disk, Full: errFull, PINs: h, Voice: h, Log: slog.New(slog.DiscardHandler),
			Stalled: func() { stalled <- time.Now() },
		}, runner.Past{})
		if err != nil {
			t.Fatal(err)
		}
		h.r = r
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		r.Attach(h.sw)
		h.furnish("Hello.")
		test(h, disk, stalled)
		disk.from.Store(false)
		close(disk.heals)
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestAFloorThatHangsIsReported: and one that waits for something to do is not.
func TestAFloorThatHangsIsReported(t *testing.T) {
	watched(t, func(h *house, disk *stuck, stalled chan time.Time) {
		time.Sleep(10 * runner.StallAfter)
		if len(stalled) > 0 {
			t.Error("a floor with nothing to do is taken for one that hangs")
		}
		begun := time.Now()
		disk.from.Store(true)
		h.sw.events <- o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"}
		if after := (<-stalled).Sub(begun); after < runner.StallAfter || after > 2*runner.StallAfter {
			t.Errorf("reported after %s", after)
		}
	})
}

// TestAFloorThatGoesOnIsNotReported: to a process that was stopped and goes on,
// the turn it was stopped in has lasted for ever when the watchdog looks, and is
// over a moment later.
func TestAFloorThatGoesOnIsNotReported(t *testing.T) {
	watched(t, func(h *house, disk *stuck, stalled chan time.Time) {
		look := runner.StallAfter / 5
		time.Sleep(look - look/10) // the turn begins just before a look
		disk.from.Store(true)
		h.sw.events <- o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"}
		time.Sleep(runner.StallAfter + look/2) // one look finds it late
		disk.from.Store(false)
		disk.heals <- struct{}{}
		time.Sleep(10 * runner.StallAfter)
		if len(stalled) > 0 {
			t.Error("a floor that goes on is taken for one that hangs")
		}
	})
}

// TestAQuietFloorIsKeptEveryHour: a restart, or another machine, does not begin
// with the facts of months.
func TestAQuietFloorIsKeptEveryHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{}
		h := build(t, p)
		h.furnish("Hello.")
		kept := func() bool {
			synctest.Wait()
			p.lock.Lock()
			defer p.lock.Unlock()
			return p.image != nil
		}
		if kept() {
			t.Error("kept at once")
		}
		time.Sleep(time.Hour + time.Second)
		h.submit(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"})
		if !kept() {
			t.Error("not kept after an hour")
		}
		h.stop()
	})
}
