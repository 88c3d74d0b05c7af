package conformance

import (
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// Harness is the switch under test and the world around it: a trunk that
// calls come from and at least three desk phones.
//
// Far ends are real SIP phones on a real switch and structs on the simulated
// one. An error of a far end fails the test that met it.
type Harness interface {
	// Stage says what the suite must know about the place it runs in.
	Stage() Stage
	// Connect makes a new adapter for the switch. The suite runs and ends it.
	// A second one beside a running first is a second orchestrator, of a newer
	// epoch, taking the switch over.
	Connect(t testing.TB) orchestrator.Switch
	// Narrow is Connect with an adapter that keeps no more than Stage.Backlog
	// events for a receiver who does not take them.
	Narrow(t testing.TB) orchestrator.Switch
	// Call places a call from the trunk and returns as soon as it is on its
	// way. Number and name go as they are into what the far end presents.
	Call(to string, from orchestrator.Party) (Far, error)
	// Link places a call from another switch of ours, like Call.
	Link(to string, from orchestrator.Party) (Far, error)
	// Trunk is who answers the numbers dialled through Stage.Trunk.
	Trunk() Called
	// Phone is the n-th desk phone, 0 to 2, registered at the beginning.
	Phone(n int) Phone
	// Fetch reads a file of a RecordingDone, when Stage.Files.
	Fetch(file string) ([]byte, error)
	// Receive opens a place that StreamAudio can send to until the test ends: its
	// address, and what came there since it was asked last, at 8000 Hz.
	Receive(t testing.TB) (to string, sound func() []int16)
	// Cut breaks the connections between every running adapter and the
	// switch, once; the calls go on and reconnecting works at once.
	Cut(t testing.TB)
	// Strain makes the switch carry too much, or slows its answers by a second.
	// It is fit again some seconds after it is told to be, as adapters take care
	// not to believe it at once.
	Strain(t testing.TB, over bool)
	// Restart restarts the switch itself: every leg ends. Phones are
	// registered again when it returns or soon after.
	Restart(t testing.TB)
}

// Stage is the place the suite runs in.
type Stage struct {
	Number  string // calls to it from the trunk reach us
	Code    string // a feature code that reaches us when a desk phone dials it
	Inward  string // calls to it from another switch of ours reach us
	Trunk   string // an endpoint that numbers are dialled through
	Nowhere string // an endpoint that exists but that no phone has registered
	Unknown string // an endpoint that does not exist

	Prompt  []orchestrator.Media // 0.3 s to 3 s of sound
	Long    []orchestrator.Media // more than 10 s of sound
	Missing []orchestrator.Media // a sound that is not there
	Music   string               // a class of music the switch has

	// Context and Extension are where the switch's dialplan keeps a released
	// leg alive for at least twice Quiet.
	Context, Extension string

	Tones bool // far ends send and recognise tones
	Files bool // recordings hold the sound, in WAV files of 16 bits

	Backlog int // see Harness.Narrow

	Event   time.Duration // within this an expected event has come
	Quiet   time.Duration // what has not come within this does not come
	Alone   time.Duration // after this without us a waiting caller is where they stay
	Recover time.Duration // within this a cut or restarted switch is synced again
}

// Conduct is what a desk phone does with calls that reach it.
type Conduct string

// The conducts.
const (
	Rings    Conduct = "rings"    // 180, then waits to be told
	Early    Conduct = "early"    // 183 with sound instead, then waits to be told
	Busy     Conduct = "busy"     // 486
	Declines Conduct = "declines" // 603
	Away     Conduct = "away"     // 480
	Deaf     Conduct = "deaf"     // never replies at all
)

// Called is somebody whom calls can reach.
type Called interface {
	// Behave sets what they do with calls from now on and forgets those they
	// had, hanging up any that are left.
	Behave(c Conduct) error
	// Rung is every call that reached them since Behave, oldest first, whatever
	// became of it.
	Rung() []Far
}

// Phone is a desk phone registered to the switch.
type Phone interface {
	Called
	// Endpoint is the switch's own name for the phone.
	Endpoint() string
	// Dial calls a number from this phone.
	Dial(number string) (Far, error)
	// Unregister takes the phone off the switch, Register puts it back.
	Unregister() error
	Register() error
}

// Far is the far end of one leg: the caller's phone, or a desk phone's side of
// one call.
type Far interface {
	Answer() error
	Hangup() error // also gives up a call that was not answered yet
	Press(digits string) error
	Hold() error
	Resume() error
	// Transfer is the phone's transfer key (SIP REFER) and TransferTo the same
	// with a consultation: another call that this phone has placed. Both return
	// at once. A phone that is told its transfer succeeded hangs up.
	Transfer(number string) error
	TransferTo(consult Far) error
	// Transferred is what the phone was told became of its last transfer, a SIP
	// status of 200 or more; 0 before that.
	Transferred() int
	// Tone sends a tone of that many Hz from now on; 0 is silence.
	Tone(hz int) error
	// Hears reports whether a tone of that many Hz is heard within d.
	Hears(hz int, d time.Duration) bool
	// Missed is the longest stretch since then without a tone of that many Hz.
	Missed(hz int, since time.Time) time.Duration
	// Early reports whether the call has, or had, sound before its answer.
	Early() bool
	// Ringing, Up and Ended are where the far end believes the call to be.
	Ringing() bool
	Up() bool
	Ended() bool
	// Status is the final SIP response code to a call that was refused, 0
	// before that and for calls that were answered.
	Status() int
	// Pressed is the DTMF this far end has received.
	Pressed() string
	// Shown is the caller as the phone displays it.
	Shown() orchestrator.Party
	// Dialled is the number by which a call through the trunk reached it.
	Dialled() string
}
