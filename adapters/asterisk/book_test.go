package asterisk

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// told runs messages through a book with one leg that arrived (pbx/1) and one
// that we dialled and that rings (leg-2), and returns what the floor is told.
func told(t *testing.T, change func(*book), messages ...string) (out []orchestrator.Event) {
	t.Helper()
	b := newBook("pbx")
	b.open("pbx/1", time.Now()).started.set()
	l := b.open("leg-2", time.Now())
	l.dialled, l.state = true, orchestrator.LegRings
	if change != nil {
		change(b)
	}
	for _, text := range messages {
		m, err := decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		events, _ := b.apply(m, time.Now())
		out = append(out, events...)
	}
	return out
}

func hangupJSON(id, more string) string {
	return eventJSON("ChannelHangupRequest", channelJSON(id, "Up", ""), more)
}

func destroyedJSON(id, more string) string {
	return eventJSON("ChannelDestroyed", channelJSON(id, "Up", ""), more)
}

// Who ended a leg, and of what: the events are those seen on Asterisk 22.10.1.
func TestWhoEndsALeg(t *testing.T) {
	byUs := func(id orchestrator.LegID) func(*book) {
		return func(b *book) { b.live[id].byUs = true }
	}
	for name, c := range map[string]struct {
		before func(*book)
		events []string
		want   orchestrator.LegEnded
	}{
		"the phone hangs up": {nil, []string{
			hangupJSON("leg-2", `,"cause":16`), destroyedJSON("leg-2", `,"cause":16,"tech_cause":0`),
		}, orchestrator.LegEnded{Leg: "leg-2", Cause: 16, By: orchestrator.EndedByRemote}},
		"the caller hangs up, never bridged": {nil, []string{
			hangupJSON("1", ""), destroyedJSON("1", `,"cause":0`),
		}, orchestrator.LegEnded{Leg: "pbx/1", Cause: 16, By: orchestrator.EndedByRemote}},
		"the caller cancels": {nil, []string{
			hangupJSON("1", `,"cause":127,"tech_cause":487`), hangupJSON("1", `,"cause":127,"soft":true`),
			destroyedJSON("1", `,"cause":127,"tech_cause":487`),
		}, orchestrator.LegEnded{Leg: "pbx/1", Cause: 127, SIP: 487, By: orchestrator.EndedByRemote}},
		"busy": {nil, []string{
			hangupJSON("leg-2", `,"cause":17,"tech_cause":486`), destroyedJSON("leg-2", `,"cause":17,"tech_cause":486`),
		}, orchestrator.LegEnded{Leg: "leg-2", Cause: 17, SIP: 486, By: orchestrator.EndedByRemote}},
		"no answer: the SIP code is invented": {nil, []string{
			hangupJSON("leg-2", `,"cause":32,"soft":true`), destroyedJSON("leg-2", `,"cause":19,"tech_cause":480`),
		}, orchestrator.LegEnded{Leg: "leg-2", Cause: 19, By: orchestrator.EndedBySwitch}},
		"our hang-up: the SIP code is invented": {byUs("leg-2"), []string{
			hangupJSON("leg-2", `,"cause":32,"soft":true`), destroyedJSON("leg-2", `,"cause":17,"tech_cause":486`),
		}, orchestrator.LegEnded{Leg: "leg-2", Cause: 17, By: orchestrator.EndedByUs}},
		"the far end was quicker than our hang-up": {nil, []string{
			hangupJSON("leg-2", `,"cause":16`), hangupJSON("leg-2", `,"cause":32,"soft":true`), destroyedJSON("leg-2", `,"cause":26`),
		}, orchestrator.LegEnded{Leg: "leg-2", Cause: 26, By: orchestrator.EndedByRemote}},
		"no answer, then the dialplan hangs up what is left": {nil, []string{
			hangupJSON("leg-2", `,"cause":32,"soft":true`), hangupJSON("leg-2", `,"cause":16`), destroyedJSON("leg-2", `,"cause":19`),
		}, orchestrator.LegEnded{Leg: "leg-2", Cause: 19, By: orchestrator.EndedBySwitch}},
		"no word of why": {
			nil,
			[]string{destroyedJSON("leg-2", `,"cause":0`)},
			orchestrator.LegEnded{Leg: "leg-2", Cause: 16, By: orchestrator.EndedBySwitch},
		},
		"told twice": {nil, []string{
			hangupJSON("leg-2", `,"cause":16`), destroyedJSON("leg-2", `,"cause":16`), destroyedJSON("leg-2", `,"cause":16`),
			eventJSON("ChannelStateChange", channelJSON("leg-2", "Up", ""), ""), startedJSON("leg-2"),
		}, orchestrator.LegEnded{Leg: "leg-2", Cause: 16, By: orchestrator.EndedByRemote}},
	} {
		got := told(t, c.before, c.events...)
		if len(got) != 1 || got[0] != orchestrator.Event(c.want) {
			t.Errorf("%s: told %+v, want %+v", name, got, c.want)
		}
	}
}

// Everything may come twice, in any order, and about legs nobody knows.
func TestRepeatsAreNotTold(t *testing.T) {
	up := eventJSON("ChannelStateChange", channelJSON("leg-2", "Up", ""), "")
	rings := eventJSON("ChannelStateChange", channelJSON("leg-2", "Ringing", ""), "")
	dial := `{"type":"Dial","dialstatus":"RINGING","peer":` + channelJSON("leg-2", "Down", "") + `}`
	entered := eventJSON("ChannelEnteredBridge", channelJSON("leg-2", "Up", ""), `,"bridge":{"id":"b"}`)
	left := eventJSON("ChannelLeftBridge", channelJSON("leg-2", "Up", ""), `,"bridge":{"id":"b"}`)
	played := `{"type":"PlaybackFinished","playback":{"id":"p","state":"done","target_uri":"channel:leg-2"}}`
	got := told(t, func(b *book) {
		b.live["leg-2"].state = orchestrator.LegNew
		b.begin(b.live["leg-2"], "p")
	},
		dial, rings, dial, up, up, rings, dial, entered, entered, left, entered,
		strings.ReplaceAll(up, "leg-2", "nobody"), strings.ReplaceAll(left, "leg-2", "nobody"), destroyedJSON("nobody", ""),
		eventJSON("ChannelDtmfReceived", channelJSON("leg-2", "Up", ""), `,"digit":"E"`),
		eventJSON("ChannelDtmfReceived", channelJSON("leg-2", "Up", ""), `,"digit":"5"`),
		played, played, `{"type":"PlaybackFinished","playback":{"id":"nobody's","state":"done"}}`,
		`{"type":"DeviceStateChanged","device_state":{"name":"PJSIP/unwatched","state":"INUSE"}}`,
	)
	want := []orchestrator.Event{
		orchestrator.LegRinging{Leg: "leg-2"},
		orchestrator.LegUp{Leg: "leg-2"},
		orchestrator.Joined{Leg: "leg-2", Bridge: "b"},
		orchestrator.Left{Leg: "leg-2", Bridge: "b"},
		orchestrator.Joined{Leg: "leg-2", Bridge: "b"},
		orchestrator.Digit{Leg: "leg-2", Digit: "5"},
		orchestrator.PlayDone{Leg: "leg-2", Play: "p", Status: orchestrator.PlayFinished},
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %+v\nwant %+v", got, want)
	}
}

func TestDeviceStates(t *testing.T) {
	b := newBook("pbx")
	b.devices["PJSIP/1001"] = device{known: true, reachable: true}
	for _, c := range []struct {
		state            string
		reachable, inUse bool
	}{
		{"INUSE", true, true},
		{"NOT_INUSE", true, false},
		{"RINGING", true, true},
		{"UNAVAILABLE", false, false},
		{"UNKNOWN", true, false},
		{"INVALID", false, false},
		{"RINGINUSE", true, true},
		{"NOT_INUSE", true, false},
		{"ONHOLD", true, true},
		{"UNAVAILABLE", false, false},
		{"BUSY", true, true},
	} {
		got := b.device("PJSIP/1001", c.state)
		want := orchestrator.EndpointChanged{Switch: "pbx", Endpoint: "PJSIP/1001", Reachable: c.reachable, InUse: c.inUse}
		if len(got) != 1 || got[0] != orchestrator.Event(want) {
			t.Errorf("%s: told %+v, want %+v", c.state, got, want)
		}
		if again := b.device("PJSIP/1001", c.state); len(again) != 0 {
			t.Errorf("%s was told twice", c.state)
		}
	}
}

// A picture is older than what happened while it was taken: legs younger than
// it stay, and are in the snapshot.
func TestPictureDoesNotEndYoungLegs(t *testing.T) {
	b := newBook("pbx")
	asked := time.Now()
	b.open("pbx/old", asked.Add(-time.Second))
	young := b.open("young", asked.Add(time.Millisecond))
	young.dialled = true
	making := b.open("making", asked.Add(-time.Second))
	making.dialled, making.quiet = true, true
	b.adopt(picture{asked: asked}, "rm")
	var legs []orchestrator.LegID
	for _, l := range b.snapshotLegs(nil) {
		legs = append(legs, l.Leg)
	}
	if !slices.Equal(legs, []orchestrator.LegID{"making", "young"}) {
		t.Errorf("the snapshot has %v", legs)
	}
}

// Reading the switch while Connect fills a bridge must not remove the bridge.
func TestSweepSparesABridgeBeingFilled(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalJSON("1"))
	f.send(arrivalJSON("2"))
	expect(o, 0, func(e orchestrator.LegOffered) bool { return e.Leg == "pbx/2" })
	f.say("GET /channels", "["+channelJSON("1", "Up", "")+","+channelJSON("2", "Up", "")+"]")
	f.say("GET /bridges", `[{"id":"b","name":"v1,t,c,l,bridge,1","channels":[]}]`)
	f.on("POST /bridges/b/addChannel", func(w http.ResponseWriter, _ *http.Request) {
		mark := o.mark()
		o.sw.Resync()
		expect[orchestrator.SwitchSynced](o, mark, nil)
		w.WriteHeader(http.StatusNoContent)
	})
	o.must(orchestrator.Connect{Bridge: "b", Stamp: stampOf("l", orchestrator.RoleBridge), A: "pbx/1", B: "pbx/2"})
	if got := f.requests("DELETE /bridges/b"); len(got) != 0 {
		t.Error("the bridge was removed")
	}
	mark := o.mark()
	o.sw.Resync()
	expect[orchestrator.SwitchSynced](o, mark, nil)
	if got := f.requests("DELETE /bridges/b"); len(got) != 1 {
		t.Error("the empty bridge was left")
	}
}

// Nor one that was filled between the reading of the bridges and the sweep: what
// was read is older than the talk.
func TestSweepSparesABridgeThatWasFilledMeanwhile(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.send(arrivalJSON("1"))
	f.send(arrivalJSON("2"))
	expect(o, 0, func(e orchestrator.LegOffered) bool { return e.Leg == "pbx/2" })
	f.say("GET /channels", "["+channelJSON("1", "Up", "")+","+channelJSON("2", "Up", "")+"]")
	f.on("GET /bridges", func(w http.ResponseWriter, _ *http.Request) {
		o.must(orchestrator.Connect{Bridge: "b", Stamp: stampOf("l", orchestrator.RoleBridge), A: "pbx/1", B: "pbx/2"})
		_, _ = io.WriteString(w, `[{"id":"b","name":"v1,t,c,l,bridge,1","channels":[]}]`)
	})
	mark := o.mark()
	o.sw.Resync()
	expect[orchestrator.SwitchSynced](o, mark, nil)
	if got := f.requests("DELETE /bridges/b"); len(got) != 0 {
		t.Error("the bridge was removed")
	}
}

// A caller may wait through more announcements than are remembered.
func TestPlaysAreForgotten(t *testing.T) {
	b := newBook("pbx")
	l := b.open("pbx/1", time.Now())
	for i := range 10 * maxPlays {
		id := orchestrator.PlayID(fmt.Sprint(i))
		if known, full := b.begin(l, id); known || full {
			t.Fatalf("play %d: known %v, full %v", i, known, full)
		}
		if known, _ := b.begin(l, id); !known {
			t.Fatalf("play %d was begun twice", i)
		}
		b.playDone(id, "done")
	}
	for i := range maxPlays {
		b.begin(l, orchestrator.PlayID(fmt.Sprint("running", i)))
	}
	if _, full := b.begin(l, "one too many"); !full {
		t.Error("the plays of a leg have no bound")
	}
	b.shut(l, false)
	if len(b.plays) != 0 {
		t.Errorf("%d plays outlive their leg", len(b.plays))
	}
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	m := newMemory(3)
	for _, k := range []string{"a", "b", "b", "c", "d"} {
		m.add(k)
	}
	if m.has("a") || !m.has("b") || !m.has("d") || len(m.set) != 3 {
		t.Errorf("remembers %v", m.set)
	}
}
