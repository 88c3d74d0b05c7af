package acd

import "ringmaster/orchestrator"

// turn is a call's place in the order of service: see Waiting. It holds copies
// of what is compared, so that a search reads one piece of memory and not one
// call after another.
type turn struct {
	priority int
	arrived  int64 // nanoseconds
	seq      uint64
	call     *call
}

func (c *call) turn() turn {
	return turn{priority: c.Priority, arrived: c.Arrived.UnixNano(), seq: c.Seq, call: c}
}

func (t turn) before(o turn) bool {
	switch {
	case t.priority != o.priority:
		return t.priority > o.priority
	case t.arrived != o.arrived:
		return t.arrived < o.arrived
	case t.seq != o.seq:
		return t.seq < o.seq
	}
	return t.call.Call < o.call.Call
}

// standing is a free agent's place among those of one bucket: see BestAgent.
type standing struct {
	level     int
	rank      int64
	idleSince int64 // nanoseconds
	agent     *agent
}

func (s standing) before(o standing) bool {
	switch {
	case s.level != o.level:
		return s.level < o.level
	case s.rank != o.rank:
		return s.rank < o.rank
	case s.idleSince != o.idleSince:
		return s.idleSince < o.idleSince
	}
	return s.agent.id < o.agent.id
}

// rank is what a strategy orders agents of one level by, the lowest first;
// equal ranks go by idle time. A further strategy is one more case here, one
// more name below, and what it counts in agent.
func rank(s orchestrator.Strategy, _ *agent) int64 {
	switch s {
	default: // orchestrator.LongestIdle: idle time alone
		return 0
	}
}

// knownStrategy reports whether rank has a case for s. "" is the default.
func knownStrategy(s orchestrator.Strategy) bool {
	return s == "" || s == orchestrator.LongestIdle
}
