package floor

import (
	"strconv"

	o "ringmaster/orchestrator"
)

// wish is who wants something of an agent, and how they said so.
type wish struct {
	Origin o.Origin
	By     string
}

// agentAsked grants or refuses an agent's wish. Granting again what is so
// already changes nothing and is no refusal.
func (f *Floor) agentAsked(e o.AgentAsked) {
	w := wish{Origin: e.Origin, By: e.By}
	a := f.Agents[e.Agent]
	if a == nil || a.Removed && e.Action != o.ActionLogout {
		f.refuse(e.Agent, e.Action, w, "unknown_agent", "no agent has this id")
		return
	}
	if e.Action == o.ActionLogin {
		f.login(a, e.Phone, w)
		return
	}
	if !a.LoggedIn {
		if e.Action != o.ActionLogout {
			f.refuse(a.ID, e.Action, w, "not_logged_in", "log in first")
		}
		return
	}
	switch e.Action {
	case o.ActionLogout:
		f.intend(a, o.IntentLogout, "", w)
	case o.ActionReady:
		f.intend(a, o.IntentReady, "", w)
	case o.ActionPause:
		if !f.knownReason(e.Reason) {
			f.refuse(a.ID, e.Action, w, "unknown_reason", "no pause reason "+strconv.Quote(e.Reason)+" is configured")
			return
		}
		f.intend(a, o.IntentPause, e.Reason, w)
	case o.ActionWrapUpDone:
		f.wrapUpDone(a)
	default:
		f.refuse(a.ID, e.Action, w, "unknown_action", "no such action")
	}
	f.settle(a)
}

func (f *Floor) refuse(id o.AgentID, action o.AgentAction, w wish, code, detail string) {
	f.emit(o.ActionRefused{Agent: id, Action: action, Code: code, Detail: detail, Origin: w.Origin, By: w.By})
}

// knownReason accepts any configured reason; without configured ones a pause
// needs none.
func (f *Floor) knownReason(id string) bool {
	if id == "" {
		return len(f.Settings.PauseReasons) == 0
	}
	for _, r := range f.Settings.PauseReasons {
		if r.ID == id {
			return true
		}
	}
	return false
}

// login puts an agent at a phone, ready. Who sat there before is logged out: a
// desk has one agent.
func (f *Floor) login(a *agent, at o.PhoneID, w wish) (code string) {
	if at == "" {
		at = a.Phone
	}
	ph := f.Phones[at]
	other := (*agent)(nil)
	if ph != nil {
		other = f.Agents[ph.Agent]
	}
	switch {
	case ph == nil:
		code = "unknown_phone"
		f.refuse(a.ID, o.ActionLogin, w, code, "no phone "+strconv.Quote(string(at))+" is configured")
	case a.LoggedIn && a.Phone == at:
		f.intend(a, o.IntentReady, "", w)
	case a.Leg != "":
		code = "in_a_call"
		f.refuse(a.ID, o.ActionLogin, w, code, "end the call on the other phone first")
	case other != nil && other != a && other.Leg != "":
		code = "phone_in_use"
		f.refuse(a.ID, o.ActionLogin, w, code, "another agent is in a call on this phone")
	default:
		if other != nil && other != a {
			f.intend(other, o.IntentLogout, "", wish{Origin: o.OriginSystem, By: string(a.ID)})
			f.settle(other)
		}
		f.emit(o.AgentLoggedIn{Agent: a.ID, Phone: at, Origin: w.Origin, By: w.By})
		f.intend(a, o.IntentReady, "", w)
	}
	f.settle(a)
	return code
}

// intend notes what the agent wants next; settle applies it when it can be.
func (f *Floor) intend(a *agent, what o.Intent, reason string, w wish) {
	if a.Intent == what && a.Pause == reason && (what != o.IntentReady || a.NotBefore.IsZero()) {
		return
	}
	f.emit(o.AgentIntended{Agent: a.ID, Intent: what, Reason: reason, Origin: w.Origin, By: w.By})
}

// wrapUpDone ends the wrap-up before its time.
func (f *Floor) wrapUpDone(a *agent) {
	if a.State != o.AgentWrapUp {
		return
	}
	f.change(a, f.after(a))
}

// after is the agent's state once the wrap-up is over.
func (f *Floor) after(a *agent) o.AgentState {
	rested := *a
	rested.WrapUntil = zero
	return f.derive(&rested)
}

// settle tells the agent's state where it is not what was told last.
func (f *Floor) settle(a *agent) {
	if f.Agents[a.ID] != a {
		return
	}
	f.change(a, f.derive(a))
}

func (f *Floor) change(a *agent, to o.AgentState) {
	reason := ""
	if to == o.AgentPaused {
		reason = a.Pause
	}
	if to == a.State && reason == a.Reason && a.LostAt.IsZero() {
		return
	}
	d := o.AgentChanged{Agent: a.ID, State: to, Reason: reason, Phone: a.Phone, Call: a.Call}
	switch to {
	case o.AgentReserved, o.AgentTalking, o.AgentHolding, o.AgentWrapUp:
		d.Queue = a.Queue
	}
	if to == o.AgentWrapUp {
		d.Until = a.WrapUntil
	}
	if !a.LostAt.IsZero() { // what nobody knows of is no talk
		f.emit(o.AgentChanged{Agent: a.ID, State: o.AgentPhoneLost, Phone: a.Phone, Since: a.LostAt})
		if to == o.AgentPhoneLost {
			return
		}
	}
	f.emit(d)
}

// agentDue is the end of an agent's wrap-up or rest.
func (f *Floor) agentDue(a *agent) {
	if !a.NotBefore.IsZero() && !a.NotBefore.After(f.At) {
		f.emit(o.AgentRested{Agent: a.ID})
	}
	if a.State == o.AgentWrapUp && !a.WrapUntil.After(f.At) {
		f.change(a, f.after(a))
	}
}

// endpointChanged is a phone that came, went, or is used.
func (f *Floor) endpointChanged(e o.EndpointChanged) {
	ph := f.phoneAt(e.Switch, e.Endpoint)
	if ph == nil || ph.Reachable == e.Reachable && ph.InUse == e.InUse {
		return
	}
	f.emit(o.EndpointNoted(e))
	if a := f.Agents[ph.Agent]; a != nil {
		f.settle(a)
	}
}
