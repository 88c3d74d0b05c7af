package orchestrator

import "net/netip"

// Effects is everything one input caused, in order.
//
// The facts must be durable before any command leaves: a crash may cost a dial
// that was decided on, but never place the same dial twice.
type Effects struct {
	Facts    []Fact
	Commands []Command
	Asks     []Ask
}

// CommandID names a command for ever: the lease epoch, the input that caused
// it and its place among that input's commands.
type CommandID struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
	Index int    `json:"index"`
}

// Command is one order to one switch.
//
// Commands of one Lane are carried out one after another in their order;
// commands of different lanes in any order. A lane is a call, or a leg that
// belongs to none.
type Command struct {
	ID     CommandID
	Switch SwitchID
	Lane   string
	Do     Action
}

// Action is what a switch can be told. The set is closed, every value in it is
// validated or encoded by the adapter, and only events confirm what was done.
type Action interface{ action() }

// Actions on one leg.
type (
	// Claim takes an offered leg into our care and stamps it, so that a
	// snapshot alone is enough to adopt it.
	Claim struct {
		Leg   LegID
		Stamp Stamp
	}
	// Dial makes a leg to an endpoint. The switch gives up by itself after
	// Timeout. Display is what the phone shows.
	Dial struct {
		Leg        LegID
		Stamp      Stamp
		Endpoint   string
		Display    Party
		Timeout    Millis
		AutoAnswer bool
		// Number is dialled through Endpoint, which is then a trunk; "" rings
		// the endpoint itself. It is 1 to 40 of 0-9 * #, with a '+' before it
		// or not.
		Number string
	}
	// Answer answers an offered leg.
	Answer struct{ Leg LegID }
	// Ring tells an unanswered caller that it rings (SIP 180). EarlyMedia opens
	// the way for sound before the answer (SIP 183). Both are idempotent.
	Ring       struct{ Leg LegID }
	EarlyMedia struct{ Leg LegID }
	// Hangup ends a leg with a Q.850 cause. On a leg that is gone, or still
	// being dialled, it is not an error: it must never come to life.
	Hangup struct {
		Leg   LegID
		Cause int
	}
	// Play plays media on a leg, in order.
	Play struct {
		Leg   LegID
		Play  PlayID
		Media []Media
	}
	// StopPlay ends a play early.
	StopPlay struct {
		Leg  LegID
		Play PlayID
	}
	// StartMusic and StopMusic are idempotent.
	StartMusic struct {
		Leg   LegID
		Class string
	}
	StopMusic struct{ Leg LegID }
	// SendDigits sends DTMF to the far end. Not idempotent.
	SendDigits struct {
		Leg    LegID
		Digits string
	}
	// Mute stops what the leg says (MuteIn) or hears (MuteOut); Off ends it.
	// Idempotent.
	Mute struct {
		Leg       LegID
		Direction Direction
		Off       bool
	}
	// Display changes what the leg's phone shows of the other party.
	Display struct {
		Leg   LegID
		Party Party
	}
	// SetVariable leaves a value at the leg for the switch's own dialplan, as
	// RM_<Name>. ReadVariable asks for RM_<Name>, which the dialplan may have
	// set too; VariableRead answers, "" for one that is not there. Name is 1 to
	// 32 of A-Z a-z 0-9 '_', beginning with a letter; Value is letters and
	// digits of any script, spaces and . : @ + * # / = _ -, 255 at most.
	SetVariable struct {
		Leg         LegID
		Name, Value string
	}
	ReadVariable struct {
		Leg  LegID
		Name string
	}
	// DetectMachine listens whether a person or a machine answered;
	// MachineDetected tells, within seconds. Until then the leg, which must be
	// up and in no bridge, takes no command but Hangup. Where
	// Capabilities.DetectsMachine is false it is rejected, ReasonUnsupported.
	DetectMachine struct{ Leg LegID }
	// Release gives a leg back to the switch's dialplan.
	Release struct {
		Leg       LegID
		Context   string
		Extension string
	}
)

// Actions on a recording. It belongs to a leg and follows it from bridge to
// bridge: on the left what the leg says, on the right what it hears.
type (
	// StartRecording is confirmed by RecordingStarted, or by RecordingDone
	// with a fault. Repeated with the same Recording it is ResultAlready. A leg
	// has one recording at a time: until RecordingDone another is rejected,
	// ReasonRecorded.
	StartRecording struct {
		Leg       LegID
		Recording RecordingID
	}
	StopRecording struct {
		Leg       LegID
		Recording RecordingID
	}
	// Mask writes silence on both sides and keeps the timeline; Off ends it.
	// Idempotent on every switch: a repeated Mask never un-masks. When its fate
	// is unknown the adapter ends the recording rather than guess.
	Mask struct {
		Leg       LegID
		Recording RecordingID
		Off       bool
	}
)

// StreamAudio sends what Leg says to a server while it is said: RTP (RFC 3550)
// of G.711 µ-law, payload type 0, over UDP to To, an IP address and a port
// ("192.0.2.1:4000", "[2001:db8::1]:4000"). It follows the leg from bridge to
// bridge until StopStream or the leg's end; SnapshotLeg.Stream confirms it.
// Repeated with the same Stream it is ResultAlready; a leg has one at a time, and
// another is rejected, ReasonStreams. Where Capabilities.StreamsAudio is false
// both are rejected, ReasonUnsupported.
type (
	StreamAudio struct {
		Leg    LegID
		Stream StreamID
		To     string
	}
	StopStream struct {
		Leg    LegID
		Stream StreamID
	}
)

// IsStreamTarget reports whether To of a StreamAudio is well formed: the address
// is no name, for which a switch would stand still, and of no zone.
func IsStreamTarget(to string) bool {
	at, err := netip.ParseAddrPort(to)
	return err == nil && at.Port() != 0 && at.Addr().Zone() == ""
}

// Supervise lets Leg hear Target's talk, and more by Mode. Both are up and Leg is
// in no talk itself, else it is rejected. Told again with another Mode it changes
// while they talk; with another Target it is rejected, ReasonSupervises, until
// StopSupervising. It ends with that, or with either leg.
type (
	Supervise struct {
		Leg    LegID // of the supervisor
		Target LegID // of the agent
		Mode   Supervision
	}
	StopSupervising struct{ Leg LegID }
)

// Answers to TransferAsked. After AcceptTransfer the phone is told that it
// succeeded, and mostly hangs up; what becomes of the party is ordered apart,
// afterwards. After RejectTransfer the phone is told no and both talk as
// before: where Capabilities.TalksWhileAsked is false the switch joins them
// again in their bridge by itself (Joined is told). When no transfer waits, or
// the phone has gone, both are ResultNotFound or ResultAlready.
type (
	AcceptTransfer struct{ Leg LegID }
	RejectTransfer struct{ Leg LegID }
)

// Actions on bridges. Told again while they are being carried out they change
// nothing.
type (
	// Connect puts two legs into one bridge, making it if need be. Music and
	// plays on them are ended first.
	Connect struct {
		Bridge BridgeID
		Stamp  Stamp
		A, B   LegID
	}
	// Join puts a further leg into a bridge in which two already talk. Where
	// Capabilities.JoinGap is not zero they are silent for about so long.
	Join struct {
		Leg    LegID
		Bridge BridgeID
	}
	// Separate takes a leg out of its bridge; it stays in our care.
	Separate struct {
		Leg    LegID
		Bridge BridgeID
	}
	// CloseBridge removes an empty bridge.
	CloseBridge struct{ Bridge BridgeID }
)

func (Claim) action()       {}
func (Dial) action()        {}
func (Answer) action()      {}
func (Hangup) action()      {}
func (Play) action()        {}
func (StopPlay) action()    {}
func (StartMusic) action()  {}
func (StopMusic) action()   {}
func (SendDigits) action()  {}
func (Release) action()     {}
func (Connect) action()     {}
func (Separate) action()    {}
func (CloseBridge) action() {}

func (Ring) action()            {}
func (EarlyMedia) action()      {}
func (Mute) action()            {}
func (Display) action()         {}
func (SetVariable) action()     {}
func (ReadVariable) action()    {}
func (DetectMachine) action()   {}
func (StartRecording) action()  {}
func (StopRecording) action()   {}
func (Mask) action()            {}
func (StreamAudio) action()     {}
func (StopStream) action()      {}
func (Supervise) action()       {}
func (StopSupervising) action() {}
func (AcceptTransfer) action()  {}
func (RejectTransfer) action()  {}
func (Join) action()            {}

// Direction is a side of a leg's sound, seen from the switch.
type Direction string

// The directions.
const (
	MuteIn  Direction = "in"  // what the leg says
	MuteOut Direction = "out" // what the leg hears
)

// Supervision is what a supervisor can do in a talk.
type Supervision string

// The modes.
const (
	Listen  Supervision = "listen"  // hears both, is heard by nobody
	Whisper Supervision = "whisper" // is heard by the agent only
	Barge   Supervision = "barge"   // is heard by both
)

// CommandResult is a switch's answer. Only events confirm; this answers.
type CommandResult string

// The answers.
const (
	ResultAccepted CommandResult = "accepted"
	ResultAlready  CommandResult = "already"   // it was so before
	ResultNotFound CommandResult = "not_found" // no such leg, bridge or play
	ResultRejected CommandResult = "rejected"  // the switch said no
	ResultNoWord   CommandResult = "unknown"   // no answer: look again, never blindly repeat
)

// Why a switch rejects an action, where whoever gave it must be able to tell.
const (
	ReasonUnsupported = "unsupported"          // its Capabilities lack it
	ReasonRecorded    = "recorded already"     // the leg has another recording
	ReasonSupervises  = "supervises elsewhere" // the leg listens to another
	ReasonStreams     = "streams already"      // the leg is streamed elsewhere
	ReasonOverloaded  = "overloaded"           // a Dial whose turn did not come
)

// Ask is a question to something that is not a switch.
type Ask struct {
	ID   AskID
	What Question
}

// AskID names an ask like a command.
type AskID = CommandID

// Question is what can be asked. The set is closed.
type Question interface{ question() }

// ReadPIN asks the shell to collect the digits of one leg up to '#', check
// them against the agent's PIN and answer PINRead. The digits never enter the
// floor, its facts or its journal.
type ReadPIN struct {
	Leg        LegID
	Agent      AgentID
	Timeout    Millis // for the first digit
	InterDigit Millis // for each later one
}

// Resync asks for a fresh snapshot of a switch, because what the floor believes
// of it and what it says do not agree.
type Resync struct{ Switch SwitchID }

func (ReadPIN) question() {}
func (Resync) question()  {}

// PINVerdict is the answer to ReadPIN.
type PINVerdict string

// The verdicts.
const (
	PINCorrect PINVerdict = "correct"
	PINWrong   PINVerdict = "wrong"
	PINTimeout PINVerdict = "timeout"
)
