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

// deedDecoders is every fact by its name. A test holds it against the names below.
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

// FactName is the fact's name in snake_case, "" for none.
func FactName(d Deed) string {
	if d == nil {
		return ""
	}
	return d.deed()
}

func (ConfigApplied) deed() string   { return "config_applied" }
func (SwitchAttached) deed() string  { return "switch_attached" }
func (SwitchDetached) deed() string  { return "switch_detached" }
func (EndpointNoted) deed() string   { return "endpoint_noted" }
func (OverloadNoted) deed() string   { return "overload_noted" }
func (CallArrived) deed() string     { return "call_arrived" }
func (CallRefused) deed() string     { return "call_refused" }
func (NodeEntered) deed() string     { return "node_entered" }
func (DigitTaken) deed() string      { return "digit_taken" }
func (MenuDecided) deed() string     { return "menu_decided" }
func (PlayStarted) deed() string     { return "play_started" }
func (PlayEnded) deed() string       { return "play_ended" }
func (MusicStarted) deed() string    { return "music_started" }
func (MusicStopped) deed() string    { return "music_stopped" }
func (CallQueued) deed() string      { return "call_queued" }
func (CallLeftQueue) deed() string   { return "call_left_queue" }
func (CallConnected) deed() string   { return "call_connected" }
func (CallTransferred) deed() string { return "call_transferred" }
func (TransferRefused) deed() string { return "transfer_refused" }
func (CallReleased) deed() string    { return "call_released" }
func (CallLost) deed() string        { return "call_lost" }
func (CallEnding) deed() string      { return "call_ending" }
func (CallEnded) deed() string       { return "call_ended" }
func (LegStarted) deed() string      { return "leg_started" }
func (LegRang) deed() string         { return "leg_rang" }
func (LegAnswered) deed() string     { return "leg_answered" }
func (LegJoined) deed() string       { return "leg_joined" }
func (LegSeparated) deed() string    { return "leg_separated" }
func (LegMoved) deed() string        { return "leg_moved" }
func (LegHeld) deed() string         { return "leg_held" }
func (LegResumed) deed() string      { return "leg_resumed" }
func (LegClosed) deed() string       { return "leg_closed" }
func (LinkOpened) deed() string      { return "link_opened" }
func (LinkClosed) deed() string      { return "link_closed" }
func (OfferMade) deed() string       { return "offer_made" }
func (OfferEnded) deed() string      { return "offer_ended" }
func (AgentLoggedIn) deed() string   { return "agent_logged_in" }
func (AgentIntended) deed() string   { return "agent_intended" }
func (AgentChanged) deed() string    { return "agent_changed" }
func (AgentRested) deed() string     { return "agent_rested" }
func (ActionRefused) deed() string   { return "action_refused" }
func (ServiceStarted) deed() string  { return "service_started" }
func (ServiceStepped) deed() string  { return "service_stepped" }
func (PINRefused) deed() string      { return "pin_refused" }
func (ServiceEnded) deed() string    { return "service_ended" }
func (CommandFailed) deed() string   { return "command_failed" }
func (InputSetAside) deed() string   { return "input_set_aside" }
func (Healed) deed() string          { return "healed" }
