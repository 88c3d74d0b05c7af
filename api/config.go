package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringmaster/orchestrator"
)

// Config is what a Server is made of.
type Config struct {
	// Floors finds a tenant's floor, false when it does not run here.
	Floors func(orchestrator.TenantID) (Floor, bool)
	// Elsewhere says in words why a tenant's floor does not run here, and
	// where it does. Nil: it is not known.
	Elsewhere func(orchestrator.TenantID) string
	Store     orchestrator.Store
	Log       *slog.Logger
	// Registry takes the API's own figures and is what /metrics shows.
	Registry *prometheus.Registry
	Version  string // of Ringmaster, for /healthz

	// Checks are what /readyz asks, besides the floors. Nil: nothing.
	Checks func(context.Context) []Check
	// SwitchAccessChanged is told when a switch's address or secret was
	// replaced, after it was stored. Nil: nobody.
	SwitchAccessChanged func(orchestrator.TenantID, orchestrator.SwitchID)
	// Console serves every GET that no route of the API answers. Nil: 404.
	Console http.Handler

	// TrustedProxies are those whose X-Forwarded-For is believed. Empty: none,
	// because a client that can name its own address escapes every limit.
	TrustedProxies []netip.Prefix

	Limits Limits

	Now func() time.Time // nil: time.Now
}

// Limits bounds what clients may cost. Zero fields take the defaults.
type Limits struct {
	RequestsPerSecond int           // of one key; default 50, with bursts of twice that
	WrongKeysPerHour  int           // from one address before 429; default 60
	Streams           int           // open event streams; default 200
	Body              int64         // bytes of a request; default 1 MiB
	Document          int64         // bytes of a configuration document; default 8 MiB
	Request           time.Duration // a request's whole time; default 10 s
	DocumentTime      time.Duration // that of plan and apply; default 5 min: PINs are hashed slowly
	Heartbeat         time.Duration // silence on an event stream; default 15 s
	StreamWrite       time.Duration // for one write to an event stream; default 10 s
}

func (l Limits) withDefaults() Limits {
	l.RequestsPerSecond = cmp.Or(l.RequestsPerSecond, 50)
	l.WrongKeysPerHour = cmp.Or(l.WrongKeysPerHour, 60)
	l.Streams = cmp.Or(l.Streams, 200)
	l.Body = cmp.Or(l.Body, 1<<20)
	l.Document = cmp.Or(l.Document, 8<<20)
	l.Request = cmp.Or(l.Request, 10*time.Second)
	l.DocumentTime = cmp.Or(l.DocumentTime, 5*time.Minute)
	l.Heartbeat = cmp.Or(l.Heartbeat, 15*time.Second)
	l.StreamWrite = cmp.Or(l.StreamWrite, 10*time.Second)
	return l
}

// Check is one thing /readyz looked at.
type Check struct {
	Name   string
	Err    error // nil: fine
	Needed bool  // without it Ringmaster is not ready
}

// Validate names every field that is missing.
func (c Config) Validate() error {
	var faults []error
	missing := func(is bool, field string) {
		if is {
			faults = append(faults, errors.New("api config: "+field+" is missing"))
		}
	}
	missing(c.Floors == nil, "Floors")
	missing(c.Store == nil, "Store")
	missing(c.Log == nil, "Log")
	missing(c.Registry == nil, "Registry")
	return errors.Join(faults...)
}
