package floor

import (
	"time"

	o "ringmaster/orchestrator"
)

// Live is the floor as the wallboard shows it. It walks everything: call it
// for people to look at, not in a step.
func (f *Floor) Live(at time.Time) o.Live {
	l := o.Live{At: at, Seq: f.Seq, Switches: []o.LiveSwitch{}, Queues: []o.LiveQueue{}, Agents: []o.LiveAgent{}, Calls: []o.LiveCall{}}
	for _, id := range sortedKeys(f.PBXs) {
		s := o.LiveSwitch{Switch: id}
		if p := f.Switches[id]; p != nil {
			s.Attached, s.Since, s.Reason, s.Overloaded = p.Attached, p.Since, p.Reason, p.Overloaded
		}
		l.Switches = append(l.Switches, s)
	}
	lines := f.lines()
	for _, id := range sortedKeys(f.Queues) {
		l.Queues = append(l.Queues, f.liveQueue(f.Queues[id], lines[id]))
	}
	for _, id := range sortedKeys(f.Agents) {
		l.Agents = append(l.Agents, f.liveAgent(f.Agents[id]))
	}
	for _, id := range sortedKeys(f.Calls) {
		if c := f.Calls[id]; c.Phase != o.PhaseEnded {
			l.Calls = append(l.Calls, f.liveCall(c))
		}
	}
	return l
}

// line is how a queue's calls are spread.
type line struct {
	waiting, talking int
	longest          time.Time
}

func (f *Floor) lines() map[o.QueueID]line {
	lines := make(map[o.QueueID]line, len(f.Queues))
	for _, c := range f.Calls { // order-free: counts, and the least of the times
		l := lines[c.QueueID]
		switch c.Phase {
		case o.PhaseQueued, o.PhaseRinging:
			if c.direct() {
				continue
			}
			l.waiting++
			l.longest, _ = earliest(l.longest, c.Joined)
		case o.PhaseTalking:
			l.talking++
		}
		lines[c.QueueID] = l
	}
	return lines
}

func (f *Floor) liveQueue(q *queue, l line) o.LiveQueue {
	live := o.LiveQueue{
		Queue: q.Config.ID, Name: q.Config.Name, Waiting: l.waiting, Talking: l.talking, Today: q.Today,
	}
	if q.Today.Date != f.date() {
		live.Today = o.QueueDay{Date: f.date(), ServiceLevelOver: q.Config.ServiceLevel}
	}
	for id := range q.members { // order-free: counts only
		a := f.Agents[id]
		if a != nil && a.LoggedIn {
			live.AgentsIn++
		}
		if a != nil && a.State == o.AgentReady {
			live.AgentsReady++
		}
	}
	if !l.longest.IsZero() {
		live.WaitingSince = &l.longest
	}
	return live
}

func (f *Floor) liveAgent(a *agent) o.LiveAgent {
	live := o.LiveAgent{
		Agent: a.ID, Number: a.Number, Name: a.Name, State: a.State, Since: a.Since, Reason: a.Reason,
		Call: a.Call, Queues: []o.QueueID{},
	}
	if a.LoggedIn {
		live.Phone, live.Intent = a.Phone, a.Intent
	}
	if a.State == o.AgentWrapUp {
		until := a.WrapUntil
		live.Until = &until
	}
	if ph := f.Phones[a.Phone]; ph != nil {
		live.Reachable = ph.Reachable && f.attached(ph.Switch)
	}
	for _, id := range sortedKeys(f.Queues) {
		if _, in := f.Queues[id].members[a.ID]; in {
			live.Queues = append(live.Queues, id)
		}
	}
	return live
}

func (f *Floor) liveCall(c *call) o.LiveCall {
	live := o.LiveCall{
		Call: c.ID, Caller: c.Caller, Dialled: c.Dialled, Arrived: c.Arrived, Phase: c.Phase, Since: c.Since,
		Switch: c.Switch,
	}
	switch c.Phase {
	case o.PhaseFlow:
		live.Node = c.Node
	case o.PhaseQueued:
		live.Queue = c.QueueID
		live.Position, _ = f.matcher.Position(c.ID)
	case o.PhaseRinging:
		live.Queue, live.Agent = c.Offer.Queue, c.Offer.Agent
	case o.PhaseTalking:
		live.Queue, live.Agent = c.QueueID, c.Agent
	}
	return live
}

// Attached lists the switches the floor believes it hears.
func (f *Floor) Attached() (ids []o.SwitchID) {
	for _, id := range sortedKeys(f.Switches) {
		if f.Switches[id].Attached {
			ids = append(ids, id)
		}
	}
	return ids
}
