package e2e

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// written is how long a PBX may take to write a registration down: what a phone
// said in the last second before a crash is forgotten with it, and the phone does
// not know.
const written = 1500 * time.Millisecond

// dies kills a side and returns when Ringmaster has noticed, and since when it
// counts the switch as lost.
func (f *fleet) dies(side int) (since time.Time) {
	f.t.Helper()
	time.Sleep(time.Until(f.signed.Add(written)))
	f.sides[side].Kill()
	f.eventually("the loss is noticed", 15*time.Second, func() bool {
		for _, s := range f.live().Switches {
			if s.Switch == sideNames[side] && !s.Attached {
				since = s.Since
			}
		}
		return !since.IsZero()
	})
	return since
}

// revive brings a side back and holds that it is used as before: its phones are
// there, and a call from the other side reaches one.
func (f *fleet) revive(side int) {
	f.t.Helper()
	if err := f.sides[side].Restart(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.attached()
	i := 2 * side
	f.scene(f.t.(*testing.T), 1-side, i)
	caller, agent := f.meet(i)
	f.hear(caller, agent, callerHz, agentHz+100*i)
	f.across(f.finish(caller, agent), i)
	f.empty()
}

// diesRinging kills the west while a phone of it rings: the caller gets another
// agent at once.
func diesRinging(f *fleet) {
	if err := f.agents[2].SetBehaviour(phone.RingForever()); err != nil {
		f.t.Fatal(err)
	}
	before := len(f.agents[2].Calls())
	caller := f.dial(f.caller(0), "501", f.from)
	f.eventually("the phone rings", 10*time.Second, func() bool {
		calls := f.agents[2].Calls()
		return len(calls) > before && !calls[len(calls)-1].Times().Ringing.IsZero()
	})
	rings := incoming(f.t.(*testing.T), f.agents[2])
	f.act(0, document{"action": "ready"})
	lost := f.dies(west)
	at := f.hears(caller, agentHz, time.Time{})
	f.t.Logf("another agent is heard %s after the loss was noticed", at.Sub(lost).Round(time.Millisecond))
	from := f.from
	if err := caller.Hangup(f.within(3 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	// Nobody tells the phone: it would ring on, and be busy, until somebody is
	// tired of it.
	_ = rings.Reject(f.within(time.Second), 486)
	f.revive(west)
	f.story(f.t.(*testing.T), from).offered(f.t, "agent3 cancelled", "agent1 answered")
}

// loss is a moment with every kind of call on a fleet: from the living side to an
// agent of the one that will die, within the living side, and from the one that
// will die to an agent of the living side. The second agent of the former is free.
type loss struct {
	*fleet
	dead, there, home       int // the side, its first agent, the first of the other
	outgoing, inner, coming talkers
}

type talkers struct {
	from          string
	caller, agent *phone.Call
}

// diesTalking kills a side under every kind of talk. Those of the other side hear
// each other as before and it serves new callers; the agents of the dead one are
// offered nothing; and no talk counts on while nobody can know of it.
func (f *fleet) diesTalking(t *testing.T, dead int) { //nolint:thelper // it is the test itself
	l := loss{fleet: f, dead: dead, there: 2 * dead, home: 2 - 2*dead}
	f.scene(t, 1-dead, l.there)
	l.outgoing = l.begins("1", 1-dead, l.there)
	l.inner = l.begins("2", 1-dead, l.home)
	l.coming = l.begins("3", dead, l.home+1)
	f.act(l.there+1, document{"action": "ready"})
	f.eventually("their colleague is ready", 5*time.Second, func() bool { return f.agent(l.there+1).State == orchestrator.AgentReady })
	since := f.dies(dead)
	l.goesOn()
	for _, call := range []*phone.Call{l.outgoing.agent, l.coming.caller, l.coming.agent} {
		_ = call.Hangup(f.within(time.Second)) // they notice that the line is dead, and the PBX of some answers no more
	}
	time.Sleep(time.Until(since.Add(3 * time.Second))) // an outage that would be seen in a record
	f.revive(dead)
	f.gone(l.outgoing.caller)
	l.told(t, l.outgoing.from, since)
	l.told(t, l.coming.from, since)
	l.workedUntil(t, l.there, l.outgoing.from, since)
}

// begins is a caller at a side who talks to agent i, and goes on.
func (l *loss) begins(digit string, side, i int) talkers {
	l.t.Helper()
	l.pbx = l.sides[side]
	from := l.from
	defer func() { l.from = from }()
	l.from += digit
	l.act(i, document{"action": "ready"})
	caller, agent := l.meet(i)
	return talkers{l.from, caller, agent}
}

// goesOn is life at the other side while one is dead.
func (l *loss) goesOn() {
	l.t.Helper()
	for _, i := range []int{l.there, l.there + 1} {
		if a := l.agent(i); a.Reachable {
			l.t.Errorf("the phone of a dead switch is reachable: %+v", a)
		}
	}
	if a := l.agent(l.there + 1); a.State != orchestrator.AgentPhoneLost {
		l.t.Errorf("a free agent of the dead switch is %+v", a)
	}
	hz := agentHz + 100*l.home
	l.hear(l.inner.caller, l.inner.agent, callerHz, hz)
	all := l.from
	l.from = l.inner.from
	l.finish(l.inner.caller, l.inner.agent).offered(l.t, agentID(l.home)+" answered")
	l.from, l.pbx = all+"4", l.sides[1-l.dead]
	next := l.dial(l.caller(1), "501", l.from)
	l.hears(next, hz, time.Time{})
	l.finish(next, incoming(l.t.(*testing.T), l.agents[l.home])).offered(l.t, agentID(l.home)+" answered")
}

// told holds that a call was lost with the switch, and that its talk counts up to
// then.
func (l *loss) told(t *testing.T, from string, since time.Time) {
	t.Helper()
	s := l.story(t, from)
	s.has(t, "call_connected", "call_lost", "call_ended")
	if s.count("call_ended") != 1 || s.count("call_lost") != 1 || s.Call.Outcome.Reason != orchestrator.ReasonTalked {
		t.Errorf("the lost call: %+v\n%s", s.Call.Outcome, s)
	}
	var connected time.Time
	for _, entry := range s.Timeline {
		switch entry.Fact {
		case "call_connected":
			connected = entry.At
		case "call_lost":
			var told orchestrator.CallLost
			if err := json.Unmarshal(entry.What, &told); err != nil || !told.Since.Equal(since) || told.Switch != sideNames[l.dead] {
				t.Errorf("%s, want switch %s since %s", entry.What, sideNames[l.dead], since)
			}
		}
	}
	talk, want := s.Call.Times.Talk+s.Call.Times.Hold, orchestrator.MillisOf(since.Sub(connected))
	if talk < want-1 || talk > want+1 {
		t.Errorf("the talk counts %d ms, and %d ms after its beginning the switch was lost\n%s", talk, want, s)
	}
}

// workedUntil holds that an agent's day has the talk end with the switch.
func (l *loss) workedUntil(t *testing.T, i int, from string, since time.Time) {
	t.Helper()
	for _, w := range l.work(t, from) {
		if w.agent == agentID(i) && w.state == orchestrator.AgentTalking {
			if d := w.to.Sub(since).Abs(); d > time.Millisecond {
				t.Errorf("%s talks until %s, the switch was lost at %s", w.agent, w.to, since)
			}
			return
		}
	}
	t.Errorf("%s's day has no such talk", agentID(i))
}

// work is what agents did for a call.
type work struct {
	agent    string
	state    orchestrator.AgentState
	from, to time.Time
}

// work reads it from the days of the agents.
func (c *centre) work(t *testing.T, from string) (all []work) {
	t.Helper()
	conn := c.database(t)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), `SELECT agent_id, state, from_at, coalesce(to_at, now()) FROM agent_interval
		WHERE call_id = $1 AND state IN ('talking', 'holding') ORDER BY from_at`, c.calls(from)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var w work
		if err := rows.Scan(&w.agent, &w.state, &w.from, &w.to); err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
