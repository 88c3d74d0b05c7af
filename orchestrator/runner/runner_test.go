package runner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/runner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFull = errors.New("full")

// paper is a journal in memory that remembers what happened in which order.
type paper struct {
	lock     sync.Mutex
	diary    *diary
	buffered [][]byte
	records  [][]byte
	last     uint64
	image    []byte
	full     bool
}

func (p *paper) Append(seq uint64, payload []byte) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	if seq <= p.last {
		return fmt.Errorf("record %d after %d", seq, p.last)
	}
	p.last = seq
	p.buffered = append(p.buffered, bytes.Clone(payload))
	return nil
}

func (p *paper) Commit() error {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.full {
		return errFull
	}
	p.records = append(p.records, p.buffered...)
	p.buffered = nil
	p.diary.note("durable")
	return nil
}

func (p *paper) Discard() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	n := len(p.buffered)
	p.buffered = nil
	return n
}

func (p *paper) WriteSnapshot(_ uint64, state []byte) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.image, p.records = bytes.Clone(state), nil
	return nil
}

func (p *paper) LastSeq() uint64 {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.last
}

func (p *paper) past() runner.Past {
	return runner.Past{Image: p.image, Records: func(yield func([]byte, error) bool) {
		for _, r := range p.records {
			if !yield(r, nil) {
				return
			}
		}
	}}
}

// diary is what happened, in order.
type diary struct {
	lock  sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) text() string {
	d.lock.Lock()
	defer d.lock.Unlock()
	return strings.Join(d.lines, "\n")
}

// wire is a switch that notes what it is told.
type wire struct {
	diary   *diary
	events  chan o.Event
	answers func(o.Action) o.CommandResult
	resyncs chan struct{}
}

func (w *wire) ID() o.SwitchID               { return "pbx" }
func (w *wire) Capabilities() o.Capabilities { return o.Capabilities{Kind: "simulated"} }
func (w *wire) Run(context.Context) error    { return nil }
func (w *wire) Events() <-chan o.Event       { return w.events }
func (w *wire) Resync()                      { w.resyncs <- struct{}{} }

func (w *wire) Do(_ context.Context, a o.Action) (o.CommandResult, string) {
	w.diary.note(fmt.Sprintf("%T", a))
	if w.answers == nil {
		return o.ResultAccepted, ""
	}
	return w.answers(a), ""
}

// house is a runner with everything around it.
type house struct {
	t     *testing.T
	r     *runner.Runner
	sw    *wire
	paper *paper
	diary *diary
	stop  func()
	pins  []string
}

func (h *house) CheckPIN(_ context.Context, _ o.TenantID, agent o.AgentID, pin string) (bool, error) {
	h.pins = append(h.pins, pin)
	return agent == "ana" && pin == "4711", nil
}

func (h *house) Speak(_ context.Context, language, words string) (string, error) {
	if strings.Contains(words, "unspeakable") {
		return "", errors.New("no engine")
	}
	return "/spoken/" + language, nil
}

func build(t *testing.T, p *paper) *house {
	t.Helper()
	return buildWith(t, p, func(*runner.Config) {})
}

func buildWith(t *testing.T, p *paper, change func(*runner.Config)) *house {
	t.Helper()
	d := &diary{}
	h := &house{t: t, diary: d, paper: p, sw: &wire{diary: d, events: make(chan o.Event, 100), resyncs: make(chan struct{}, 10)}}
	p.diary = d
	config := runner.Config{
		Tenant: "acme", Epoch: 1, Journal: p, Full: errFull, PINs: h, Voice: h, Log: slog.New(slog.DiscardHandler),
	}
	change(&config)
	r, err := runner.New(config, p.past())
	if err != nil {
		t.Fatal(err)
	}
	h.r = r
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.Attach(h.sw)
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.stop)
	return h
}

// furnish configures one queue with one agent at one phone.
func (h *house) furnish(say string) {
	h.t.Helper()
	h.submit(o.ConfigChanged{Change: o.Config{
		Switches: []o.PBX{{ID: "pbx", Type: "simulated"}},
		Phones:   []o.Phone{{ID: "p1", Switch: "pbx", Endpoint: "PJSIP/1001"}},
		Agents:   []o.Agent{{ID: "ana", Number: "101", Name: "Ana"}},
		Queues:   []o.Queue{{ID: "sales", Version: 1, Agents: []o.QueueAgent{{Agent: "ana"}}}},
		Flows: []o.Flow{{ID: "main", Version: 1, Start: "hello", Nodes: map[string]o.Node{
			"hello": {Type: o.NodePlay, Play: []o.Media{{Say: say}}, On: map[string]string{"next": "queue", "failed": "bye"}},
			"queue": {Type: o.NodeQueue, Queue: "sales"},
			"bye":   {Type: o.NodeHangup},
		}}},
		Numbers: []o.Number{{Dialled: "500", Flow: "main"}},
	}})
	h.submit(o.SwitchSynced{Switch: "pbx", Epoch: "e", Snapshot: o.Snapshot{
		Endpoints: []o.SnapshotEndpoint{{Endpoint: "PJSIP/1001", Reachable: true}},
	}})
}

func (h *house) submit(e o.Event) []o.Fact {
	h.t.Helper()
	facts, err := h.r.Submit(h.t.Context(), e)
	if err != nil {
		h.t.Fatal(err)
	}
	return facts
}

func (h *house) eventually(what string, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(5 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("%s does not happen:\n%s", what, h.diary.text())
		}
	}
}

func (h *house) live() o.Live {
	h.t.Helper()
	l, err := h.r.Live(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

func TestFactsAreDurableBeforeTheirCommandsLeave(t *testing.T) {
	h := build(t, &paper{})
	h.furnish("Hello.")
	h.diary.lines = nil
	h.submit(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"})
	h.eventually("the greeting", func() bool { return strings.Contains(h.diary.text(), "Play") })
	if got, want := h.diary.text(), "durable\norchestrator.Claim\norchestrator.Play"; got != want {
		t.Errorf("happened:\n%s\nwant:\n%s", got, want)
	}
}

func TestWordsThatCannotBeSpokenFailThePlay(t *testing.T) {
	h := build(t, &paper{})
	h.furnish("unspeakable")
	h.submit(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"})
	h.eventually("the exit failed", func() bool { return strings.Contains(h.diary.text(), "Hangup") })
}

func TestAPanicSetsOneInputAside(t *testing.T) {
	h := build(t, &paper{})
	h.furnish("Hello.")
	before := h.live()
	// A strategy nobody knows cannot get past validation; here it does.
	facts := h.submit(o.ConfigChanged{Change: o.Config{Queues: []o.Queue{{ID: "sales", Strategy: "nonsense"}}}})
	if len(facts) != 1 {
		t.Fatalf("facts %+v", facts)
	}
	aside, ok := facts[0].What.(o.InputSetAside)
	if !ok || !strings.Contains(aside.Event, "ConfigChanged") {
		t.Fatalf("fact %+v", facts[0].What)
	}
	<-h.sw.resyncs
	after := h.live()
	before.At, before.Seq, after.Seq = after.At, 0, 0
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("the floor was\n%+v\nand is\n%+v", before, after)
	}
	h.submit(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"})
	if len(h.live().Calls) != 1 {
		t.Error("the floor takes no calls any more")
	}
}

func TestARestartGoesOnWhereItWas(t *testing.T) {
	p := &paper{}
	h := build(t, p)
	h.furnish("Hello.")
	h.submit(o.AgentAsked{Agent: "ana", Action: o.ActionLogin, Phone: "p1", Origin: o.OriginAPI})
	h.submit(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"})
	before := h.live()
	crashed := &paper{records: append([][]byte(nil), p.records...), image: p.image, last: p.last}
	h.stop()
	for name, again := range map[string]*paper{"after a stop": p, "after a crash": crashed} {
		t.Run(name, func(t *testing.T) {
			h := build(t, again)
			h.eventually("the loss of the switch is told", func() bool { return !h.live().Switches[0].Attached })
			after := h.live()
			if len(after.Calls) != 1 || after.Calls[0].Call != before.Calls[0].Call || !after.Calls[0].Arrived.Equal(before.Calls[0].Arrived) {
				t.Errorf("calls were %+v and are %+v", before.Calls, after.Calls)
			}
			if after.Seq <= before.Seq {
				t.Errorf("inputs are numbered %d after %d", after.Seq, before.Seq)
			}
		})
	}
}

func TestPINsStayOutOfTheJournal(t *testing.T) {
	h := build(t, &paper{})
	h.furnish("Hello.")
	h.sw.events <- o.LegOffered{Switch: "pbx", Leg: "pbx/9", Entry: o.EntryAgent, Dialled: "*11101", Endpoint: "PJSIP/1001"}
	h.sw.events <- o.LegUp{Leg: "pbx/9"}
	h.eventually("the PIN is asked for", func() bool { return strings.Contains(h.diary.text(), "Play") })
	time.Sleep(20 * time.Millisecond)
	for _, digit := range []string{"4", "7", "1", "1", "#"} {
		h.sw.events <- o.Digit{Leg: "pbx/9", Digit: digit}
	}
	h.eventually("ana is logged in", func() bool { return h.live().Agents[0].State != o.AgentLoggedOut })
	if len(h.pins) != 1 || h.pins[0] != "4711" {
		t.Errorf("checked %v", h.pins)
	}
	h.paper.lock.Lock()
	defer h.paper.lock.Unlock()
	for _, r := range h.paper.records {
		if bytes.Contains(r, []byte("digit_taken")) || bytes.Contains(r, []byte("4711")) {
			t.Errorf("the journal knows the PIN: %s", r)
		}
	}
}

func TestAFullJournalDoesNotStopCalls(t *testing.T) {
	h := build(t, &paper{})
	h.furnish("Hello.")
	h.paper.lock.Lock()
	h.paper.full = true
	h.paper.lock.Unlock()
	h.submit(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"})
	h.eventually("the greeting", func() bool { return strings.Contains(h.diary.text(), "Play") })
	h.eventually("the state is kept in a snapshot", func() bool {
		h.paper.lock.Lock()
		defer h.paper.lock.Unlock()
		return bytes.Contains(h.paper.image, []byte("pbx/1"))
	})
}

func TestRefusedCommandsComeBackAsEvents(t *testing.T) {
	h := build(t, &paper{})
	h.furnish("Hello.")
	h.sw.answers = func(a o.Action) o.CommandResult {
		if _, play := a.(o.Play); play {
			return o.ResultNoWord
		}
		return o.ResultAccepted
	}
	facts, _, cancel := h.r.Subscribe(h.live().Seq)
	defer cancel()
	h.submit(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"})
	for f := range facts {
		if failed, ok := f.What.(o.CommandFailed); ok {
			if failed.Leg != "pbx/1" || failed.Result != o.ResultNoWord {
				t.Errorf("%+v", failed)
			}
			break
		}
	}
	<-h.sw.resyncs // an unknown fate is looked up, not repeated
}

func TestSubscribers(t *testing.T) {
	h := build(t, &paper{})
	h.furnish("Hello.")
	all, complete, cancelAll := h.r.Subscribe(0)
	defer cancelAll()
	if first := <-all; !complete || first.Seq == 0 {
		t.Errorf("the past begins with %+v, complete %v", first, complete)
	}
	_, _, cancelSlow := h.r.Subscribe(h.live().Seq)
	defer cancelSlow()
	h.stop()
	for range all { // it must end with the runner
	}
	if _, err := h.r.Submit(t.Context(), o.Wake{}); o.CodeOf(err) != o.CodeUnavailable {
		t.Errorf("a runner that ended answers %v", err)
	}
}
