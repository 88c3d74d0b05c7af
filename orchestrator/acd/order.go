package acd

import (
	"strings"

	"ringmaster/orchestrator"
)

// before orders the calls in line: see Waiting.
func (c *call) before(o *call) bool {
	if c.Priority != o.Priority {
		return c.Priority > o.Priority
	}
	if d := c.Arrived.Compare(o.Arrived); d != 0 {
		return d < 0
	}
	if c.Seq != o.Seq {
		return c.Seq < o.Seq
	}
	return c.Call < o.Call
}

// before orders the free agents of one bucket: see BestAgent.
func (p *place) before(o *place) bool {
	if p.level != o.level {
		return p.level < o.level
	}
	if d := preference(p.bucket.strategy, p.agent, o.agent); d != 0 {
		return d < 0
	}
	return strings.Compare(string(p.agent.id), string(o.agent.id)) < 0
}

// preference is negative if the strategy prefers a to b. A new strategy is one
// more case here, one more name below, and what it compares in agent.
func preference(s orchestrator.Strategy, a, b *agent) int {
	switch s {
	default: // orchestrator.LongestIdle
		return a.idleSince.Compare(b.idleSince)
	}
}

// knownStrategy reports whether preference has a case for s. "" is the default.
func knownStrategy(s orchestrator.Strategy) bool {
	return s == "" || s == orchestrator.LongestIdle
}
