package asterisk

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// A create without an answer is never repeated: the leg is looked for. If it is
// there it is rung once; if not, it must not come to life later either.
func TestCreateWithoutAnswer(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.on("POST /channels/create", func(w http.ResponseWriter, r *http.Request) {
		f.outbox <- startedJSON(r.URL.Query().Get("channelId"))
		hangUp(w)
	})
	f.say("GET /channels/leg-1", channelJSON("leg-1", "Down", ""))
	o.must(dialOf("leg-1"))
	f.await("POST /channels/leg-1/dial?timeout=20", 1)

	f.on("POST /channels/create", func(w http.ResponseWriter, _ *http.Request) { hangUp(w) })
	f.fail("GET /channels/leg-2", 404, "Channel not found")
	if result, reason := o.do(dialOf("leg-2")); result != orchestrator.ResultRejected {
		t.Errorf("a dial that made no leg was answered %s %s", result, reason)
	}
	before := len(f.requests("DELETE /channels/leg-2"))
	f.send(startedJSON("leg-2"))
	f.await("DELETE /channels/leg-2", before+1)
	if n := len(f.requests("POST /channels/create")); n != 2 {
		t.Errorf("%d creates for 2 dials", n)
	}
	if n := len(f.requests("POST /channels/leg-2/dial")); n != 0 {
		t.Error("the leg was rung")
	}
	if result, _ := o.do(dialOf("leg-2")); result != orchestrator.ResultRejected {
		t.Errorf("the same leg dialled again was answered %s", result)
	}
	if n := len(f.requests("POST /channels/create")); n != 2 {
		t.Error("a leg given up was made again")
	}
}

// A dial without an answer may have rung the phone: unknown is the only honest
// word, and what the leg is doing is read and told.
func TestDialWithoutAnswer(t *testing.T) {
	f := newFake(t)
	f.creating()
	o := f.open(nil)
	f.on("POST /channels/leg-1/dial", func(w http.ResponseWriter, _ *http.Request) { hangUp(w) })
	f.say("GET /channels/leg-1", channelJSON("leg-1", "Ringing", ""))
	if result, reason := o.do(dialOf("leg-1")); result != orchestrator.ResultNoWord {
		t.Fatalf("answered %s %s", result, reason)
	}
	expect(o, 0, func(e orchestrator.LegRinging) bool { return e.Leg == "leg-1" })
}

// Asterisk answers 500 when the device is unknown or not registered. There is
// no leg then, and no event.
func TestUnreachableLeavesNothingBehind(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.fail("POST /channels/create", 500, "Allocation failed")
	if result, reason := o.do(dialOf("leg-1")); result != orchestrator.ResultRejected || reason != ReasonUnreachable {
		t.Errorf("answered %s %s", result, reason)
	}
	if got := f.requests("DELETE"); len(got) != 0 {
		t.Errorf("sent %q", got)
	}
	if s := o.sw.Stats(); s.Legs != 0 {
		t.Errorf("%d legs are left in the book", s.Legs)
	}
}

// A leg that is hung up while it is being made never rings, wherever the
// hang-up catches it.
func TestHangupWhileBeingMade(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	created, goOn := make(chan string), make(chan struct{})
	f.on("POST /channels/create", func(w http.ResponseWriter, r *http.Request) {
		created <- r.URL.Query().Get("channelId")
		<-goOn
		w.WriteHeader(http.StatusOK)
	})
	dial := func(leg string) (answered chan string) {
		answered = make(chan string, 1)
		go func() {
			result, reason := o.do(dialOf(leg))
			answered <- string(result) + " " + reason
		}()
		return answered
	}
	want := string(orchestrator.ResultRejected) + " " + ReasonHungUp

	answered := dial("leg-1") // during create
	<-created
	o.must(orchestrator.Hangup{Leg: "leg-1"})
	goOn <- struct{}{}
	if got := <-answered; got != want {
		t.Errorf("hung up during create: %s", got)
	}
	f.await("DELETE /channels/leg-1", 1)

	answered = dial("leg-2") // between create and its arrival in the application
	<-created
	goOn <- struct{}{}
	time.Sleep(20 * time.Millisecond) // Now, most likely; the outcome is the same if it is not.
	o.must(orchestrator.Hangup{Leg: "leg-2"})
	if got := <-answered; got != want {
		t.Errorf("hung up before it started: %s", got)
	}

	f.fail("DELETE /channels/leg-3", 404, "Channel not found") // before the dial
	if result, _ := o.do(orchestrator.Hangup{Leg: "leg-3"}); result != orchestrator.ResultAlready {
		t.Errorf("hang-up of a leg never heard of: %s", result)
	}
	if got := <-dial("leg-3"); got != want {
		t.Errorf("hung up before the dial: %s", got)
	}

	f.send(startedJSON("leg-1")) // late arrivals are hung up
	f.send(startedJSON("leg-2"))
	f.await("DELETE /channels/leg-1", 2)
	f.await("DELETE /channels/leg-2", 2)
	if rung := f.requests("POST /channels/leg-"); len(rung) != 0 {
		t.Errorf("rung: %q", rung)
	}
	if n := count[orchestrator.LegEnded](o, 0, nil); n != 0 {
		t.Errorf("%d ends of legs that never were", n)
	}
}

// The last look before ringing counts: a hang-up accepted a moment ago holds.
func TestHangupJustBeforeRinging(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	d := dialOf("leg-1")
	l, _, _ := o.sw.enter(d)
	o.must(orchestrator.Hangup{Leg: "leg-1"})
	if result, reason := o.sw.letRing(t.Context(), l, encodeDial(l.channel, d.Timeout)); result != orchestrator.ResultRejected || reason != ReasonHungUp {
		t.Errorf("answered %s %s", result, reason)
	}
	if got := f.requests("POST /channels/leg-1"); len(got) != 0 {
		t.Errorf("sent %q", got)
	}
}

// The connection breaks between making a leg and ringing it: the leg is given
// up, because its start cannot be heard any more.
func TestLossWhileBeingMade(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.on("POST /channels/create", func(http.ResponseWriter, *http.Request) { go f.drop() })
	if result, reason := o.do(dialOf("leg-1")); result != orchestrator.ResultRejected || reason != ReasonLost {
		t.Errorf("answered %s %s", result, reason)
	}
	f.await("DELETE /channels/leg-1", 1)
}

// An end that is never told is found by asking.
func TestEndWithoutEvent(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalJSON("100.1"))
	expect[orchestrator.LegOffered](o, 0, nil)
	f.fail("GET /channels/100.1", 404, "Channel not found")
	f.send(eventJSON("ChannelHangupRequest", channelJSON("100.1", "Up", ""), `,"cause":16`))
	f.send(eventJSON("StasisEnd", channelJSON("100.1", "Up", ""), ""))
	e, _ := expect[orchestrator.LegEnded](o, 0, nil)
	if e.By != orchestrator.EndedByRemote {
		t.Errorf("ended %+v", e)
	}
	f.send(endJSON("100.1", 16)) // late and once more
	f.send(endJSON("100.1", 16))

	// One that left our application and lives is not ours any more.
	f.send(arrivalJSON("100.2"))
	elsewhere := strings.Replace(channelJSON("100.2", "Up", ""), `"Stasis"`, `"Wait"`, 1)
	f.say("GET /channels/100.2", elsewhere)
	f.send(eventJSON("StasisEnd", channelJSON("100.2", "Up", ""), ""))
	expect(o, 0, func(e orchestrator.LegReleased) bool { return e.Leg == "pbx/100.2" })
	if n := count[orchestrator.LegEnded](o, 0, nil); n != 1 {
		t.Errorf("%d ends of one leg", n)
	}
}

// A snapshot that follows no gap does not tell of an end by leaving the leg out
// while the event that says whose doing it was is on its way.
func TestSnapshotWaitsForTheWordAboutAnEnd(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalJSON("100.1"))
	expect[orchestrator.LegOffered](o, 0, nil)
	mark := o.mark()
	o.sw.Resync()
	time.Sleep(hearMost / 4)
	f.send(endJSON("100.1", 16))
	_, ended := expect(o, mark, func(e orchestrator.LegEnded) bool { return e.Leg == "pbx/100.1" && e.Cause == orchestrator.CauseNormal })
	if _, synced := expect[orchestrator.SwitchSynced](o, mark, nil); synced.Before(ended) {
		t.Error("the snapshot was told before the end")
	}

	// Without such a word there is a snapshot all the same.
	f.send(arrivalJSON("100.2"))
	expect(o, mark, func(e orchestrator.LegOffered) bool { return e.Leg == "pbx/100.2" })
	mark = o.mark()
	o.sw.Resync()
	expect[orchestrator.SwitchSynced](o, mark, nil)
}

// A play whose end fell into a gap is reported after the snapshot.
func TestPlayEndedUnheard(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalJSON("100.1"))
	expect[orchestrator.LegOffered](o, 0, nil)
	o.must(orchestrator.Play{Leg: "pbx/100.1", Play: "play-1", Media: []orchestrator.Media{{Sound: "beep"}}})
	o.must(orchestrator.Play{Leg: "pbx/100.1", Play: "play-2", Media: []orchestrator.Media{{Sound: "beep"}}})
	f.say("GET /channels", "["+channelJSON("100.1", "Up", "")+"]")
	f.fail("GET /playbacks/play-1", 404, "Playback not found")
	f.say("GET /playbacks/play-2", `{"id":"play-2","state":"playing"}`)
	mark := o.mark()
	f.drop()
	expect[orchestrator.SwitchSynced](o, mark, nil)
	e, _ := expect[orchestrator.PlayDone](o, mark, nil)
	f.send(`{"type":"PlaybackFinished","playback":{"id":"play-2","state":"done","target_uri":"channel:100.1","media_uri":"sound:beep"}}`)
	expect(o, mark, func(e orchestrator.PlayDone) bool { return e.Play == "play-2" })
	if e.Play != "play-1" || count[orchestrator.PlayDone](o, mark, nil) != 2 {
		t.Errorf("the first play done is %+v of %d", e, count[orchestrator.PlayDone](o, mark, nil))
	}
}

// The order of the first requests is a rule: nothing may change unseen between
// subscribing and reading, and empty bridges of ours are removed.
func TestOrderOfGreeting(t *testing.T) {
	f := newFake(t)
	var order []string
	var mu sync.Mutex
	note := func(what, body string) {
		f.on(what, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			order = append(order, r.Method+" "+strings.TrimPrefix(r.URL.String(), "/ari"))
			mu.Unlock()
			_, _ = w.Write([]byte(body))
		})
	}
	const stamp = "v1,t,c,pbx/100.1,caller,1"
	note("PUT /applications/rm/eventFilter", "{}")
	note("POST /applications/rm/subscription", "{}")
	note("GET /channels", "["+channelJSON("100.1", "Up", stamp)+"]")
	note("GET /bridges", `[{"id":"empty","name":"v1,t,c,l,bridge,1","channels":[]},{"id":"full","name":"v1,t,c,l,bridge,1","channels":["100.1"]},{"id":"foreign","name":"conference","channels":[]}]`)
	note("DELETE /bridges/empty", "")
	o := f.open(func(c *Config) { c.Endpoints = []string{"PJSIP/1001", "PJSIP/1002"} })
	want := []string{
		"PUT /applications/rm/eventFilter",
		"POST /applications/rm/subscription?eventSource=deviceState%3APJSIP%2F1001%2CdeviceState%3APJSIP%2F1002",
		"GET /channels", "GET /bridges",
		"POST /applications/rm/subscription?eventSource=channel%3A100.1",
		"DELETE /bridges/empty",
	}
	mu.Lock()
	defer mu.Unlock()
	if order[2] == "GET /bridges" { // These two go side by side.
		order[2], order[3] = order[3], order[2]
	}
	if strings.Join(order, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(order, "\n"), strings.Join(want, "\n"))
	}
	e, _ := expect[orchestrator.SwitchSynced](o, 0, nil)
	if e.Epoch != "02:00/2026-11-23T01:00:00Z" || len(e.Snapshot.Bridges) != 1 || len(e.Snapshot.Legs) != 1 {
		t.Fatalf("synced %+v", e)
	}
	if l := e.Snapshot.Legs[0]; l.Leg != "pbx/100.1" || l.Bridge != "full" || l.Stamp.String() != stamp || l.Entry != orchestrator.EntryIn {
		t.Errorf("the leg is %+v", l)
	}
}

// Asterisk knows the application a moment after it answered the handshake.
func TestApplicationNotRegisteredYet(t *testing.T) {
	f := newFake(t)
	tries := 0
	f.on("PUT /applications/rm/eventFilter", func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries < 3 {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	o := f.open(nil)
	if n := count[orchestrator.SwitchLost](o, 0, nil); n != 0 || tries != 3 {
		t.Errorf("lost %d times, asked %d times", n, tries)
	}
}

// A socket that answers pings but is attached to nothing is given up for a new
// one: silently when it was never of use, as a loss when it was.
func TestDeafSocket(t *testing.T) {
	f := newFake(t)
	f.mute = true
	go func() {
		time.Sleep(time.Second)
		f.mu.Lock()
		f.mute = false
		f.mu.Unlock()
	}()
	o := f.open(nil)
	if n := count[orchestrator.SwitchLost](o, 0, nil); n != 0 || f.sockets != 2 {
		t.Errorf("lost %d times, %d sockets", n, f.sockets)
	}
	f.mu.Lock()
	f.mute = true
	f.mu.Unlock()
	e, _ := expect[orchestrator.SwitchLost](o, 0, nil)
	if !strings.Contains(e.Reason, errDeaf.Error()) {
		t.Errorf("the reason is %q", e.Reason)
	}
}

// A leg with arguments nobody here knows goes back to the dialplan, and one
// made by a process that died before ringing it is hung up.
func TestStrangersAreSentAway(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(eventJSON("StasisStart", channelJSON("100.1", "Ring", ""), `,"args":["v9","in"]`))
	f.await("POST /channels/100.1/continue", 1)
	f.send(startedJSON("leg-of-another"))
	f.await("DELETE /channels/leg-of-another", 1)
	if n := count[orchestrator.LegOffered](o, 0, nil); n != 0 {
		t.Errorf("%d legs were offered", n)
	}
}

// A switch past its knee gets fewer legs, down to one a second, and the cap
// comes back when it answers quickly again.
func TestSlowCreatesLowerTheRate(t *testing.T) {
	g := newGate(30, 1000)
	now := time.Now()
	turn := func(took time.Duration) {
		if !g.enter(t.Context()) {
			t.Fatal("no turn")
		}
		now = now.Add(time.Second)
		g.leave(took, now)
	}
	turn(50 * time.Millisecond)
	if g.rate() != 30 {
		t.Errorf("quick creates left the rate at %v", g.rate())
	}
	turn(150 * time.Millisecond)
	if g.rate() != 15 {
		t.Errorf("a slow create left the rate at %v", g.rate())
	}
	for range 4 {
		turn(time.Second)
	}
	if g.rate() != 1 {
		t.Errorf("the rate fell to %v, want 1", g.rate())
	}
	for range 40 {
		turn(time.Millisecond)
	}
	if g.rate() != 30 {
		t.Errorf("the rate came back to %v", g.rate())
	}
	g.ping(200 * time.Millisecond)
	g.ping(400 * time.Millisecond)
	turn(250 * time.Millisecond)
	if g.rate() != 30 {
		t.Error("a far switch was taken for a slow one")
	}
}

func TestTooManyDialsAreTurnedAway(t *testing.T) {
	f := newFake(t)
	f.creating()
	o := f.open(func(c *Config) { c.CreatesPerSecond, c.CreateBurst, c.CreateWait = 1, 2, 50*time.Millisecond })
	o.must(dialOf("leg-1"))
	o.must(dialOf("leg-2"))
	if result, reason := o.do(dialOf("leg-3")); result != orchestrator.ResultRejected || reason != orchestrator.ReasonOverloaded {
		t.Errorf("the third at once was answered %s %s", result, reason)
	}
	if n := len(f.requests("POST /channels/create")); n != 2 || o.sw.Stats().Overloads != 1 {
		t.Errorf("%d creates, %d counted as turned away", n, o.sw.Stats().Overloads)
	}
}
