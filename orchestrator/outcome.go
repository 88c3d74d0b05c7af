package orchestrator

// Outcome is how a call ended: whose doing it was, and why.
type Outcome struct {
	Result Result `json:"result"`
	Reason Reason `json:"reason"`
}

// Result says whose doing the end was.
type Result string

// The results.
const (
	ResultCompleted Result = "completed" // an agent and the caller talked, or the flow ended as drawn
	ResultCaller    Result = "caller"    // the caller went
	ResultAgent     Result = "agent"
	ResultCarrier   Result = "carrier" // the network or the switch lost it
	ResultSystem    Result = "system"  // Ringmaster's rule or fault
	ResultUnknown   Result = "unknown" // ended while nobody watched
)

// Reason is why a call ended or left a queue.
type Reason string

// Reasons of calls.
const (
	ReasonTalked        Reason = "talked"
	ReasonAbandonedIVR  Reason = "abandoned_in_flow"
	ReasonAbandoned     Reason = "abandoned_in_queue"
	ReasonAbandonedRing Reason = "abandoned_in_ringing" // before the one agent who was dialled answered
	ReasonMaxWait       Reason = "max_wait"
	ReasonNoAgents      Reason = "no_agents"
	ReasonFlowEnd       Reason = "flow_end"
	ReasonFlowHangup    Reason = "flow_hangup"
	ReasonFlowBudget    Reason = "flow_budget" // too many nodes without waiting: a loop
	ReasonTransferred   Reason = "transferred"
	ReasonSwitchLost    Reason = "switch_lost"
	ReasonRequested     Reason = "requested" // hung up by a supervisor or the API
	ReasonNoNumber      Reason = "unknown_number"
	// The agent who was dialled or chosen could not be had.
	ReasonBusy        Reason = "busy"
	ReasonNoAnswer    Reason = "no_answer"
	ReasonRejected    Reason = "rejected"
	ReasonUnreachable Reason = "unreachable"
	ReasonConnected   Reason = "connected"
	ReasonUnknown     Reason = "unknown"
)

// OfferOutcome is how one ring at one agent ended.
type OfferOutcome string

// The seven outcomes. Each has its own delay and counter (features.md,
// semantics to copy, 2).
const (
	OfferAnswered    OfferOutcome = "answered"
	OfferCancelled   OfferOutcome = "cancelled" // the caller went, or the call was taken away
	OfferLostRace    OfferOutcome = "lost_race" // another agent was quicker
	OfferBusy        OfferOutcome = "busy"
	OfferRejected    OfferOutcome = "rejected"
	OfferUnreachable OfferOutcome = "unreachable" // no phone there
	OfferNoAnswer    OfferOutcome = "no_answer"
)

// AgentState is what an agent is doing, as the wallboard shows it.
type AgentState string

// The agent states.
const (
	AgentLoggedOut AgentState = "logged_out"
	AgentReady     AgentState = "ready"
	AgentPaused    AgentState = "paused"
	AgentReserved  AgentState = "reserved" // an offer is out
	AgentTalking   AgentState = "talking"
	AgentHolding   AgentState = "holding"
	AgentWrapUp    AgentState = "wrap_up"
	AgentPhoneLost AgentState = "phone_lost" // logged in and wanting calls, but no phone there
	AgentBusy      AgentState = "busy"       // on a call that is not ours
)

// Intent is what the agent last asked for. While a call or wrap-up lasts it is
// kept and applied afterwards.
type Intent string

// The intents.
const (
	IntentReady  Intent = "ready"
	IntentPause  Intent = "pause"
	IntentLogout Intent = "logout"
)

// Origin says where a person's wish came from.
type Origin string

// The origins.
const (
	OriginPhone  Origin = "phone"
	OriginAPI    Origin = "api"
	OriginSystem Origin = "system"
)

// Q.850 causes that the floor itself sends or tells apart.
const (
	CauseUnallocated       = 1
	CauseNormal            = 16
	CauseBusy              = 17
	CauseNoAnswer          = 19
	CauseAbsent            = 20 // no phone there
	CauseRejected          = 21
	CauseAnsweredElsewhere = 26
)
