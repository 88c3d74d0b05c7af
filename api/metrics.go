package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// figures are what the API tells Prometheus about itself. No label grows with
// calls, agents or keys.
type figures struct {
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	wrongKeys prometheus.Counter
	panics    prometheus.Counter
	streams   prometheus.Gauge
	resyncs   *prometheus.CounterVec
}

func newFigures(registry prometheus.Registerer) (*figures, error) {
	f := &figures{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringmaster_api_requests_total", Help: "Requests answered.",
		}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ringmaster_api_request_seconds", Help: "Time to answer a request.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"operation"}),
		wrongKeys: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ringmaster_api_wrong_keys_total", Help: "Requests with a missing or wrong key.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ringmaster_api_panics_total", Help: "Requests that panicked.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ringmaster_api_event_streams", Help: "Open event streams.",
		}),
		resyncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringmaster_api_resyncs_total", Help: "Event streams that missed facts.",
		}, []string{"reason"}),
	}
	var faults []error
	for _, c := range []prometheus.Collector{f.requests, f.seconds, f.wrongKeys, f.panics, f.streams, f.resyncs} {
		faults = append(faults, registry.Register(c))
	}
	return f, errors.Join(faults...)
}

func (f *figures) request(operation string, status int, took time.Duration) {
	f.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	if operation != "followLive" { // open for hours
		f.seconds.WithLabelValues(operation).Observe(took.Seconds())
	}
}
