package orchestrator

import (
	"encoding/json"
	"fmt"
	"time"
)

// line is a fact as the journal, the database and webhooks hold it.
type line struct {
	Seq   uint64          `json:"seq"`
	Index int             `json:"index"`
	At    time.Time       `json:"at"`
	Name  string          `json:"fact"`
	What  json.RawMessage `json:"what"`
}

// MarshalFact encodes a fact as one line of JSON: seq, index, at, the fact's
// name in snake_case and its fields.
func MarshalFact(f Fact) ([]byte, error) {
	name := FactName(f.What)
	if name == "" {
		return nil, fmt.Errorf("encode fact %d.%d: %T has no name", f.Seq, f.Index, f.What)
	}
	what, err := json.Marshal(f.What)
	if err != nil {
		return nil, fmt.Errorf("encode fact %d.%d: %w", f.Seq, f.Index, err)
	}
	return json.Marshal(line{Seq: f.Seq, Index: f.Index, At: f.At, Name: name, What: what})
}

// UnmarshalFact decodes what MarshalFact made. A name it does not know is an
// error: a journal of a newer version must not be half read.
func UnmarshalFact(text []byte) (Fact, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Fact{}, fmt.Errorf("decode fact: %w", err)
	}
	decode := deedDecoders[l.Name]
	if decode == nil {
		return Fact{}, fmt.Errorf("decode fact %d.%d: unknown fact %q", l.Seq, l.Index, l.Name)
	}
	what, err := decode(l.What)
	if err != nil {
		return Fact{}, fmt.Errorf("decode fact %d.%d %s: %w", l.Seq, l.Index, l.Name, err)
	}
	return Fact{Seq: l.Seq, Index: l.Index, At: l.At, What: what}, nil
}

func decodeAs[T Deed](raw json.RawMessage) (Deed, error) {
	var d T
	err := json.Unmarshal(raw, &d)
	return d, err
}

// deedDecoders is every fact by its name. A test holds it against FactName.
var deedDecoders = map[string]func(json.RawMessage) (Deed, error){ //nolint:gochecknoglobals // a table nobody writes
	"config_applied":   decodeAs[ConfigApplied],
	"switch_attached":  decodeAs[SwitchAttached],
	"switch_detached":  decodeAs[SwitchDetached],
	"endpoint_noted":   decodeAs[EndpointNoted],
	"overload_noted":   decodeAs[OverloadNoted],
	"call_arrived":     decodeAs[CallArrived],
	"call_refused":     decodeAs[CallRefused],
	"node_entered":     decodeAs[NodeEntered],
	"digit_taken":      decodeAs[DigitTaken],
	"menu_decided":     decodeAs[MenuDecided],
	"play_started":     decodeAs[PlayStarted],
	"play_ended":       decodeAs[PlayEnded],
	"music_started":    decodeAs[MusicStarted],
	"music_stopped":    decodeAs[MusicStopped],
	"call_queued":      decodeAs[CallQueued],
	"call_left_queue":  decodeAs[CallLeftQueue],
	"call_connected":   decodeAs[CallConnected],
	"call_transferred": decodeAs[CallTransferred],
	"transfer_refused": decodeAs[TransferRefused],
	"call_released":    decodeAs[CallReleased],
	"call_lost":        decodeAs[CallLost],
	"call_ending":      decodeAs[CallEnding],
	"call_ended":       decodeAs[CallEnded],
	"leg_started":      decodeAs[LegStarted],
	"leg_rang":         decodeAs[LegRang],
	"leg_answered":     decodeAs[LegAnswered],
	"leg_joined":       decodeAs[LegJoined],
	"leg_separated":    decodeAs[LegSeparated],
	"leg_moved":        decodeAs[LegMoved],
	"leg_held":         decodeAs[LegHeld],
	"leg_resumed":      decodeAs[LegResumed],
	"leg_closed":       decodeAs[LegClosed],
	"link_opened":      decodeAs[LinkOpened],
	"link_closed":      decodeAs[LinkClosed],
	"offer_made":       decodeAs[OfferMade],
	"offer_ended":      decodeAs[OfferEnded],
	"agent_logged_in":  decodeAs[AgentLoggedIn],
	"agent_intended":   decodeAs[AgentIntended],
	"agent_changed":    decodeAs[AgentChanged],
	"agent_rested":     decodeAs[AgentRested],
	"action_refused":   decodeAs[ActionRefused],
	"service_started":  decodeAs[ServiceStarted],
	"service_stepped":  decodeAs[ServiceStepped],
	"pin_refused":      decodeAs[PINRefused],
	"service_ended":    decodeAs[ServiceEnded],
	"command_failed":   decodeAs[CommandFailed],
	"input_set_aside":  decodeAs[InputSetAside],
	"healed":           decodeAs[Healed],
}

// FactName is the fact's name in snake_case, "" for a deed outside the set.
func FactName(d Deed) string { //nolint:funlen // a line per fact
	switch d.(type) {
	case ConfigApplied:
		return "config_applied"
	case SwitchAttached:
		return "switch_attached"
	case SwitchDetached:
		return "switch_detached"
	case EndpointNoted:
		return "endpoint_noted"
	case OverloadNoted:
		return "overload_noted"
	case CallArrived:
		return "call_arrived"
	case CallRefused:
		return "call_refused"
	case NodeEntered:
		return "node_entered"
	case DigitTaken:
		return "digit_taken"
	case MenuDecided:
		return "menu_decided"
	case PlayStarted:
		return "play_started"
	case PlayEnded:
		return "play_ended"
	case MusicStarted:
		return "music_started"
	case MusicStopped:
		return "music_stopped"
	case CallQueued:
		return "call_queued"
	case CallLeftQueue:
		return "call_left_queue"
	case CallConnected:
		return "call_connected"
	case CallTransferred:
		return "call_transferred"
	case TransferRefused:
		return "transfer_refused"
	case CallReleased:
		return "call_released"
	case CallLost:
		return "call_lost"
	case CallEnding:
		return "call_ending"
	case CallEnded:
		return "call_ended"
	case LegStarted:
		return "leg_started"
	case LegRang:
		return "leg_rang"
	case LegAnswered:
		return "leg_answered"
	case LegJoined:
		return "leg_joined"
	case LegSeparated:
		return "leg_separated"
	case LegMoved:
		return "leg_moved"
	case LegHeld:
		return "leg_held"
	case LegResumed:
		return "leg_resumed"
	case LegClosed:
		return "leg_closed"
	case LinkOpened:
		return "link_opened"
	case LinkClosed:
		return "link_closed"
	case OfferMade:
		return "offer_made"
	case OfferEnded:
		return "offer_ended"
	case AgentLoggedIn:
		return "agent_logged_in"
	case AgentIntended:
		return "agent_intended"
	case AgentChanged:
		return "agent_changed"
	case AgentRested:
		return "agent_rested"
	case ActionRefused:
		return "action_refused"
	case ServiceStarted:
		return "service_started"
	case ServiceStepped:
		return "service_stepped"
	case PINRefused:
		return "pin_refused"
	case ServiceEnded:
		return "service_ended"
	case CommandFailed:
		return "command_failed"
	case InputSetAside:
		return "input_set_aside"
	case Healed:
		return "healed"
	}
	return ""
}

func (ConfigApplied) deed()   {}
func (SwitchAttached) deed()  {}
func (SwitchDetached) deed()  {}
func (EndpointNoted) deed()   {}
func (OverloadNoted) deed()   {}
func (CallArrived) deed()     {}
func (CallRefused) deed()     {}
func (NodeEntered) deed()     {}
func (DigitTaken) deed()      {}
func (MenuDecided) deed()     {}
func (PlayStarted) deed()     {}
func (PlayEnded) deed()       {}
func (MusicStarted) deed()    {}
func (MusicStopped) deed()    {}
func (CallQueued) deed()      {}
func (CallLeftQueue) deed()   {}
func (CallConnected) deed()   {}
func (CallTransferred) deed() {}
func (TransferRefused) deed() {}
func (CallReleased) deed()    {}
func (CallLost) deed()        {}
func (CallEnding) deed()      {}
func (CallEnded) deed()       {}
func (LegStarted) deed()      {}
func (LegRang) deed()         {}
func (LegAnswered) deed()     {}
func (LegJoined) deed()       {}
func (LegSeparated) deed()    {}
func (LegMoved) deed()        {}
func (LegHeld) deed()         {}
func (LegResumed) deed()      {}
func (LegClosed) deed()       {}
func (LinkOpened) deed()      {}
func (LinkClosed) deed()      {}
func (OfferMade) deed()       {}
func (OfferEnded) deed()      {}
func (AgentLoggedIn) deed()   {}
func (AgentIntended) deed()   {}
func (AgentChanged) deed()    {}
func (AgentRested) deed()     {}
func (ActionRefused) deed()   {}
func (ServiceStarted) deed()  {}
func (ServiceStepped) deed()  {}
func (PINRefused) deed()      {}
func (ServiceEnded) deed()    {}
func (CommandFailed) deed()   {}
func (InputSetAside) deed()   {}
func (Healed) deed()          {}
