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

// gauge is one figure of the present tenure, read when Prometheus asks.
type gauge struct {
	name, help string
	kind       prometheus.ValueType
	read       func(*centre) float64
}

// registerGauges adds what runner, journal and switches know of themselves.
func (a *App) registerGauges() {
	counter, value := prometheus.CounterValue, prometheus.GaugeValue
	all := []gauge{
		{"ringmaster_inputs_total", "Inputs the floor has stepped.", counter, func(c *centre) float64 { return float64(c.runner.Stats().Inputs) }},
		{"ringmaster_facts_total", "Facts the floor has decided.", counter, func(c *centre) float64 { return float64(c.runner.Stats().Facts) }},
		{"ringmaster_commands_total", "Commands given to switches.", counter, func(c *centre) float64 { return float64(c.runner.Stats().Commands) }},
		{"ringmaster_inbox", "Inputs waiting for the floor.", value, func(c *centre) float64 { return float64(c.runner.Stats().Inbox) }},
		{"ringmaster_journal_commits_total", "Commits of the journal.", counter, func(c *centre) float64 { return float64(c.runner.Stats().Commits) }},
		{
			"ringmaster_journal_commit_seconds_total", "Time spent in commits of the journal.", counter,
			func(c *centre) float64 { return time.Duration(c.runner.Stats().CommitsNanos).Seconds() },
		},
		{"ringmaster_journal_bytes", "Size of the journal on disk.", value, func(c *centre) float64 { return float64(c.journal.Health().LogBytes) }},
		{
			"ringmaster_journal_backlog", "Inputs whose facts are not in the database yet.", value,
			func(c *centre) float64 {
				h := c.journal.Health()
				return float64(h.LastSeq - min(h.LastSeq, h.Acknowledged))
			},
		},
	}
	for _, g := range all {
		a.registry.MustRegister(collector{a, g})
	}
	a.registry.MustRegister(switchCollector{a}, floorCollector{a}, leadCollector{a})
}

type collector struct {
	a *App
	gauge
}

// Describe sends nothing: the figures are unchecked and read on demand.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the figure.
func (c collector) Collect(out chan<- prometheus.Metric) {
	if t := c.a.leading(); t != nil {
		desc := prometheus.NewDesc(c.name, c.help, []string{"tenant"}, nil)
		for _, of := range t.centres {
			out <- prometheus.MustNewConstMetric(desc, c.kind, c.read(of), string(of.tenant))
		}
	}
}

// floorCollector is the wallboard's figures, while there is a floor here.
type floorCollector struct{ a *App }

// Describe sends nothing.
func (floorCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the floor.
func (f floorCollector) Collect(out chan<- prometheus.Metric) {
	if t := f.a.leading(); t != nil {
		for _, c := range t.centres {
			api.NewFloorCollector(c.tenant, c.runner).Collect(out)
		}
	}
}

// leadCollector says whether this process leads.
type leadCollector struct{ a *App }

// Describe sends nothing.
func (leadCollector) Describe(chan<- *prometheus.Desc) {}

// Collect asks the lease.
func (l leadCollector) Collect(out chan<- prometheus.Metric) {
	leading, epoch := 0.0, 0.0
	if t := l.a.leading(); t != nil {
		leading, epoch = 1, float64(t.keeper.epoch)
	}
	send := func(name, help string, v float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, v)
	}
	send("ringmaster_leading", "1 while this process leads the floor.", leading)
	send("ringmaster_epoch", "The lease this process leads under, 0 for none.", epoch)
}

// switchCollector reads the adapters' counts, labelled by tenant and switch.
type switchCollector struct{ a *App }

// Describe sends nothing.
func (switchCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads every switch.
func (s switchCollector) Collect(out chan<- prometheus.Metric) {
	if t := s.a.leading(); t != nil {
		for _, c := range t.centres {
			c.tellSwitches(out)
		}
	}
}

func (c *centre) tellSwitches(out chan<- prometheus.Metric) {
	send := func(name, help string, kind prometheus.ValueType, v float64, id string) {
		desc := prometheus.NewDesc(name, help, []string{"tenant", "switch"}, nil)
		out <- prometheus.MustNewConstMetric(desc, kind, v, string(c.tenant), id)
	}
	for id, st := range c.switches.stats() {
		tellSwitch(st, string(id), send)
	}
}

// tellSwitch sends the figures of one switch.
func tellSwitch(st switchStats, id string, send func(name, help string, kind prometheus.ValueType, v float64, id string)) {
	up := 0.0
	if st.Connected {
		up = 1
	}
	send("ringmaster_switch_connected", "1 while the switch is heard.", prometheus.GaugeValue, up, id)
	send("ringmaster_switch_legs", "Legs of ours on the switch.", prometheus.GaugeValue, float64(st.Legs), id)
	send("ringmaster_switch_dial_rate", "Dials a second allowed now; it falls when the switch answers slowly.", prometheus.GaugeValue, st.CreateRate, id)
	for _, n := range st.Counts {
		send("ringmaster_switch_"+n.name+"_total", n.help, prometheus.CounterValue, float64(n.n), id)
	}
}
