package postgres

import (
	"fmt"
	"math/rand/v2"
	"time"

	o "ringmaster/orchestrator"
)

const acme o.TenantID = "acme"

// centre makes legal sequences of facts: callers come, wait, are offered,
// missed, answered, held, hang up, some in the middle; agents go through their
// day. Which way each goes is chance.
type centre struct {
	rand  *rand.Rand
	mint  o.Minter
	seq   uint64
	now   time.Time
	ids   uint64
	calls []*liveCall
	free  []o.AgentID
	facts []o.Fact
}

type liveCall struct {
	id        o.CallID
	leg       o.LegID
	agentLeg  o.LegID
	arrived   time.Time
	queue     o.QueueID
	queued    time.Time
	offer     o.OfferID
	agent     o.AgentID
	talks     bool
	held      bool
	flowTime  o.Millis
	queueTime o.Millis
	talkTime  o.Millis
	since     time.Time
}

// newCentre begins at a time with nanoseconds, which the database cannot hold.
func newCentre(seed uint64, agents int) *centre {
	c := &centre{
		rand: rand.New(rand.NewPCG(seed, 7)), mint: o.Minter{Space: seed},
		now: time.Date(2026, 10, 31, 22, 0, 0, 123456789, time.UTC), // a month ends two hours later
	}
	c.step(func() {
		for i := range agents {
			id := o.AgentID(fmt.Sprintf("agent-%d", i))
			c.emit(o.AgentLoggedIn{Agent: id, Phone: "desk", Origin: o.OriginAPI})
			c.agent(id, o.AgentReady, nil)
			c.free = append(c.free, id)
		}
	})
	return c
}

func (c *centre) step(do func()) {
	c.seq += 1 + c.rand.Uint64N(3) // inputs without facts leave gaps
	c.now = c.now.Add(time.Duration(c.rand.Int64N(int64(4 * time.Second))))
	before := len(c.facts)
	do()
	for i := range c.facts[before:] {
		c.facts[before+i].Index = i
	}
}

func (c *centre) emit(d o.Deed) {
	c.facts = append(c.facts, o.Fact{Seq: c.seq, At: c.now, What: d})
}

func (c *centre) newID() string {
	c.ids++
	return c.mint.Mint(c.now, c.seq, c.ids)
}

func (c *centre) agent(id o.AgentID, state o.AgentState, call *liveCall) {
	changed := o.AgentChanged{Agent: id, State: state, Phone: "desk"}
	if call != nil {
		changed.Call, changed.Queue = call.id, call.queue
	}
	c.emit(changed)
}

// run makes steps until there are about n facts.
func (c *centre) run(n int) []o.Fact {
	for len(c.facts) < n {
		c.step(c.anything)
	}
	return c.facts
}

func (c *centre) anything() {
	if len(c.calls) == 0 || len(c.calls) < 20 && c.rand.IntN(4) == 0 {
		c.arrive()
		return
	}
	call := c.calls[c.rand.IntN(len(c.calls))]
	switch {
	case c.rand.IntN(25) == 0:
		c.end(call, o.Outcome{Result: o.ResultCaller, Reason: o.ReasonAbandoned})
	case call.talks:
		c.talk(call)
	case call.offer != "":
		c.ring(call)
	case call.queue != "":
		c.wait(call)
	default:
		c.flow(call)
	}
}

func (c *centre) arrive() {
	call := &liveCall{id: o.CallID(c.newID()), arrived: c.now, since: c.now}
	call.leg = o.LegID("pbx/" + c.newID())
	names := []string{"", "Ann", "O'Hara \"; DROP TABLE call; --", "\u202eevil\u0000nul", "\xff\xfe broken", "日本語"}
	c.emit(o.CallArrived{
		Call: call.id, Leg: call.leg, Switch: "pbx", Dialled: "100",
		Caller: o.Party{Number: fmt.Sprint(4000 + c.rand.IntN(5)), Name: names[c.rand.IntN(len(names))]}, Flow: "main", FlowVersion: 3,
	})
	c.emit(o.LegStarted{Call: call.id, Leg: call.leg, Switch: "pbx", Role: o.RoleCaller, SIPCall: "x@y"})
	c.emit(o.NodeEntered{Call: call.id, Flow: "main", Version: 3, Node: "hello", Type: o.NodeAnswer})
	c.calls = append(c.calls, call)
}

func (c *centre) flow(call *liveCall) {
	if c.rand.IntN(2) == 0 {
		c.emit(o.LegAnswered{Call: call.id, Leg: call.leg})
		c.emit(o.DigitTaken{Call: call.id, Digit: "1"})
		return
	}
	call.flowTime += c.spent(call)
	call.queue, call.queued = o.QueueID(fmt.Sprintf("queue-%d", c.rand.IntN(3))), c.now
	c.emit(o.CallQueued{Call: call.id, Queue: call.queue, Version: 2, Priority: c.rand.IntN(3), Arrived: c.now, Position: 1})
	c.emit(o.MusicStarted{Call: call.id, Leg: call.leg})
}

func (c *centre) wait(call *liveCall) {
	if len(c.free) == 0 || c.rand.IntN(6) == 0 {
		c.leave(call, o.ReasonMaxWait)
		call.queueTime += c.spent(call)
		return
	}
	call.agent, c.free = c.free[0], c.free[1:]
	call.offer, call.agentLeg = o.OfferID(c.newID()), o.LegID(c.newID())
	c.emit(o.OfferMade{
		Offer: call.offer, Call: call.id, Queue: call.queue, Agent: call.agent, Phone: "desk", Leg: call.agentLeg,
		RingUntil: c.now.Add(20 * time.Second),
		Decision:  o.Decision{Strategy: o.LongestIdle, IdleSince: c.now.Add(-time.Minute), Free: len(c.free) + 1, Trigger: "agent_free"},
	})
	c.emit(o.LegStarted{
		Call: call.id, Leg: call.agentLeg, Switch: "pbx", Role: o.RoleAgent, Endpoint: "PJSIP/1", Agent: call.agent,
	})
	c.agent(call.agent, o.AgentReserved, call)
}

func (c *centre) ring(call *liveCall) {
	switch c.rand.IntN(4) {
	case 0:
		c.emit(o.LegRang{Call: call.id, Leg: call.agentLeg})
	case 1:
		c.unanswered(call, o.OfferNoAnswer)
	default:
		c.emit(o.LegAnswered{Call: call.id, Leg: call.agentLeg})
		c.leave(call, o.ReasonConnected)
		c.emit(o.OfferEnded{Offer: call.offer, Call: call.id, Agent: call.agent, Outcome: o.OfferAnswered, Rang: 1200})
		c.emit(o.CallConnected{Call: call.id, Agent: call.agent, Offer: call.offer, Waited: 10})
		call.queueTime += c.spent(call)
		c.agent(call.agent, o.AgentTalking, call)
		call.talks = true
	}
}

func (c *centre) unanswered(call *liveCall, how o.OfferOutcome) {
	c.emit(o.OfferEnded{
		Offer: call.offer, Call: call.id, Queue: call.queue, Agent: call.agent, Outcome: how, Rang: 900,
		NotBefore: c.now.Add(10 * time.Second), Misses: 1,
	})
	c.emit(o.LegClosed{Call: call.id, Leg: call.agentLeg, Cause: 19, By: o.EndedByUs})
	c.rest(call)
}

func (c *centre) rest(call *liveCall) {
	c.agent(call.agent, o.AgentWrapUp, call)
	c.agent(call.agent, o.AgentReady, nil) // an empty interval
	c.free = append(c.free, call.agent)
	call.agent, call.offer = "", ""
}

func (c *centre) talk(call *liveCall) {
	switch {
	case call.held:
		c.emit(o.LegResumed{Call: call.id, Leg: call.agentLeg})
		call.held = false
	case c.rand.IntN(3) == 0:
		c.emit(o.LegHeld{Call: call.id, Leg: call.agentLeg})
		call.held = true
	default:
		c.end(call, o.Outcome{Result: o.ResultCompleted, Reason: o.ReasonTalked})
	}
}

func (c *centre) leave(call *liveCall, why o.Reason) {
	c.emit(o.CallLeftQueue{Call: call.id, Queue: call.queue, Reason: why, Waited: o.MillisOf(c.now.Sub(call.queued))})
	call.queue = ""
}

// spent is the time since the call's last change of phase.
func (c *centre) spent(call *liveCall) o.Millis {
	d := o.MillisOf(c.now.Sub(call.since))
	call.since = c.now
	return d
}

func (c *centre) end(call *liveCall, how o.Outcome) {
	times := o.Times{Flow: call.flowTime, Queue: call.queueTime, Talk: call.talkTime}
	switch {
	case call.talks:
		times.Talk += c.spent(call)
		c.emit(o.LegClosed{Call: call.id, Leg: call.agentLeg, Cause: 16, By: o.EndedByRemote})
		c.rest(call)
	case call.offer != "":
		c.unanswered(call, o.OfferCancelled)
	}
	if call.queue != "" {
		times.Queue += c.spent(call)
		c.leave(call, o.ReasonAbandoned)
	}
	c.emit(o.LegClosed{Call: call.id, Leg: call.leg, Cause: 16, SIP: 200, By: o.EndedByRemote})
	times.Total = times.Flow + times.Queue + times.Talk
	c.emit(o.CallEnded{Call: call.id, Outcome: how, Times: times})
	for i := range c.calls {
		if c.calls[i] == call {
			c.calls = append(c.calls[:i], c.calls[i+1:]...)
			return
		}
	}
}
