package phone

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind names what an Event tells.
type Kind string

// The kinds of events.
const (
	Registered   Kind = "registered"
	Unregistered Kind = "unregistered"
	Lost         Kind = "registration_lost" // a renewal failed; the phone keeps trying
	Dialled      Kind = "dialled"           // an outgoing INVITE is about to leave
	Ringing      Kind = "ringing"           // 180 was sent (incoming) or received (outgoing)
	Answered     Kind = "answered"
	HeardTone    Kind = "heard_tone" // the first time of each tone in a call
	HeardDigit   Kind = "heard_digit"
	Ended        Kind = "ended"
)

// Event is one thing that happened to a phone.
type Event struct {
	At     time.Time `json:"at"`
	Phone  string    `json:"phone"`
	Kind   Kind      `json:"kind"`
	CallID string    `json:"call_id,omitempty"`
	// Direction, Peer and Name are those of the call.
	Direction Direction `json:"direction,omitempty"`
	Peer      string    `json:"peer,omitempty"`
	Name      string    `json:"name,omitempty"`
	ToneHz    int       `json:"tone_hz,omitempty"`
	Digit     string    `json:"digit,omitempty"`
	Code      int       `json:"code,omitempty"`   // final SIP status, with Ended and Lost
	By        Party     `json:"by,omitempty"`     // who ended it, with Ended
	Reason    string    `json:"reason,omitempty"` // Reason header or error, with Ended and Lost
	TalkMs    int64     `json:"talk_ms,omitempty"`
}

// StatusError is a SIP request that the far end refused, or did not answer (Code 0).
type StatusError struct {
	Method string
	Code   int
	Phrase string
	Err    error
}

func (e *StatusError) Error() string {
	if e.Code == 0 && errors.Is(e.Err, context.DeadlineExceeded) {
		return e.Method + ": no answer in time"
	}
	if e.Code == 0 {
		return fmt.Sprintf("%s: no answer: %v", e.Method, e.Err)
	}
	return fmt.Sprintf("%s: %d %s", e.Method, e.Code, e.Phrase)
}

func (e *StatusError) Unwrap() error { return e.Err }
