package floor_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// crowd is a big centre at full load: every agent talks, as many calls wait,
// and each end brings the next call to the agent and a new caller to the line.
type crowd struct {
	f      *floor.Floor
	at     time.Time
	seq    uint64
	legs   int
	timing []time.Duration
	ready  []pair // talking pairs, oldest first
}

type pair struct{ caller, agent o.LegID }

func newCrowd(agents, waiting int) *crowd {
	c := &crowd{f: floor.New(floor.Config{Tenant: "bench", Epoch: 1}), at: start}
	config := o.Config{
		Switches: []o.PBX{{ID: "pbx", Type: "simulated"}},
		Flows: []o.Flow{{ID: "main", Version: 1, Start: "answer", Nodes: map[string]o.Node{
			"answer": {Type: o.NodeAnswer, On: map[string]string{"next": "queue"}},
			"queue":  {Type: o.NodeQueue, Queue: "sales"},
		}}},
		Numbers: []o.Number{{Dialled: "500", Flow: "main"}},
	}
	queue := o.Queue{ID: "sales", Name: "Sales", Version: 1}
	synced := o.SwitchSynced{Switch: "pbx", Epoch: "e"}
	for i := range agents {
		id, end := fmt.Sprintf("a%05d", i), fmt.Sprintf("PJSIP/%d", 10000+i)
		config.Agents = append(config.Agents, o.Agent{ID: o.AgentID(id), Number: fmt.Sprint(10000 + i)})
		config.Phones = append(config.Phones, o.Phone{ID: o.PhoneID(id), Switch: "pbx", Endpoint: end})
		queue.Agents = append(queue.Agents, o.QueueAgent{Agent: o.AgentID(id)})
		synced.Snapshot.Endpoints = append(synced.Snapshot.Endpoints, o.SnapshotEndpoint{Endpoint: end, Reachable: true})
	}
	config.Queues = []o.Queue{queue}
	c.do(o.ConfigChanged{Change: config})
	c.do(synced)
	for i := range agents {
		id := fmt.Sprintf("a%05d", i)
		c.do(o.AgentAsked{Agent: o.AgentID(id), Action: o.ActionLogin, Phone: o.PhoneID(id), Origin: o.OriginAPI})
	}
	for range agents {
		c.talk(c.arrive())
	}
	for range waiting {
		c.arrive()
	}
	return c
}

func (c *crowd) do(e o.Event) o.Effects {
	c.seq++
	c.at = c.at.Add(time.Millisecond)
	begun := time.Now()
	fx := c.f.Step(o.Input{Seq: c.seq, At: c.at, Event: e})
	if c.timing != nil {
		c.timing = append(c.timing, time.Since(begun))
	}
	return fx
}

func (c *crowd) arrive() (caller o.LegID, fx o.Effects) {
	c.legs++
	leg := o.LegID(fmt.Sprintf("pbx/%d", c.legs))
	c.do(o.LegOffered{Switch: "pbx", Leg: leg, Entry: o.EntryIn, Dialled: "500"})
	return leg, c.do(o.LegUp{Leg: leg})
}

// talk brings the offer among the effects to a conversation.
func (c *crowd) talk(_ o.LegID, fx o.Effects) {
	for _, cmd := range fx.Commands {
		dial, ok := cmd.Do.(o.Dial)
		if !ok {
			continue
		}
		c.do(o.LegRinging{Leg: dial.Leg})
		for _, after := range c.do(o.LegUp{Leg: dial.Leg}).Commands {
			if join, ok := after.Do.(o.Connect); ok {
				c.do(o.Joined{Leg: join.A, Bridge: join.Bridge})
				c.do(o.Joined{Leg: join.B, Bridge: join.Bridge})
				c.ready = append(c.ready, pair{join.A, join.B})
			}
		}
	}
}

// turn ends the oldest conversation: its agent gets the call that waited
// longest, and a new caller joins the line.
func (c *crowd) turn() {
	p := c.ready[0]
	c.ready = c.ready[1:]
	fx := c.do(o.LegEnded{Leg: p.agent, Cause: 16, By: o.EndedByRemote})
	c.do(o.LegEnded{Leg: p.caller, Cause: 16, By: o.EndedByUs})
	c.talk("", fx)
	c.arrive()
}

// BenchmarkStep is floor inputs per second on one core, with 10,000 agents who
// all talk and 10,000 calls waiting; one operation is one input.
func BenchmarkStep(b *testing.B) {
	c := newCrowd(10000, 10000)
	c.timing = make([]time.Duration, 0, b.N+16)
	b.ReportAllocs()
	b.ResetTimer()
	first := c.seq
	for c.seq-first < uint64(b.N) {
		c.turn()
	}
	b.StopTimer()
	slices.Sort(c.timing)
	at := func(q float64) float64 { return float64(c.timing[int(q*float64(len(c.timing)-1))].Nanoseconds()) }
	b.ReportMetric(float64(len(c.timing))/b.Elapsed().Seconds(), "inputs/s")
	b.ReportMetric(at(0.5), "p50-ns")
	b.ReportMetric(at(0.99), "p99-ns")
}
