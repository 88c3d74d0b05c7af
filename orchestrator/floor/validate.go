package floor

import (
	"fmt"
	"slices"
	"strings"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/calendar"
	"ringmaster/orchestrator/ivr"
)

// Validate finds every fault of a whole configuration: those of
// Config.Validate, those inside opening hours and flows, and circles of queues
// and flows in which a call would run for ever. Each names its path, for
// example "flows[0].nodes.menu.on.3".
func Validate(c orchestrator.Config) orchestrator.Problems {
	found := c.Validate()
	if _, err := calendar.LoadZone(c.Settings.Zone); err != nil {
		found.Add("settings.zone", "%s", err)
	}
	for i, h := range c.Hours {
		found = append(found, calendar.Validate(fmt.Sprintf("hours[%d]", i), h)...)
	}
	known := ivr.Known{Queues: map[orchestrator.QueueID]bool{}, Hours: map[orchestrator.HoursID]bool{}}
	for _, q := range c.Queues {
		known.Queues[q.ID] = true
	}
	for _, h := range c.Hours {
		known.Hours[h.ID] = true
	}
	for i, f := range c.Flows {
		found = append(found, ivr.Validate(fmt.Sprintf("flows[%d]", i), f, known)...)
	}
	if len(found) == 0 { // what follows is about sound objects only
		endless(&found, c)
	}
	return found[:min(len(found), orchestrator.MaxProblems)]
}

// endless refuses circles of queues and flows in which nobody ever waits. Those
// within one flow are that flow's own fault and found with it, so that each one
// here comes by a queue.
func endless(found *orchestrator.Problems, c orchestrator.Config) {
	p := newPaths(c)
	for _, loop := range ivr.Loops(p.places, p.next) {
		first := slices.IndexFunc(loop, func(at place) bool { return at.queue != "" })
		loop = slices.Concat(loop[first:], loop[:first+1])
		words := make([]string, len(loop))
		for i, at := range loop {
			words[i] = at.String()
		}
		queue := slices.IndexFunc(c.Queues, func(q orchestrator.Queue) bool { return q.ID == loop[0].queue })
		found.Add(fmt.Sprintf("queues[%d].overflow", queue),
			"an endless loop while no agent is logged in: %s", strings.Join(words, " -> "))
	}
}

// place is where a call may be: in a queue or at a node of a flow.
type place struct {
	queue orchestrator.QueueID
	flow  orchestrator.FlowID
	node  string
}

func (p place) String() string {
	if p.queue != "" {
		return "queue " + string(p.queue)
	}
	return "flow " + string(p.flow) + " node " + p.node
}

// paths is how a call may go on from place to place at once. A queue's overflow
// may be taken at once, because its agents may all be logged out.
type paths struct {
	places    []place // the queues
	overflows map[orchestrator.QueueID]orchestrator.Target
	flows     map[orchestrator.FlowID]orchestrator.Flow
}

func newPaths(c orchestrator.Config) paths {
	p := paths{
		overflows: map[orchestrator.QueueID]orchestrator.Target{},
		flows:     map[orchestrator.FlowID]orchestrator.Flow{},
	}
	for _, q := range c.Queues {
		p.places = append(p.places, place{queue: q.ID})
		p.overflows[q.ID] = q.Overflow
	}
	for _, f := range c.Flows {
		p.flows[f.ID] = f
	}
	return p
}

func (p paths) next(at place) (places []place) {
	if at.queue != "" {
		switch to := p.overflows[at.queue]; {
		case to.Queue != "":
			return []place{{queue: to.Queue}}
		case to.Flow != "":
			return []place{{flow: to.Flow, node: p.flows[to.Flow].Start}}
		}
		return nil
	}
	n := p.flows[at.flow].Nodes[at.node]
	for _, name := range ivr.AtOnce(n) {
		places = append(places, place{flow: at.flow, node: name})
	}
	if _, connected := ivr.Exit(n, orchestrator.ExitNoAgents); n.Type == orchestrator.NodeQueue && !connected {
		places = append(places, place{queue: n.Queue})
	}
	return places
}
