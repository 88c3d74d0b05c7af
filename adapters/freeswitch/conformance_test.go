package freeswitch

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/conformance"
)

// The contract of orchestrator.Switch against a real FreeSWITCH and SIP phones.
func TestConformance(t *testing.T) {
	p := atPlace(t)
	h := &harness{place: p, outside: &deskPhone{place: p, phone: p.trunk, old: map[string]bool{}}}
	for n := range desks {
		h.phones = append(h.phones, &deskPhone{place: p, phone: p.phones[n], old: map[string]bool{}})
	}
	conformance.Switch(t, h)
}

type harness struct {
	*place
	phones  []*deskPhone
	outside *deskPhone // what is dialled through the trunk
}

func (h *harness) Stage() conformance.Stage {
	return conformance.Stage{
		Number: "4930555", Code: "*11", Inward: "1001", Trunk: lab.FreeSWITCHTrunk, Nowhere: "user/" + h.pbx.Agents[desks].Number, Unknown: "user/9999",
		Prompt: []orchestrator.Media{{File: h.prompt}}, Long: []orchestrator.Media{{File: h.long}},
		Missing: []orchestrator.Media{{File: h.missing}}, Music: lab.FreeSWITCHMusic,
		Context: "rm-fallback", Extension: "agent", Tones: true, Files: true,
		Event: 5 * time.Second, Quiet: 500 * time.Millisecond, Alone: guardFor + 4*time.Second, Recover: 20 * time.Second,
		Backlog: 2*narrow + 4,
	}
}

// guardFor is shorter than in service, so that nobody waits half a minute for
// the fallback.
const guardFor = 8 * time.Second

func (h *harness) Connect(tb testing.TB) orchestrator.Switch {
	tb.Helper()
	return h.connect(tb, 0)
}

// narrow is a short queue of events.
const narrow = 8

func (h *harness) Narrow(tb testing.TB) orchestrator.Switch {
	tb.Helper()
	return h.connect(tb, narrow)
}

func (h *harness) connect(tb testing.TB, queue int) orchestrator.Switch {
	tb.Helper()
	cfg := h.config(tb)
	cfg.guardFor, cfg.Queue = guardFor, queue
	sw, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return sw
}

func (h *harness) Call(to string, from orchestrator.Party) (conformance.Far, error) {
	c, err := h.trunk.Dial(context.Background(), to, phone.DialOptions{CallerNumber: from.Number, CallerName: from.Name})
	if err != nil {
		return nil, err
	}
	return &far{c}, nil
}

func (h *harness) Link(to string, from orchestrator.Party) (conformance.Far, error) {
	c, err := h.link.Dial(context.Background(), to, phone.DialOptions{CallerNumber: from.Number, CallerName: from.Name})
	if err != nil {
		return nil, err
	}
	return &far{c}, nil
}

func (h *harness) Trunk() conformance.Called { return h.outside }

func (h *harness) Fetch(file string) ([]byte, error) { return os.ReadFile(file) }

func (h *harness) Phone(n int) conformance.Phone { return h.phones[n] }

func (h *harness) Cut(tb testing.TB) {
	tb.Helper()
	h.between.Stop()
	if err := h.between.Start(); err != nil {
		tb.Fatal(err)
	}
}

// Receive hears nothing: FreeSWITCH does not stream.
func (h *harness) Receive(testing.TB) (string, func() []int16) {
	return "192.0.2.1:4000", func() []int16 { return nil }
}

func (h *harness) Strain(tb testing.TB, over bool) {
	tb.Helper()
	const slow = `{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":1000}}`
	var err error
	if over {
		_, err = h.between.Toxics.AddToxicJson(strings.NewReader(slow))
	} else {
		err = h.between.Toxics.RemoveToxic(context.Background(), "slow")
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func (h *harness) Restart(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := h.pbx.Restart(ctx); err != nil {
		tb.Fatal(err)
	}
}

// deskPhone is a registered phone of the lab.
type deskPhone struct {
	*place
	phone *phone.Phone
	mu    sync.Mutex
	old   map[string]bool // calls from before Behave
}

func (d *deskPhone) Endpoint() string { return "user/" + d.phone.User() }

func (d *deskPhone) Behave(c conformance.Conduct) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, call := range d.phone.Calls() {
		if d.old[call.ID()] || d.phone == d.trunk && call.Direction() == phone.Outgoing {
			continue // The trunk's own calls are the suite's callers.
		}
		d.old[call.ID()] = true
		if err := call.Hangup(ctx); err != nil {
			_ = err // It may have ended this very moment, or been cut by a restart.
		}
	}
	switch c {
	case conformance.Busy:
		return d.phone.SetBehaviour(phone.RejectWith(486))
	case conformance.Declines:
		return d.phone.SetBehaviour(phone.RejectWith(603))
	case conformance.Away:
		return d.phone.SetBehaviour(phone.RejectWith(480))
	case conformance.Early:
		return d.phone.SetBehaviour(phone.EarlyForever())
	case conformance.Deaf:
		return d.phone.SetBehaviour(phone.Unresponsive())
	}
	return d.phone.SetBehaviour(phone.RingForever())
}

func (d *deskPhone) Rung() []conformance.Far {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []conformance.Far
	for _, call := range d.phone.Calls() {
		if call.Direction() == phone.Incoming && !d.old[call.ID()] {
			out = append(out, &far{call})
		}
	}
	return out
}

func (d *deskPhone) Dial(number string) (conformance.Far, error) {
	c, err := d.phone.Dial(context.Background(), number, phone.DialOptions{})
	if err != nil {
		return nil, err
	}
	return &far{c}, nil
}

func (d *deskPhone) Unregister() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return d.phone.Unregister(ctx)
}

func (d *deskPhone) Register() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return d.phone.Register(ctx)
}

// far is one call of a phone.
type far struct{ call *phone.Call }

func (f *far) Answer() error     { return within(patience, f.call.Answer) }
func (f *far) Hangup() error     { return within(patience, f.call.Hangup) }
func (f *far) Hold() error       { return within(patience, f.call.Hold) }
func (f *far) Resume() error     { return within(patience, f.call.Unhold) }
func (f *far) Tone(hz int) error { return f.call.SetTone(hz) }
func (f *far) Pressed() string   { return f.call.Ear().Digits() }
func (f *far) Early() bool       { return !f.call.Times().Progress.IsZero() }
func (f *far) Up() bool          { return f.call.Up() }
func (f *far) Dialled() string   { return f.call.Dialled() }
func (f *far) Ringing() bool     { return closed(f.call.Ringing()) && !f.Up() && !f.Ended() }
func (f *far) Ended() bool       { return closed(f.call.Done()) }
func (f *far) Shown() orchestrator.Party {
	return orchestrator.Party{Number: f.call.Peer(), Name: f.call.PeerName()}
}

func (f *far) Transfer(number string) error {
	go func() { // What becomes of it, Transferred tells.
		_ = within(patience, func(ctx context.Context) error { return f.call.Transfer(ctx, number) })
	}()
	return nil
}

func (f *far) TransferTo(consult conformance.Far) error {
	go func() {
		_ = within(patience, func(ctx context.Context) error { return f.call.TransferTo(ctx, consult.(*far).call) })
	}()
	return nil
}

func (f *far) Transferred() int { return f.call.Transferred() }

func (f *far) Press(digits string) error {
	return within(2*patience, func(ctx context.Context) error { return f.call.SendDTMF(ctx, digits) })
}

func (f *far) Hears(hz int, d time.Duration) bool {
	return within(d, func(ctx context.Context) error {
		_, err := f.call.Ear().WaitTone(ctx, hz, time.Now())
		return err
	}) == nil
}

func (f *far) Missed(hz int, since time.Time) time.Duration {
	return f.call.Ear().LongestWithout(hz, since, time.Now())
}

func (f *far) Status() int {
	if !f.Ended() || slices.Contains([]int{0, 200}, f.call.End().Code) {
		return 0
	}
	return f.call.End().Code
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
