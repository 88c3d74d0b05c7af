package phone

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
)

const (
	// digitGapFrames is the pause after a digit, in 20 ms frames of sound; ITU-T Q.24 wants 70 ms.
	digitGapFrames = 4
	// digitFrames is the length of a digit as RTPDTMFEncode8000 makes it: packets at 20 ms each.
	digitFrames = 7
	// maxDial bounds one SendDTMF.
	maxDial = 64
	// maxBadPackets in a row make the ear give up.
	maxBadPackets = 10000
)

// openSound starts the ear (and the recorder) on a session that has a remote address. It does nothing when the
// sound is already open, as after early media.
func (c *Call) openSound() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listening != nil {
		return nil
	}
	now := time.Now()
	if path := c.phone.recording(); path != "" {
		r, err := newRecorder(path, now)
		if err != nil {
			return err
		}
		c.recorder, c.recording = r, path
	}
	c.ear.open(now)
	c.listening = make(chan struct{})
	go c.hear(c.dialog.Media().RTPPacketReader, c.recorder)
	return nil
}

// openMouth starts speaking.
func (c *Call) openMouth() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mouth = newMouth(c.dialog.Media(), c.tone)
	go c.mouth.run()
}

// closeMedia stops ear, mouth and recorder, in the order that leaves no goroutine behind. Its error is that of the
// recording.
func (c *Call) closeMedia() error {
	c.mu.Lock()
	m, listening, r := c.mouth, c.listening, c.recorder
	c.mu.Unlock()
	if m != nil {
		m.stop()
	}
	if c.dialog != nil {
		_ = c.dialog.Media().Close()
	}
	if listening != nil {
		<-listening
	}
	if r != nil {
		return r.close()
	}
	return nil
}

// hear reads packets until the socket closes.
func (c *Call) hear(in *media.RTPPacketReader, rec *recorder) {
	defer close(c.listening)
	buf := make([]byte, media.RTPBufSize)
	var block []int16
	var event uint32 // RTP timestamp of the last DTMF event
	var begun bool
	for bad := 0; bad < maxBadPackets; {
		n, err := in.Read(buf)
		at := time.Now()
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// diago: a datagram that is not RTP is an error of the whole stream.
			bad++
			continue
		}
		bad = 0
		h := in.PacketHeader
		table := decode()[h.PayloadType]
		switch {
		case n == 0:
		case h.PayloadType == payloadDTMF:
			// One digit is one timestamp, however many packets tell of it (RFC 4733 2.5.1.2).
			if !begun || h.Timestamp != event {
				begun, event = true, h.Timestamp
				c.heardEvent(at, buf[:n])
			}
		case table != nil:
			block = block[:0]
			for _, b := range buf[:n] {
				block = append(block, table[b])
			}
			c.ear.hear(at, block)
			if rec != nil {
				rec.write(at, block)
			}
		}
	}
}

func (c *Call) heardEvent(at time.Time, payload []byte) {
	var e media.DTMFEvent
	if media.DTMFDecode(payload, &e) != nil || e.Event > 15 {
		return
	}
	c.heardDigit(at, "0123456789*#ABCD"[e.Event])
}

// mouth sends one packet every 20 ms: a tone, silence or a digit.
type mouth struct {
	media  *diago.DialogMedia
	dial   chan dialling
	quit   chan struct{}
	gone   chan struct{}
	offset int

	mu    sync.Mutex
	sound sound
	held  bool
	mute  sound
}

// dialling is a string of digits on its way.
type dialling struct {
	digits string
	sent   chan<- error
}

var errNoEvents = errors.New("the far end does not take RFC 4733 events")

func newMouth(m *diago.DialogMedia, hz int) *mouth {
	return &mouth{
		media: m, dial: make(chan dialling), quit: make(chan struct{}), gone: make(chan struct{}),
		sound: toneSound(hz), mute: toneSound(0),
	}
}

func (m *mouth) say(hz int) {
	s := toneSound(hz)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sound = s
}

// hold silences the mouth: a phone on hold that goes on talking is heard in a conference.
func (m *mouth) hold(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = on
}

func (m *mouth) stop() {
	close(m.quit)
	<-m.gone
}

func (m *mouth) run() {
	defer close(m.gone)
	for {
		select {
		case <-m.quit:
			return
		case d := <-m.dial:
			d.sent <- m.press(d.digits)
		default:
			if err := m.speak(); errors.Is(err, net.ErrClosed) {
				m.wait()
				return
			}
		}
	}
}

// wait refuses digits until the call is over: the socket is already closed.
func (m *mouth) wait() {
	for {
		select {
		case <-m.quit:
			return
		case d := <-m.dial:
			d.sent <- errors.New("the sound of the call is closed")
		}
	}
}

// speak sends the next 20 ms and takes as long.
func (m *mouth) speak() error {
	m.mu.Lock()
	s := m.sound
	if m.held {
		s = m.mute
	}
	m.mu.Unlock()
	payload := media.CodecAudioFromSession(m.media.MediaSession()).PayloadType
	_, err := m.media.RTPPacketWriter.Write(s.frame(payload, m.offset))
	m.offset += frameSamples
	return err
}

// press sends digits as RFC 4733 events of 100 ms with 80 ms of sound between them.
func (m *mouth) press(digits string) error {
	if !takesEvents(m.media.MediaSession()) {
		return errNoEvents
	}
	for _, d := range digits {
		if err := m.pressOne(d); err != nil {
			return err
		}
		for range digitGapFrames {
			// A PBX may hang up on the last digit; the digit has been sent all the same.
			_ = m.speak()
		}
	}
	return nil
}

func (m *mouth) pressOne(digit rune) error {
	tick := time.NewTicker(media.CodecTelephoneEvent8000.SampleDur)
	defer tick.Stop()
	for i, e := range media.RTPDTMFEncode8000(digit) {
		if _, err := m.media.RTPPacketWriter.WriteSamples(media.DTMFEncode(e), 0, i == 0, payloadDTMF); err != nil {
			return err
		}
		<-tick.C
	}
	// diago: its clock stands still during a digit. The sound after it would be late, and a digit that follows at
	// once would have the same RTP timestamp, which makes it the same digit (RFC 4733 2.2.1): "11" is heard as "1".
	m.media.RTPPacketWriter.DelayTimestamp(digitFrames * frameSamples)
	m.offset += digitFrames * frameSamples
	return nil
}

func takesEvents(s *media.MediaSession) bool {
	for _, codec := range s.CommonCodecs() {
		if codec.PayloadType == payloadDTMF {
			return true
		}
	}
	return false
}

// CheckDigits accepts what a phone's keys can send.
func CheckDigits(digits string) error {
	if digits == "" || len(digits) > maxDial {
		return fmt.Errorf("dtmf %q: 1 to %d digits", digits, maxDial)
	}
	for _, r := range digits {
		if !isDigit(r) {
			return fmt.Errorf("dtmf %q: only 0-9 * # A-D", digits)
		}
	}
	return nil
}

func isDigit(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'D' || r == '*' || r == '#'
}

// relayDigit reads "Signal=5" of an application/dtmf-relay body.
func relayDigit(body string) (byte, bool) {
	var digit string
	if n, err := fmt.Sscanf(body, "Signal=%1s", &digit); n != 1 || err != nil || !isDigit(rune(digit[0])) {
		return 0, false
	}
	return digit[0], true
}
