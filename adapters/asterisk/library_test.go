package asterisk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/CyCoreSystems/ari/v5"
	"github.com/coder/websocket"

	"ringmaster/orchestrator"
)

// Each test here is one defect of CyCoreSystems/ari v5.3.1 that is the reason
// why only its models and DecodeEvent are used. The numbers are those of the
// list in the package it was found in:
//
//	defect of ari/v5 5.3.1                              here
//	1  event it cannot decode: panic, or reconnect      counted, the stream goes on
//	2  bus drops silently at 100 events                 bounded queue; overflow is SwitchLost, then SwitchSynced
//	3  Close leaves half of its goroutines              TestMain looks for goroutines left over
//	4  events without keys are never delivered          ApplicationReplaced becomes SwitchSuperseded
//	5  silent reconnect, no ping, no deadline           SwitchLost, SwitchSynced; a dead peer is found within 10 s
//	6  no request timeout, connections unbounded        context everywhere, Config.Connections
//	7  ARI's message and status are lost                both are in the answer
//	8  no reason_code, query values unescaped           encodeHangup; the encoder's fuzz tests
//	9  List keeps only ids: one GET per channel         one GET for all
//	10 every event is parsed twice                      types nothing is done about are not decoded at all
//	11 Once leaks a goroutine                           not used
//	12 models lack tech_cause, protocol_id, app_data    struct extra, struct channel

func TestDefect1UnknownAndBrokenEventsDoNotEndTheStream(t *testing.T) {
	if _, err := ari.DecodeEvent([]byte(`{"type":"ChannelToneDetected"}`)); err == nil {
		t.Error("the library knows ChannelToneDetected now: the guard can go")
	}
	f := newFake(t)
	o := f.open(nil)
	broken := []string{
		`{"type":"ChannelToneDetected","channel":{"id":"x"}}`,
		`{"type":"ChannelToneDetected","channel":{"id":"x"}}`,
		`{"type":"CallClaimed"}`,
		`{"type":"StasisStart","channel":42}`,
		`{"type":"ChannelDestroyed","cause":"not a number","channel":{}}`,
		`{"type":"ChannelStateChange","timestamp":"yesterday","channel":{}}`,
		`{"type":"ChannelStateChange"`, `[]`, `null`, `"text"`, `{}`, `{"type":7}`, ``, "\x00\xff",
		`{"type":"` + strings.Repeat("x", 5000) + `"}`,
		`{"a":` + strings.Repeat(`[`, 20000) + strings.Repeat(`]`, 20000) + `,"type":"StasisStart"}`,
	}
	for _, text := range broken {
		f.send(text)
	}
	f.send(arrivalJSON("100.1"))
	expect(o, 0, func(e orchestrator.LegOffered) bool { return e.Leg == "pbx/100.1" })
	if n := count[orchestrator.SwitchLost](o, 0, nil); n != 0 {
		t.Errorf("the switch was lost %d times", n)
	}
	s := o.sw.Stats()
	if s.Unknown != 3 || s.Garbled != uint64(len(broken)-3) || s.Events["ChannelToneDetected"] != 2 {
		t.Errorf("counted %d unknown, %d garbled of %d, by type %v", s.Unknown, s.Garbled, len(broken), s.Events)
	}
	// What was garbled may have been anything: the switch is read again, but
	// not once per message.
	expect[orchestrator.SwitchSynced](o, 1, nil)
	if n := count[orchestrator.SwitchSynced](o, 0, nil); n != 2 {
		t.Errorf("the switch was read %d times, want 2", n)
	}
}

func TestDefect2ABurstIsDeliveredWholeAndInOrder(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalJSON("100.1"))
	const burst = 5000
	for i := range burst {
		f.send(eventJSON("ChannelDtmfReceived", channelJSON("100.1", "Up", ""), fmt.Sprintf(`,"digit":"%d","duration_ms":90`, i%10)))
	}
	f.send(endJSON("100.1", 16))
	expect[orchestrator.LegEnded](o, 0, nil)
	i := 0
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.seen {
		if d, ok := s.event.(orchestrator.Digit); ok {
			if d.Digit != fmt.Sprint(i%10) {
				t.Fatalf("digit %d is %q", i, d.Digit)
			}
			i++
		}
	}
	if i != burst {
		t.Errorf("%d digits of %d came", i, burst)
	}
}

// A receiver that does not keep up is told so, and told everything anew.
func TestDefect2OverflowIsSaid(t *testing.T) {
	f := newFake(t)
	sw, err := New(Config{ID: "pbx", URL: f.server.URL + "/ari", User: "rm", Queue: 16, Log: logTo(t)})
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
	f.send(arrivalJSON("100.1"))
	f.mu.Lock()
	c := f.socket
	f.mu.Unlock()
	for range eventBuffer + 200 { // Nobody takes events out now; at the end the adapter closes the socket.
		_ = c.Write(ctx, websocket.MessageText, []byte(eventJSON("ChannelHold", channelJSON("100.1", "Up", ""), "")))
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
			case orchestrator.LegHold:
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

func TestDefect4And5TakeoverAndLossAreTold(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.drop()
	expect[orchestrator.SwitchLost](o, 0, nil)
	expect[orchestrator.SwitchSynced](o, 1, nil)

	mark := o.mark()
	f.send(`{"type":"ApplicationReplaced","application":"rm"}`)
	expect[orchestrator.SwitchSuperseded](o, mark, nil)
	asked, sockets := len(f.requests("")), f.sockets
	for _, a := range []orchestrator.Action{
		dialOf("leg-1"), orchestrator.Hangup{Leg: "leg-2"}, orchestrator.Answer{Leg: "pbx/1"}, orchestrator.CloseBridge{Bridge: "b"},
	} {
		if result, reason := o.do(a); result != orchestrator.ResultRejected || reason != ReasonSuperseded {
			t.Errorf("%T: %s %s", a, result, reason)
		}
	}
	time.Sleep(500 * time.Millisecond)
	if len(f.requests("")) != asked || f.sockets != sockets {
		t.Errorf("a superseded orchestrator sent %q", f.requests("")[asked:])
	}
	if n := count[orchestrator.SwitchLost](o, mark, nil); n != 0 {
		t.Error("superseded was told as lost too")
	}
	o.sw.Resync()
	expect[orchestrator.SwitchSynced](o, mark, nil)
	f.fail("DELETE /channels/leg-2", 404, "Channel not found")
	if result, _ := o.do(orchestrator.Hangup{Leg: "leg-2"}); result != orchestrator.ResultAlready {
		t.Errorf("after Resync hangup was answered %s", result)
	}
}

// An open connection that is dead: no pong, no answer, no close.
func TestDefect5AHalfOpenConnectionIsFound(t *testing.T) {
	f := newFake(t)
	f.deaf = true
	o := f.open(nil)
	f.mu.Lock()
	f.deaf = false
	f.mu.Unlock()
	began := time.Now()
	late := time.After(10 * time.Second)
	for count[orchestrator.SwitchLost](o, 0, nil) == 0 {
		select {
		case <-late:
			t.Fatal("not found within 10 s")
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Logf("found after %v", time.Since(began))
	expect[orchestrator.SwitchSynced](o, 1, nil)
}

func TestDefect6RequestsAreBounded(t *testing.T) {
	f := newFake(t)
	const connections = 8
	o := f.open(func(c *Config) { c.Connections = connections })
	f.mu.Lock()
	clear(f.tcp)
	f.mu.Unlock()
	f.send(arrivalJSON("100.1"))
	expect[orchestrator.LegOffered](o, 0, nil)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			for range 25 {
				if result, reason := o.do(orchestrator.StopMusic{Leg: "pbx/100.1"}); result != orchestrator.ResultAccepted {
					t.Errorf("%s %s", result, reason)
				}
			}
		})
	}
	all.Wait()
	f.mu.Lock()
	opened := len(f.tcp)
	f.mu.Unlock()
	if opened > connections {
		t.Errorf("1000 requests opened %d connections", opened)
	}

	stuck := make(chan struct{})
	defer close(stuck)
	f.on("DELETE /channels/100.1/moh", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if result, reason := o.sw.Do(ctx, orchestrator.StopMusic{Leg: "pbx/100.1"}); result != orchestrator.ResultNoWord {
		t.Errorf("a request without an answer was answered %s %s", result, reason)
	}
}

func TestDefect7StatusAndMessageReachTheFloor(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalJSON("100.1"))
	expect[orchestrator.LegOffered](o, 0, nil)
	for _, c := range []struct {
		status int
		want   orchestrator.CommandResult
	}{
		{200, orchestrator.ResultAccepted},
		{204, orchestrator.ResultAccepted},
		{404, orchestrator.ResultNotFound},
		{400, orchestrator.ResultRejected},
		{409, orchestrator.ResultRejected},
		{412, orchestrator.ResultRejected},
		{422, orchestrator.ResultRejected},
		{500, orchestrator.ResultRejected},
		{503, orchestrator.ResultRejected},
		{302, orchestrator.ResultRejected},
	} {
		f.fail("POST /channels/100.1/dtmf", c.status, "the words of ARI")
		if c.status < 300 {
			f.on("POST /channels/100.1/dtmf", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) })
		}
		result, reason := o.do(orchestrator.SendDigits{Leg: "pbx/100.1", Digits: "1"})
		if result != c.want {
			t.Errorf("%d was answered %s, want %s", c.status, result, c.want)
		}
		if c.want != orchestrator.ResultAccepted && !strings.Contains(reason, "the words of ARI") {
			t.Errorf("%d: the reason is %q", c.status, reason)
		}
	}
	f.on("POST /channels/100.1/dtmf", func(w http.ResponseWriter, _ *http.Request) { hangUp(w) })
	if result, _ := o.do(orchestrator.SendDigits{Leg: "pbx/100.1", Digits: "1"}); result != orchestrator.ResultNoWord {
		t.Errorf("an answer cut off was answered %s, want unknown", result)
	}
	if n := len(f.requests("POST /channels/100.1/dtmf")); n != 11 {
		t.Errorf("%d requests for 11 commands: one was repeated", n)
	}
}

func TestDefect8CauseIsSentAsNumber(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalJSON("100.1"))
	expect[orchestrator.LegOffered](o, 0, nil)
	o.must(orchestrator.Hangup{Leg: "pbx/100.1", Cause: orchestrator.CauseAnsweredElsewhere})
	f.await("DELETE /channels/100.1?reason_code=26", 1)
}

func TestDefect9ManyChannelsAreOneRequest(t *testing.T) {
	f := newFake(t)
	var list []string
	for i := range 50 {
		list = append(list, channelJSON(fmt.Sprintf("100.%d", i), "Up", ""))
	}
	f.say("GET /channels", "["+strings.Join(list, ",")+"]")
	o := f.open(nil)
	e, _ := expect[orchestrator.SwitchSynced](o, 0, nil)
	if len(e.Snapshot.Legs) != 50 || len(f.requests("GET /channels")) != 1 {
		t.Errorf("%d legs by %d requests", len(e.Snapshot.Legs), len(f.requests("GET /channels")))
	}
}

func TestDefect12FieldsTheModelsLack(t *testing.T) {
	m, err := decode([]byte(eventJSON("ChannelDestroyed", channelJSON("1", "Up", ""), `,"cause":17,"tech_cause":486`)))
	if err != nil || m.more.TechCause != 486 {
		t.Errorf("tech_cause is %d (%v)", m.more.TechCause, err)
	}
	m, err = decode([]byte(stasisStart))
	if err != nil || m.more.Channel.ProtocolID != "abcdef@127.0.0.1" {
		t.Errorf("protocol_id is %q (%v)", m.more.Channel.ProtocolID, err)
	}
}

// DecodeEvent of the library on everything it might meet: an error, never a
// panic, and never an event of another type.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(stasisStart))
	for kind := range wanted {
		f.Add([]byte(eventJSON(kind, channelJSON("1", "Up", "v1,t,c,l,agent,1"), `,"cause":16,"digit":"1","soft":true`)))
		f.Add([]byte(`{"type":"` + kind + `"}`))
	}
	f.Add([]byte(`{"type":"ChannelTransfer","state":"channel_declined","referred_by":{"source_channel":{"id":"1"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := newBook("pbx")
		b.ended = newMemory(4)
		b.open("pbx/1", time.Now())
		m, err := decode(raw)
		var g *garbled
		if err != nil && (!errors.As(err, &g) || len(g.kind) > maxKind) {
			t.Fatalf("error %v", err)
		}
		if err != nil {
			return
		}
		if m.event != nil && m.event.GetType() != m.kind {
			t.Fatalf("type %q was decoded as %q", m.kind, m.event.GetType())
		}
		out, _ := b.apply(m, time.Now())
		for _, e := range out {
			if o, ok := e.(orchestrator.LegOffered); ok && (o.Caller.Name != orchestrator.PlainText(o.Caller.Name, orchestrator.MaxPartyName) || o.Leg == "") {
				t.Fatalf("offered %+v", o)
			}
		}
	})
}
