package acd_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/acd"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

var buckets = []acd.Bucket{
	{Queue: "sales"}, {Queue: "sales", Skills: "german>=1"}, {Queue: "sales", Step: 1}, {Queue: "support"}, {Queue: "all"},
}

// pair is a matcher and the oracle it must agree with.
type pair struct {
	m     *acd.Matcher
	o     *oracle
	calls int // made so far
}

// Few agents and instants, so that ties, levels and shared buckets abound.
func (p *pair) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"set bucket": func(rt *rapid.T) {
			b := drawBucket(rt)
			places := rapid.SliceOfN(rapid.Custom(drawPlace), 0, 8).Draw(rt, "places")
			p.m.SetBucket(b, orchestrator.LongestIdle, places)
			p.o.places[b] = slices.Clone(places)
		},
		"drop bucket": func(rt *rapid.T) {
			b := drawBucket(rt)
			if slices.ContainsFunc(p.o.waiting, func(w line) bool { return w.bucket == b }) {
				mustPanic(rt, "drop a bucket with calls", func() { p.m.DropBucket(b) })
				return
			}
			p.m.DropBucket(b)
			delete(p.o.places, b)
		},
		"wait": func(rt *rapid.T) {
			b := drawBucket(rt)
			p.calls++
			w := acd.Waiting{
				Call: drawCall(rt, p.calls), Priority: rapid.IntRange(-1, 1).Draw(rt, "priority"),
				Arrived: drawInstant(rt), Seq: rapid.Uint64Range(0, 2).Draw(rt, "seq"),
			}
			_, waits := p.o.find(w.Call)
			if _, defined := p.o.places[b]; waits || !defined {
				mustPanic(rt, "wait twice or nowhere", func() { p.m.Wait(b, w) })
				return
			}
			would := p.m.PositionFor(b.Queue, w)
			p.m.Wait(b, w)
			if is, _ := p.m.Position(w.Call); would != is {
				rt.Fatalf("%+v would be at position %d and is at %d", w, would, is)
			}
			p.o.waiting = append(p.o.waiting, line{b, w})
		},
		"unwait": func(rt *rapid.T) {
			id := drawCall(rt, p.calls)
			p.m.Unwait(id)
			p.o.unwait(id)
		},
		"serve": func(rt *rapid.T) { // what the floor does most
			_, w, ok := p.m.NextCall(drawAgent(rt))
			if ok {
				p.m.Unwait(w.Call)
				p.o.unwait(w.Call)
			}
		},
		"free": func(rt *rapid.T) {
			a, since := drawAgent(rt), drawInstant(rt)
			p.m.SetFree(a, since)
			p.o.free[a] = since
		},
		"busy": func(rt *rapid.T) {
			a := drawAgent(rt)
			p.m.SetBusy(a)
			delete(p.o.free, a)
		},
		"": p.agree,
	}
}

func (p *pair) agree(rt *rapid.T) {
	for _, b := range buckets {
		_, defined := p.o.places[b]
		if p.m.HasBucket(b) != defined {
			rt.Fatalf("bucket %v defined: %v", b, !defined)
		}
		got, ok := p.m.BestAgent(b)
		want, wantOK := p.o.bestAgent(b)
		if got != want || ok != wantOK {
			rt.Fatalf("best agent of %v is %+v %v, want %+v %v", b, got, ok, want, wantOK)
		}
		var free []orchestrator.AgentID
		for _, place := range p.o.freeAgents(b) {
			free = append(free, place.Agent)
		}
		if !slices.Equal(p.m.FreeAgents(b), free) {
			rt.Fatalf("free agents of %v are %v, want %v", b, p.m.FreeAgents(b), free)
		}
	}
	for i := range agents {
		a := agentID(i)
		b, w, ok := p.m.NextCall(a)
		want, wantOK := p.o.nextCall(a)
		if (line{b, w}) != want || ok != wantOK {
			rt.Fatalf("next call of %s is %v %+v %v, want %+v %v", a, b, w, ok, want, wantOK)
		}
		if _, free := p.o.free[a]; p.m.IsFree(a) != free {
			rt.Fatalf("%s is free: %v", a, !free)
		}
	}
	p.agreeOnLines(rt)
	p.agreeOnBuckets(rt)
}

func (p *pair) agreeOnLines(rt *rapid.T) {
	for _, q := range []orchestrator.QueueID{"sales", "support", "all", "none"} {
		want := p.o.line(q)
		if got := p.m.Line(q); !slices.Equal(got, want) || p.m.WaitingIn(q) != len(want) {
			rt.Fatalf("line of %s is %v (%d), want %v", q, got, p.m.WaitingIn(q), want)
		}
		for i, w := range want {
			if position, ok := p.m.Position(w.Call); !ok || position != i+1 {
				rt.Fatalf("%s is at position %d, want %d of %v", w.Call, position, i+1, want)
			}
			for _, max := range []int{0, 2, 100} {
				if got, want := p.m.Ahead(w.Call, max), p.o.ahead(w.Call, max); !slices.Equal(got, want) {
					rt.Fatalf("ahead of %s are %v, want %v", w.Call, got, want)
				}
			}
		}
	}
	if position, ok := p.m.Position("nobody"); ok || position != 0 || len(p.m.Ahead("nobody", 9)) > 0 {
		rt.Fatalf("a call that does not wait is at position %d", position)
	}
}

func (p *pair) agreeOnBuckets(rt *rapid.T) {
	got := p.m.Buckets()
	sorted := slices.IsSortedFunc(got, func(a, b acd.Bucket) int {
		return slices.Compare([]string{string(a.Queue), a.Skills, fmt.Sprint(a.Step), string(a.Switch)},
			[]string{string(b.Queue), b.Skills, fmt.Sprint(b.Step), string(b.Switch)})
	})
	if len(got) != len(p.o.places) || !sorted {
		rt.Fatalf("buckets are %v, want the %d of %v in order", got, len(p.o.places), p.o.places)
	}
}

func TestMatcherAgreesWithTheOracle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := &pair{m: acd.NewMatcher(), o: newOracle()}
		rt.Repeat(p.actions())
	})
}

const agents = 6

func agentID(i int) orchestrator.AgentID { return orchestrator.AgentID(fmt.Sprintf("agent-%d", i)) }

func drawAgent(rt *rapid.T) orchestrator.AgentID {
	return agentID(rapid.IntRange(0, agents-1).Draw(rt, "agent"))
}

func drawBucket(rt *rapid.T) acd.Bucket { return rapid.SampledFrom(buckets).Draw(rt, "bucket") }

func drawInstant(rt *rapid.T) time.Time {
	return start.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "instant")) * time.Second)
}

func drawPlace(rt *rapid.T) acd.Place {
	return acd.Place{Agent: drawAgent(rt), Level: rapid.IntRange(0, 1).Draw(rt, "level")}
}

func drawCall(rt *rapid.T, calls int) orchestrator.CallID {
	return orchestrator.CallID(fmt.Sprintf("call-%03d", rapid.IntRange(0, calls).Draw(rt, "call")))
}

func mustPanic(rt *rapid.T, what string, do func()) {
	defer func() {
		if recover() == nil {
			rt.Fatalf("%s: no panic", what)
		}
	}()
	do()
}

// One sentence of the contract per line.
func TestOrderOfService(t *testing.T) {
	m := acd.NewMatcher()
	sales, support := acd.Bucket{Queue: "sales"}, acd.Bucket{Queue: "support"}
	m.SetBucket(sales, "", []acd.Place{{Agent: "ana", Level: 1}, {Agent: "ben"}, {Agent: "cy"}})
	m.SetBucket(support, orchestrator.LongestIdle, []acd.Place{{Agent: "ana"}})
	m.SetFree("ana", start)
	m.SetFree("ben", start.Add(2*time.Second))
	m.SetFree("cy", start.Add(time.Second))
	want := acd.Choice{Agent: "cy", IdleSince: start.Add(time.Second), Free: 3, RunnerUp: "ben"}
	if got, ok := m.BestAgent(sales); !ok || got != want {
		t.Errorf("level comes before idle time: %+v", got)
	}
	m.Wait(sales, acd.Waiting{Call: "old", Arrived: start})
	m.Wait(sales, acd.Waiting{Call: "second", Arrived: start, Seq: 1})
	m.Wait(support, acd.Waiting{Call: "urgent", Priority: 1, Arrived: start.Add(time.Hour)})
	for _, want := range []orchestrator.CallID{"urgent", "old", "second"} {
		_, next, _ := m.NextCall("ana")
		if next.Call != want {
			t.Errorf("ana's next call is %s, want %s", next.Call, want)
		}
		m.Unwait(next.Call)
	}
}

func TestUnknownStrategyPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	acd.NewMatcher().SetBucket(acd.Bucket{}, "ringall", nil)
}

func TestSkillsKeyIsCanonical(t *testing.T) {
	needs := []orchestrator.SkillNeed{{Skill: "german", Level: 1}, {Skill: "billing", Level: 2}, {Skill: "billing", Level: 3}}
	if got := acd.SkillsKey(needs); got != "billing>=3,german>=1" {
		t.Errorf("got %s", got)
	}
	if needs[0].Skill != "german" {
		t.Error("the caller's list was sorted")
	}
	if got := acd.SkillsKey(nil); got != "" {
		t.Errorf("nothing needed is %q", got)
	}
}

const crowd = 10_000

// full is a matcher of ten thousand free agents in a queue and ten thousand
// calls waiting in another that each of them serves too.
func full(places int) (*acd.Matcher, []orchestrator.AgentID) {
	m := acd.NewMatcher()
	ids := make([]orchestrator.AgentID, crowd)
	all := make([]acd.Place, crowd)
	for i := range crowd {
		ids[i] = orchestrator.AgentID(fmt.Sprintf("agent-%05d", i))
		all[i] = acd.Place{Agent: ids[i], Level: i % 3}
	}
	for q := range places {
		m.SetBucket(acd.Bucket{Queue: orchestrator.QueueID(fmt.Sprint("queue-", q))}, orchestrator.LongestIdle, all)
	}
	for i, id := range ids {
		m.SetFree(id, at(i))
	}
	return m, ids
}

// at scatters instants over an hour.
func at(i int) time.Time { return start.Add(time.Duration(i*7919%3_600_000) * time.Millisecond) }

func BenchmarkBestAgent(b *testing.B) {
	m, _ := full(1)
	b.ReportAllocs()
	for b.Loop() {
		m.BestAgent(acd.Bucket{Queue: "queue-0"})
	}
}

// One agent becomes busy and free again.
func BenchmarkBusyAndFree(b *testing.B) {
	for _, places := range []int{1, 5} {
		b.Run(fmt.Sprintf("queues=%d", places), func(b *testing.B) {
			m, ids := full(places)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				id := ids[i*7919%crowd]
				m.SetBusy(id)
				m.SetFree(id, at(i))
				i++
			}
		})
	}
}

func BenchmarkNextCall(b *testing.B) {
	m, ids := full(5)
	for i := range crowd {
		m.Wait(acd.Bucket{Queue: "queue-1"}, acd.Waiting{Call: callID(i), Arrived: at(i)})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.NextCall(ids[i*7919%crowd])
		i++
	}
}

// A call leaves from anywhere in the line and another one joins at its end.
func BenchmarkUnwaitAndWait(b *testing.B) {
	m, _ := full(1)
	ids := make([]orchestrator.CallID, crowd)
	for i := range crowd {
		ids[i] = callID(i)
		m.Wait(acd.Bucket{Queue: "queue-0"}, acd.Waiting{Call: ids[i], Arrived: start.Add(time.Duration(i))})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		id := ids[i*7919%crowd]
		m.Unwait(id)
		m.Wait(acd.Bucket{Queue: "queue-0"}, acd.Waiting{Call: id, Arrived: start.Add(time.Duration(crowd + i))})
		i++
	}
}

func BenchmarkPosition(b *testing.B) {
	m, _ := full(1)
	ids := make([]orchestrator.CallID, crowd)
	for i := range crowd {
		ids[i] = callID(i)
		m.Wait(acd.Bucket{Queue: "queue-0"}, acd.Waiting{Call: ids[i], Arrived: at(i)})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.Position(ids[i*7919%crowd])
		i++
	}
}

func callID(i int) orchestrator.CallID { return orchestrator.CallID(fmt.Sprintf("call-%05d", i)) }
