package acd

import (
	"slices"

	"ringmaster/orchestrator"
)

// Line is every waiting call of a queue in the order of service.
func (m *Matcher) Line(q orchestrator.QueueID) []Waiting {
	var turns []turn
	for _, b := range m.queues[q] {
		b.waiting.all(func(t turn) bool {
			turns = append(turns, t)
			return true
		})
	}
	slices.SortFunc(turns, byTurn)
	line := make([]Waiting, len(turns))
	for i, t := range turns {
		line[i] = t.call.Waiting
	}
	return line
}

// FreeAgents is the free agents of a bucket in the order of preference.
func (m *Matcher) FreeAgents(b Bucket) []orchestrator.AgentID {
	found := m.buckets[b]
	if found == nil {
		return nil
	}
	ids := make([]orchestrator.AgentID, 0, found.free.len())
	found.free.all(func(s standing) bool {
		ids = append(ids, s.agent.id)
		return true
	})
	return ids
}
