package adapter_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/conformance"
	"ringmaster/orchestrator/simulation"
	"ringmaster/orchestrator/simulation/adapter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance holds the simulated switch to the contract, with each of the
// quirks by which honest switches differ.
func TestConformance(t *testing.T) {
	for name, quirks := range map[string]simulation.Quirks{
		"plain": {},
		"quirky": {
			LeftAtEnd: true, PlayDoneAtEnd: true, EndsAtRestart: true, React: 20 * time.Millisecond,
			DoesAttended: true, PartsWhileAsked: true, NoDetection: true, NoStreams: true, SupervisorKeys: true, FallsBackAlone: true,
		},
		"patient": {StaysTransferred: true, PartsWhileAsked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conformance.Switch(t, newHarness(t, quirks))
		})
	}
}

// TestSlowReceiver holds that a receiver that stops reading learns that it
// missed something, and gets a snapshot once it reads again.
func TestSlowReceiver(t *testing.T) {
	h := newHarness(t, simulation.Quirks{})
	a := adapter.New(h.host)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	if _, ok := (<-a.Events()).(orchestrator.SwitchSynced); !ok {
		t.Fatal("the first event is no snapshot")
	}
	far, err := h.Call("100", orchestrator.Party{})
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		if err := far.Press("1"); err != nil {
			t.Fatal(err)
		}
	}
	digits, lost := 0, false
	for e := range a.Events() {
		if _, ok := e.(orchestrator.Digit); ok {
			digits++
			if lost {
				t.Fatal("a digit came between loss and snapshot")
			}
		}
		if _, ok := e.(orchestrator.SwitchLost); ok {
			lost = true
		}
		if _, ok := e.(orchestrator.SwitchSynced); ok {
			break
		}
	}
	if !lost || digits == 0 || digits == 10_000 {
		t.Errorf("read %d of 10000 digits, lost %v", digits, lost)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// harness is a simulated switch with three phones and nobody at them.
type harness struct {
	host   *adapter.Host
	phones []*phone
	trunk  *phone
}

func newHarness(t *testing.T, q simulation.Quirks) *harness {
	t.Helper()
	h := &harness{host: adapter.NewHost("lab")}
	t.Cleanup(h.host.Close)
	h.host.With(func(s *simulation.Switch) {
		s.Quirks = q
		for _, name := range []string{"SIM/1001", "SIM/1002", "SIM/1003"} {
			p := &phone{host: h.host, conduct: conformance.Rings}
			p.Phone = s.AddPhone(name, p)
			h.phones = append(h.phones, p)
		}
		s.AddPhone("SIM/1009", nil).Unregister()
		h.trunk = &phone{host: h.host, conduct: conformance.Rings}
		h.trunk.Phone = s.AddTrunk("SIM/trunk", h.trunk)
	})
	return h
}

func (h *harness) Stage() conformance.Stage {
	return conformance.Stage{
		Number: "100", Code: "*11", Inward: "1001", Trunk: "SIM/trunk", Nowhere: "SIM/1009", Unknown: "SIM/4242",
		Prompt:  []orchestrator.Media{{Sound: "short"}},
		Long:    []orchestrator.Media{{Sound: "long"}},
		Missing: []orchestrator.Media{{Sound: "missing"}},
		Music:   "default", Context: "fallback", Extension: "s", Tones: true,
		Event: 3 * time.Second, Quiet: 60 * time.Millisecond, Alone: 300 * time.Millisecond, Recover: 3 * time.Second,
		Backlog: adapter.Backlog,
	}
}

func (h *harness) Connect(testing.TB) orchestrator.Switch { return adapter.New(h.host) }
func (h *harness) Narrow(testing.TB) orchestrator.Switch  { return adapter.New(h.host) }
func (h *harness) Phone(n int) conformance.Phone          { return h.phones[n] }

func (h *harness) Strain(_ testing.TB, over bool) {
	set := func() { h.host.With(func(s *simulation.Switch) { s.Overload(over) }) }
	if over {
		set()
		return
	}
	time.AfterFunc(500*time.Millisecond, set)
}

func (h *harness) Call(to string, from orchestrator.Party) (conformance.Far, error) {
	f := &far{host: h.host}
	h.host.With(func(s *simulation.Switch) { f.Far = s.Call(to, from, nil) })
	return f, nil
}

func (h *harness) Link(to string, from orchestrator.Party) (conformance.Far, error) {
	f := &far{host: h.host}
	h.host.With(func(s *simulation.Switch) { f.Far = s.Link(to, from, nil) })
	return f, nil
}

func (h *harness) Fetch(string) ([]byte, error) {
	return nil, errors.New("a simulated switch keeps no sound")
}

// Receive hears nothing: a simulated switch has no sound.
func (h *harness) Receive(testing.TB) (string, func() []int16) {
	return "192.0.2.1:4000", func() []int16 { return nil }
}

func (h *harness) Trunk() conformance.Called { return h.trunk }

func (h *harness) Cut(testing.TB) {
	h.host.With(func(s *simulation.Switch) { s.Cut("the cable was pulled") })
}

func (h *harness) Restart(testing.TB) { h.host.With(func(s *simulation.Switch) { s.Restart() }) }

// phone is a desk phone that does as the test tells it.
type phone struct {
	*simulation.Phone
	nobody
	host    *adapter.Host
	conduct conformance.Conduct
	rung    []conformance.Far
}

func (p *phone) Called(f *simulation.Far) int {
	p.rung = append(p.rung, &far{Far: f, host: p.host})
	return map[conformance.Conduct]int{
		conformance.Rings: 180, conformance.Early: 183, conformance.Busy: 486, conformance.Declines: 603, conformance.Away: 480, conformance.Deaf: 0,
	}[p.conduct]
}

func (p *phone) Behave(c conformance.Conduct) error {
	p.host.With(func(*simulation.Switch) {
		for _, f := range p.Calls() {
			f.Hangup()
		}
		p.conduct, p.rung = c, nil
	})
	return nil
}

func (p *phone) Rung() (rung []conformance.Far) {
	p.host.With(func(*simulation.Switch) { rung = append(rung, p.rung...) })
	return rung
}

func (p *phone) Dial(number string) (conformance.Far, error) {
	f := &far{host: p.host}
	p.host.With(func(*simulation.Switch) { f.Far = p.Phone.Dial(number, nil) })
	return f, nil
}

func (p *phone) Register() error {
	p.host.With(func(*simulation.Switch) { p.Phone.Register() })
	return nil
}

func (p *phone) Unregister() error {
	p.host.With(func(*simulation.Switch) { p.Phone.Unregister() })
	return nil
}

// nobody is a person who does nothing.
type nobody struct{}

func (nobody) Up(*simulation.Far)                          {}
func (nobody) Hears(*simulation.Far, []orchestrator.Media) {}
func (nobody) Together(*simulation.Far)                    {}
func (nobody) Alone(*simulation.Far)                       {}
func (nobody) Fallback(*simulation.Far)                    {}
func (nobody) Ended(*simulation.Far)                       {}

// far is a far end used from the test's goroutine.
type far struct {
	*simulation.Far
	host *adapter.Host
}

func (f *far) do(what func()) error {
	f.host.With(func(*simulation.Switch) { what() })
	return nil
}

func (f *far) Answer() error             { return f.do(f.Far.Answer) }
func (f *far) Hangup() error             { return f.do(f.Far.Hangup) }
func (f *far) Press(digits string) error { return f.do(func() { f.Far.Press(digits) }) }
func (f *far) Hold() error               { return f.do(f.Far.Hold) }
func (f *far) Resume() error             { return f.do(f.Far.Resume) }
func (f *far) Transfer(to string) error  { return f.do(func() { f.Far.Transfer(to) }) }
func (f *far) TransferTo(consult conformance.Far) error {
	return f.do(func() { f.Far.TransferTo(consult.(*far).Far) })
}
func (f *far) Transferred() (n int) { _ = f.do(func() { n = f.Far.Transferred() }); return n }
func (f *far) Tone(hz int) error    { return f.do(func() { f.Far.Tone(hz) }) }

func (f *far) Ringing() (is bool) { _ = f.do(func() { is = f.Far.Ringing() }); return is }
func (f *far) Early() (is bool)   { _ = f.do(func() { is = f.Far.Early() }); return is }
func (f *far) Up() (is bool)      { _ = f.do(func() { is = f.Far.Up() }); return is }
func (f *far) Ended() (is bool)   { _ = f.do(func() { is = f.Far.Ended() }); return is }
func (f *far) Status() (n int)    { _ = f.do(func() { n = f.Far.Status() }); return n }

func (f *far) Dialled() (to string) { _ = f.do(func() { to = f.Far.Dialled() }); return to }

func (f *far) Pressed() (keys string)        { _ = f.do(func() { keys = f.Far.Pressed() }); return keys }
func (f *far) Shown() (p orchestrator.Party) { _ = f.do(func() { p = f.Far.Shown() }); return p }

// Missed is nothing or all: the simulated sound has no gaps.
func (f *far) Missed(hz int, since time.Time) time.Duration {
	if f.Hears(hz, time.Millisecond) {
		return 0
	}
	return time.Since(since)
}

func (f *far) Hears(hz int, d time.Duration) (heard bool) {
	for end := time.Now().Add(d); !heard && time.Now().Before(end); time.Sleep(time.Millisecond) {
		_ = f.do(func() { heard = f.Far.Hears(hz) })
	}
	return heard
}
