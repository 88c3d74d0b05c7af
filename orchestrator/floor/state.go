package floor

import (
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/acd"
)

// state is everything the floor knows. Exported fields are what an Image
// holds; the others are pointers that Restore finds again.
type state struct {
	Seq uint64
	At  time.Time

	Settings o.Settings
	PBXs     map[o.SwitchID]o.PBX
	Phones   map[o.PhoneID]*phone
	Hours    map[o.HoursID]o.Hours
	Numbers  map[string]o.Number
	Queues   map[o.QueueID]*queue
	Flows    map[o.FlowID]*o.Flow

	// Configuration that is current no more but that calls still live by.
	OldQueues []*o.Queue
	OldFlows  []*o.Flow

	Switches map[o.SwitchID]*pbx
	Agents   map[o.AgentID]*agent
	Calls    map[o.CallID]*call
	Legs     map[o.LegID]*leg
	Services map[o.LegID]*service

	endpoints  map[endpointKey]*phone
	extensions map[endpointKey]*phone // by what is dialled for it
	numbers    map[string]o.AgentID   // agent number -> agent
}

func newState() state {
	return state{
		PBXs:     map[o.SwitchID]o.PBX{},
		Phones:   map[o.PhoneID]*phone{},
		Hours:    map[o.HoursID]o.Hours{},
		Numbers:  map[string]o.Number{},
		Queues:   map[o.QueueID]*queue{},
		Flows:    map[o.FlowID]*o.Flow{},
		Switches: map[o.SwitchID]*pbx{},
		Agents:   map[o.AgentID]*agent{},
		Calls:    map[o.CallID]*call{},
		Legs:     map[o.LegID]*leg{},
		Services: map[o.LegID]*service{},
	}
}

type endpointKey struct {
	pbx      o.SwitchID
	endpoint string
}

// pbx is a switch as we hear it.
type pbx struct {
	ID       o.SwitchID
	Attached bool
	Epoch    string
	Since    time.Time
	Silent   time.Time // attached: from when until Since it was not heard
	Reason   string
	LostBy   time.Time // when its calls are given up; zero while attached
	Doubt    bool      // an event of it may have been lost here, to a panic
	// Overloaded: it says that it is past what it can carry.
	Overloaded bool      `json:",omitempty"`
	Gone       []o.LegID // the last that arrived and ended, oldest first

	slot int
}

// phone is a configured device and what its switch says of it.
type phone struct {
	o.Phone
	Reachable bool
	InUse     bool
	Foreign   bool      // in use by a call that is not ours
	Agent     o.AgentID // who is logged in here
	Service   o.LegID   // a feature code is being dialled from here
	Dialled   []o.LegID // internal calls from here, open

	PINFailures int
	LockedUntil time.Time
}

// queue is a configured queue and its counts of today.
type queue struct {
	Config *o.Queue
	Today  o.QueueDay

	members map[o.AgentID]int // level; an index over Config
}

// agent is a person and what they are doing.
type agent struct {
	o.Agent
	Removed  bool // gone from the configuration, still logged in
	LoggedIn bool
	Phone    o.PhoneID
	Intent   o.Intent
	Pause    string // the reason, while the intent is to pause

	State  o.AgentState
	Since  time.Time
	Reason string
	Leg    o.LegID // our open leg at the agent's phone; no other offer while it is there
	Call   o.CallID
	Queue  o.QueueID

	Talking   bool // to a customer
	Inside    bool // in an internal call
	Held      bool
	WrapUp    o.Millis // after this talk
	WrapUntil time.Time
	LostAt    time.Time // last known to be at the leg that vanished just now
	NotBefore time.Time // no offer before; set by a missed one
	Misses    int       // in a row
	IdleSince time.Time

	PINFailures int
	LockedUntil time.Time

	slot int
}

// call is a customer's whole visit.
type call struct {
	ID      o.CallID
	Switch  o.SwitchID
	Leg     o.LegID // the caller's
	Dialled string
	Caller  o.Party
	Arrived time.Time
	Phase   o.CallPhase
	Since   time.Time

	Internal bool      // from one of our phones
	Return   *comeback // after a transfer, until somebody talks to the caller again

	FlowID      o.FlowID
	FlowVersion uint64
	Node        string
	Nodes       int       // entered so far
	Digits      string    // of a menu, so far
	Early       string    // digits pressed before the next menu asks
	Tries       int       // of a menu
	Silent      int       // prompts in a row that failed
	NodeBy      time.Time // when the node gives up waiting

	Play    o.PlayID // what the caller hears, if it ends by itself
	Purpose o.Purpose
	Music   bool

	QueueID      o.QueueID
	QueueVersion uint64
	Bucket       acd.Bucket
	Priority     int
	Queued       time.Time // place in the queue
	Joined       time.Time // this time
	MaxWaitAt    time.Time
	AnnounceAt   time.Time
	Tried        int
	Offer        *offer

	Bridge   o.BridgeID
	Agent    o.AgentID
	AgentLeg o.LegID
	Link     *link // to the switch the agent's phone is on, if that is another
	Talked   bool
	Held     bool

	Ending   *o.Outcome
	EndBy    time.Time // when a leg that will not close is given up
	Ended    time.Time // when the caller's leg closed
	Released bool
	Adrift   bool      // its switch cannot be heard
	Lost     time.Time // when it was last known to live, if a switch lost it
	Legs     []o.LegID // open, in order of their start

	InFlow, InQueue, InTalk, OnHold time.Duration

	flow    *o.Flow
	queue   *o.Queue
	unheard bool // every switch with a leg of it
	slot    int
}

// comeback is where a transferred call goes when whom it was meant for cannot
// be had: to the agent who sent it, then to its place in its queue.
type comeback struct {
	Agent    o.AgentID
	Queue    o.QueueID
	Arrived  time.Time
	Priority int
}

// offer is one ring at one agent, until it ends.
type offer struct {
	ID        o.OfferID
	Queue     o.QueueID // "": direct
	Agent     o.AgentID
	Leg       o.LegID
	Made      time.Time
	SilentBy  time.Time // when a phone that does not even ring is given up
	RingUntil time.Time
	Rang      time.Time
	Answered  bool
	ConnectBy time.Time // when an answered leg must be in the bridge
	Bridge    o.BridgeID
}

// leg is one connection between a switch and one party.
type leg struct {
	ID       o.LegID
	Call     o.CallID
	Switch   o.SwitchID
	Role     o.LegRole
	Endpoint string
	Agent    o.AgentID
	State    o.LegState
	Bridge   o.BridgeID
	Held     bool // by its phone
}

// service is an agent dialling a feature code.
type service struct {
	Leg     o.LegID
	Switch  o.SwitchID
	Phone   o.PhoneID
	Dialled string
	Step    string
	Agent   o.AgentID
	Digits  string
	Play    o.PlayID
	Tries   int
	By      time.Time
	Adrift  bool // its switch cannot be heard

	slot int
}

func (f *Floor) attached(id o.SwitchID) bool {
	p := f.Switches[id]
	return p != nil && p.Attached
}

// phoneAt finds the configured phone behind an endpoint.
func (f *Floor) phoneAt(sw o.SwitchID, endpoint string) *phone {
	return f.endpoints[endpointKey{sw, endpoint}]
}
