package freeswitch

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

func dialOf(leg string) orchestrator.Dial {
	return orchestrator.Dial{
		Leg: orchestrator.LegID(leg), Endpoint: "user/1001", Timeout: 5000,
		Stamp: orchestrator.Stamp{Tenant: "t", Call: "c", Leg: orchestrator.LegID(leg), Role: orchestrator.RoleAgent, Epoch: 1},
	}
}

// A connection that is open and dead: no answer, no close.
func TestHalfOpenConnectionIsFound(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.setDeaf(true)
	began := time.Now()
	late := time.After(10 * time.Second)
	for count[orchestrator.SwitchLost](o, 0, nil) == 0 {
		select {
		case <-late:
			t.Fatal("not found within 10 s")
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Logf("found after %v", time.Since(began).Round(10*time.Millisecond))
	f.setDeaf(false)
	expect[orchestrator.SwitchSynced](o, 1, nil)
}

// A receiver that does not keep up is told so, and told everything anew.
func TestOverflowIsSaid(t *testing.T) {
	f := newFake(t)
	cfg := f.config()
	cfg.Queue = 16
	sw, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = sw.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if _, ok := (<-sw.Events()).(orchestrator.SwitchSynced); !ok {
		t.Fatal("the first event is not SwitchSynced")
	}
	f.send(arrivalText())
	for i := range eventBuffer + 200 {
		f.send(eventText("DTMF", "Unique-ID", fakeChannel, "DTMF-Digit", "1", "Event-Sequence", fmt.Sprint(i+10)))
	}
	var story []string
	late := time.After(patience)
	for len(story) < 2 {
		select {
		case e := <-sw.Events():
			switch e := e.(type) {
			case orchestrator.SwitchLost:
				story = append(story, "lost: "+e.Reason)
			case orchestrator.SwitchSynced:
				story = append(story, "synced")
			case orchestrator.Digit:
				if len(story) == 1 {
					t.Error("an event came between lost and synced")
				}
			}
		case <-late:
			t.Fatalf("only %q came", story)
		}
	}
	if story[0] != "lost: "+errOverflow.Error() || story[1] != "synced" {
		t.Errorf("told %q", story)
	}
}

// A command connection that owes an answer for too long is given up, and the
// next command opens it anew; the switch is not lost.
func TestSilentCommandConnectionIsReplaced(t *testing.T) {
	f := newFake(t)
	o := f.open(func(c *Config) { c.Connections = 1 })
	f.send(arrivalText())
	expect[orchestrator.LegOffered](o, 0, nil)
	f.on("uuid_dump", func(string) string {
		return "Unique-ID: " + fakeChannel + "\nEvent-Name: CHANNEL_DATA\nAnswer-State: ringing\n"
	})
	hang := make(chan struct{})
	f.on("uuid_send_dtmf", func(string) string { <-hang; return "+OK\n" })
	defer close(hang)
	if result, _ := o.do(orchestrator.SendDigits{Leg: fakeLeg, Digits: "1"}); result != orchestrator.ResultNoWord {
		t.Errorf("answered %s", result)
	}
	f.on("uuid_send_dtmf", func(string) string { return "+OK\n" })
	eventually(t, "the next command goes through", func() bool {
		result, _ := o.do(orchestrator.SendDigits{Leg: fakeLeg, Digits: "2"})
		return result == orchestrator.ResultAccepted
	})
	if n := count[orchestrator.SwitchLost](o, 0, nil); n != 0 {
		t.Error("the switch was lost with a command connection")
	}
	if o.sw.Stats().Redials == 0 {
		t.Error("the connection was not opened anew")
	}
}

// The end of a leg that nobody told of is found when a command misses it.
func TestEndThatWasNotToldIsFound(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalText())
	expect[orchestrator.LegOffered](o, 0, nil)
	f.on("uuid_setvar_multi", func(string) string { return "-ERR No such channel!\n" })
	result, _ := o.do(orchestrator.Claim{Leg: fakeLeg, Stamp: orchestrator.Stamp{Tenant: "t", Leg: fakeLeg, Role: orchestrator.RoleCaller, Epoch: 1}})
	if result != orchestrator.ResultNotFound {
		t.Errorf("answered %s", result)
	}
	expect(o, 0, func(e orchestrator.LegEnded) bool { return e.Leg == fakeLeg })
	if o.sw.Stats().HealedEnds == 0 {
		t.Error("it was not counted")
	}
}

// Events come on another connection than answers. Who finds a leg gone hears
// its end told for a moment longer: by the event, which says that the caller
// hung up.
func TestEndThatIsStillOnItsWayIsHeard(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalText())
	expect[orchestrator.LegOffered](o, 0, nil)
	f.on("uuid_setvar_multi", func(string) string { return "-ERR No such channel!\n" })
	read, once := make(chan struct{}), sync.Once{}
	f.on("uuid_dump", func(string) string {
		once.Do(func() { close(read) })
		return "-ERR No such channel!\n"
	})
	if result, _ := o.do(orchestrator.Claim{Leg: fakeLeg, Stamp: orchestrator.Stamp{Tenant: "t", Leg: fakeLeg, Role: orchestrator.RoleCaller, Epoch: 1}}); result != orchestrator.ResultNotFound {
		t.Errorf("answered %s", result)
	}
	<-read
	time.Sleep(endGrace / 4)
	f.send(endText())
	expect(o, 0, func(e orchestrator.LegEnded) bool {
		if e.Leg == fakeLeg && (e.By != orchestrator.EndedByRemote || e.Cause != orchestrator.CauseNormal) {
			t.Errorf("told as ended by %s, cause %d", e.By, e.Cause)
		}
		return e.Leg == fakeLeg
	})
	if o.sw.Stats().HealedEnds != 0 {
		t.Error("it was counted as one that nobody told of")
	}
}

// A snapshot that follows no gap does not tell of an end by leaving the leg out
// while the event that says whose doing it was is on its way.
func TestSnapshotWaitsForTheWordAboutAnEnd(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalText())
	expect[orchestrator.LegOffered](o, 0, nil)
	mark := o.mark()
	o.sw.Resync()
	time.Sleep(hearMost / 4)
	f.send(endText())
	_, ended := expect(o, mark, func(e orchestrator.LegEnded) bool { return e.Leg == fakeLeg && e.By == orchestrator.EndedByRemote })
	if _, synced := expect[orchestrator.SwitchSynced](o, mark, nil); synced.Before(ended) {
		t.Error("the snapshot was told before the end")
	}

	// Without such a word there is a snapshot all the same.
	f.send(strings.ReplaceAll(arrivalText(), "1111", "2222"))
	expect(o, mark, func(e orchestrator.LegOffered) bool { return e.Leg != fakeLeg })
	mark = o.mark()
	o.sw.Resync()
	expect[orchestrator.SwitchSynced](o, mark, nil)
}

// Who was stopped and goes on hears of callers whom the dialplan has taken back
// meanwhile. They are left where they are.
func TestCallerInTheFallbackIsNotTakenAway(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.on("sched_del", func(string) string { return "+OK Deleted: 0\n" })
	f.on("uuid_dump", func(string) string {
		return "Event-Name: CHANNEL_DATA\nUnique-ID: " + fakeChannel + "\nCaller-Context: rm-fallback\nAnswer-State: answered\n"
	})
	f.send(arrivalText())
	expect[orchestrator.LegOffered](o, 0, nil)
	claim := orchestrator.Claim{Leg: fakeLeg, Stamp: orchestrator.Stamp{Tenant: "t", Leg: fakeLeg, Role: orchestrator.RoleCaller, Epoch: 1}}
	for _, a := range []orchestrator.Action{claim, orchestrator.Answer{Leg: fakeLeg}, orchestrator.StartMusic{Leg: fakeLeg}} {
		if result, _ := o.do(a); result != orchestrator.ResultNotFound {
			t.Errorf("%T is answered %s", a, result)
		}
	}
	expect(o, 0, func(e orchestrator.LegReleased) bool { return e.Leg == fakeLeg })
	stamps := f.requests("uuid_setvar_multi")
	if last := stamps[len(stamps)-1]; !strings.HasSuffix(last, stampVariable+"=") {
		t.Errorf("the stamp was left: %q", stamps)
	}
	if sent := append(f.requests("uuid_broadcast"), f.requests("sendmsg")...); len(sent) > 0 {
		t.Errorf("the caller was disturbed: %q", sent)
	}
}

func TestGarbageDoesNotEndTheStream(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	for _, body := range []string{"", "\n\n\n", "no colon", "Event-Name", ": \n", "\x00\xff\n\n", "Event-Name: \n\n", strings.Repeat("x", 100000)} {
		f.send(fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(body), body))
	}
	f.send(eventText("CHANNEL_PARK"))                                                                           // No channel.
	f.send(eventText("CHANNEL_PARK", "Unique-ID", "x y", "variable_rm_entry", "in"))                            // Not a channel's name.
	f.send(eventText("CHANNEL_BRIDGE", "Unique-ID", "a", "Bridge-A-Unique-ID", "a", "Bridge-B-Unique-ID", "a")) // Nobody's.
	f.send(eventText("CUSTOM", "Event-Subclass", "sofia%3A%3Atransferor", "Unique-ID", "nobody"))
	f.send(eventText("BACKGROUND_JOB", "Job-UUID", "nobody") + "")
	f.send(arrivalText("Caller-Caller-ID-Name", "x"))
	e, _ := expect[orchestrator.LegOffered](o, 0, nil)
	if e.Leg != fakeLeg || e.Caller.Name != "Clara C" {
		t.Errorf("offered %+v", e)
	}
	if n := count[orchestrator.SwitchLost](o, 0, nil); n != 0 {
		t.Errorf("the switch was lost %d times", n)
	}
	if o.sw.Stats().Garbled == 0 {
		t.Error("garbage was not counted")
	}
	expect[orchestrator.SwitchSynced](o, 1, nil) // It may have been anything: read anew, once.
}

// A message that cannot be framed ends the connection, which is told.
func TestBrokenFramingIsTold(t *testing.T) {
	for _, text := range []string{
		"Content-Length: -1\nContent-Type: text/event-plain\n\n",
		"Content-Length: 99999999999\nContent-Type: text/event-plain\n\n",
		"Content-Length: x\nContent-Type: text/event-plain\n\n",
		"X: " + strings.Repeat("x", headLimit+10) + "\n\n",
		reply("+OK nobody asked"),
		"Content-Type: text/disconnect-notice\nContent-Length: 0\n\n",
	} {
		f := newFake(t)
		o := f.open(nil)
		f.send(text)
		expect[orchestrator.SwitchLost](o, 0, nil)
		expect[orchestrator.SwitchSynced](o, 1, nil)
		o.stop()
	}
}

// A leg given up while it was being made is met with a hang-up when it comes to
// life after all, and nothing is told of it.
func TestGivenUpLegNeverLives(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	leg := newID()
	var answered sync.WaitGroup
	answered.Go(func() {
		if result, reason := o.do(dialOf(leg)); result != orchestrator.ResultRejected || reason != ReasonHungUp {
			t.Errorf("dial was answered %s %s", result, reason)
		}
	})
	eventually(t, "the dial is out", func() bool { return len(f.requests("bgapi")) == 1 })
	o.must(orchestrator.Hangup{Leg: orchestrator.LegID(leg), Cause: 16})
	created := eventText("CHANNEL_CREATE", "Unique-ID", leg, "variable_rm_stamp", dialOf(leg).Stamp.String())
	f.send(created)
	answered.Wait()
	kills := len(f.requests("uuid_kill " + leg))
	if kills != 1 {
		t.Errorf("hung up %d times", kills)
	}
	f.send(created) // It was not there yet when it was hung up.
	eventually(t, "it is hung up again", func() bool { return len(f.requests("uuid_kill "+leg)) > kills })
	if n := count(o, 0, func(orchestrator.LegEnded) bool { return true }); n != 0 {
		t.Error("its end was told")
	}
	if result, _ := o.do(dialOf(leg)); result != orchestrator.ResultRejected {
		t.Error("it was dialled again")
	}
}

func TestRefusedDialLeavesNoLeg(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	for word, want := range map[string]string{
		"USER_NOT_REGISTERED": ReasonUnreachable, "SUBSCRIBER_ABSENT": ReasonUnreachable,
		"DESTINATION_OUT_OF_ORDER": ReasonUnreachable, "SWITCH_CONGESTION": "SWITCH_CONGESTION",
	} {
		leg := newID()
		asked := len(f.requests("bgapi"))
		done := make(chan string, 1)
		go func() { _, reason := o.do(dialOf(leg)); done <- reason }()
		eventually(t, "the dial is out", func() bool { return len(f.requests("bgapi")) > asked })
		body := "-ERR " + word + "\n"
		event := fmt.Sprintf("Event-Name: BACKGROUND_JOB\nJob-UUID: %s\nContent-Length: %d\n\n%s", leg, len(body), body)
		f.send(fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(event), event))
		if reason := <-done; reason != want {
			t.Errorf("%s was answered %q, want %q", word, reason, want)
		}
	}
	if o.sw.Stats().Misspelt != 1 || o.sw.Stats().Legs != 0 {
		t.Errorf("%d misspelt, %d legs left", o.sw.Stats().Misspelt, o.sw.Stats().Legs)
	}
}

// A newer orchestrator's word ends all commands at once.
func TestTakeoverIsHeard(t *testing.T) {
	f := newFake(t)
	o := f.open(func(c *Config) { c.Epoch = 5 })
	f.send(eventText("CUSTOM", "Event-Subclass", "ringmaster%3A%3Atakeover", epochHeader, "5")) // Our own.
	f.send(eventText("CUSTOM", "Event-Subclass", "ringmaster%3A%3Atakeover", epochHeader, "4"))
	f.send(arrivalText())
	expect[orchestrator.LegOffered](o, 0, nil)
	mark := o.mark()
	f.send(eventText("CUSTOM", "Event-Subclass", "ringmaster%3A%3Atakeover", epochHeader, "6"))
	expect[orchestrator.SwitchSuperseded](o, mark, nil)
	asked := len(f.requests(""))
	for _, a := range []orchestrator.Action{dialOf(newID()), orchestrator.Hangup{Leg: fakeLeg}, orchestrator.Answer{Leg: fakeLeg}} {
		if result, reason := o.do(a); result != orchestrator.ResultRejected || reason != ReasonSuperseded {
			t.Errorf("%T: %s %s", a, result, reason)
		}
	}
	time.Sleep(300 * time.Millisecond)
	if len(f.requests("")) != asked {
		t.Error("a superseded orchestrator sent commands")
	}
	if n := count[orchestrator.SwitchLost](o, mark, nil); n != 0 {
		t.Error("superseded was told as lost too")
	}
	o.sw.Resync()
	expect[orchestrator.SwitchSynced](o, mark, nil)
}

// Whoever does not lead any more writes nothing, and says so.
func TestFencedCommandIsRefused(t *testing.T) {
	f := newFake(t)
	var fenced atomic.Bool
	o := f.open(func(c *Config) { c.May = func() bool { return !fenced.Load() } })
	f.send(arrivalText())
	expect[orchestrator.LegOffered](o, 0, nil)
	asked := len(f.requests(""))
	fenced.Store(true)
	if result, reason := o.do(orchestrator.SendDigits{Leg: fakeLeg, Digits: "1"}); result != orchestrator.ResultRejected {
		t.Errorf("answered %s %s", result, reason)
	}
	if len(f.requests("")) != asked {
		t.Error("it left all the same")
	}
}

// A switch past its knee is left alone, and tried until it is fit again.
func TestOverloadIsToldAndOver(t *testing.T) {
	f := newFake(t)
	o := f.open(func(c *Config) { c.CreateWait = 50 * time.Millisecond })
	var slow sync.WaitGroup
	delay := brokenCreate + 100*time.Millisecond
	var mu sync.Mutex
	f.on("bgapi", func(args string) string {
		_, leg, _ := strings.Cut(args, "Job-UUID: ")
		mu.Lock()
		wait := delay
		mu.Unlock()
		slow.Go(func() {
			time.Sleep(wait)
			f.send(eventText("CHANNEL_CREATE", "Unique-ID", leg))
		})
		return "+OK Job-UUID: " + leg
	})
	defer slow.Wait()
	deadline := time.Now().Add(patience)
	for count(o, 0, func(e orchestrator.SwitchOverloaded) bool { return e.Over }) == 0 && time.Now().Before(deadline) {
		o.do(dialOf(newID()))
	}
	expect(o, 0, func(e orchestrator.SwitchOverloaded) bool { return e.Over })
	mark := o.mark()
	o.sw.Resync()
	expect[orchestrator.SwitchSynced](o, mark, nil)
	expect(o, mark, func(e orchestrator.SwitchOverloaded) bool { return e.Over }) // The snapshot lacks it.
	began := time.Now()
	refusals := 0
	for range 10 {
		if _, reason := o.do(dialOf(newID())); reason == orchestrator.ReasonOverloaded {
			refusals++
		}
	}
	if refusals < 8 || time.Since(began) > 2*time.Second {
		t.Errorf("%d of 10 refused in %v", refusals, time.Since(began))
	}
	mu.Lock()
	delay = 0
	mu.Unlock()
	for count(o, 0, func(e orchestrator.SwitchOverloaded) bool { return !e.Over }) == 0 && time.Now().Before(deadline) {
		o.do(dialOf(newID()))
		time.Sleep(50 * time.Millisecond)
	}
	expect(o, 0, func(e orchestrator.SwitchOverloaded) bool { return !e.Over })
	if _, reason := o.do(dialOf(newID())); reason != "" {
		t.Errorf("fit again, a dial was refused: %s", reason)
	}
}

// Legs that are merely slow stop nothing, and those that take far too long lower
// the pace.
func TestSlowLegsDoNotStopDialling(t *testing.T) {
	g := newGate(40, 10)
	now := time.Unix(0, 0)
	for range 100 {
		now = now.Add(time.Second)
		if !g.enter(t.Context(), now) {
			t.Fatal("refused")
		}
		if over, changed := g.leave(2*slowCreate, now); over || changed {
			t.Fatal("overloaded by what is merely slow")
		}
	}
	if g.rate() != 40 {
		t.Errorf("what is merely slow lowered the rate to %v", g.rate())
	}
	now = now.Add(time.Second)
	g.enter(t.Context(), now)
	g.leave(2*brokenCreate, now)
	if g.rate() != 20 {
		t.Errorf("the rate is %v, want half of 40", g.rate())
	}
	for range 60 {
		now = now.Add(time.Second)
		g.enter(t.Context(), now)
		g.leave(time.Millisecond, now)
	}
	if g.rate() != 40 {
		t.Errorf("the rate came back to %v, want 40", g.rate())
	}
}

// Whoever hears of an overload may stop dialling; it is over all the same.
func TestOverloadEndsWithoutDials(t *testing.T) {
	g := newGate(40, 10)
	now := time.Unix(0, 0)
	for range strikesMost {
		g.enter(t.Context(), now)
		g.leave(2*brokenCreate, now)
	}
	if g.enter(t.Context(), now.Add(probeEvery)) {
		g.leave(2*brokenCreate, now)
	}
	if g.enter(t.Context(), now.Add(probeEvery+time.Millisecond)) || g.calm(now.Add(calmAfter-1)) {
		t.Error("it is over at once")
	}
	if !g.calm(now.Add(calmAfter)) || !g.enter(t.Context(), now.Add(calmAfter)) {
		t.Error("it is never over")
	}
}
