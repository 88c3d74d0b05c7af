package asterisk

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// Our word about a transfer must not overtake Asterisk's own handling of the
// REFER, which would end the PBX: it waits for an answer that comes after it.
func TestTransferIsAnsweredAfterItsRequest(t *testing.T) {
	for name, order := range map[string]func(*office){
		"ours":         func(o *office) { o.must(orchestrator.RejectTransfer{Leg: "pbx/1"}) },
		"by ourselves": func(*office) {},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			o := f.open(nil)
			f.on("GET /channels/1/variable", func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(100 * time.Millisecond) // Asterisk is still at the REFER.
				if n := len(f.requests("POST /channels/1/transfer_progress")); n != 0 {
					t.Error("answered before Asterisk was through with the request")
				}
				_, _ = w.Write([]byte(`{"value":"call-id"}`))
			})
			f.send(arrivalJSON("1"))
			f.send(arrivalJSON("2"))
			if name == "ours" { // Two in a bridge: it is asked for. Else it is refused at once.
				for _, id := range []string{"1", "2"} {
					f.send(eventJSON("ChannelEnteredBridge", channelJSON(id, "Up", ""), `,"bridge":{"id":"b"}`))
				}
			}
			f.send(referJSON("1", "2002"))
			if name == "ours" {
				expect[orchestrator.TransferAsked](o, 0, nil)
			}
			order(o)
			f.await("POST /channels/1/transfer_progress?states=channel_declined", 1)
			if len(f.requests("GET /channels/1/variable?variable=CHANNEL%28pjsip%2Ccall-id%29")) != 1 {
				t.Errorf("asked %q", strings.Join(f.requests(""), "\n"))
			}
		})
	}
}

// A channel that is over and listed for good, as a REFER that meets a hang-up
// leaves it (see readAgain), ends once, and its phone is free; pictures of it
// change nothing. The same one met after a restart ends when it is hung up.
func TestGhostEnds(t *testing.T) {
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprint("known before: ", known), func(t *testing.T) {
			f := newFake(t)
			ghost := channelJSON("1", "Up", "")
			haunt := func() {
				f.say("GET /channels", "["+ghost+"]")
				f.say("GET /channels/1", ghost)
				f.say("GET /endpoints", `[{"technology":"PJSIP","resource":"1001","state":"online","channel_ids":["1"]}]`)
				f.fail("GET /channels/1/variable", http.StatusNotFound, "Provided channel was not found")
				f.fail("DELETE /channels/1", http.StatusNotFound, "Channel not found")
			}
			if !known {
				haunt()
			}
			o := f.open(func(c *Config) { c.Endpoints = []string{"PJSIP/1001"} })
			if known {
				f.send(arrivalJSON("1"))
				expect[orchestrator.LegOffered](o, 0, nil)
				f.send(deviceJSON("PJSIP/1001", "INUSE"))
				expect(o, 0, func(e orchestrator.EndpointChanged) bool { return e.InUse })
				o.must(orchestrator.Hangup{Leg: "pbx/1", Cause: orchestrator.CauseNormal})
				haunt()
				f.send(eventJSON("StasisEnd", ghost, ""))
			} else {
				o.do(orchestrator.Hangup{Leg: "pbx/1", Cause: orchestrator.CauseNormal})
			}
			o.sw.Resync()
			expect(o, 0, func(e orchestrator.LegEnded) bool { return e.Leg == "pbx/1" && e.By == orchestrator.EndedByUs })
			expect(o, 0, func(e orchestrator.EndpointChanged) bool { return !e.InUse })
			mark := o.mark()
			f.send(deviceJSON("PJSIP/1001", "INUSE"))
			o.sw.Resync()
			synced, _ := expect[orchestrator.SwitchSynced](o, mark, nil)
			if again := synced.Snapshot; len(again.Legs) != 0 || again.Endpoints[0].InUse {
				t.Errorf("after its end the snapshot is %+v", again)
			}
			f.say("GET /channels", "[]") // Asterisk was restarted, and forgets it.
			f.say("GET /endpoints", `[{"technology":"PJSIP","resource":"1001","state":"online","channel_ids":[]}]`)
			forgotten := o.mark()
			o.sw.Resync()
			expect[orchestrator.SwitchSynced](o, forgotten, nil)
			f.send(deviceJSON("PJSIP/1001", "RINGING"))
			expect(o, mark, func(e orchestrator.EndpointChanged) bool { return e.InUse })
			if n := o.sw.Stats().HealedEnds; n != 1 {
				t.Errorf("%d ends were found by asking", n)
			}
		})
	}
}

// A phone's transfer key may meet the hang-up of its call. Asterisk then may
// leave a ghost of the leg (see readAgain), which the next adapter meets too.
func TestTransferKeyAsTheLegIsHungUp(t *testing.T) {
	atPlace(t) // or skip
	p, err := newPlace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	open := func() *office {
		sw, err := New(p.config(t))
		if err != nil {
			t.Fatal(err)
		}
		o := openOffice(t, sw, p)
		expect[orchestrator.SwitchSynced](o, 0, nil)
		o.awaitPhones()
		return o
	}
	o := open()
	tries := 0
	for ; tries < 100 && o.sw.Stats().HealedEnds == 0; tries++ {
		mark := o.mark()
		agent, leg := o.agent()
		var both sync.WaitGroup
		both.Go(func() { o.must(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}) })
		both.Go(func() {
			time.Sleep(time.Duration(tries%8) * 250 * time.Microsecond)
			_ = within(500*time.Millisecond, func(ctx context.Context) error { return agent.Transfer(ctx, "1002") })
		})
		both.Wait()
		expect(o, mark, func(e orchestrator.LegEnded) bool { return e.Leg == leg && e.By == orchestrator.EndedByUs })
	}
	t.Logf("%d tries left %d ghosts", tries, o.sw.Stats().HealedEnds)
	o.stop()
	o = open()
	o.sw.Resync()
	synced, _ := expect[orchestrator.SwitchSynced](o, 0, nil)
	for _, l := range synced.Snapshot.Legs {
		o.do(orchestrator.Hangup{Leg: l.Leg})
		expect(o, 0, func(e orchestrator.LegEnded) bool { return e.Leg == l.Leg })
	}
	mark := o.mark()
	o.sw.Resync()
	synced, _ = expect[orchestrator.SwitchSynced](o, mark, nil)
	if s := synced.Snapshot; len(s.Legs) != 0 || slices.ContainsFunc(s.Endpoints, func(e orchestrator.SnapshotEndpoint) bool { return e.InUse }) {
		t.Errorf("what is over is still told: %+v", s)
	}
}

func deviceJSON(name, state string) string {
	return `{"type":"DeviceStateChanged","timestamp":"2026-11-23T01:30:00.000+0000","application":"rm","device_state":{"name":"` + name + `","state":"` + state + `"}}`
}

func referJSON(channel, number string) string {
	return `{"type":"ChannelTransfer","timestamp":"2026-11-23T01:30:00.000+0000","application":"rm","refer_to":{"requested_destination":{"destination":"` +
		number + `"}},"referred_by":{"source_channel":` + channelJSON(channel, "Up", "") + `}}`
}
