package orchestrator

import "time"

// Fact is one thing the floor decided or took note of. Seq and Index name it
// for ever; together they order every fact of a floor.
type Fact struct {
	Seq   uint64
	Index int
	At    time.Time
	What  Deed
}

// Deed is the substance of a fact. The set is closed; deed is the name that
// journal, database and webhooks know it by. Fields are only ever added.
type Deed interface{ deed() string }

// Facts about configuration, switches and phones.
type (
	ConfigApplied struct {
		Change Config `json:"change"`
	}
	SwitchAttached struct {
		Switch SwitchID `json:"switch"`
		Epoch  string   `json:"epoch"`
	}
	SwitchDetached struct {
		Switch SwitchID `json:"switch"`
		Reason string   `json:"reason"`
	}
	EndpointNoted struct {
		Switch    SwitchID `json:"switch"`
		Endpoint  string   `json:"endpoint"`
		Reachable bool     `json:"reachable"`
		InUse     bool     `json:"in_use"`
	}
	// OverloadNoted is a switch past what it can carry, or fit again. A switch
	// that is detached is not taken for overloaded any more.
	OverloadNoted struct {
		Switch SwitchID `json:"switch"`
		Over   bool     `json:"over"`
		Reason string   `json:"reason,omitempty"`
	}
)

// Facts about calls.
type (
	// CallArrived opens a call. Its caller leg's LegStarted follows.
	CallArrived struct {
		Call        CallID   `json:"call"`
		Leg         LegID    `json:"leg"`
		Switch      SwitchID `json:"switch"`
		Dialled     string   `json:"dialled"`
		Caller      Party    `json:"caller"`
		Flow        FlowID   `json:"flow"`
		FlowVersion uint64   `json:"flow_version"`

		Direction CallDirection `json:"direction,omitempty"`
		Agent     AgentID       `json:"agent,omitempty"` // internal: logged in where it comes from
	}
	// CallRefused is a leg we gave back or hung up without opening a call.
	CallRefused struct {
		Leg     LegID    `json:"leg"`
		Switch  SwitchID `json:"switch"`
		Dialled string   `json:"dialled"`
		Caller  Party    `json:"caller"`
		Reason  Reason   `json:"reason"`
	}
	// NodeEntered is a call at a node; Via is the exit it came by, "" at the start.
	NodeEntered struct {
		Call    CallID   `json:"call"`
		Flow    FlowID   `json:"flow"`
		Version uint64   `json:"version"`
		Node    string   `json:"node"`
		Type    NodeType `json:"type"`
		Via     string   `json:"via,omitempty"`
	}
	// DigitTaken is a digit a menu took. Early is one pressed during a play
	// before the menu: it is kept, and taken when the menu asks.
	DigitTaken struct {
		Call  CallID `json:"call"`
		Digit string `json:"digit"`
		Early bool   `json:"early,omitempty"`
	}
	// MenuDecided ends one try of a menu: a choice, ExitTimeout or ExitInvalid.
	MenuDecided struct {
		Call   CallID `json:"call"`
		Node   string `json:"node"`
		Digits string `json:"digits,omitempty"`
		Exit   string `json:"exit"`
		Again  bool   `json:"again,omitempty"` // the question is repeated
	}
	// PlayStarted and PlayEnded are prompts and announcements. Call is empty
	// on service legs.
	PlayStarted struct {
		Call    CallID  `json:"call,omitempty"`
		Leg     LegID   `json:"leg"`
		Play    PlayID  `json:"play"`
		Purpose Purpose `json:"purpose"`
		Media   []Media `json:"media"`
	}
	PlayEnded struct {
		Call   CallID     `json:"call,omitempty"`
		Leg    LegID      `json:"leg"`
		Play   PlayID     `json:"play"`
		Status PlayStatus `json:"status"`
	}
	MusicStarted struct {
		Call  CallID `json:"call"`
		Leg   LegID  `json:"leg"`
		Class string `json:"class,omitempty"`
	}
	MusicStopped struct {
		Call CallID `json:"call"`
		Leg  LegID  `json:"leg"`
	}
	// CallQueued is a call joining a queue. Arrived is when it first came to
	// this queue and is what its place depends on.
	CallQueued struct {
		Call     CallID    `json:"call"`
		Queue    QueueID   `json:"queue"`
		Version  uint64    `json:"version"`
		Priority int       `json:"priority"`
		Arrived  time.Time `json:"arrived"`
		Position int       `json:"position"` // among the waiting calls of the queue, 1 is next
	}
	// CallLeftQueue is a call that waits there no more.
	CallLeftQueue struct {
		Call   CallID  `json:"call"`
		Queue  QueueID `json:"queue"`
		Reason Reason  `json:"reason"`
		Waited Millis  `json:"waited_ms"`
	}
	// CallConnected is caller and agent hearing each other.
	CallConnected struct {
		Call   CallID   `json:"call"`
		Queue  QueueID  `json:"queue"`
		Agent  AgentID  `json:"agent"`
		Offer  OfferID  `json:"offer"`
		Bridge BridgeID `json:"bridge"`
		Waited Millis   `json:"waited_ms"`
	}
	// CallTransferred is the asking phone's agent leaving the call at their own
	// wish. Its legs go on: Party stays in the call and is taken to Agent or
	// Flow, or, when attended, to where the call Consult has got. Queue, if the
	// consult came by one, is the call's from now on.
	CallTransferred struct {
		Call    CallID       `json:"call"`
		Leg     LegID        `json:"leg"` // of the phone that asked
		Party   LegID        `json:"party"`
		By      AgentID      `json:"by,omitempty"`
		Kind    TransferKind `json:"kind"`
		Target  string       `json:"target,omitempty"` // the number, as it was dialled
		Agent   AgentID      `json:"to_agent,omitempty"`
		Flow    FlowID       `json:"to_flow,omitempty"`
		Consult CallID       `json:"consult,omitempty"`
		Queue   QueueID      `json:"queue,omitempty"`
		Version uint64       `json:"version,omitempty"` // of the queue
	}
	// TransferRefused is a phone's wish that was not granted; who talks, talks
	// on. Code says why: "unknown_number", "busy", "unreachable",
	// "consult_gone", "not_allowed".
	TransferRefused struct {
		Call   CallID       `json:"call"`
		Leg    LegID        `json:"leg"`
		By     AgentID      `json:"by,omitempty"`
		Kind   TransferKind `json:"kind"`
		Target string       `json:"target,omitempty"`
		Code   string       `json:"code"`
	}
	// CallReleased is a call given to the dialplan.
	CallReleased struct {
		Call      CallID `json:"call"`
		Context   string `json:"context"`
		Extension string `json:"extension"`
	}
	// CallLost is a call of which a switch that was lost no longer carries the
	// caller or the agent. When it ended nobody can know; Since is when it was last
	// known to live, and the times of the call and of its vanished legs stop there.
	CallLost struct {
		Call   CallID    `json:"call"`
		Switch SwitchID  `json:"switch"`
		Since  time.Time `json:"since"`
	}
	// CallEnding is a call that has its outcome while its legs still close.
	CallEnding struct {
		Call    CallID  `json:"call"`
		Outcome Outcome `json:"outcome"`
	}
	// CallEnded closes a call: exactly one per CallArrived. It is the CDR.
	CallEnded struct {
		Call    CallID  `json:"call"`
		Outcome Outcome `json:"outcome"`
		Times   Times   `json:"times"`
	}
)

// Times is where a call's duration went; the parts sum up to Total.
type Times struct {
	Total Millis `json:"total_ms"`
	Flow  Millis `json:"flow_ms"`
	Queue Millis `json:"queue_ms"` // waiting, ringing included
	Talk  Millis `json:"talk_ms"`  // without hold
	Hold  Millis `json:"hold_ms"`
}

// LinkOpened is a call being carried from its switch to the one at which the
// agent's phone is registered. Leg is the trunk's end at From; the other end
// arrives at To with Ticket as the number dialled and joins the agent in Bridge.
type LinkOpened struct {
	Call   CallID   `json:"call"`
	Leg    LegID    `json:"leg"`
	From   SwitchID `json:"from"`
	To     SwitchID `json:"to"`
	Ticket string   `json:"ticket"`
	Bridge BridgeID `json:"bridge"`
}

// LinkClosed is a link that is needed no more, or broke.
type LinkClosed struct {
	Call   CallID `json:"call"`
	Leg    LegID  `json:"leg"`
	Reason string `json:"reason"`
}

// Facts about legs.
type (
	LegStarted struct {
		Call     CallID   `json:"call,omitempty"`
		Leg      LegID    `json:"leg"`
		Switch   SwitchID `json:"switch"`
		Role     LegRole  `json:"role"`
		Endpoint string   `json:"endpoint,omitempty"`
		Agent    AgentID  `json:"agent,omitempty"`
		SIPCall  string   `json:"sip_call,omitempty"`
	}
	LegRang struct {
		Call CallID `json:"call,omitempty"`
		Leg  LegID  `json:"leg"`
	}
	LegAnswered struct {
		Call CallID `json:"call,omitempty"`
		Leg  LegID  `json:"leg"`
	}
	LegJoined struct {
		Call   CallID   `json:"call,omitempty"`
		Leg    LegID    `json:"leg"`
		Bridge BridgeID `json:"bridge"`
	}
	LegSeparated struct {
		Call   CallID   `json:"call,omitempty"`
		Leg    LegID    `json:"leg"`
		Bridge BridgeID `json:"bridge"`
	}
	// LegMoved is a leg that goes on in another call: the one consulted now
	// belongs to the customer's. What was known of it goes along.
	LegMoved struct {
		Call     CallID   `json:"call"`
		From     CallID   `json:"from"`
		Leg      LegID    `json:"leg"`
		Switch   SwitchID `json:"switch"`
		Role     LegRole  `json:"role"`
		Endpoint string   `json:"endpoint,omitempty"`
		Agent    AgentID  `json:"agent,omitempty"`
		State    LegState `json:"state"`
	}
	LegHeld struct {
		Call CallID `json:"call,omitempty"`
		Leg  LegID  `json:"leg"`
	}
	LegResumed struct {
		Call CallID `json:"call,omitempty"`
		Leg  LegID  `json:"leg"`
	}
	LegClosed struct {
		Call  CallID  `json:"call,omitempty"`
		Leg   LegID   `json:"leg"`
		Cause int     `json:"cause"`
		SIP   int     `json:"sip,omitempty"`
		By    EndedBy `json:"by"`
	}
)

// CallDirection is where a call came from.
type CallDirection string

// The directions. Calls from our own phones are counted in no queue.
const (
	CallInbound  CallDirection = "" // a customer's
	CallInternal CallDirection = "internal"
)

// TransferKind is how a phone transfers: to a number, or to whom it talks to on
// another line.
type TransferKind string

// The kinds.
const (
	TransferBlind    TransferKind = "blind"
	TransferAttended TransferKind = "attended"
)

// Facts about offers.
type (
	// OfferMade reserves the agent and dials them. Decision says why this
	// call and this agent. Without a Queue it is direct: somebody dialled or
	// chose this agent. A Leg that was moved here before is not dialled.
	OfferMade struct {
		Offer     OfferID   `json:"offer"`
		Call      CallID    `json:"call"`
		Queue     QueueID   `json:"queue"`
		Agent     AgentID   `json:"agent"`
		Phone     PhoneID   `json:"phone"`
		Leg       LegID     `json:"leg"`
		RingUntil time.Time `json:"ring_until"`
		Decision  Decision  `json:"decision"`
		Bridge    BridgeID  `json:"bridge,omitempty"` // in which a moved leg waits already
	}
	// OfferEnded ends an offer, exactly once. NotBefore is when the agent may
	// be offered a call again.
	OfferEnded struct {
		Offer     OfferID      `json:"offer"`
		Call      CallID       `json:"call"`
		Queue     QueueID      `json:"queue"`
		Agent     AgentID      `json:"agent"`
		Outcome   OfferOutcome `json:"outcome"`
		Cause     int          `json:"cause,omitempty"`
		SIP       int          `json:"sip,omitempty"`
		Rang      Millis       `json:"rang_ms"`
		NotBefore time.Time    `json:"not_before,omitzero"`
		Misses    int          `json:"misses,omitempty"` // in a row, this one included
	}
)

// Decision is why an offer was made: enough, with the agents' states at that
// instant, to answer "why this one, why not the others".
type Decision struct {
	Strategy  Strategy  `json:"strategy"`
	Level     int       `json:"level"`      // of the agent in the queue
	IdleSince time.Time `json:"idle_since"` // of the agent
	Free      int       `json:"free"`       // agents who could have taken the call, this one included
	RunnerUp  AgentID   `json:"runner_up,omitempty"`
	Priority  int       `json:"priority"`     // of the call
	Waited    Millis    `json:"waited_ms"`    // by the call
	Waiting   int       `json:"waiting"`      // calls in the queue, this one included
	Trigger   string    `json:"trigger"`      // "call_arrived", "agent_free"; direct: "dialled", "transferred", "returned"; "adopted"
	Step      int       `json:"step"`         // widening step of the call's bucket
	Tried     int       `json:"tried_before"` // offers of this call before this one
}

// Facts about agents.
type (
	AgentLoggedIn struct {
		Agent  AgentID `json:"agent"`
		Phone  PhoneID `json:"phone"`
		Origin Origin  `json:"origin"`
		By     string  `json:"by,omitempty"`
	}
	AgentIntended struct {
		Agent  AgentID `json:"agent"`
		Intent Intent  `json:"intent"`
		Reason string  `json:"reason,omitempty"` // of a pause
		Origin Origin  `json:"origin"`
		By     string  `json:"by,omitempty"`
	}
	// AgentChanged is the agent entering a state. Every moment of an agent's
	// day is in exactly one interval between two of these. Since, where it is
	// told, is when the state began if not at the fact's time: when the switch fell
	// silent that no longer carries the agent's leg.
	AgentChanged struct {
		Agent  AgentID    `json:"agent"`
		State  AgentState `json:"state"`
		Reason string     `json:"reason,omitempty"` // of a pause
		Phone  PhoneID    `json:"phone,omitempty"`
		Call   CallID     `json:"call,omitempty"`
		Queue  QueueID    `json:"queue,omitempty"`
		Until  time.Time  `json:"until,omitzero"` // of a wrap-up
		Since  time.Time  `json:"since,omitzero"`
	}
	// AgentRested ends the delay that followed a missed offer.
	AgentRested struct {
		Agent AgentID `json:"agent"`
	}
	// ActionRefused is a wish the floor could not grant, and why.
	ActionRefused struct {
		Agent  AgentID     `json:"agent"`
		Action AgentAction `json:"action"`
		Code   string      `json:"code"` // "not_logged_in", "phone_in_use", "unknown_reason", …
		Detail string      `json:"detail"`
		Origin Origin      `json:"origin"`
		By     string      `json:"by,omitempty"`
	}
)

// Facts about service calls: agents dialling feature codes.
type (
	ServiceStarted struct {
		Leg     LegID    `json:"leg"`
		Switch  SwitchID `json:"switch"`
		Phone   PhoneID  `json:"phone,omitempty"`
		Dialled string   `json:"dialled"`
	}
	// ServiceStepped is the dialogue's next question. Digits typed so far are
	// kept here for everything but PINs, which never reach the floor.
	ServiceStepped struct {
		Leg    LegID   `json:"leg"`
		Step   string  `json:"step"`
		Agent  AgentID `json:"agent,omitempty"`
		Digits string  `json:"digits,omitempty"`
	}
	// PINRefused counts wrong PINs. Until Locked no PIN of this agent is
	// asked for.
	PINRefused struct {
		Agent    AgentID   `json:"agent"`
		Phone    PhoneID   `json:"phone,omitempty"`
		Failures int       `json:"failures"` // in a row
		Locked   time.Time `json:"locked_until,omitzero"`
	}
	ServiceEnded struct {
		Leg LegID `json:"leg"`
	}
)

// Facts about trouble.
type (
	// CommandFailed is a command a switch did not carry out.
	CommandFailed struct {
		Command CommandID     `json:"command"`
		Leg     LegID         `json:"leg,omitempty"`
		Call    CallID        `json:"call,omitempty"`
		Result  CommandResult `json:"result"`
		Reason  string        `json:"reason,omitempty"`
	}
	// InputSetAside is an input whose step panicked. The floor went on
	// without it.
	InputSetAside struct {
		Event string `json:"event"`
		Panic string `json:"panic"`
	}
	// Healed is a difference between the floor and a switch's snapshot that
	// was mended: what was done about which leg.
	Healed struct {
		Leg    LegID  `json:"leg,omitempty"`
		Bridge string `json:"bridge,omitempty"`
		Repair string `json:"repair"`
	}
)

// Purpose is why something is played.
type Purpose string

// The purposes.
const (
	PurposePrompt       Purpose = "prompt"
	PurposeQuestion     Purpose = "question"
	PurposeAnnouncement Purpose = "announcement"
	PurposeService      Purpose = "service"
)
