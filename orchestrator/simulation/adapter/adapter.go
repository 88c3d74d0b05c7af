// Package adapter is the simulated switch as an orchestrator.Switch in real
// time: what a runner can be connected to, and what the conformance suite
// holds against the real adapters.
//
// The package refuses to decide anything about calls: that is the simulated
// switch's, and the people's who hold its phones.
package adapter

import (
	"context"
	"sync"
	"time"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/simulation"
)

// Host keeps one simulated switch running by the wall clock.
type Host struct {
	mu    sync.Mutex
	clock *simulation.Clock
	sw    *simulation.Switch
	timer *time.Timer
	over  bool
}

// NewHost starts a switch without phones. Close ends it.
func NewHost(id orchestrator.SwitchID) *Host {
	h := &Host{clock: simulation.NewClock(time.Now())}
	h.sw = simulation.NewSwitch(id, h.clock)
	h.timer = time.AfterFunc(time.Hour, func() { h.With(func(*simulation.Switch) {}) })
	return h
}

// With gives f the switch alone. f and whatever it holds of the switch must
// not be used after it returns but within another With.
func (h *Host) With(f func(*simulation.Switch)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	h.clock.Advance(time.Now())
	f(h.sw)
	if at, ok := h.clock.Next(); ok {
		h.timer.Reset(time.Until(at))
	}
}

// Close stops the switch's clock.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	h.timer.Stop()
}

// Backlog is how many events may wait for the receiver; one place is kept for
// the word that more were lost.
const Backlog = 4096

// retry is the pause before a broken connection is tried again.
const retry = 20 * time.Millisecond

// Adapter is one connection to a Host's switch.
type Adapter struct {
	host   *Host
	events chan orchestrator.Event
	broken chan struct{} // holds a word while the connection is lost

	port *simulation.Port // set by Run, used within Host.With
	lost bool             // likewise
}

// New makes an adapter that connects when it is run.
func New(h *Host) *Adapter {
	return &Adapter{host: h, events: make(chan orchestrator.Event, Backlog), broken: make(chan struct{}, 1)}
}

// ID is the switch's name in the configuration.
func (a *Adapter) ID() orchestrator.SwitchID { return a.host.sw.ID() }

// Capabilities are those of the simulated switch.
func (a *Adapter) Capabilities() orchestrator.Capabilities { return a.host.sw.Capabilities() }

// Events is the one ordered stream; it stays open after Run.
func (a *Adapter) Events() <-chan orchestrator.Event { return a.events }

// Run keeps the connection until ctx ends. An older running adapter of the
// same Host is superseded.
func (a *Adapter) Run(ctx context.Context) error {
	a.host.With(func(s *simulation.Switch) { a.port = s.Connect(a.take) })
	for {
		select {
		case <-ctx.Done():
			a.host.With(func(*simulation.Switch) { a.port.Close() })
			return nil
		case <-a.broken:
			a.reconnect(ctx)
		}
	}
}

// reconnect waits until the receiver has caught up, because a snapshot it has
// no room for would be lost like the events before it.
func (a *Adapter) reconnect(ctx context.Context) {
	tick := time.NewTicker(retry)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if len(a.events) < Backlog/2 {
			a.host.With(func(*simulation.Switch) {
				a.lost = false
				a.port.Open()
			})
			return
		}
	}
}

// take is called within With, hence by one goroutine at a time.
func (a *Adapter) take(e orchestrator.Event) {
	if _, cut := e.(orchestrator.SwitchLost); cut {
		a.lose(e)
		return
	}
	if a.lost {
		return
	}
	if len(a.events) >= Backlog-1 {
		a.port.Cut("the receiver did not keep up")
		return
	}
	a.events <- e
}

func (a *Adapter) lose(e orchestrator.Event) {
	if a.lost {
		return
	}
	a.lost = true
	a.events <- e // the place that take keeps free
	a.broken <- struct{}{}
}

// Do carries out one action at once.
func (a *Adapter) Do(ctx context.Context, act orchestrator.Action) (r orchestrator.CommandResult, why string) {
	r, why = orchestrator.ResultNoWord, "not connected"
	if ctx.Err() != nil {
		return r, why
	}
	a.host.With(func(*simulation.Switch) {
		if a.port != nil {
			r, why = a.port.Do(act)
		}
	})
	return r, why
}

// Resync asks for a fresh snapshot.
func (a *Adapter) Resync() {
	a.host.With(func(*simulation.Switch) {
		if a.port != nil {
			a.port.Resync()
		}
	})
}
