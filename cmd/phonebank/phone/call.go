package phone

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Direction says who placed a call, seen from the phone.
type Direction string

// The directions.
const (
	Incoming Direction = "in"
	Outgoing Direction = "out"
)

// Party is whose doing it was that a call ended.
type Party string

// The parties.
const (
	Local   Party = "local"   // this phone: hung up, cancelled or rejected
	Remote  Party = "remote"  // the far end: BYE, CANCEL or a final response
	Network Party = "network" // nobody answered a request, or the media could not be opened
)

// End is how a call ended.
type End struct {
	By      Party
	Code    int      // final status of the INVITE: 200 when answered, 487 when cancelled, 0 when none came
	Reasons []string // Reason headers (RFC 3326) of the BYE, CANCEL or final response, as written
	Err     error    // set when By is Network, or when the goodbye or the recording failed
}

// session is what this package needs of diago's two kinds of dialogs.
type session interface {
	Context() context.Context
	Hangup(context.Context) error
	Media() *diago.DialogMedia
	Hold(context.Context) error
	Unhold(context.Context) error
	Close() error
}

// Call is one call of a phone, incoming or outgoing. It is safe for concurrent use and stays readable after its end.
type Call struct {
	phone     *Phone
	id        string
	direction Direction
	peer      string
	name      string
	dialled   string
	offered   bool // the media of an incoming call is open
	header    func(name string) []string
	created   time.Time
	trace     *trace
	dialog    session

	giveUp  context.CancelFunc // outgoing, before the answer: sends CANCEL
	verdict chan Behaviour     // incoming, before the answer: Answer or Reject

	ringing  chan struct{}
	answered chan struct{}
	leaving  chan struct{} // closed when this side wants the call to end
	done     chan struct{}

	ringOnce, leaveOnce sync.Once

	ear *Ear

	mu        sync.Mutex
	tone      int
	mouth     *mouth
	recorder  *recorder
	recording string
	end       End
	held      bool
	told      int           // of the last REFER
	listening chan struct{} // closed when the ear has stopped
}

func (p *Phone) newCall(id string, d Direction) *Call {
	c := &Call{
		phone: p, id: id, direction: d, created: time.Now(), trace: p.traces.claim(id), tone: p.cfg.ToneHz,
		verdict: make(chan Behaviour, 1), ringing: make(chan struct{}), answered: make(chan struct{}),
		leaving: make(chan struct{}), done: make(chan struct{}),
		header: func(string) []string { return nil }, giveUp: func() {},
	}
	c.ear = newEar(p.listen, c.created, func(hz int, at time.Time) {
		c.emit(Event{At: at, Kind: HeardTone, ToneHz: hz})
	})
	return c
}

// ID is the SIP Call-ID, which PBX logs and events carry too.
func (c *Call) ID() string { return c.id }

// Phone is the account of the phone whose call this is.
func (c *Call) Phone() string { return c.phone.cfg.User }

// Direction says who placed the call.
func (c *Call) Direction() Direction { return c.direction }

// Peer is the caller's number (incoming, from the From header) or the number dialled (outgoing).
func (c *Call) Peer() string { return c.peer }

// PeerName is the display name of the caller, unescaped; empty for outgoing calls.
func (c *Call) PeerName() string { return c.name }

// Dialled is the number an incoming call was sent to, from the request URI; empty for outgoing calls.
func (c *Call) Dialled() string { return c.dialled }

// Header is the first header of that name in the incoming INVITE, or empty. Names are case-insensitive.
func (c *Call) Header(name string) string {
	if v := c.header(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Headers are all headers of that name in the incoming INVITE.
func (c *Call) Headers(name string) []string { return c.header(name) }

// Times are the call's instants on the wire so far.
func (c *Call) Times() Times {
	t, _, _ := c.trace.snapshot()
	return t
}

// Retransmitted is how often an INVITE of this call was sent or received again: a far end that is late.
func (c *Call) Retransmitted() int {
	_, _, n := c.trace.snapshot()
	return n
}

// Ringing is closed when the call rings (180 was received, or sent) or is answered without having rung.
func (c *Call) Ringing() <-chan struct{} { return c.ringing }

// Answered is closed when the call is up and the sound runs.
func (c *Call) Answered() <-chan struct{} { return c.answered }

// Done is closed when the call is over.
func (c *Call) Done() <-chan struct{} { return c.done }

// Up says whether the call is answered and not over.
func (c *Call) Up() bool {
	select {
	case <-c.done:
		return false
	default:
	}
	select {
	case <-c.answered:
		return true
	default:
		return false
	}
}

// End says how the call ended. It is the zero End until Done is closed.
func (c *Call) End() End {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end
}

// WaitAnswer waits until the call is answered. A call that ends instead is a *StatusError.
func (c *Call) WaitAnswer(ctx context.Context) error {
	select {
	case <-c.answered:
		return nil
	case <-c.done:
	case <-ctx.Done():
		return fmt.Errorf("call %s: wait for the answer: %w", c.id, ctx.Err())
	}
	select {
	case <-c.answered:
		return nil
	default:
	}
	end := c.End()
	return fmt.Errorf("call %s: %w", c.id, &StatusError{Method: "INVITE", Code: end.Code, Phrase: phraseOf(end.Code), Err: end.Err})
}

// WaitEnd waits until the call is over.
func (c *Call) WaitEnd(ctx context.Context) (End, error) {
	select {
	case <-c.done:
		return c.End(), nil
	case <-ctx.Done():
		return End{}, fmt.Errorf("call %s: wait for the end: %w", c.id, ctx.Err())
	}
}

// Ear is what the call heard and hears. It is the same one all the time.
func (c *Call) Ear() *Ear { return c.ear }

// Recording is the path of the WAV file of what was heard; empty when nothing is recorded. The file is complete
// when Done is closed.
func (c *Call) Recording() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recording
}

// SetTone changes what the phone says in this call; 0 Hz is silence.
func (c *Call) SetTone(hz int) error {
	if hz != 0 && (hz < minToneHz || hz > maxToneHz) {
		return fmt.Errorf("call %s: tone %d Hz: between %d and %d Hz", c.id, hz, minToneHz, maxToneHz)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tone = hz
	if c.mouth != nil {
		c.mouth.say(hz)
	}
	return nil
}

// Hangup ends the call, whatever its state: CANCEL, 603 or BYE. It returns when the call is over, and nil for one
// that was over before.
func (c *Call) Hangup(ctx context.Context) error {
	c.leave()
	select {
	case <-c.done:
		return c.End().Err
	case <-ctx.Done():
		return fmt.Errorf("call %s: hang up: %w", c.id, ctx.Err())
	}
}

func (c *Call) leave() {
	c.leaveOnce.Do(func() { close(c.leaving) })
	c.giveUp()
}

func (c *Call) isLeaving() bool {
	select {
	case <-c.leaving:
		return true
	default:
		return false
	}
}

// rang marks the first ringing.
func (c *Call) rang() {
	c.ringOnce.Do(func() {
		close(c.ringing)
		c.emit(Event{At: c.Times().Ringing, Kind: Ringing})
	})
}

func (c *Call) emit(e Event) {
	e.CallID, e.Direction, e.Peer, e.Name = c.id, c.direction, c.peer, c.name
	c.phone.emit(e)
}

func (c *Call) heardDigit(at time.Time, d byte) {
	c.ear.digit(d)
	c.emit(Event{At: at, Kind: HeardDigit, Digit: string(d)})
}

// up is the life of an answered call.
func (c *Call) up(hangUpAfter time.Duration) End {
	c.emit(Event{At: c.Times().Answered, Kind: Answered})
	if err := c.openSound(); err != nil {
		end := c.bye()
		end.By, end.Err = Network, err
		return end
	}
	c.openMouth()
	close(c.answered)
	return c.talk(hangUpAfter)
}

// talk waits until either side ends the call.
func (c *Call) talk(hangUpAfter time.Duration) End {
	limit := time.NewTimer(c.phone.cfg.MaxCall)
	defer limit.Stop()
	var own <-chan time.Time
	if hangUpAfter > 0 {
		timer := time.NewTimer(hangUpAfter)
		defer timer.Stop()
		own = timer.C
	}
	select {
	case <-c.dialog.Context().Done():
		return End{By: Remote, Code: sip.StatusOK}
	case <-own:
	case <-limit.C:
	case <-c.leaving:
	case <-c.phone.ctx.Done():
	}
	return c.bye()
}

// bye ends an answered call from this side.
func (c *Call) bye() End {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	end := End{By: Local, Code: sip.StatusOK}
	if err := c.dialog.Hangup(ctx); err != nil {
		end.Err = fmt.Errorf("bye: %w", statusOf("BYE", err))
	}
	t := c.Times()
	if !t.ByeReceived.IsZero() && (t.ByeSent.IsZero() || t.ByeReceived.Before(t.ByeSent)) {
		// Both hung up at once; the far end was first, and may have refused our BYE for a dead dialog.
		end.By, end.Err = Remote, nil
	}
	return end
}

// finish is the last thing that happens to a call.
func (c *Call) finish(end End) {
	if err := c.closeMedia(); end.Err == nil {
		end.Err = err
	}
	_ = c.dialog.Close()
	times, reasons, _ := c.trace.snapshot()
	end.Reasons = reasons
	at := times.ended()
	if at.IsZero() {
		at = time.Now()
	}
	c.trace.mu.Lock()
	c.trace.times.Ended = at
	c.trace.mu.Unlock()
	c.mu.Lock()
	c.end = end
	c.mu.Unlock()
	c.phone.end(c)
	e := Event{At: at, Kind: Ended, Code: end.Code, By: end.By, Reason: strings.Join(reasons, ", ")}
	if end.Err != nil {
		e.Reason = end.Err.Error()
	}
	if !times.Answered.IsZero() {
		e.TalkMs = at.Sub(times.Answered).Milliseconds()
	}
	c.emit(e)
	close(c.done)
	c.phone.calls.Done()
}

// statusOf turns the error types of diago and sipgo into a StatusError; nil stays nil.
func statusOf(method string, err error) error {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*diago.RegisterResponseError](err); ok {
		return &StatusError{Method: method, Code: refused.RegisterRes.StatusCode, Phrase: refused.RegisterRes.Reason}
	}
	var response *sip.Response
	var byPointer *sipgo.ErrDialogResponse
	var byValue sipgo.ErrDialogResponse
	switch {
	case errors.As(err, &byPointer):
		response = byPointer.Res
	case errors.As(err, &byValue):
		response = byValue.Res
	case errors.Is(err, context.DeadlineExceeded):
		return &StatusError{Method: method, Err: context.DeadlineExceeded}
	default:
		return &StatusError{Method: method, Err: err}
	}
	return &StatusError{Method: method, Code: response.StatusCode, Phrase: response.Reason}
}
