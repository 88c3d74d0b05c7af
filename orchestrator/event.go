package orchestrator

import "time"

// Input is one event with its place in line. At never runs backwards; the
// runner clamps it.
type Input struct {
	Seq   uint64
	At    time.Time
	Event Event
}

// Event is something that happened outside the floor. The set is closed.
type Event interface{ event() }

// Events of a switch. Per leg they arrive in order, at least once, and never
// silently fewer: an adapter that may have missed one reports SwitchLost, and
// the next thing it reports is SwitchSynced.
type (
	// SwitchSynced is a (re)connected switch and everything on it that is
	// ours or was offered to us. It precedes every other event of that
	// connection. Epoch changes when the switch itself restarted.
	SwitchSynced struct {
		Switch   SwitchID
		Epoch    string
		Snapshot Snapshot
	}
	// SwitchLost is a switch that cannot be heard any more. Its calls go on
	// without us.
	SwitchLost struct {
		Switch SwitchID
		Reason string
	}
	// SwitchSuperseded says another orchestrator took this switch over.
	// Nothing may be sent to it until it is synced again.
	SwitchSuperseded struct{ Switch SwitchID }

	// LegOffered is a leg that arrived and waits for our word: a caller
	// (Entry EntryIn) or an agent's phone dialling (EntryAgent).
	LegOffered struct {
		Switch   SwitchID
		Leg      LegID
		Entry    Entry
		Dialled  string
		Caller   Party
		Endpoint string // of the authenticated device; "" for a trunk unknown by name
		SIPCall  string // SIP Call-ID, "" when unknown
	}
	// SwitchOverloaded is a switch past what it can carry, or (Over false) fit
	// again. Calls go on; new dials are refused by the adapter meanwhile. While
	// it lasts it is told again after every snapshot, which does not hold it.
	SwitchOverloaded struct {
		Switch SwitchID
		Over   bool
		Reason string
	}

	// LegRinging is the far phone ringing. LegEarly is sound from it before the
	// answer.
	LegRinging struct{ Leg LegID }
	LegEarly   struct{ Leg LegID }
	// LegUp is a leg answered, ours or theirs.
	LegUp struct{ Leg LegID }
	// LegHold is a phone putting its peer on hold; LegUnhold is it back.
	LegHold   struct{ Leg LegID }
	LegUnhold struct{ Leg LegID }
	// Digit is one DTMF digit: 0-9 * # A-D.
	Digit struct {
		Leg   LegID
		Digit string
	}
	// Joined and Left are a leg entering or leaving a bridge.
	Joined struct {
		Leg    LegID
		Bridge BridgeID
	}
	Left struct {
		Leg    LegID
		Bridge BridgeID
	}
	// PlayDone is the end of a Play command, for whatever reason.
	PlayDone struct {
		Leg    LegID
		Play   PlayID
		Status PlayStatus
	}
	// RecordingStarted is the first sound on disk. RecordingDone is its end, for
	// whatever reason; it may come after the end of its leg. Files are paths on
	// the switch, one of two channels or two of one (left, right). Length is 0
	// where the switch cannot tell. Fault is empty when all went well.
	RecordingStarted struct {
		Leg       LegID
		Recording RecordingID
	}
	RecordingDone struct {
		Leg       LegID
		Recording RecordingID
		Files     []string
		Length    Millis
		Fault     string
	}
	// MachineDetected answers DetectMachine. Cause is the switch's own word.
	MachineDetected struct {
		Leg     LegID
		Verdict MachineVerdict
		Cause   string
	}
	// VariableRead answers ReadVariable; Value is attacker's text like Party.
	VariableRead struct {
		Leg         LegID
		Name, Value string
	}
	// TransferAsked is a desk phone asking by its own key that the party it
	// talks to be sent elsewhere (SIP REFER, RFC 3515; attended: with Replaces,
	// RFC 3891). Nothing is final until AcceptTransfer or RejectTransfer, and
	// either party may go before. Where Capabilities.TalksWhileAsked is false a
	// blind transfer has taken both out of their bridge already (Left is told).
	// A phone that talks to nobody, or to more than one, is refused by the
	// adapter itself and nothing is told.
	TransferAsked struct {
		Leg     LegID  // of the asking phone
		Party   LegID  // who is to be sent
		Target  string // blind: the number dialled
		Consult LegID  // attended: the asking phone's other leg
		Peer    LegID  // attended: who is at the other end of Consult, "" if nobody
	}
	// TransferHappened is a transfer the switch has done by itself, on a switch
	// whose Capabilities.AsksAttended is false. The fields are TransferAsked's.
	// With a Peer, Party has taken the place of Consult in its bridge (Left and
	// Joined are told); without one Party is alone, in our care. Leg and
	// Consult are still to be hung up. No leg changes its id in any transfer:
	// a switch asks first (TransferAsked), or says here which legs are joined
	// now, so there is no event of a leg that goes on as another.
	TransferHappened struct {
		Leg, Party LegID
		Target     string
		Consult    LegID
		Peer       LegID
	}
	// LegReleased is a leg given back to the dialplan: alive, not ours.
	LegReleased struct{ Leg LegID }
	// LegEnded is the end of a leg. Cause is Q.850, SIP the response code
	// (0 when there was none), a phone that says it is away (480) is cause 19; By says whose doing it was;
	// when both do within moments either may be told.
	LegEnded struct {
		Leg   LegID
		Cause int
		SIP   int
		By    EndedBy
	}
	// EndpointChanged is a device becoming reachable or not, or being in use
	// by a call, whoever placed it.
	EndpointChanged struct {
		Switch    SwitchID
		Endpoint  string
		Reachable bool
		InUse     bool
	}
	// CommandDone is the fate of a command that was not simply accepted.
	CommandDone struct {
		Command CommandID
		Switch  SwitchID
		Leg     LegID
		Do      Action // what was ordered
		Result  CommandResult
		Reason  string
	}
)

// Events of people, configuration and the runner.
type (
	// ConfigChanged brings objects to add or replace and those to remove.
	ConfigChanged struct{ Change Config }
	// AgentAsked is an agent's wish, or a supervisor's for them.
	AgentAsked struct {
		Agent  AgentID
		Action AgentAction
		Phone  PhoneID // login: where; "" keeps the agent's last
		Reason string  // pause: the reason's id
		Origin Origin
		By     string // who asked, for the audit: an agent id or an API key's name
	}
	// HangupAsked is a supervisor or CRM ending a call.
	HangupAsked struct {
		Call CallID
		By   string
	}
	// PINRead answers a ReadPIN ask.
	PINRead struct {
		Ask     AskID
		Leg     LegID
		Verdict PINVerdict
	}
	// Restarted is the floor's own process having begun again: what was attached
	// before is not attached now. It precedes everything else, deadlines
	// included, because what has passed meanwhile is not known yet.
	Restarted struct{}
	// InputFailed is an input whose step panicked: the runner restored the
	// floor and tells it what it will never see.
	InputFailed struct{ Event, Panic string }
	// Wake is the runner's one timer: a deadline has come.
	Wake struct{}
)

func (SwitchSynced) event()     {}
func (SwitchLost) event()       {}
func (SwitchSuperseded) event() {}
func (LegOffered) event()       {}
func (LegRinging) event()       {}
func (LegUp) event()            {}
func (LegHold) event()          {}
func (LegUnhold) event()        {}
func (Digit) event()            {}
func (Joined) event()           {}
func (Left) event()             {}
func (PlayDone) event()         {}
func (LegReleased) event()      {}
func (SwitchOverloaded) event() {}
func (LegEarly) event()         {}
func (RecordingStarted) event() {}
func (RecordingDone) event()    {}
func (MachineDetected) event()  {}
func (VariableRead) event()     {}
func (TransferAsked) event()    {}
func (TransferHappened) event() {}
func (LegEnded) event()         {}
func (EndpointChanged) event()  {}
func (CommandDone) event()      {}
func (ConfigChanged) event()    {}
func (AgentAsked) event()       {}
func (HangupAsked) event()      {}
func (PINRead) event()          {}
func (Restarted) event()        {}
func (InputFailed) event()      {}
func (Wake) event()             {}

// Entry is the door a leg came in by.
type Entry string

// The doors.
const (
	EntryIn    Entry = "in"    // from a trunk: a caller
	EntryAgent Entry = "agent" // from a desk phone
	EntryLink  Entry = "link"  // from another switch of ours
)

// Party is who is at the other end, as the switch told it. It is attacker's
// text: bounded and stripped of control characters by the adapter, and never
// part of a command without the encoder.
type Party struct {
	Number string `json:"number,omitempty"`
	Name   string `json:"name,omitempty"`
}

// PlayStatus is how a play ended.
type PlayStatus string

// The ends of a play.
const (
	PlayFinished PlayStatus = "finished"
	PlayStopped  PlayStatus = "stopped"
	PlayFailed   PlayStatus = "failed"
)

// MachineVerdict is what answered.
type MachineVerdict string

// The verdicts.
const (
	VerdictPerson  MachineVerdict = "person"
	VerdictMachine MachineVerdict = "machine"
	VerdictUnsure  MachineVerdict = "unsure" // silence, or the switch could not tell
)

// EndedBy is who ended a leg.
type EndedBy string

// Who ends legs.
const (
	EndedByUs     EndedBy = "us"
	EndedByRemote EndedBy = "remote"
	EndedBySwitch EndedBy = "switch"
)

// AgentAction is what an agent can wish.
type AgentAction string

// The actions. Each may be repeated without harm.
const (
	ActionLogin      AgentAction = "login"
	ActionLogout     AgentAction = "logout"
	ActionReady      AgentAction = "ready"
	ActionPause      AgentAction = "pause"
	ActionWrapUpDone AgentAction = "wrap_up_done"
)
