package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// What one series of the benchmark holds. app_queue needs a second per cycle.
const (
	dispatchCycles = 100
	arrivalCycles  = 60
	shortTalk      = 100 * time.Millisecond // and up to three times that
)

// BenchmarkDispatch measures what agents and callers wait for, on the wire of
// real phones at a real Asterisk: from an agent's BYE to the next INVITE at
// that agent's phone while callers wait, and from a caller's INVITE to the
// INVITE at the phone of a free agent. Asterisk's app_queue (retry=1) does the
// same on the same PBX with the same phones.
//
// One operation is a whole series; the figures are the percentiles.
func BenchmarkDispatch(b *testing.B) {
	d := newDispatch(b, 5)
	d.b.Run("next_call/ringmaster/agents=1/waiting=5", func(b *testing.B) { d.next(b, "501", 1, 5) })
	d.b.Run("next_call/app_queue/agents=1/waiting=5", func(b *testing.B) { d.next(b, lab.BenchExtension, 1, 5) })
	d.b.Run("next_call/ringmaster/agents=5/waiting=50", func(b *testing.B) { d.next(b, "501", 5, 50) })
	d.b.Run("next_call/app_queue/agents=5/waiting=50", func(b *testing.B) { d.next(b, lab.BenchExtension, 5, 50) })
	d.b.Run("free_agent/ringmaster", func(b *testing.B) { d.arrivals(b, "501") })
	d.b.Run("free_agent/ringmaster/unanswered", func(b *testing.B) { d.arrivals(b, "502") })
	d.b.Run("free_agent/app_queue", func(b *testing.B) { d.arrivals(b, lab.BenchExtension) })
	d.report()
}

// dispatch is a centre whose queue "sales" has no wrap-up, and its figures.
type dispatch struct {
	*centre
	b      *testing.B
	phones []*phone.Phone
	rows   []figures
}

// figures are one line of the table, in milliseconds.
type figures struct {
	name          string
	n             int
	p50, p95, p99 float64
	load          string
}

func newDispatch(b *testing.B, agents int) *dispatch {
	b.Helper()
	d := &dispatch{centre: newCentre(b, "asterisk", agents), b: b}
	d.start()
	b.Cleanup(d.stop)
	doc := d.document(agents)
	doc["queues"].([]document)[0]["wrap_up_ms"] = 0
	doc["flows"] = append(doc["flows"].([]document), document{"id": "unanswered", "start": "queue", "nodes": document{
		"queue": document{"type": "queue", "queue": "sales"},
	}})
	doc["numbers"] = append(doc["numbers"].([]document), document{"dialled": "502", "flow": "unanswered"})
	d.apply(doc)
	d.eventually("the switch is attached", 15*time.Second, func() bool {
		l := d.live()
		return len(l.Switches) > 0 && l.Switches[0].Attached
	})
	for i := range agents {
		a := d.pbx.Agents[i]
		p, err := phone.New(phone.Config{
			User: a.Number, Password: a.Password, Registrar: d.pbx.SIPAddr, ListenHost: "127.0.0.1",
			// The next call may arrive before the PBX has acknowledged the BYE.
			CallWaiting: true, Behaviour: phone.AnswerAfter(0),
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { p.Close() })
		d.phones = append(d.phones, p)
	}
	return d
}

// staff makes the first n phones the only ones there, for both queues.
func (d *dispatch) staff(b *testing.B, n int) {
	b.Helper()
	for i, p := range d.phones {
		switch {
		case i < n && !p.Registered():
			if err := p.Register(b.Context()); err != nil {
				b.Fatal(err)
			}
			d.login(i)
		case i >= n && p.Registered():
			d.act(i, document{"action": "logout"})
			if err := p.Unregister(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// next measures from an agent's BYE to the next INVITE at that phone.
func (d *dispatch) next(b *testing.B, number string, agents, waiting int) { //nolint:thelper // it is the test itself
	d.staff(b, agents)
	var gaps []time.Duration
	for b.Loop() {
		gaps = append(gaps, d.busyHour(b, number, agents, waiting)...)
	}
	d.add(b, gaps)
}

// busyHour lets callers queue up, agents talk to them, and new ones come.
func (d *dispatch) busyHour(b *testing.B, number string, agents, waiting int) (gaps []time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	calling, stopCalling := context.WithCancel(ctx)
	var callers, desks sync.WaitGroup
	for i := range agents + waiting + 1 {
		p := d.quietCaller(b, i)
		callers.Go(func() { callAgain(calling, p, number) })
	}
	var lock sync.Mutex
	for i := range agents {
		desks.Go(func() {
			found := serveCallers(ctx, d.phones[i], dispatchCycles/agents+1)
			lock.Lock()
			defer lock.Unlock()
			gaps = append(gaps, found...)
		})
	}
	desks.Wait()
	stopCalling()
	callers.Wait()
	if len(gaps) < dispatchCycles*9/10 {
		b.Fatalf("only %d of %d cycles\nringmaster said:\n%s", len(gaps), dispatchCycles, d.log())
	}
	d.quiet(b)
	return gaps
}

// quiet waits until nothing of a series is left anywhere, and fetches the calls
// that came when the series was over.
func (d *dispatch) quiet(b *testing.B) {
	b.Helper()
	d.eventually("every call is over", 20*time.Second, func() bool { return len(d.live().Calls) == 0 })
	for _, p := range d.phones {
		d.eventually("the phones are quiet", 20*time.Second, func() bool {
			return !slices.ContainsFunc(p.Calls(), func(call *phone.Call) bool { return call.Times().Ended.IsZero() })
		})
		ctx, cancel := context.WithTimeout(b.Context(), 50*time.Millisecond)
		for err := error(nil); err == nil; {
			_, err = p.WaitCall(ctx)
		}
		cancel()
	}
}

func (d *dispatch) quietCaller(b *testing.B, i int) *phone.Phone {
	b.Helper()
	p, err := phone.New(phone.Config{User: fmt.Sprintf("caller%d", i), Registrar: d.pbx.SIPAddr, ListenHost: lab.CallerIP})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	return p
}

// callAgain is a caller who waits, talks, is hung up and calls again.
func callAgain(ctx context.Context, p *phone.Phone, number string) {
	for ctx.Err() == nil {
		call, err := p.Dial(ctx, number, phone.DialOptions{})
		if err != nil {
			return
		}
		select {
		case <-call.Done():
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			call.Hangup(end)
			cancel()
		}
	}
}

// serveCallers talks to n callers for a moment each and returns how long the
// phone was without a call in between. The talks differ in length, so that a
// queue that looks every second is met at every moment of it.
func serveCallers(ctx context.Context, p *phone.Phone, n int) (gaps []time.Duration) {
	var bye time.Time
	for range n {
		call, err := p.WaitCall(ctx)
		if err != nil {
			return gaps
		}
		if !bye.IsZero() {
			gaps = append(gaps, call.Times().Invite.Sub(bye))
		}
		if call.WaitAnswer(ctx) != nil {
			return gaps
		}
		time.Sleep(shortTalk + rand.N(2*shortTalk))
		if call.Hangup(ctx) != nil {
			return gaps
		}
		bye = call.Times().ByeSent
	}
	return gaps
}

// arrivals measures from a caller's INVITE to the INVITE at a free agent's phone.
func (d *dispatch) arrivals(b *testing.B, number string) { //nolint:thelper // it is the test itself
	d.staff(b, 1)
	caller := d.quietCaller(b, 0)
	var gaps []time.Duration
	for b.Loop() {
		for range arrivalCycles {
			gaps = append(gaps, d.arrival(b, caller, number))
		}
	}
	d.add(b, gaps)
}

func (d *dispatch) arrival(b *testing.B, caller *phone.Phone, number string) time.Duration {
	b.Helper()
	d.eventually("the agent is ready", 5*time.Second, func() bool { return d.agent(0).State == orchestrator.AgentReady })
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	call, err := caller.Dial(ctx, number, phone.DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	ring, err := d.phones[0].WaitCall(ctx)
	if err != nil {
		b.Fatalf("the free agent's phone does not ring: %v\nringmaster said:\n%s", err, d.log())
	}
	if err := ring.WaitAnswer(ctx); err != nil {
		b.Fatal(err)
	}
	time.Sleep(shortTalk)
	if err := ring.Hangup(ctx); err != nil {
		b.Fatal(err)
	}
	if _, err := call.WaitEnd(ctx); err != nil {
		b.Fatal(err)
	}
	return ring.Times().Invite.Sub(call.Times().Invite)
}

// add turns measurements into a line of the table and metrics.
func (d *dispatch) add(b *testing.B, gaps []time.Duration) {
	b.Helper()
	slices.Sort(gaps)
	at := func(part float64) float64 {
		return gaps[min(int(part*float64(len(gaps))), len(gaps)-1)].Seconds() * 1000
	}
	f := figures{name: strings.TrimPrefix(b.Name(), "BenchmarkDispatch/"), n: len(gaps), p50: at(0.5), p95: at(0.95), p99: at(0.99), load: load()}
	b.ReportMetric(f.p50, "p50-ms")
	b.ReportMetric(f.p95, "p95-ms")
	b.ReportMetric(f.p99, "p99-ms")
	b.ReportMetric(0, "ns/op") // of a whole series: says nothing
	d.rows = append(d.rows, f)
}

// load is the machine's, of the last minute: others' work is in the figures too.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func (d *dispatch) report() {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tn\tp50 ms\tp95 ms\tp99 ms\tload")
	for _, f := range d.rows {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t%s\n", f.name, f.n, f.p50, f.p95, f.p99, f.load)
	}
	w.Flush()
	fmt.Printf("%s, %d cores, load is that of the last minute\n%s", d.pbx.Version, runtime.NumCPU(), table.String()) // go test shows a log of what has parts only with -v
}
