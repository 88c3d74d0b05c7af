package asterisk

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/CyCoreSystems/ari/v5"
)

// message is one event of the websocket, decoded.
type message struct {
	kind  string // ARI's name of it
	event ari.Event
	more  extra

	transfer *referral // of ChannelTransfer, which has no event
}

// extra is what the models of ari/v5 5.3.1 have no field for.
type extra struct {
	Type    string `json:"type"`
	Channel struct {
		ID         string `json:"id"`
		ProtocolID string `json:"protocol_id"`
	} `json:"channel"`
	TechCause int `json:"tech_cause"`
}

// garbled is a message that could not be decoded. kind is "" when not even its
// type could be read.
type garbled struct {
	kind  string
	cause error
}

func (g *garbled) Error() string { return fmt.Sprintf("decode event %q: %v", g.kind, g.cause) }
func (g *garbled) Unwrap() error { return g.cause }

// wanted are the events something is done about, and whether they need the
// fields of extra as well.
var wanted = map[string]bool{
	"ApplicationReplaced":  false,
	"StasisStart":          true,
	"StasisEnd":            false,
	"ChannelStateChange":   false,
	"Dial":                 false,
	"ChannelHangupRequest": true,
	"ChannelDestroyed":     true,
	"ChannelDtmfReceived":  false,
	"ChannelEnteredBridge": false,
	"ChannelLeftBridge":    false,
	"ChannelHold":          false,
	"ChannelUnhold":        false,
	"ChannelTransfer":      false,
	"PlaybackFinished":     false,
	"DeviceStateChanged":   false,
	"RecordingStarted":     false,
	"RecordingFinished":    false,
	"RecordingFailed":      false,
}

const kindTransfer = "ChannelTransfer" // ari/v5 5.3.1 does not know it

// decode reads one message. A type that nothing is done about comes back with
// no event and no error: it is not worth decoding. The models' decoder gets
// only types it knows, and a panic in it is an error here.
func decode(raw []byte) (m message, err error) {
	kind := typeOf(raw)
	if kind == "" {
		return message{}, &garbled{cause: fmt.Errorf("no type in %d bytes", len(raw))}
	}
	m.kind = kind
	needsMore, known := wanted[kind]
	if !known {
		return m, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = &garbled{kind: kind, cause: fmt.Errorf("panic: %v", p)}
		}
	}()
	if needsMore {
		if err := json.Unmarshal(raw, &m.more); err != nil {
			return m, &garbled{kind: kind, cause: err}
		}
	}
	if kind == kindTransfer {
		m.transfer = &referral{}
		if err := json.Unmarshal(raw, m.transfer); err != nil {
			return m, &garbled{kind: kind, cause: err}
		}
		return m, nil
	}
	if m.event, err = ari.DecodeEvent(raw); err != nil {
		return m, &garbled{kind: kind, cause: err}
	}
	return m, nil
}

// maxKind bounds the name of an event, which becomes a key of statistics.
const maxKind = 64

// typeOf reads the member "type" of the outermost object without decoding the
// rest of it.
func typeOf(raw []byte) string {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return ""
		}
		if key == "type" {
			value, err := dec.Token()
			kind, isText := value.(string)
			if err != nil || !isText || len(kind) > maxKind {
				return ""
			}
			return kind
		}
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return ""
		}
	}
	return ""
}
