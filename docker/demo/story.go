package main

import (
	"fmt"
	"time"

	o "ringmaster/orchestrator"
)

// entry is one sentence of the story.
type entry struct {
	at    time.Time
	text  string
	alarm bool
}

// keptEntries bounds the sentences kept; a screen shows fewer.
const keptEntries = 40

// tally counts calls by how they went.
type tally struct {
	Came     int // calls that arrived
	Talked   int // ended after a talk
	GaveUp   int // the caller left the queue
	LeftMenu int // the caller left before it
	Other    int
	Last     o.CallID // the last that was connected
}

// ended is how many of them are over.
func (t tally) ended() int { return t.Talked + t.GaveUp + t.LeftMenu + t.Other }

// story tells facts as sentences, with people's names.
type story struct {
	calls   tally
	latest  []entry
	names   map[string]string   // agents and queues
	callers map[o.CallID]string // of the calls in progress
	agents  map[o.CallID]o.AgentID
	paused  map[o.AgentID]bool
}

func newStory() *story {
	return &story{
		names: map[string]string{}, callers: map[o.CallID]string{}, agents: map[o.CallID]o.AgentID{},
		paused: map[o.AgentID]bool{},
	}
}

// meet learns the names on the floor.
func (s *story) meet(floor o.Live) {
	for _, a := range floor.Agents {
		s.names["agent "+string(a.Agent)] = a.Name
	}
	for _, q := range floor.Queues {
		s.names["queue "+string(q.Queue)] = q.Name
	}
}

func (s *story) agent(id o.AgentID) string { return s.name("agent", string(id)) }
func (s *story) queue(id o.QueueID) string { return s.name("queue", string(id)) }

func (s *story) name(kind, id string) string {
	if name := s.names[kind+" "+id]; name != "" {
		return name
	}
	return id
}

func (s *story) caller(id o.CallID) string {
	if name := s.callers[id]; name != "" {
		return name
	}
	return "a caller"
}

// tell adds what a fact means to a person, if anything, and keeps count.
func (s *story) tell(f o.Fact) {
	text, alarm := s.ofCall(f.What), false
	if text == "" {
		text = s.ofAgent(f.What)
	}
	if text == "" {
		text = ofTrouble(f.What)
		alarm = text != ""
	}
	if text == "" {
		return
	}
	s.latest = append(s.latest, entry{f.At, text, alarm})
	s.latest = s.latest[max(0, len(s.latest)-keptEntries):]
}

// ofCall tells of calls and offers.
func (s *story) ofCall(deed o.Deed) string {
	switch d := deed.(type) {
	case o.CallArrived:
		s.calls.Came++
		s.callers[d.Call] = partyName(d.Caller)
		return fmt.Sprintf("%s calls and hears the menu", s.caller(d.Call))
	case o.MenuDecided:
		switch {
		case d.Again && d.Exit == o.ExitInvalid:
			return fmt.Sprintf("%s presses %s, which is no choice, and hears the menu again", s.caller(d.Call), d.Digits)
		case d.Again:
			return fmt.Sprintf("%s presses nothing and hears the menu again", s.caller(d.Call))
		}
	case o.CallQueued:
		return fmt.Sprintf("%s waits in %s, place %d", s.caller(d.Call), s.queue(d.Queue), d.Position)
	case o.OfferMade:
		return fmt.Sprintf("%s's phone rings for %s (%s)", s.agent(d.Agent), s.caller(d.Call), why(d.Decision))
	case o.OfferEnded:
		return s.ofOffer(d)
	case o.CallConnected:
		s.calls.Last = d.Call
		s.agents[d.Call] = d.Agent
		return fmt.Sprintf("%s talks to %s, who waited %s", s.agent(d.Agent), s.caller(d.Call), seconds(d.Waited.Duration()))
	case o.CallEnded:
		return s.ofEnd(d)
	}
	return ""
}

// why is the decision in a few words.
func why(d o.Decision) string {
	switch {
	case d.Free > 1:
		return fmt.Sprintf("longest idle of %d", d.Free)
	case d.Trigger == "agent_free":
		return "just became free"
	}
	return "the only one free"
}

func (s *story) ofOffer(d o.OfferEnded) string {
	agent, caller := s.agent(d.Agent), s.caller(d.Call)
	switch d.Outcome {
	case o.OfferRejected:
		return fmt.Sprintf("%s declines; %s keeps the place in line", agent, caller)
	case o.OfferNoAnswer:
		return fmt.Sprintf("%s does not answer; %s keeps the place in line", agent, caller)
	case o.OfferBusy:
		return fmt.Sprintf("%s's line is busy; %s keeps the place in line", agent, caller)
	case o.OfferUnreachable:
		return fmt.Sprintf("%s's phone is not there; %s keeps the place in line", agent, caller)
	case o.OfferLostRace:
		return fmt.Sprintf("somebody was quicker than %s", agent)
	}
	return "" // answered and cancelled are told by the call
}

func (s *story) ofEnd(d o.CallEnded) string {
	caller, agent := s.caller(d.Call), s.agent(s.agents[d.Call])
	delete(s.callers, d.Call)
	delete(s.agents, d.Call)
	switch d.Outcome.Reason {
	case o.ReasonTalked:
		s.calls.Talked++
		return fmt.Sprintf("%s and %s hang up after %s", agent, caller, seconds((d.Times.Talk + d.Times.Hold).Duration()))
	case o.ReasonAbandoned:
		s.calls.GaveUp++
		return fmt.Sprintf("%s gives up after waiting %s", caller, seconds(d.Times.Queue.Duration()))
	case o.ReasonAbandonedIVR:
		s.calls.LeftMenu++
		return fmt.Sprintf("%s hangs up in the menu", caller)
	}
	s.calls.Other++
	return fmt.Sprintf("the call of %s ends: %s", caller, d.Outcome.Reason)
}

// ofAgent tells of agents' days.
func (s *story) ofAgent(deed o.Deed) string {
	switch d := deed.(type) {
	case o.AgentLoggedIn:
		return fmt.Sprintf("%s logs in at %s", s.agent(d.Agent), d.Phone)
	case o.AgentChanged:
		was := s.paused[d.Agent]
		s.paused[d.Agent] = d.State == o.AgentPaused
		switch {
		case d.State == o.AgentPaused:
			return fmt.Sprintf("%s pauses (%s)", s.agent(d.Agent), d.Reason)
		case d.State == o.AgentPhoneLost:
			return fmt.Sprintf("%s's phone is gone", s.agent(d.Agent))
		case was && d.State == o.AgentReady:
			return fmt.Sprintf("%s is back", s.agent(d.Agent))
		}
	}
	return ""
}

// ofTrouble tells of what should not happen.
func ofTrouble(deed o.Deed) string {
	switch d := deed.(type) {
	case o.SwitchDetached:
		return fmt.Sprintf("switch %s is away: %s", d.Switch, d.Reason)
	case o.CallRefused:
		return fmt.Sprintf("a call to %s is refused: %s", d.Dialled, d.Reason)
	case o.InputSetAside:
		return fmt.Sprintf("a fault in the floor, which went on: %s", d.Panic)
	}
	return ""
}

func partyName(p o.Party) string {
	if p.Name != "" {
		return p.Name
	}
	return p.Number
}
