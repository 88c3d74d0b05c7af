package acd

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// Bucket is calls of identical requirement: of one queue, needing the same
// skills (see SkillsKey), at the same widening step, and on the same switch,
// because an agent's phone may be out of reach from there.
type Bucket struct {
	Queue  orchestrator.QueueID
	Skills string
	Step   int
	Switch orchestrator.SwitchID
}

// SkillsKey is the canonical form of what calls require of an agent: sorted,
// every skill once at its highest level, "billing>=3,german>=1".
func SkillsKey(needs []orchestrator.SkillNeed) string {
	sorted := slices.Clone(needs)
	slices.SortFunc(sorted, func(a, b orchestrator.SkillNeed) int {
		return cmp.Or(strings.Compare(a.Skill, b.Skill), cmp.Compare(b.Level, a.Level))
	})
	sorted = slices.CompactFunc(sorted, func(a, b orchestrator.SkillNeed) bool { return a.Skill == b.Skill })
	parts := make([]string, len(sorted))
	for i, need := range sorted {
		parts[i] = need.Skill + ">=" + strconv.Itoa(need.Level)
	}
	return strings.Join(parts, ",")
}

// Place is an agent who may serve a bucket. Lower levels are asked first.
type Place struct {
	Agent orchestrator.AgentID
	Level int
}

// Waiting is a call in line. Calls are served by priority, the highest first,
// then by arrival, then by Seq, then by id, so that no two calls tie.
type Waiting struct {
	Call     orchestrator.CallID
	Priority int
	Arrived  time.Time
	Seq      uint64
}

// Choice is the agent who would get the next call of a bucket, and enough to
// say why.
type Choice struct {
	Agent     orchestrator.AgentID
	Level     int
	IdleSince time.Time
	Free      int                  // agents who could take the call, this one included
	RunnerUp  orchestrator.AgentID // "" when there is no other
}

// Matcher keeps the waiting calls and the free agents of one floor. It is not
// safe for concurrent use. Its memory grows with the buckets, the agents it was
// told of and the waiting calls; the floor bounds all three.
type Matcher struct {
	buckets map[Bucket]*bucket
	queues  map[orchestrator.QueueID][]*bucket // in no particular order
	agents  map[orchestrator.AgentID]*agent
	calls   map[orchestrator.CallID]*call
}

type bucket struct {
	Bucket
	strategy orchestrator.Strategy
	places   []*place
	free     sorted[standing]
	waiting  sorted[turn]
}

type agent struct {
	id        orchestrator.AgentID
	free      bool
	idleSince time.Time
	places    []*place // one per bucket the agent serves
}

// place is one agent in one bucket.
type place struct {
	agent    *agent
	bucket   *bucket
	level    int
	standing standing // in bucket.free, while the agent is free
}

type call struct {
	Waiting
	bucket *bucket
}

// NewMatcher returns a matcher without buckets, agents and calls.
func NewMatcher() *Matcher {
	return &Matcher{
		buckets: map[Bucket]*bucket{},
		queues:  map[orchestrator.QueueID][]*bucket{},
		agents:  map[orchestrator.AgentID]*agent{},
		calls:   map[orchestrator.CallID]*call{},
	}
}

// SetBucket defines or redefines who serves a bucket and in which order they
// are preferred. Its waiting calls stay, and free agents are offerable there at
// once. Of an agent named twice the first place counts. A strategy it does not
// know is a panic: configuration that names one is refused earlier.
func (m *Matcher) SetBucket(b Bucket, strategy orchestrator.Strategy, places []Place) {
	if !knownStrategy(strategy) {
		panic(fmt.Sprintf("acd: bucket %v with unknown strategy %q", b, strategy))
	}
	found := m.buckets[b]
	if found == nil {
		found = &bucket{Bucket: b}
		m.buckets[b] = found
		m.queues[b.Queue] = append(m.queues[b.Queue], found)
	}
	m.clearPlaces(found)
	found.strategy = strategy
	for _, p := range places {
		m.addPlace(found, p)
	}
}

func (m *Matcher) addPlace(b *bucket, p Place) {
	a := m.agent(p.Agent)
	for _, other := range a.places {
		if other.bucket == b {
			return
		}
	}
	added := &place{agent: a, bucket: b, level: p.Level}
	a.places = append(a.places, added)
	b.places = append(b.places, added)
	if a.free {
		added.enter()
	}
}

func (m *Matcher) clearPlaces(b *bucket) {
	for _, p := range b.places {
		p.agent.places = slices.DeleteFunc(p.agent.places, func(q *place) bool { return q == p })
		if !p.agent.free && len(p.agent.places) == 0 {
			delete(m.agents, p.agent.id)
		}
	}
	b.places, b.free = nil, sorted[standing]{}
}

// HasBucket reports whether b is defined.
func (m *Matcher) HasBucket(b Bucket) bool { return m.buckets[b] != nil }

// DropBucket forgets a bucket. It panics if calls wait there, and does nothing
// if there is no such bucket.
func (m *Matcher) DropBucket(b Bucket) {
	found := m.buckets[b]
	if found == nil {
		return
	}
	if found.waiting.len() > 0 {
		panic(fmt.Sprintf("acd: drop bucket %v while %d calls wait", b, found.waiting.len()))
	}
	m.clearPlaces(found)
	delete(m.buckets, b)
	rest := slices.DeleteFunc(m.queues[b.Queue], func(o *bucket) bool { return o == found })
	if len(rest) == 0 {
		delete(m.queues, b.Queue)
		return
	}
	m.queues[b.Queue] = rest
}

// Wait puts a call in line. It panics if the call waits already or the bucket
// is not defined.
func (m *Matcher) Wait(b Bucket, w Waiting) {
	found := m.buckets[b]
	if found == nil {
		panic(fmt.Sprintf("acd: call %s waits in undefined bucket %v", w.Call, b))
	}
	if m.calls[w.Call] != nil {
		panic(fmt.Sprintf("acd: call %s waits twice", w.Call))
	}
	c := &call{Waiting: w, bucket: found}
	m.calls[w.Call] = c
	found.waiting.insert(c.turn())
}

// Unwait takes a call out of its line. It does nothing if the call does not
// wait.
func (m *Matcher) Unwait(id orchestrator.CallID) {
	c := m.calls[id]
	if c == nil {
		return
	}
	c.bucket.waiting.remove(c.turn())
	delete(m.calls, id)
}

// SetFree makes an agent offerable from now on, or tells of another instant
// since when they are idle. Buckets defined later count them in too.
func (m *Matcher) SetFree(id orchestrator.AgentID, idleSince time.Time) {
	a := m.agent(id)
	if a.free && a.idleSince.Equal(idleSince) {
		return
	}
	if a.free {
		a.leaveAll()
	}
	a.free, a.idleSince = true, idleSince
	for _, p := range a.places {
		p.enter()
	}
}

// SetBusy makes an agent not offerable. It does nothing if they are not free.
func (m *Matcher) SetBusy(id orchestrator.AgentID) {
	a := m.agents[id]
	if a == nil || !a.free {
		return
	}
	a.leaveAll()
	a.free, a.idleSince = false, time.Time{}
	if len(a.places) == 0 {
		delete(m.agents, id)
	}
}

// IsFree reports whether the agent is offerable.
func (m *Matcher) IsFree(id orchestrator.AgentID) bool {
	a := m.agents[id]
	return a != nil && a.free
}

// BestAgent is the free agent who would get the next call of b: of the lowest
// level, there the one the bucket's strategy prefers, of two equals the one
// whose id sorts first. ok is false when nobody is free or b is not defined.
func (m *Matcher) BestAgent(b Bucket) (best Choice, ok bool) {
	found := m.buckets[b]
	if found == nil {
		return Choice{}, false
	}
	first, ok := found.free.first()
	if !ok {
		return Choice{}, false
	}
	best = Choice{
		Agent: first.agent.id, Level: first.level, IdleSince: first.agent.idleSince, Free: found.free.len(),
	}
	if second, ok := found.free.second(); ok {
		best.RunnerUp = second.agent.id
	}
	return best, true
}

// NextCall is the call an agent would get next, free or not: the first in
// line over all buckets the agent serves, so that queues are served fairly.
// ok is false when none of them has a call.
func (m *Matcher) NextCall(id orchestrator.AgentID) (b Bucket, w Waiting, ok bool) {
	a := m.agents[id]
	if a == nil {
		return Bucket{}, Waiting{}, false
	}
	var best turn
	for _, p := range a.places {
		if head, waits := p.bucket.waiting.first(); waits && (!ok || head.before(best)) {
			best, ok = head, true
		}
	}
	if !ok {
		return Bucket{}, Waiting{}, false
	}
	return best.call.bucket.Bucket, best.call.Waiting, true
}

// agent returns the record of an agent, making it if need be.
func (m *Matcher) agent(id orchestrator.AgentID) *agent {
	a := m.agents[id]
	if a == nil {
		a = &agent{id: id}
		m.agents[id] = a
	}
	return a
}

func (a *agent) leaveAll() {
	for _, p := range a.places {
		p.bucket.free.remove(p.standing)
	}
}

// enter puts a free agent in line for calls of the bucket.
func (p *place) enter() {
	p.standing = standing{
		level: p.level, rank: rank(p.bucket.strategy, p.agent), idleSince: p.agent.idleSince.UnixNano(), agent: p.agent,
	}
	p.bucket.free.insert(p.standing)
}
