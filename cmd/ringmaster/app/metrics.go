package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringmaster/api"
)

// figures are the process's own counts for Prometheus. None is labelled by
// call, agent or number.
type figures struct {
	projected prometheus.Counter
	lag       prometheus.Histogram
}

func newFigures(r *prometheus.Registry) *figures {
	f := &figures{
		projected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ringmaster_projected_facts_total", Help: "Facts moved from the journal to the database.",
		}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ringmaster_projection_lag_seconds", Help: "From a fact to its row.",
			Buckets: []float64{.005, .01, .02, .05, .1, .2, .5, 1, 5, 30, 300},
		}),
	}
	r.MustRegister(f.projected, f.lag)
	return f
}

func (f *figures) moved(facts int, lag time.Duration) {
	f.projected.Add(float64(facts))
	f.lag.Observe(lag.Seconds())
}

// gauge is one figure read when Prometheus asks.
type gauge struct {
	name, help string
	kind       prometheus.ValueType
	read       func() float64
}

// registerGauges adds what runner, journal and switches know of themselves.
func (a *App) registerGauges() {
	counter, value := prometheus.CounterValue, prometheus.GaugeValue
	all := []gauge{
		{"ringmaster_inputs_total", "Inputs the floor has stepped.", counter, func() float64 { return float64(a.runner.Stats().Inputs) }},
		{"ringmaster_facts_total", "Facts the floor has decided.", counter, func() float64 { return float64(a.runner.Stats().Facts) }},
		{"ringmaster_commands_total", "Commands given to switches.", counter, func() float64 { return float64(a.runner.Stats().Commands) }},
		{"ringmaster_inbox", "Inputs waiting for the floor.", value, func() float64 { return float64(a.runner.Stats().Inbox) }},
		{"ringmaster_journal_commits_total", "Commits of the journal.", counter, func() float64 { return float64(a.runner.Stats().Commits) }},
		{
			"ringmaster_journal_commit_seconds_total", "Time spent in commits of the journal.", counter,
			func() float64 { return time.Duration(a.runner.Stats().CommitsNanos).Seconds() },
		},
		{"ringmaster_journal_bytes", "Size of the journal on disk.", value, func() float64 { return float64(a.journal.Health().LogBytes) }},
		{
			"ringmaster_journal_backlog", "Inputs whose facts are not in the database yet.", value,
			func() float64 { h := a.journal.Health(); return float64(h.LastSeq - min(h.LastSeq, h.Acknowledged)) },
		},
	}
	for _, g := range all {
		a.registry.MustRegister(collector{g})
	}
	a.registry.MustRegister(switchCollector{a}, api.NewFloorCollector(a.tenant, a.runner))
}

type collector struct{ gauge }

// Describe sends nothing: the figures are unchecked and read on demand.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the figure.
func (c collector) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc(c.name, c.help, nil, nil), c.kind, c.read())
}

// switchCollector reads the adapters' counts, labelled by switch.
type switchCollector struct{ a *App }

// Describe sends nothing.
func (switchCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads every switch.
func (s switchCollector) Collect(out chan<- prometheus.Metric) {
	send := func(name, help string, kind prometheus.ValueType, v float64, id string) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, []string{"switch"}, nil), kind, v, id)
	}
	for id, st := range s.a.switches.stats() {
		up := 0.0
		if st.Connected {
			up = 1
		}
		send("ringmaster_switch_connected", "1 while the switch is heard.", prometheus.GaugeValue, up, string(id))
		send("ringmaster_switch_legs", "Legs of ours on the switch.", prometheus.GaugeValue, float64(st.Legs), string(id))
		send("ringmaster_switch_losses_total", "Times the switch was lost.", prometheus.CounterValue, float64(st.Losses), string(id))
		send("ringmaster_switch_overloads_total", "Dials turned away by the rate cap.", prometheus.CounterValue, float64(st.Overloads), string(id))
		send("ringmaster_switch_unknown_events_total", "Events nothing is done about.", prometheus.CounterValue, float64(st.Unknown), string(id))
	}
}
