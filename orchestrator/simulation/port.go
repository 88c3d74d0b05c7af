package simulation

import (
	"slices"
	"time"

	"ringmaster/orchestrator"
)

// Port is one orchestrator's connection to a Switch. The newest fences the one
// before.
type Port struct {
	sw   *Switch
	emit func(orchestrator.Event)
	open bool
	old  bool // superseded for ever
}

// Connect makes a connection that is open at once: its first event is
// SwitchSynced. An open connection before it is superseded.
func (s *Switch) Connect(emit func(orchestrator.Event)) *Port {
	p := &Port{sw: s, emit: emit}
	if before := s.port; before != nil && before.open {
		before.open, before.old = false, true
		before.emit(orchestrator.SwitchSuperseded{Switch: s.id})
	}
	s.port = p
	p.Open()
	return p
}

// Open reconnects after a Cut.
func (p *Port) Open() {
	if p.open || p.old {
		return
	}
	p.open = true
	p.Resync()
}

// Cut breaks the connection. Calls go on; their events are lost.
func (p *Port) Cut(reason string) {
	if !p.open {
		return
	}
	p.open = false
	p.emit(orchestrator.SwitchLost{Switch: p.sw.id, Reason: reason})
}

// Close ends the connection without a word.
func (p *Port) Close() {
	p.open = false
	if p.sw.port == p {
		p.sw.port = nil
		p.sw.left()
	}
}

// fallbackAfter is how long nobody must be there for those who wait to be given
// to the fallback.
const fallbackAfter = 100 * time.Millisecond

// left is nobody taking care of the legs any more.
func (s *Switch) left() {
	if !s.Quirks.FallsBackAlone {
		return
	}
	s.clock.After(fallbackAfter, func() {
		for _, l := range slices.Clone(s.legs) {
			if s.port == nil && l.bridge == nil && l.entry != "" {
				s.release(orchestrator.Release{Leg: l.id})
			}
		}
	})
}

// Resync emits a fresh snapshot.
func (p *Port) Resync() {
	if p.open {
		p.emit(orchestrator.SwitchSynced{Switch: p.sw.id, Epoch: p.sw.Epoch(), Snapshot: p.sw.Snapshot()})
		p.sw.sayOverload()
	}
}

// Do carries out one action. Without a connection nobody knows its fate.
func (p *Port) Do(a orchestrator.Action) (orchestrator.CommandResult, string) {
	switch {
	case p.old:
		return orchestrator.ResultRejected, "superseded by another orchestrator"
	case !p.open:
		return orchestrator.ResultNoWord, "not connected"
	}
	return p.sw.do(a)
}

// Cut breaks the connection that is open, if one is.
func (s *Switch) Cut(reason string) {
	if s.port != nil {
		s.port.Cut(reason)
	}
}
