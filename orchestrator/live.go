package orchestrator

import "time"

// Live is the floor at one instant, as the wallboard shows it. Seq is the last
// input it includes: facts after it are news.
type Live struct {
	At       time.Time    `json:"at"`
	Seq      uint64       `json:"seq"`
	Switches []LiveSwitch `json:"switches"`
	Queues   []LiveQueue  `json:"queues"`
	Agents   []LiveAgent  `json:"agents"`
	Calls    []LiveCall   `json:"calls"`
}

// LiveSwitch is a switch now.
type LiveSwitch struct {
	Switch   SwitchID  `json:"switch"`
	Attached bool      `json:"attached"`
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason,omitempty"` // of being lost
	// Overloaded: it is past what it can carry and refuses dials.
	Overloaded bool `json:"overloaded"`
	// Capabilities are what its adapter says it can do; zero without one. They
	// are no part of the floor's state: whoever runs the adapters adds them.
	Capabilities Capabilities `json:"capabilities,omitzero"`
}

// LiveQueue is a queue now.
type LiveQueue struct {
	Queue        QueueID    `json:"queue"`
	Name         string     `json:"name"`
	Waiting      int        `json:"waiting"`
	WaitingSince *time.Time `json:"waiting_since,omitempty"` // arrival of the longest waiting call
	Talking      int        `json:"talking"`
	AgentsIn     int        `json:"agents_logged_in"`
	AgentsReady  int        `json:"agents_ready"`
	Today        QueueDay   `json:"today"`
}

// QueueDay counts one queue's calls since midnight in the tenant's zone. The
// figures made of these counts are defined in orchestrator/metrics.
type QueueDay struct {
	Date             string `json:"date"` // "2026-11-23"
	Offered          int    `json:"offered"`
	Answered         int    `json:"answered"`
	AnsweredInTime   int    `json:"answered_in_time"`  // within the queue's service level threshold
	Abandoned        int    `json:"abandoned"`         // short ones included
	AbandonedShort   int    `json:"abandoned_short"`   // before the short-abandon threshold
	AbandonedInTime  int    `json:"abandoned_in_time"` // within the service level threshold
	Overflowed       int    `json:"overflowed"`        // max wait, no agents
	AnsweredWaitMs   int64  `json:"answered_wait_ms"`  // sum
	AbandonedWaitMs  int64  `json:"abandoned_wait_ms"` // sum
	LongestWaitMs    int64  `json:"longest_wait_ms"`
	ServiceLevelOver Millis `json:"service_level_ms"` // the threshold these were counted with
}

// LiveAgent is an agent now.
type LiveAgent struct {
	Agent     AgentID    `json:"agent"`
	Number    string     `json:"number"`
	Name      string     `json:"name"`
	State     AgentState `json:"state"`
	Since     time.Time  `json:"since"`
	Reason    string     `json:"reason,omitempty"`
	Until     *time.Time `json:"until,omitempty"` // of a wrap-up
	Intent    Intent     `json:"intent,omitempty"`
	Phone     PhoneID    `json:"phone,omitempty"`
	Reachable bool       `json:"phone_reachable"`
	Call      CallID     `json:"call,omitempty"`
	Queues    []QueueID  `json:"queues"`
}

// LiveCall is a call now.
type LiveCall struct {
	Call     CallID    `json:"call"`
	Caller   Party     `json:"caller"`
	Dialled  string    `json:"dialled"`
	Arrived  time.Time `json:"arrived"`
	Phase    CallPhase `json:"phase"`
	Since    time.Time `json:"since"` // in this phase
	Node     string    `json:"node,omitempty"`
	Queue    QueueID   `json:"queue,omitempty"`
	Position int       `json:"position,omitempty"` // 1 is next
	Agent    AgentID   `json:"agent,omitempty"`
	Switch   SwitchID  `json:"switch"`
}

// CallPhase is where a call is in its life; a call is in exactly one.
type CallPhase string

// The phases.
const (
	PhaseFlow    CallPhase = "flow"
	PhaseQueued  CallPhase = "queued"
	PhaseRinging CallPhase = "ringing" // still in its queue, an offer is out
	PhaseTalking CallPhase = "talking"
	PhaseEnded   CallPhase = "ended"
)

// Explanation answers "why this agent, why that call, why still waiting".
// Every sentence is made of facts; At is the instant it speaks of.
type Explanation struct {
	Call    CallID        `json:"call"`
	At      time.Time     `json:"at"`
	Summary string        `json:"summary"` // one sentence
	Offers  []OfferReason `json:"offers"`  // in order
	Waiting *WaitReason   `json:"waiting,omitempty"`
}

// OfferReason explains one offer.
type OfferReason struct {
	Offer      OfferID         `json:"offer"`
	At         time.Time       `json:"at"`
	Queue      QueueID         `json:"queue"`
	Agent      AgentID         `json:"agent"`
	Why        string          `json:"why"`
	Decision   Decision        `json:"decision"`
	Outcome    OfferOutcome    `json:"outcome,omitempty"` // "" while it rings
	Candidates []AgentStanding `json:"candidates"`        // the queue's agents at that instant
}

// WaitReason explains why a call has no agent yet and what would change that.
type WaitReason struct {
	Queue      QueueID         `json:"queue"`
	Position   int             `json:"position"`
	Ahead      []CallID        `json:"ahead"` // at most 20
	Candidates []AgentStanding `json:"candidates"`
	WouldHelp  string          `json:"would_help"`
}

// AgentStanding is one agent's verdict for one offer.
type AgentStanding struct {
	Agent   AgentID    `json:"agent"`
	State   AgentState `json:"state"`
	Since   time.Time  `json:"since"`
	Level   int        `json:"level"`
	Chosen  bool       `json:"chosen,omitempty"`
	Verdict string     `json:"verdict"` // "paused (lunch) since 10:02", "idle for 40 s, less than the chosen agent's 65 s"
}
