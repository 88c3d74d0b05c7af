package asterisk

import (
	"context"
	"slices"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// A whole StasisStart as Asterisk 22.10.1 sends it.
const stasisStart = `{"type":"StasisStart","timestamp":"2026-11-23T02:00:00.123+0000","args":["v1","in","100"],"channel":{"id":"1732327200.12","name":"PJSIP/1001-0000001a","state":"Ring","protocol_id":"abcdef@127.0.0.1","caller":{"name":"Müller","number":"4930123456"},"connected":{"name":"","number":""},"accountcode":"","dialplan":{"context":"rm-inbound","exten":"100","priority":1,"app_name":"Stasis","app_data":"rm,v1,in,100"},"creationtime":"2026-11-23T02:00:00.111+0000","language":"en","channelvars":{"RM":""}},"asterisk_id":"02:00:00:00:00:01","application":"rm"}`

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode([]byte(stasisStart)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCall is one caller answered, offered to a phone that answers at once,
// connected and hung up, one after another, on a real Asterisk. It reports how
// long each command took to be answered, and from the caller's INVITE on the
// wire to LegOffered:
//
//	go test ./adapters/asterisk -run xxx -bench Call -benchtime 100x
func BenchmarkCall(b *testing.B) {
	// One call after another comes to more than 30 a second: without a higher
	// cap the pace would be measured and not the switch.
	o := atWork(b, func(c *Config) { c.Log, c.CreatesPerSecond = nil, 200 })
	if err := o.phones[0].SetBehaviour(phone.AnswerAfter(0)); err != nil {
		b.Fatal(err)
	}
	took := map[string][]time.Duration{}
	do := func(name string, a orchestrator.Action) {
		began := time.Now()
		o.must(a)
		took[name] = append(took[name], time.Since(began))
	}
	for b.Loop() {
		mark := o.mark()
		call, err := o.trunk.Dial(context.Background(), "4930555", phone.DialOptions{CallerNumber: "+4930"})
		if err != nil {
			b.Fatal(err)
		}
		e, at := expect[orchestrator.LegOffered](o, mark, nil)
		took["invite-offered"] = append(took["invite-offered"], at.Sub(call.Times().Invite))
		do("claim", orchestrator.Claim{Leg: e.Leg, Stamp: stampOf(e.Leg, orchestrator.RoleCaller)})
		do("answer", orchestrator.Answer{Leg: e.Leg})
		do("music", orchestrator.StartMusic{Leg: e.Leg})
		d := dialOf(newID())
		d.Endpoint = "PJSIP/" + o.phones[0].User()
		do("dial", d)
		expect(o, mark, func(e orchestrator.LegUp) bool { return e.Leg == d.Leg })
		bridge := orchestrator.BridgeID(newID())
		do("connect", orchestrator.Connect{Bridge: bridge, Stamp: stampOf(e.Leg, orchestrator.RoleBridge), A: e.Leg, B: d.Leg})
		do("hangup", orchestrator.Hangup{Leg: d.Leg, Cause: 16})
		do("hangup", orchestrator.Hangup{Leg: e.Leg, Cause: 16})
		for _, leg := range []orchestrator.LegID{d.Leg, e.Leg} {
			expect(o, mark, func(e orchestrator.LegEnded) bool { return e.Leg == leg })
		}
		o.do(orchestrator.CloseBridge{Bridge: bridge})
	}
	for name, times := range took {
		slices.Sort(times)
		b.ReportMetric(times[len(times)/2].Seconds()*1000, name+"-p50-ms")
		b.ReportMetric(times[len(times)*95/100].Seconds()*1000, name+"-p95-ms")
	}
	lag := o.sw.Stats().Lag
	b.ReportMetric(lag.Seconds/float64(lag.Total)*1000, "message-reported-mean-ms")
}
