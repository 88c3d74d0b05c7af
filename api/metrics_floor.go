package api

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringmaster/orchestrator"
)

// scrapeTimeout bounds how long a scrape waits for the floor.
const scrapeTimeout = 2 * time.Second

// NewFloorCollector shows Prometheus what the wallboard shows: queues, agents
// by state, calls by phase. Labels are names of the configuration and closed
// sets, never calls or numbers. Register one per floor.
func NewFloorCollector(tenant orchestrator.TenantID, f Floor) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("ringmaster_"+name, help, labels, prometheus.Labels{"tenant": string(tenant)})
	}
	return &floorCollector{
		floor:   f,
		waiting: desc("queue_waiting", "Calls that wait.", "queue"),
		longest: desc("queue_longest_wait_seconds", "Age of the call that waits longest.", "queue"),
		ready:   desc("queue_agents_ready", "Agents who could take a call now.", "queue"),
		today:   desc("queue_calls_today", "Calls since midnight in the tenant's zone.", "queue", "count"),
		agents:  desc("agents", "Agents by what they do.", "state"),
		calls:   desc("calls", "Calls by where they are in their life.", "phase"),
	}
}

type floorCollector struct {
	floor                                         Floor
	waiting, longest, ready, today, agents, calls *prometheus.Desc
}

// Describe names every figure.
func (c *floorCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.waiting, c.longest, c.ready, c.today, c.agents, c.calls} {
		out <- d
	}
}

// Collect reads the floor once. A floor that does not answer shows nothing,
// which an alert on absence finds.
func (c *floorCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	live, err := c.floor.Live(ctx)
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, q := range live.Queues {
		name, age := string(q.Queue), 0.0
		if q.WaitingSince != nil {
			age = live.At.Sub(*q.WaitingSince).Seconds()
		}
		gauge(c.waiting, float64(q.Waiting), name)
		gauge(c.longest, age, name)
		gauge(c.ready, float64(q.AgentsReady), name)
		for count, n := range map[string]int{
			"offered": q.Today.Offered, "answered": q.Today.Answered, "answered_in_time": q.Today.AnsweredInTime,
			"abandoned": q.Today.Abandoned, "overflowed": q.Today.Overflowed,
		} {
			gauge(c.today, float64(n), name, count)
		}
	}
	states, phases := map[orchestrator.AgentState]int{}, map[orchestrator.CallPhase]int{}
	for _, a := range live.Agents {
		states[a.State]++
	}
	for _, call := range live.Calls {
		phases[call.Phase]++
	}
	for state, n := range states {
		gauge(c.agents, float64(n), string(state))
	}
	for phase, n := range phases {
		gauge(c.calls, float64(n), string(phase))
	}
}
