package acd_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/acd"
)

// oracle is a matcher that looks at everything every time. It is what Matcher
// must agree with, and short enough to be read.
type oracle struct {
	places  map[acd.Bucket][]acd.Place
	waiting []line
	free    map[orchestrator.AgentID]time.Time
}

type line struct {
	bucket acd.Bucket
	acd.Waiting
}

func newOracle() *oracle {
	return &oracle{places: map[acd.Bucket][]acd.Place{}, free: map[orchestrator.AgentID]time.Time{}}
}

func (o *oracle) inOrder(keep func(line) bool) []line {
	var kept []line
	for _, w := range o.waiting {
		if keep(w) {
			kept = append(kept, w)
		}
	}
	slices.SortFunc(kept, func(a, b line) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Arrived.Compare(b.Arrived),
			cmp.Compare(a.Seq, b.Seq), strings.Compare(string(a.Call), string(b.Call)))
	})
	return kept
}

func (o *oracle) find(id orchestrator.CallID) (line, bool) {
	i := slices.IndexFunc(o.waiting, func(w line) bool { return w.Call == id })
	if i < 0 {
		return line{}, false
	}
	return o.waiting[i], true
}

func (o *oracle) unwait(id orchestrator.CallID) {
	o.waiting = slices.DeleteFunc(o.waiting, func(w line) bool { return w.Call == id })
}

func (o *oracle) line(q orchestrator.QueueID) []acd.Waiting {
	calls := []acd.Waiting{}
	for _, w := range o.inOrder(func(w line) bool { return w.bucket.Queue == q }) {
		calls = append(calls, w.Waiting)
	}
	return calls
}

func (o *oracle) ahead(id orchestrator.CallID, limit int) []orchestrator.CallID {
	var ids []orchestrator.CallID
	call, ok := o.find(id)
	for _, w := range o.line(call.bucket.Queue) {
		if !ok || w.Call == id || len(ids) == limit {
			break
		}
		ids = append(ids, w.Call)
	}
	return ids
}

// freeAgents is the free agents of a bucket, best first.
func (o *oracle) freeAgents(b acd.Bucket) []acd.Place {
	var free []acd.Place
	for _, p := range o.places[b] {
		known := slices.ContainsFunc(free, func(q acd.Place) bool { return q.Agent == p.Agent })
		if _, ok := o.free[p.Agent]; ok && !known {
			free = append(free, p)
		}
	}
	slices.SortFunc(free, func(a, b acd.Place) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), o.free[a.Agent].Compare(o.free[b.Agent]),
			strings.Compare(string(a.Agent), string(b.Agent)))
	})
	return free
}

func (o *oracle) bestAgent(b acd.Bucket) (acd.Choice, bool) {
	free := o.freeAgents(b)
	if len(free) == 0 {
		return acd.Choice{}, false
	}
	best := acd.Choice{Agent: free[0].Agent, Level: free[0].Level, IdleSince: o.free[free[0].Agent], Free: len(free)}
	if len(free) > 1 {
		best.RunnerUp = free[1].Agent
	}
	return best, true
}

func (o *oracle) nextCall(agent orchestrator.AgentID) (line, bool) {
	calls := o.inOrder(func(w line) bool {
		return slices.ContainsFunc(o.places[w.bucket], func(p acd.Place) bool { return p.Agent == agent })
	})
	if len(calls) == 0 {
		return line{}, false
	}
	return calls[0], true
}
