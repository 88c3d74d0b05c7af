package simulation

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"ringmaster/orchestrator"
)

// book is the facts folded again, by other hands than the floor's: what the
// checkers hold the floor against.
type book struct {
	told map[string]int // facts by name

	queues    map[orchestrator.QueueID]orchestrator.Queue
	versions  map[string]orchestrator.Queue // by id and version
	people    map[orchestrator.AgentID]orchestrator.Agent
	phones    map[orchestrator.PhoneID]orchestrator.Phone
	pbxs      map[orchestrator.SwitchID]orchestrator.PBX
	reachable map[string]bool // by endpoint

	attached map[orchestrator.SwitchID]time.Time // since when
	calls    map[orchestrator.CallID]*bookCall
	open     []orchestrator.CallID // in the order of their arrival
	legs     map[orchestrator.LegID]*bookLeg
	offers   map[orchestrator.OfferID]*bookOffer
	agents   map[orchestrator.AgentID]*bookAgent
	services map[orchestrator.LegID]bool
}

type bookCall struct {
	id       orchestrator.CallID
	leg      orchestrator.LegID
	pbx      orchestrator.SwitchID
	arrived  time.Time
	phase    orchestrator.CallPhase
	since    time.Time
	held     bool
	spent    map[string]time.Duration // by part of Times
	inQueue  bool
	queue    orchestrator.QueueID
	version  uint64
	priority int
	queued   time.Time
	joined   time.Time
	offer    *bookOffer // open
	agent    orchestrator.AgentID
	agentLeg orchestrator.LegID // of who talks
	link     *orchestrator.LinkOpened
	internal bool
	ending   bool
	released bool
	lost     time.Time // last known to live
	last     string    // the part of Times that was booked last
	gone     time.Time // the caller's leg closed
	ended    bool
}

type bookLeg struct {
	id       orchestrator.LegID
	call     orchestrator.CallID
	pbx      orchestrator.SwitchID
	role     orchestrator.LegRole
	endpoint string
	agent    orchestrator.AgentID
	started  time.Time
	answered bool
	held     bool
	bridge   orchestrator.BridgeID
	closed   bool
}

type bookOffer struct {
	orchestrator.OfferMade
	ended bool
}

type bookAgent struct {
	id        orchestrator.AgentID
	state     orchestrator.AgentState
	loggedIn  bool
	phone     orchestrator.PhoneID
	idleSince time.Time
	notBefore time.Time
	until     time.Time
	leg       orchestrator.LegID // open, of role agent
	talking   bool               // to a customer
	inside    bool               // to a colleague
	held      bool
}

func newBook() *book {
	return &book{
		told:     map[string]int{},
		queues:   map[orchestrator.QueueID]orchestrator.Queue{},
		versions: map[string]orchestrator.Queue{},
		people:   map[orchestrator.AgentID]orchestrator.Agent{},
		pbxs:     map[orchestrator.SwitchID]orchestrator.PBX{},
		phones:   map[orchestrator.PhoneID]orchestrator.Phone{}, reachable: map[string]bool{},
		attached: map[orchestrator.SwitchID]time.Time{},
		calls:    map[orchestrator.CallID]*bookCall{}, legs: map[orchestrator.LegID]*bookLeg{},
		offers: map[orchestrator.OfferID]*bookOffer{}, agents: map[orchestrator.AgentID]*bookAgent{},
		services: map[orchestrator.LegID]bool{},
	}
}

func versionKey(id orchestrator.QueueID, version uint64) string {
	return string(id) + " " + strconv.FormatUint(version, 10)
}

// agent is the book's page of an agent, opened when first needed.
func (b *book) agent(id orchestrator.AgentID) *bookAgent {
	a := b.agents[id]
	if a == nil {
		a = &bookAgent{id: id, state: orchestrator.AgentLoggedOut}
		b.agents[id] = a
	}
	return a
}

// call is the book's page of a call; a call nobody opened has an empty one.
func (b *book) call(id orchestrator.CallID) *bookCall {
	if c := b.calls[id]; c != nil {
		return c
	}
	return &bookCall{spent: map[string]time.Duration{}}
}

// waiting are the calls an agent could be offered, in the order of arrival.
func (b *book) waiting() []*bookCall {
	var waiting []*bookCall
	for _, id := range b.open {
		c := b.calls[id]
		if c.phase == orchestrator.PhaseQueued && c.inQueue && !c.ending && c.gone.IsZero() && !b.attached[c.pbx].IsZero() {
			waiting = append(waiting, c)
		}
	}
	return waiting
}

// sortedAgents are the agents in the order of their ids.
func (b *book) sortedAgents() []*bookAgent {
	all := make([]*bookAgent, 0, len(b.agents))
	for _, a := range b.agents { // order-free: sorted below
		all = append(all, a)
	}
	slices.SortFunc(all, func(x, y *bookAgent) int { return cmp.Compare(x.id, y.id) })
	return all
}

// openLegs are the legs that are not closed, in the order of their ids.
func (b *book) openLegs() []*bookLeg {
	var all []*bookLeg
	for _, l := range b.legs { // order-free: sorted below
		if !l.closed {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(x, y *bookLeg) int { return cmp.Compare(x.id, y.id) })
	return all
}

func (b *book) anyCall(d dice) orchestrator.CallID {
	if len(b.open) == 0 {
		return ""
	}
	return b.open[d.IntN(len(b.open))]
}

// fold writes a fact into the book.
func (b *book) fold(f orchestrator.Fact) {
	b.told[orchestrator.FactName(f.What)]++
	switch d := f.What.(type) {
	case orchestrator.ConfigApplied:
		b.foldConfig(d.Change)
	case orchestrator.SwitchAttached:
		b.attached[d.Switch] = f.At
	case orchestrator.SwitchDetached:
		delete(b.attached, d.Switch)
	case orchestrator.EndpointNoted:
		b.reachable[d.Endpoint] = d.Reachable
	case orchestrator.ServiceStarted:
		b.services[d.Leg] = true
	case orchestrator.ServiceEnded:
		delete(b.services, d.Leg)
	case orchestrator.AgentLoggedIn, orchestrator.AgentIntended, orchestrator.AgentRested, orchestrator.AgentChanged:
		b.foldAgent(f.At, d)
	case orchestrator.LegStarted, orchestrator.LegAnswered, orchestrator.LegJoined, orchestrator.LegSeparated,
		orchestrator.LegHeld, orchestrator.LegResumed, orchestrator.LegClosed, orchestrator.LegMoved:
		b.foldLeg(f.At, d)
	default:
		b.foldCall(f.At, d)
	}
}

func (b *book) foldConfig(c orchestrator.Config) {
	for _, q := range c.Queues {
		b.queues[q.ID] = q.WithDefaults()
		b.versions[versionKey(q.ID, q.Version)] = q.WithDefaults()
	}
	for _, a := range c.Agents {
		b.people[a.ID] = a
	}
	for _, p := range c.Switches {
		b.pbxs[p.ID] = p
	}
	for _, p := range c.Phones {
		b.phones[p.ID] = p
	}
	for _, r := range c.Removed {
		switch r.Kind {
		case orchestrator.KindQueue: // its calls are served as they were last
		case orchestrator.KindAgent:
			delete(b.people, orchestrator.AgentID(r.ID))
		}
	}
}

func (b *book) foldAgent(at time.Time, deed orchestrator.Deed) {
	switch d := deed.(type) {
	case orchestrator.AgentLoggedIn:
		a := b.agent(d.Agent)
		a.loggedIn, a.phone, a.idleSince, a.notBefore = true, d.Phone, at, time.Time{}
	case orchestrator.AgentIntended:
		if d.Intent == orchestrator.IntentReady {
			b.agent(d.Agent).notBefore = time.Time{}
		}
	case orchestrator.AgentRested:
		b.agent(d.Agent).notBefore = time.Time{}
	case orchestrator.AgentChanged:
		a := b.agent(d.Agent)
		if worked(a.state) && !worked(d.State) {
			a.idleSince = at
		}
		a.state, a.until = d.State, d.Until
		if d.State == orchestrator.AgentLoggedOut {
			a.loggedIn, a.notBefore = false, time.Time{}
		}
	}
}

// worked are the states that end an agent's idleness (see LongestIdle).
func worked(s orchestrator.AgentState) bool {
	return s == orchestrator.AgentTalking || s == orchestrator.AgentHolding || s == orchestrator.AgentWrapUp
}

func (b *book) foldLeg(at time.Time, deed orchestrator.Deed) {
	switch d := deed.(type) {
	case orchestrator.LegStarted:
		b.legs[d.Leg] = &bookLeg{
			id: d.Leg, call: d.Call, pbx: d.Switch, role: d.Role, endpoint: d.Endpoint, agent: d.Agent, started: at,
		}
		if d.Role == orchestrator.RoleAgent {
			b.agent(d.Agent).leg = d.Leg
		}
	case orchestrator.LegAnswered:
		b.legs[d.Leg].answered = true
	case orchestrator.LegJoined:
		b.legs[d.Leg].bridge = d.Bridge
	case orchestrator.LegSeparated:
		b.legs[d.Leg].bridge = ""
	case orchestrator.LegMoved:
		b.legs[d.Leg].call = d.Call
		b.agent(d.Agent).inside = false
	case orchestrator.LegHeld:
		b.foldHeld(at, d.Call, d.Leg, true)
	case orchestrator.LegResumed:
		b.foldHeld(at, d.Call, d.Leg, false)
	case orchestrator.LegClosed:
		l := b.legs[d.Leg]
		l.closed = true
		if a := b.agents[l.agent]; a != nil && a.leg == l.id {
			a.leg, a.talking, a.inside, a.held = "", false, false, false
		}
		if c := b.call(l.call); c.leg == l.id {
			b.phase(c, at, orchestrator.PhaseEnded)
			c.gone = c.since
		}
	}
}

func (b *book) foldHeld(at time.Time, call orchestrator.CallID, leg orchestrator.LegID, held bool) {
	c := b.call(call)
	b.phase(c, at, c.phase)
	b.legs[leg].held = held
	c.held = b.eitherHolds(c)
	if a := b.agents[b.legs[leg].agent]; a != nil && a.leg == leg {
		a.held = held
	}
}

func (b *book) eitherHolds(c *bookCall) bool {
	for _, id := range []orchestrator.LegID{c.leg, c.agentLeg} {
		if l := b.legs[id]; l != nil && l.held && !l.closed {
			return true
		}
	}
	return false
}

// phase moves a call on and books the time that passed.
func (b *book) phase(c *bookCall, at time.Time, to orchestrator.CallPhase) {
	part := map[orchestrator.CallPhase]string{
		orchestrator.PhaseFlow: "flow", orchestrator.PhaseQueued: "queue", orchestrator.PhaseRinging: "queue",
		orchestrator.PhaseTalking: "talk", orchestrator.PhaseEnded: "closing",
	}[c.phase]
	if part == "talk" && c.held {
		part = "hold"
	}
	if !c.lost.IsZero() {
		at = c.since
		if c.lost.After(at) {
			at = c.lost
		}
	}
	c.spent[part] += at.Sub(c.since)
	c.phase, c.since, c.last = to, at, part
}

// lose books a call's end where it was last known to live. If its caller has
// hung up since, the talk is shortened.
func (b *book) lose(c *bookCall, since time.Time) {
	c.lost = since
	if c.phase == orchestrator.PhaseEnded && c.gone.After(since) {
		cut := min(c.gone.Sub(since), c.spent[c.last])
		c.spent[c.last] -= cut
		c.gone = c.gone.Add(-cut)
	}
}

func (b *book) foldCall(at time.Time, deed orchestrator.Deed) {
	switch d := deed.(type) {
	case orchestrator.CallArrived:
		b.calls[d.Call] = &bookCall{
			id: d.Call, leg: d.Leg, pbx: d.Switch, arrived: at, since: at, phase: orchestrator.PhaseFlow,
			internal: d.Direction == orchestrator.CallInternal, spent: map[string]time.Duration{},
		}
		b.open = append(b.open, d.Call)
	case orchestrator.LinkOpened:
		b.call(d.Call).link = &d
	case orchestrator.LinkClosed:
		b.call(d.Call).link = nil
	case orchestrator.NodeEntered:
		b.phase(b.call(d.Call), at, orchestrator.PhaseFlow)
	case orchestrator.CallQueued:
		c := b.call(d.Call)
		b.phase(c, at, orchestrator.PhaseQueued)
		c.inQueue, c.queue, c.version, c.priority, c.queued, c.joined = true, d.Queue, d.Version, d.Priority, d.Arrived, at
	case orchestrator.CallLeftQueue:
		c := b.call(d.Call)
		c.inQueue = false
		if d.Reason != orchestrator.ReasonConnected {
			b.phase(c, at, orchestrator.PhaseFlow)
		}
	case orchestrator.OfferMade:
		c := b.call(d.Call)
		b.phase(c, at, orchestrator.PhaseRinging)
		o := &bookOffer{OfferMade: d}
		c.offer, b.offers[d.Offer] = o, o
	case orchestrator.OfferEnded:
		c := b.call(d.Call)
		b.offers[d.Offer].ended = true
		c.offer = nil
		if c.phase == orchestrator.PhaseRinging && d.Outcome != orchestrator.OfferAnswered {
			back := orchestrator.PhaseQueued
			if b.offers[d.Offer].Queue == "" {
				back = orchestrator.PhaseFlow
			}
			b.phase(c, at, back)
		}
		b.agent(d.Agent).notBefore = d.NotBefore
	case orchestrator.CallConnected:
		c := b.call(d.Call)
		b.phase(c, at, orchestrator.PhaseTalking)
		a := b.agent(d.Agent)
		c.agent, c.agentLeg = d.Agent, a.leg
		c.held = b.eitherHolds(c)
		a.talking, a.inside = !c.internal, c.internal
	case orchestrator.CallTransferred:
		c := b.call(d.Call)
		b.phase(c, at, orchestrator.PhaseFlow)
		c.leg, c.agent, c.agentLeg, c.held = d.Party, "", "", false
		c.pbx = b.legs[d.Party].pbx
	case orchestrator.CallLost:
		b.lose(b.call(d.Call), d.Since)
	case orchestrator.CallReleased:
		b.call(d.Call).released = true
	case orchestrator.CallEnding:
		b.call(d.Call).ending = true
	case orchestrator.CallEnded:
		c := b.call(d.Call)
		c.ended = true
		b.open = slices.DeleteFunc(b.open, func(id orchestrator.CallID) bool { return id == d.Call })
	}
}
