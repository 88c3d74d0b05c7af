package floor_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// desk drives a floor by hand and keeps what it decided.
type desk struct {
	t     *testing.T
	f     *floor.Floor
	at    time.Time
	seq   uint64
	facts []o.Fact
	last  o.Effects
}

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, f: floor.New(floor.Config{Tenant: "acme", Epoch: 1}), at: start}
	d.do(o.ConfigChanged{Change: center()})
	d.do(o.SwitchSynced{Switch: "pbx", Epoch: "e1", Snapshot: o.Snapshot{Endpoints: []o.SnapshotEndpoint{
		{Endpoint: "PJSIP/1001", Reachable: true}, {Endpoint: "PJSIP/1002", Reachable: true},
	}}})
	return d
}

func center() o.Config {
	return o.Config{
		Switches: []o.PBX{{ID: "pbx", Type: "simulated"}},
		Phones:   []o.Phone{{ID: "p1", Switch: "pbx", Endpoint: "PJSIP/1001"}, {ID: "p2", Switch: "pbx", Endpoint: "PJSIP/1002"}},
		Agents:   []o.Agent{{ID: "ana", Number: "101", Name: "Ana"}, {ID: "ben", Number: "102", Name: "Ben"}},
		Queues: []o.Queue{{
			ID: "sales", Name: "Sales", Version: 1, WrapUp: 5000, MaxWait: 60000,
			Agents: []o.QueueAgent{{Agent: "ana"}, {Agent: "ben"}},
		}},
		Flows: []o.Flow{{ID: "main", Version: 1, Start: "answer", Nodes: map[string]o.Node{
			"answer": {Type: o.NodeAnswer, On: map[string]string{"next": "menu"}},
			"menu":   {Type: o.NodeMenu, Play: []o.Media{{Say: "Press one."}}, On: map[string]string{"1": "queue", "timeout": "bye", "invalid": "bye"}},
			"queue":  {Type: o.NodeQueue, Queue: "sales"},
			"bye":    {Type: o.NodeHangup},
		}}},
		Numbers: []o.Number{{Dialled: "500", Flow: "main"}},
	}
}

func (d *desk) do(e o.Event) o.Effects {
	d.t.Helper()
	d.seq++
	d.last = d.f.Step(o.Input{Seq: d.seq, At: d.at, Event: e})
	d.facts = append(d.facts, d.last.Facts...)
	return d.last
}

// pass lets time go by, waking the floor at every deadline.
func (d *desk) pass(span time.Duration) {
	d.t.Helper()
	until := d.at.Add(span)
	for {
		at, ok := d.f.NextWake()
		if !ok || at.After(until) {
			break
		}
		d.at = at
		d.do(o.Wake{})
	}
	d.at = until
}

func find[T o.Deed](d *desk) (found T, ok bool) {
	for _, fact := range slices.Backward(d.facts) {
		if f, is := fact.What.(T); is {
			return f, true
		}
	}
	return found, false
}

func command[T o.Action](t *testing.T, e o.Effects) T {
	t.Helper()
	for _, c := range e.Commands {
		if a, ok := c.Do.(T); ok {
			return a
		}
	}
	t.Fatalf("no %T among %s", *new(T), names(e)) //nolint:revive // the compiler wants what follows
	panic("unreachable")
}

func names(e o.Effects) (s string) {
	for _, c := range e.Commands {
		s += fmt.Sprintf("%T ", c.Do)
	}
	return s
}

// arrive brings a caller through answer and menu into the queue.
func (d *desk) arrive(leg o.LegID) {
	d.t.Helper()
	d.do(o.LegOffered{Switch: "pbx", Leg: leg, Entry: o.EntryIn, Dialled: "500", Caller: o.Party{Number: "+4930"}})
	e := d.do(o.LegUp{Leg: leg})
	play := command[o.Play](d.t, e)
	d.do(o.PlayDone{Leg: leg, Play: play.Play, Status: o.PlayFinished})
	d.do(o.Digit{Leg: leg, Digit: "1"})
}

// folded checks that the facts alone make the same floor.
func (d *desk) folded() {
	d.t.Helper()
	g := floor.New(floor.Config{Tenant: "acme", Epoch: 1})
	for _, fact := range d.facts {
		g.Apply(fact)
	}
	want, got := d.f.Image(), g.Image()
	if !bytes.Equal(want, got) {
		d.t.Fatalf("fold differs:\n%s\n%s", want, got)
	}
}

func TestCallerTalksToAgentAndTheStoryIsWhole(t *testing.T) {
	d := newDesk(t)
	d.do(o.AgentAsked{Agent: "ana", Action: o.ActionLogin, Phone: "p1", Origin: o.OriginAPI})
	d.at = d.at.Add(10 * time.Second)
	d.arrive("pbx/1")
	dial := command[o.Dial](t, d.last)
	d.do(o.LegRinging{Leg: dial.Leg})
	d.at = d.at.Add(3 * time.Second)
	connect := command[o.Connect](t, d.do(o.LegUp{Leg: dial.Leg}))
	d.do(o.Joined{Leg: "pbx/1", Bridge: connect.Bridge})
	d.do(o.Joined{Leg: dial.Leg, Bridge: connect.Bridge})
	d.folded()
	d.at = d.at.Add(20 * time.Second)
	d.do(o.LegEnded{Leg: dial.Leg, Cause: 16, By: o.EndedByRemote})
	d.do(o.LegEnded{Leg: "pbx/1", Cause: 16, By: o.EndedByUs})
	d.folded()
	ended, ok := find[o.CallEnded](d)
	if !ok || ended.Outcome.Reason != o.ReasonTalked || ended.Times.Talk != 20000 || ended.Times.Queue != 3000 {
		t.Fatalf("CDR %+v", ended)
	}
	if a := d.f.Live(d.at).Agents[0]; a.State != o.AgentWrapUp {
		t.Fatalf("agent %+v", a)
	}
	d.pass(6 * time.Second)
	if a := d.f.Live(d.at).Agents[0]; a.State != o.AgentReady {
		t.Fatalf("agent %+v", a)
	}
	d.folded()
}

func TestNoAnswerGoesToTheNextAgentAndKeepsThePlace(t *testing.T) {
	d := newDesk(t)
	d.do(o.AgentAsked{Agent: "ana", Action: o.ActionLogin, Phone: "p1", Origin: o.OriginAPI})
	d.at = d.at.Add(time.Second)
	d.do(o.AgentAsked{Agent: "ben", Action: o.ActionLogin, Phone: "p2", Origin: o.OriginAPI})
	d.arrive("pbx/1")
	first := command[o.Dial](t, d.last)
	d.do(o.LegRinging{Leg: first.Leg})
	d.pass(20 * time.Second)
	second := command[o.Dial](t, d.last)
	if first.Endpoint != "PJSIP/1001" || second.Endpoint != "PJSIP/1002" {
		t.Fatalf("dialled %s then %s", first.Endpoint, second.Endpoint)
	}
	over, _ := find[o.OfferEnded](d)
	if over.Outcome != o.OfferNoAnswer || over.Misses != 1 {
		t.Fatalf("offer %+v", over)
	}
	d.do(o.LegEnded{Leg: first.Leg, Cause: 16, By: o.EndedByUs})
	d.do(o.LegEnded{Leg: "pbx/1", Cause: 16, By: o.EndedByRemote})
	d.do(o.LegEnded{Leg: second.Leg, Cause: 26, By: o.EndedByUs})
	ended, _ := find[o.CallEnded](d)
	if ended.Outcome.Reason != o.ReasonAbandoned {
		t.Fatalf("CDR %+v", ended)
	}
	d.folded()
}

func TestLoginByPhoneWithAWrongPINThenTheRightOne(t *testing.T) {
	d := newDesk(t)
	d.do(o.LegOffered{Switch: "pbx", Leg: "pbx/9", Entry: o.EntryAgent, Dialled: "*11101", Endpoint: "PJSIP/1001"})
	e := d.do(o.LegUp{Leg: "pbx/9"})
	if len(e.Asks) != 1 {
		t.Fatalf("asks %+v", e.Asks)
	}
	e = d.do(o.PINRead{Ask: e.Asks[0].ID, Leg: "pbx/9", Verdict: o.PINWrong})
	if len(e.Asks) != 1 {
		t.Fatalf("asks %+v", e.Asks)
	}
	e = d.do(o.PINRead{Ask: e.Asks[0].ID, Leg: "pbx/9", Verdict: o.PINCorrect})
	play := command[o.Play](t, e)
	e = d.do(o.PlayDone{Leg: "pbx/9", Play: play.Play, Status: o.PlayFinished})
	command[o.Hangup](t, e)
	d.do(o.LegEnded{Leg: "pbx/9", Cause: 16, By: o.EndedByUs})
	if a := d.f.Live(d.at).Agents[0]; a.State != o.AgentReady || a.Phone != "p1" {
		t.Fatalf("agent %+v", a)
	}
	d.folded()
}
