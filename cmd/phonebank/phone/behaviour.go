package phone

import (
	"fmt"
	"time"
)

// Action is what a phone does with an incoming call.
type Action string

// The actions. The zero value is Ring.
const (
	Ring   Action = "ring"   // 180 and nothing more, until Call.Answer, Call.Reject or the caller gives up
	Early  Action = "early"  // 183 with SDP and nothing more: sound before the answer
	Answer Action = "answer" // 180 at once, 200 after a time
	Reject Action = "reject" // a final response after a time; 180 before it when the time is not zero
	Silent Action = "silent" // not a single response, like a phone whose network cable is out
)

// Behaviour is an action and its details.
type Behaviour struct {
	Action      Action
	After       time.Duration // ringing time before Answer or Reject
	Code        int           // of Reject, 300 to 699: 486 busy, 480 unavailable, 603 declined
	HangUpAfter time.Duration // talking time after which the phone hangs up by itself; 0 leaves that to others
}

// AnswerAfter rings for a time and answers.
func AnswerAfter(ring time.Duration) Behaviour { return Behaviour{Action: Answer, After: ring} }

// RejectWith answers at once with a final SIP status such as 486.
func RejectWith(code int) Behaviour { return Behaviour{Action: Reject, Code: code} }

// RingForever rings until somebody decides otherwise.
func RingForever() Behaviour { return Behaviour{Action: Ring} }

// EarlyForever says 183 instead of 180 and waits for a decision.
func EarlyForever() Behaviour { return Behaviour{Action: Early} }

// Unresponsive drops every INVITE unread.
func Unresponsive() Behaviour { return Behaviour{Action: Silent} }

func (b *Behaviour) validate() error {
	if b.Action == "" {
		b.Action = Ring
	}
	if b.After < 0 || b.HangUpAfter < 0 {
		return fmt.Errorf("behaviour %s: negative time", b.Action)
	}
	switch b.Action {
	case Ring, Early, Answer, Silent:
		return nil
	case Reject:
		if _, ok := phrase[b.Code]; ok || b.Code >= 300 && b.Code <= 699 {
			return nil
		}
		return fmt.Errorf("behaviour reject: code %d is not a final status from 300 to 699", b.Code)
	}
	return fmt.Errorf("behaviour %q: want ring, answer, reject or silent", b.Action)
}

// phrase holds the reason phrases (RFC 3261 21) of what phones usually say.
var phrase = map[int]string{
	404: "Not Found", 408: "Request Timeout", 480: "Temporarily Unavailable", 486: "Busy Here",
	487: "Request Terminated", 488: "Not Acceptable Here", 500: "Server Internal Error",
	503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline",
}

func phraseOf(code int) string {
	if p, ok := phrase[code]; ok {
		return p
	}
	return "Rejected"
}
