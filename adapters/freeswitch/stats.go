package freeswitch

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Buckets are the upper bounds, in seconds, of the request durations in Stats.
var Buckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// Stats is what the adapter counted since it was made, for metrics.
type Stats struct {
	Connected  bool
	Superseded bool
	Legs       int // in the book now
	QueueDepth int // messages received and not yet handled
	QueueMax   int // the deepest it was

	Sessions   uint64            // times the switch was synced after connecting
	Losses     uint64            // times it was lost
	Events     map[string]uint64 // received, by name; at most 128 names, the rest is "other"
	Unknown    uint64            // messages of kinds that nothing is done about
	Garbled    uint64            // could not be decoded
	Overloads  uint64            // dials turned away by the rate cap
	CreateRate float64           // legs per second allowed now
	ChoresLost uint64            // orders skipped because too many were waiting
	Redials    uint64            // command connections opened again
	Misspelt   uint64            // dials refused as FreeSWITCH refuses what it cannot read
	Late       uint64            // events older than what was known of their leg
	HealedEnds uint64            // ends of legs found by asking, not by an event
	Lag        RequestStats      // from receiving a message to having reported it
	Requests   []RequestStats    // by name
}

// RequestStats counts one kind of request. Counts[i] took at most Buckets[i];
// longer ones are only in Total.
type RequestStats struct {
	Name    string
	Total   uint64
	Failed  uint64
	Seconds float64
	Counts  []uint64
}

// maxKinds bounds the event types counted one by one: their names come from
// the network.
const maxKinds = 128

type counters struct {
	mu       sync.Mutex
	stats    Stats
	requests map[string]*RequestStats
}

func newCounters() *counters {
	return &counters{stats: Stats{Events: map[string]uint64{}, Lag: *newDurations("lag")}, requests: map[string]*RequestStats{}}
}

// add changes one plain counter.
func (c *counters) add(change func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.stats)
}

func (c *counters) request(name string, took time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.requests[name]
	if r == nil {
		r = newDurations(name)
		c.requests[name] = r
	}
	r.observe(took)
	if !ok {
		r.Failed++
	}
}

func (c *counters) lag(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Lag.observe(took)
}

func newDurations(name string) *RequestStats {
	return &RequestStats{Name: name, Counts: make([]uint64, len(Buckets))}
}

func (r *RequestStats) observe(took time.Duration) {
	r.Total++
	r.Seconds += took.Seconds()
	for i, bound := range Buckets {
		if took.Seconds() <= bound {
			r.Counts[i]++
		}
	}
}

// event counts one received message and reports whether its type is new.
func (c *counters) event(kind string, depth int) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.QueueDepth, c.stats.QueueMax = depth-1, max(c.stats.QueueMax, depth)
	if c.stats.Events[kind] == 0 && len(c.stats.Events) >= maxKinds {
		kind = "other"
	}
	c.stats.Events[kind]++
	return c.stats.Events[kind] == 1
}

func (c *counters) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.stats
	out.Events = maps.Clone(c.stats.Events)
	out.Lag.Counts = slices.Clone(c.stats.Lag.Counts)
	for _, name := range slices.Sorted(maps.Keys(c.requests)) {
		r := *c.requests[name]
		r.Counts = slices.Clone(r.Counts)
		out.Requests = append(out.Requests, r)
	}
	return out
}
