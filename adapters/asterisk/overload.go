package asterisk

import (
	"time"

	"ringmaster/orchestrator"
)

// calmAfter is how long nothing must be amiss for a switch to be called fit
// again: whoever was told that it is not may have stopped dialling, so that no
// quick answer will ever show it.
const calmAfter = 5 * time.Second

// Why a switch is past what it can carry.
const (
	overSlow = "legs are made slowly"
	overCap  = "more dials than the rate cap lets through"
)

// trouble notes one sign that the switch is past what it can carry.
func (g *gate) trouble(reason string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reason, g.troubled = reason, now
}

// turned reports a change between fit and not, once.
func (g *gate) turned(now time.Time) (changed, over bool, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	over = !g.troubled.IsZero() && now.Sub(g.troubled) < calmAfter
	if over == g.told {
		return false, over, ""
	}
	g.told = over
	return true, over, g.reason
}

// sayOverloadAgain tells who has just got a snapshot, which lacks it.
func (s *Switch) sayOverloadAgain() []orchestrator.Event {
	s.creates.mu.Lock()
	defer s.creates.mu.Unlock()
	if !s.creates.told {
		return nil
	}
	return []orchestrator.Event{orchestrator.SwitchOverloaded{Switch: s.cfg.ID, Over: true, Reason: s.creates.reason}}
}

// sayOverload tells of a change between fit and not.
func (s *Switch) sayOverload() {
	if changed, over, reason := s.creates.turned(time.Now()); changed {
		s.cfg.Log.Warn("switch overloaded", "switch", s.cfg.ID, "over", over, "reason", reason)
		s.say(orchestrator.SwitchOverloaded{Switch: s.cfg.ID, Over: over, Reason: reason})
	}
}
