package floor

import (
	"time"

	o "ringmaster/orchestrator"
)

// applyAgent folds the facts about agents.
func (f *Floor) applyAgent(deed o.Deed) {
	switch d := deed.(type) {
	case o.AgentLoggedIn:
		a := f.Agents[d.Agent]
		f.leavePhone(a)
		a.LoggedIn, a.Phone, a.IdleSince = true, d.Phone, f.At
		a.PINFailures, a.LockedUntil, a.Misses, a.NotBefore = 0, zero, 0, zero
		if ph := f.Phones[d.Phone]; ph != nil {
			ph.Agent, ph.PINFailures, ph.LockedUntil = a.ID, 0, zero
		}
		f.reseat(a)
		f.index(a)
	case o.AgentIntended:
		a := f.Agents[d.Agent]
		a.Intent, a.Pause = d.Intent, d.Reason
		if d.Intent == o.IntentReady {
			a.NotBefore = zero
		}
		f.index(a)
	case o.AgentRested:
		a := f.Agents[d.Agent]
		a.NotBefore = zero
		f.index(a)
	case o.AgentChanged:
		f.applyAgentChanged(d)
	}
}

func (f *Floor) applyAgentChanged(d o.AgentChanged) {
	a := f.Agents[d.Agent]
	if onCall(a.State) && !onCall(d.State) {
		a.IdleSince = f.At
	}
	a.State, a.Since, a.Reason, a.LostAt = d.State, f.At, d.Reason, zero
	if !d.Since.IsZero() {
		a.Since = d.Since
	}
	if d.State != o.AgentReserved && d.State != o.AgentBusy {
		a.WrapUntil = d.Until // a colleague's call only interrupts a wrap-up
	}
	if d.State == o.AgentLoggedOut {
		f.leavePhone(a)
		a.LoggedIn, a.NotBefore, a.Pause = false, zero, ""
	}
	f.index(a)
	f.dropIfGone(a)
}

// onCall says which states end idleness: a missed offer does not, so that who
// was first in line stays first.
func onCall(s o.AgentState) bool {
	return s == o.AgentTalking || s == o.AgentHolding || s == o.AgentWrapUp
}

func (f *Floor) leavePhone(a *agent) {
	if ph := f.Phones[a.Phone]; ph != nil && ph.Agent == a.ID {
		ph.Agent = ""
	}
}

// agentLegClosed ends the agent's part in a call: wrap-up follows if they talked.
func (f *Floor) agentLegClosed(a *agent) {
	if a.Talking && a.WrapUp > 0 {
		a.WrapUntil = f.At.Add(a.WrapUp.Duration())
	}
	a.Leg, a.Talking, a.Inside, a.Held, a.Call, a.WrapUp = "", false, false, false, "", 0
	f.index(a)
}

// index brings matcher and deadlines in line with an agent.
func (f *Floor) index(a *agent) {
	f.deadlines.set(a)
	if !f.offerable(a) {
		f.matcher.SetBusy(a.ID)
		return
	}
	if !f.matcher.IsFree(a.ID) {
		f.newFree = append(f.newFree, a.ID)
	}
	f.matcher.SetFree(a.ID, a.IdleSince)
}

// offerable says whether an offer may be made to the agent now.
func (f *Floor) offerable(a *agent) bool {
	return a.State == o.AgentReady && f.derive(a) == o.AgentReady && a.NotBefore.IsZero()
}

// derive is the agent's state by everything known: the first that holds.
func (f *Floor) derive(a *agent) o.AgentState {
	ph := f.Phones[a.Phone]
	switch {
	case !a.LoggedIn:
		return o.AgentLoggedOut
	case a.Talking && a.Held:
		return o.AgentHolding
	case a.Talking:
		return o.AgentTalking
	case a.Leg != "" && a.Inside:
		return o.AgentBusy
	case a.Leg != "":
		return o.AgentReserved
	case a.WrapUntil.After(f.At):
		return o.AgentWrapUp
	case a.Intent == o.IntentLogout:
		return o.AgentLoggedOut
	case a.Intent == o.IntentPause:
		return o.AgentPaused
	case ph == nil || !ph.Reachable || !f.attached(ph.Switch):
		return o.AgentPhoneLost
	case ph.Foreign || ph.Service != "" || len(ph.Dialled) > 0:
		return o.AgentBusy
	}
	return o.AgentReady
}

// zero is "no moment".
var zero time.Time //nolint:gochecknoglobals // a constant in all but syntax
