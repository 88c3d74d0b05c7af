package conformance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// desk is one running adapter and everything it ever reported.
type desk struct {
	sw   orchestrator.Switch
	stop context.CancelFunc
	done chan struct{} // closed when both Run and the reader are over
	err  error         // Run's, readable after done

	idle sync.Mutex // held while nothing is taken from the stream
	mu   sync.Mutex
	seen []orchestrator.Event
	news chan struct{} // closed and replaced at every event
}

func open(tb testing.TB, h Harness) *desk {
	tb.Helper()
	return run(tb, h, h.Connect(tb))
}

func run(tb testing.TB, h Harness, sw orchestrator.Switch) *desk {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	d := &desk{sw: sw, stop: stop, done: make(chan struct{}), news: make(chan struct{})}
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		d.err = d.sw.Run(ctx)
	}()
	go d.read(ran)
	tb.Cleanup(func() { d.close(tb, h.Stage()) })
	return d
}

// read copies the stream until Run has returned and nothing is left in it.
func (d *desk) read(ran <-chan struct{}) {
	defer close(d.done)
	events := d.sw.Events()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				<-ran
				return
			}
			d.note(e)
		case <-ran:
			d.rest(events)
			return
		}
	}
}

func (d *desk) rest(events <-chan orchestrator.Event) {
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			d.note(e)
		default:
			return
		}
	}
}

func (d *desk) note(e orchestrator.Event) {
	d.idle.Lock()
	defer d.idle.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, e)
	close(d.news)
	d.news = make(chan struct{})
}

// close ends the adapter, which must obey without a fault. It may be called
// again.
func (d *desk) close(tb testing.TB, st Stage) {
	tb.Helper()
	d.stop()
	select {
	case <-d.done:
		if d.err != nil {
			tb.Errorf("Run returned %v after its context ended, want nil", d.err)
		}
	case <-time.After(st.Event):
		tb.Errorf("Run did not return within %v of its context ending", st.Event)
	}
}

// mark is a place in the stream; what is awaited since it has not come before.
func (d *desk) mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.seen)
}

func (d *desk) since(mark int) []orchestrator.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]orchestrator.Event(nil), d.seen[mark:]...)
}

// find returns the first event since mark that fits and a channel that closes
// when more came.
func (d *desk) find(mark int, fits func(orchestrator.Event) bool) (orchestrator.Event, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.seen[mark:] {
		if fits(e) {
			return e, nil
		}
	}
	return nil, d.news
}

// await returns the first T since mark that fits, or fails the test.
func await[T orchestrator.Event](tb testing.TB, d *desk, mark int, within time.Duration, fits func(T) bool) T {
	tb.Helper()
	if e, ok := maybe(d, mark, within, fits); ok {
		return e
	}
	var want T
	tb.Fatalf("no %T within %v; since then came:%s", want, within, listing(d.since(mark)))
	return want
}

// maybe is await for what need not come.
func maybe[T orchestrator.Event](d *desk, mark int, within time.Duration, fits func(T) bool) (T, bool) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	match := func(e orchestrator.Event) bool {
		x, ok := e.(T)
		return ok && (fits == nil || fits(x))
	}
	for {
		e, news := d.find(mark, match)
		if e != nil {
			return e.(T), true
		}
		select {
		case <-news:
		case <-deadline.C:
			var none T
			return none, false
		}
	}
}

// never fails the test if a T that fits comes within d of now.
func never[T orchestrator.Event](tb testing.TB, d *desk, mark int, within time.Duration, fits func(T) bool) {
	tb.Helper()
	if e, ok := maybe(d, mark, within, fits); ok {
		tb.Errorf("%T %+v came and must not; since then came:%s", e, e, listing(d.since(mark)))
	}
}

func listing(events []orchestrator.Event) string {
	if len(events) == 0 {
		return " nothing"
	}
	const most = 40
	var out string
	if len(events) > most {
		out = fmt.Sprintf("\n  (%d before)", len(events)-most)
		events = events[len(events)-most:]
	}
	for _, e := range events {
		out += fmt.Sprintf("\n  %T %+v", e, e)
	}
	return out
}

// on makes a filter for events of one leg.
func on[T orchestrator.Event](leg orchestrator.LegID) func(T) bool {
	return func(e T) bool { return orchestrator.EventLeg(e) == leg }
}
