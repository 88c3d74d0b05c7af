package acd

import (
	"cmp"
	"slices"
	"strings"

	"ringmaster/orchestrator"
)

// Position is a waiting call's place among the calls of its queue, 1 is next.
// ok is false if the call does not wait. It takes O(log n) per bucket.
func (m *Matcher) Position(id orchestrator.CallID) (position int, ok bool) {
	c := m.calls[id]
	if c == nil {
		return 0, false
	}
	return m.PositionFor(c.bucket.Queue, c.Waiting), true
}

// PositionFor is the position a call would have in a queue if it waited there.
func (m *Matcher) PositionFor(q orchestrator.QueueID, w Waiting) int {
	c := &call{Waiting: w}
	position := 1
	for _, b := range m.queues[q] {
		position += b.waiting.rank(c.turn())
	}
	return position
}

// WaitingIn is the number of calls waiting in a queue.
func (m *Matcher) WaitingIn(q orchestrator.QueueID) int {
	total := 0
	for _, b := range m.queues[q] {
		total += b.waiting.len()
	}
	return total
}

// Ahead is the first calls, at most limit, that would be served before the given
// one in its queue, the next one first. It is empty if the call does not wait.
func (m *Matcher) Ahead(id orchestrator.CallID, limit int) []orchestrator.CallID {
	c := m.calls[id]
	if c == nil {
		return nil
	}
	var ahead []turn
	for _, b := range m.queues[c.bucket.Queue] {
		taken := 0
		b.waiting.all(func(t turn) bool {
			if taken == limit || !t.before(c.turn()) {
				return false
			}
			taken++
			ahead = append(ahead, t)
			return true
		})
	}
	slices.SortFunc(ahead, byTurn)
	ahead = ahead[:min(limit, len(ahead))]
	ids := make([]orchestrator.CallID, len(ahead))
	for i, t := range ahead {
		ids[i] = t.call.Call
	}
	return ids
}

func byTurn(a, b turn) int {
	if a.before(b) {
		return -1
	}
	return 1
}

// Buckets is every bucket, sorted by queue, skills, step and switch.
func (m *Matcher) Buckets() []Bucket {
	all := make([]Bucket, 0, len(m.buckets))
	for b := range m.buckets { // order-free: sorted below
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b Bucket) int {
		return cmp.Or(strings.Compare(string(a.Queue), string(b.Queue)),
			strings.Compare(a.Skills, b.Skills), cmp.Compare(a.Step, b.Step),
			strings.Compare(string(a.Switch), string(b.Switch)))
	})
	return all
}
