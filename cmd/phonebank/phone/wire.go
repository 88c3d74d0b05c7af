package phone

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// wire is the phone's one SIP socket. Every datagram passes it, so the times it takes are those of the
// network and not of a goroutine that came later, and what it drops never happened.
type wire struct {
	*net.UDPConn
	stamps  *stamper
	see     func(at time.Time, out bool, datagram []byte) (drop bool)
	ready   chan struct{} // closed at the first read: the transport knows the socket from then on
	reading sync.Once
	deaf    atomic.Bool // nothing more is handed on
}

func newWire(host string, port int, see func(time.Time, bool, []byte) bool) (*wire, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host), Port: port})
	if err != nil {
		return nil, err
	}
	return &wire{UDPConn: conn, stamps: newStamper(conn), see: see, ready: make(chan struct{})}, nil
}

// ReadFrom hands on the next datagram that is not dropped.
func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	w.reading.Do(func() { close(w.ready) })
	for {
		n, from, at, err := w.stamps.read(b)
		if err != nil {
			return n, nil, err
		}
		if !w.deaf.Load() && !w.see(at, false, b[:n]) {
			return n, from, nil
		}
	}
}

// WriteTo sends a datagram, or only claims to.
func (w *wire) WriteTo(b []byte, to net.Addr) (int, error) {
	if w.see(time.Now(), true, b) {
		return len(b), nil
	}
	return w.UDPConn.WriteTo(b, to)
}

// message is what the phone wants to know of a datagram before anybody parses it.
type message struct {
	method  string // of a request; empty for a response
	status  int    // of a response
	callID  string
	cseq    string   // method of the CSeq header: what a response answers
	reasons []string // Reason headers (RFC 3326), in order
}

// maxHeaderLines bounds the reading of one datagram.
const maxHeaderLines = 256

// peek reads the start line and three headers. It is false for anything that is not SIP.
func peek(datagram []byte) (message, bool) {
	head, _, _ := bytes.Cut(datagram, []byte("\r\n\r\n"))
	lines := bytes.SplitN(head, []byte("\r\n"), maxHeaderLines)
	var m message
	start := strings.Fields(string(lines[0]))
	switch {
	case len(start) >= 2 && start[0] == "SIP/2.0":
		status, err := strconv.Atoi(start[1])
		if err != nil || status < 100 || status > 699 {
			return m, false
		}
		m.status = status
	case len(start) == 3 && start[2] == "SIP/2.0":
		m.method = start[0]
	default:
		return m, false
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(string(line), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "call-id", "i":
			m.callID = value
		case "cseq":
			if f := strings.Fields(value); len(f) == 2 {
				m.cseq = f[1]
			}
		case "reason":
			m.reasons = append(m.reasons, value)
		}
	}
	return m, m.callID != ""
}

// Times are the instants of one call on the wire; zero for what did not happen. Retransmissions do not
// move them.
type Times struct {
	Invite         time.Time // first INVITE, sent or received
	Trying         time.Time // 100
	Ringing        time.Time // 180
	Progress       time.Time // 183
	Answered       time.Time // 200 to the INVITE
	Acked          time.Time // ACK to the 200
	CancelSent     time.Time
	CancelReceived time.Time
	ByeSent        time.Time
	ByeReceived    time.Time
	Rejected       time.Time // final response of 300 or more; of an INVITE sent without credentials, only the last one
	Ended          time.Time // the instant of the BYE, CANCEL or final response that ended the call
}

// over says whether a message that ends the call was on the wire.
func (t Times) over() bool { return t.ended() != time.Time{} }

// ended is the instant of the earliest message that ended the call; zero while there was none.
func (t Times) ended() time.Time {
	candidates := []time.Time{t.ByeSent, t.ByeReceived}
	if t.Answered.IsZero() {
		candidates = []time.Time{t.CancelSent, t.CancelReceived, t.Rejected}
	}
	var at time.Time
	for _, c := range candidates {
		if !c.IsZero() && (at.IsZero() || c.Before(at)) {
			at = c
		}
	}
	return at
}

// trace collects the times of one Call-ID.
type trace struct {
	mu            sync.Mutex
	times         Times
	reasons       []string
	retransmitted int // INVITEs after the first, credentials apart
}

// note keeps the first instant of each kind of message.
func (t *trace) note(at time.Time, out bool, m message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := func(field *time.Time) {
		if field.IsZero() {
			*field = at
		}
	}
	ts := &t.times
	switch {
	case m.method == "INVITE" && ts.Answered.IsZero():
		if !ts.Invite.IsZero() && ts.Rejected.IsZero() {
			t.retransmitted++
		}
		first(&ts.Invite)
		ts.Rejected = time.Time{} // this is the second attempt, with credentials
	case m.method == "ACK" && !ts.Answered.IsZero():
		first(&ts.Acked)
	case m.method == "CANCEL" && out:
		first(&ts.CancelSent)
	case m.method == "CANCEL":
		first(&ts.CancelReceived)
		t.reasons = m.reasons
	case m.method == "BYE" && out:
		first(&ts.ByeSent)
	case m.method == "BYE":
		first(&ts.ByeReceived)
		t.reasons = m.reasons
	case m.cseq == "INVITE" && ts.Answered.IsZero():
		t.noteAnswer(m, first)
	}
}

func (t *trace) noteAnswer(m message, first func(*time.Time)) {
	ts := &t.times
	switch {
	case m.status == 100:
		first(&ts.Trying)
	case m.status == 183:
		first(&ts.Progress)
	case m.status > 100 && m.status < 200:
		first(&ts.Ringing)
	case m.status >= 200 && m.status < 300:
		first(&ts.Answered)
	case m.status >= 300:
		first(&ts.Rejected)
		if len(m.reasons) > 0 && t.reasons == nil {
			t.reasons = m.reasons
		}
	}
}

func (t *trace) snapshot() (Times, []string, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.times, t.reasons, t.retransmitted
}

// traces finds the trace of a Call-ID. Those of calls stay until the call is over; those that no call has
// claimed yet (an INVITE still being parsed, or one that was dropped) are bounded.
type traces struct {
	mu      sync.Mutex
	byID    map[string]*trace
	orphans []string
}

// maxOrphans bounds the traces without a call.
const maxOrphans = 256

func newTraces() *traces { return &traces{byID: make(map[string]*trace)} }

// note files a datagram; only an INVITE opens a trace.
func (ts *traces) note(at time.Time, out bool, m message) {
	ts.mu.Lock()
	t := ts.byID[m.callID]
	if t == nil && m.method == "INVITE" {
		t = &trace{}
		ts.byID[m.callID] = t
		ts.orphans = append(ts.orphans, m.callID)
		if len(ts.orphans) > maxOrphans {
			delete(ts.byID, ts.orphans[0])
			ts.orphans = ts.orphans[1:]
		}
	}
	ts.mu.Unlock()
	if t != nil {
		t.note(at, out, m)
	}
}

// claim binds a trace to a call, which must drop it at its end.
func (ts *traces) claim(id string) *trace {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byID[id]
	if t == nil {
		t = &trace{}
		ts.byID[id] = t
	}
	for i, o := range ts.orphans {
		if o == id {
			ts.orphans = append(ts.orphans[:i:i], ts.orphans[i+1:]...)
			break
		}
	}
	return t
}

func (ts *traces) drop(id string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.byID, id)
}
