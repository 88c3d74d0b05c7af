package freeswitch

import (
	"context"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// What happens to callers when we are gone. An adapter that is stopped says
// nothing to FreeSWITCH, as one that was killed.

// rings waits until the fallback rings the first phone.
func (o *office) rings(within time.Duration) bool {
	deadline := time.Now().Add(within)
	for time.Now().Before(deadline) {
		for _, c := range o.phones[0].Calls() {
			if c.Direction() == phone.Incoming && !closed(c.Done()) && closed(c.Ringing()) {
				return true
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

func short(c *Config) { c.guardFor = 3 * time.Second }

func TestWaitingCallerGoesToTheFallbackWhenWeDie(t *testing.T) {
	o := atWork(t, short)
	if err := o.phones[0].SetBehaviour(phone.RingForever()); err != nil {
		t.Fatal(err)
	}
	caller, leg := o.arrives(true)
	o.must(orchestrator.StartMusic{Leg: leg})
	time.Sleep(7 * time.Second) // The dialplan's guard and two of ours would have fired.
	if o.rings(0) || !caller.Up() || count[orchestrator.LegReleased](o, 0, nil) != 0 {
		t.Fatal("the guard fired while we lived")
	}
	o.stop()
	began := time.Now()
	if !o.rings(8 * time.Second) {
		t.Fatal("the caller is stranded: the fallback rings nobody")
	}
	t.Logf("the fallback rang %v after we died", time.Since(began).Round(10*time.Millisecond))
	if !caller.Up() {
		t.Error("the caller was cut off")
	}
}

func TestTalkingPairIsNeverTornApartWhenWeDie(t *testing.T) {
	o := atWork(t, short)
	p := o.talks()
	tones(t, p.caller, 600, p.agent, 1000)
	o.stop()
	time.Sleep(10 * time.Second)
	if !p.caller.Up() || !p.agent.Up() {
		t.Fatal("the talk was ended")
	}
	o.hears("the caller", p.caller, 1000, true)
	o.hears("the agent", p.agent, 600, true)
	// The agent goes: FreeSWITCH itself parks the caller under a guard.
	if err := o.phones[0].SetBehaviour(phone.RingForever()); err != nil {
		t.Fatal(err)
	}
	if err := p.agent.Hangup(); err != nil {
		t.Fatal(err)
	}
	if !o.rings(12 * time.Second) {
		t.Fatal("the caller is stranded after the talk")
	}
	if !p.caller.Up() {
		t.Error("the caller was cut off")
	}
}

func TestSecondTalkIsNotTornApartEither(t *testing.T) {
	o := atWork(t, short)
	p := o.talks()
	if err := p.agent.Hangup(); err != nil {
		t.Fatal(err)
	}
	expect(o, 0, func(e orchestrator.LegEnded) bool { return e.Leg == p.b })
	second, c := o.reaches(1)
	mark := o.mark()
	o.must(orchestrator.Connect{
		Bridge: orchestrator.BridgeID(newID()), Stamp: stampFor(p.a, orchestrator.RoleBridge), A: p.a, B: c,
	})
	expect(o, mark, func(e orchestrator.Joined) bool { return e.Leg == c })
	time.Sleep(11 * time.Second) // Longer than the guard that FreeSWITCH armed when the first agent went.
	if !p.caller.Up() || !second.Up() || count(o, mark, func(orchestrator.Left) bool { return true }) != 0 {
		t.Fatal("the second talk was torn apart")
	}
	tones(t, p.caller, 600, second, 1000)
	o.hears("the caller", p.caller, 1000, true)
}

// A caller whose guard another orchestrator put off, once and twice, so that
// either of its two is armed.
func TestGuardOfADeadOrchestratorDoesNotTearATalkApart(t *testing.T) {
	for _, waits := range []time.Duration{0, 1300 * time.Millisecond} {
		dead := atWork(t, short)
		caller, a := dead.arrives(true)
		agent, b := dead.reaches(0)
		time.Sleep(waits) // A guard is put off every second.
		dead.stop()
		o := atWork(t, short)
		mark := o.mark()
		o.must(orchestrator.Connect{Bridge: orchestrator.BridgeID(newID()), Stamp: stampFor(a, orchestrator.RoleBridge), A: a, B: b})
		expect(o, mark, func(e orchestrator.Joined) bool { return e.Leg == b })
		time.Sleep(5 * time.Second)
		if !caller.Up() || !agent.Up() || count(o, mark, func(orchestrator.Left) bool { return true }) != 0 {
			t.Errorf("a guard fired in a talk that began after a wait of %v", waits)
		}
		_ = caller.Hangup()
		_ = agent.Hangup()
		o.stop()
	}
}

// A guard that is being put off all the time must not cross a Connect.
func TestConnectAndSeparateUnderABusyGuard(t *testing.T) {
	o := atWork(t, func(c *Config) { c.guardFor = time.Second }) // Put off three times a second.
	p := o.talks()
	for range 12 {
		mark := o.mark()
		o.must(orchestrator.Separate{Leg: p.a, Bridge: p.bridge})
		expect(o, mark, func(e orchestrator.Left) bool { return e.Leg == p.a })
		expect(o, mark, func(e orchestrator.Left) bool { return e.Leg == p.b })
		time.Sleep(150 * time.Millisecond)
		mark = o.mark()
		p.bridge = orchestrator.BridgeID(newID())
		o.must(orchestrator.Connect{Bridge: p.bridge, Stamp: stampFor(p.a, orchestrator.RoleBridge), A: p.a, B: p.b})
		expect(o, mark, func(e orchestrator.Joined) bool { return e.Leg == p.a && e.Bridge == p.bridge })
	}
	mark := o.mark()
	time.Sleep(3 * time.Second)
	if !p.caller.Up() || !p.agent.Up() || count(o, mark, func(orchestrator.Left) bool { return true }) != 0 {
		t.Error("a guard fired in a talk")
	}
}

func TestDialplanIsToldWhetherWeLive(t *testing.T) {
	o := atWork(t, nil)
	alive := func() string {
		w, err := open(context.Background(), must(o.config(t).complete()), nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); _ = w.run() }()
		defer func() { _ = w.fail(errClosed); <-done }()
		answers, err := w.send(context.Background(), encodeReadGlobal(aliveVariable))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(answers[0])
	}
	time.Sleep(5 * time.Second) // Two beats.
	if got := alive(); got != "yes" {
		t.Errorf("while we live the variable is %q", got)
	}
	o.stop()
	deadline := time.Now().Add(beatFor + 3*time.Second)
	for alive() != "no" {
		if time.Now().After(deadline) {
			t.Fatal("nobody told the dialplan that we are gone")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// An orchestrator that was stopped and continued, or cut off, must not act
// once a newer one has come, even before it has heard of it.
func TestOlderOrchestratorIssuesNoCommand(t *testing.T) {
	o := atWork(t, nil)
	p := o.talks()
	o.sw.mu.Lock()
	lines := o.sw.lines
	o.sw.mu.Unlock()
	// A newer one has been there and said so, but its word has not reached us.
	w, err := lines.wire(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	newer := o.sw.cfg.Epoch + 1000
	epochs.Store(newer)
	if _, err := w.send(context.Background(), encodeGlobal(epochVariable, epochText(newer))); err != nil {
		t.Fatal(err)
	}
	lines.mu.Lock()
	lines.verified = time.Now().Add(-time.Minute) // As after SIGCONT.
	lines.mu.Unlock()
	result, reason := o.do(orchestrator.Hangup{Leg: p.a, Cause: orchestrator.CauseNormal})
	if result != orchestrator.ResultRejected || reason != ReasonSuperseded {
		t.Errorf("answered %s %s", result, reason)
	}
	expect[orchestrator.SwitchSuperseded](o, 0, nil)
	time.Sleep(300 * time.Millisecond)
	if !p.caller.Up() {
		t.Error("it ended a call")
	}
	o.stop()
	// Started again with its old epoch it does not take the switch back.
	old := o.config(t)
	old.Epoch = newer - 500
	sw, err := New(old)
	if err != nil {
		t.Fatal(err)
	}
	back := openOffice(t, sw, o.place)
	expect[orchestrator.SwitchSuperseded](back, 0, nil)
	if n := count[orchestrator.SwitchSynced](back, 0, nil); n != 0 {
		t.Error("it took the switch back")
	}
	back.stop()
	next := atWork(t, nil)
	next.must(orchestrator.Hangup{Leg: p.a, Cause: orchestrator.CauseNormal})
	next.must(orchestrator.Hangup{Leg: p.b, Cause: orchestrator.CauseNormal})
}

// A client that stays connected and does not read freezes FreeSWITCH. However
// stuck the receiver of our events is, our reader goes on, gives the
// connection up and reads anew.
func TestStuckReceiverDoesNotFreezeTheSwitch(t *testing.T) {
	p := atPlace(t)
	cfg := p.config(t)
	cfg.Queue = 256
	sw, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); _ = sw.Run(ctx) }() // Nobody takes its events.
	defer func() { cancel(); <-ran }()
	w, err := open(ctx, must(cfg.complete()), nil)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { defer close(gone); _ = w.run() }()
	defer func() { _ = w.fail(errClosed); <-gone }()
	began, fired := time.Now(), 0
	event := order{name: "event", text: "sendevent CUSTOM\nEvent-Subclass: sofia::register\nfrom-user: nobody\n\n"}
	for range 220 { // 110 000 events: past the 100 000 of FreeSWITCH's queue.
		batch := make([]order, 500)
		for i := range batch {
			batch[i] = event
		}
		if _, err := w.send(ctx, batch...); err != nil {
			t.Fatal(err)
		}
		fired += len(batch)
	}
	t.Logf("%d events in %v; the adapter has %d losses and %d sessions", fired, time.Since(began).Round(time.Millisecond), sw.Stats().Losses, sw.Stats().Sessions)
	began = time.Now()
	again, err := open(ctx, must(cfg.complete()), nil)
	if err != nil {
		t.Fatalf("FreeSWITCH takes no new connection: %v", err)
	}
	_ = again.fail(errClosed)
	t.Logf("a new connection took %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	call, err := p.trunk.Dial(ctx, "4930555", phone.DialOptions{CallerNumber: "4912345"})
	if err != nil {
		t.Fatalf("FreeSWITCH takes no call: %v", err)
	}
	t.Logf("a call was taken after %v", time.Since(began).Round(time.Millisecond))
	if err := call.Hangup(ctx); err != nil {
		t.Error(err)
	}
}
