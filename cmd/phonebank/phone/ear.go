package phone

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// Window is the length of one entry of the timeline.
	Window = 100 * time.Millisecond

	// maxWindows bounds the timeline of one call to two hours; the oldest are forgotten.
	maxWindows = 2 * 60 * 60 * 10

	// waitStep is how often a waiting query looks again: the length of one packet.
	waitStep = 20 * time.Millisecond
)

// Moment is one window of the timeline.
type Moment struct {
	Start   time.Time
	Packets int     // audio packets that arrived within the window; about 5 when the line is good
	RMS     float64 // loudness of what arrived, full scale 32768
	Tones   []int   // the known tones that at least half of the packets held, in Hz
}

// window counts in 20 ms packets, so that one late packet does not decide about a whole window.
type window struct {
	packets, silent uint8
	energy          float32
	tones           []uint8 // packets that held each tone, nil when none did
}

// Ear keeps what one call heard, window by window, from the moment the call existed; before its media is open
// there is silence.
//
// It is safe for concurrent use, also after the call has ended.
type Ear struct {
	listen listener
	onTone func(hz int, at time.Time) // first time of each tone; called without the lock

	mu      sync.Mutex
	began   time.Time // when the media was opened
	start   time.Time // start of windows[0]
	windows []window
	packets uint64
	last    time.Time // arrival of the newest packet, or began
	gaps    []gap     // stretches without packets longer than gapMin
	onsets  []span    // stretches of each tone
	digits  []byte
}

// gap is a stretch without any audio packet.
type gap struct{ from, to time.Time }

// span is a stretch in which one tone was heard without a break longer than a window.
type span struct {
	tone     int
	from, to time.Time
}

const (
	// gapMin is the shortest silence of the network worth keeping: two packets lost.
	gapMin = 60 * time.Millisecond

	// maxSpans bounds the exact stretches kept beside the windows.
	maxSpans = 10000

	// maxDigits bounds the digits kept of one call.
	maxDigits = 1000
)

// open says that packets can arrive from now on.
func (e *Ear) open(at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.began, e.last = at, at
}

func newEar(l listener, start time.Time, onTone func(int, time.Time)) *Ear {
	return &Ear{listen: l, began: start, start: start, last: start, onTone: onTone}
}

// hear adds one packet of decoded audio.
func (e *Ear) hear(at time.Time, block []int16) {
	rms, tones := e.listen.measure(block)
	var first []int
	e.mu.Lock()
	w := e.at(at)
	if w != nil {
		e.count(w, rms, tones)
	}
	if at.Sub(e.last) > gapMin && len(e.gaps) < maxSpans {
		e.gaps = append(e.gaps, gap{e.last, at})
	}
	e.packets++
	e.last = at
	for i, hz := range e.listen.hz {
		if tones&(1<<i) != 0 && e.extend(hz, at) {
			first = append(first, hz)
		}
	}
	e.mu.Unlock()
	for _, hz := range first {
		e.onTone(hz, at)
	}
}

// at is the window of an instant, grown up to it; nil for an instant before the timeline.
func (e *Ear) at(t time.Time) *window {
	i := int(t.Sub(e.start) / Window)
	if t.Before(e.start) {
		return nil
	}
	if over := i + 1 - maxWindows; over > 0 {
		over = min(over+maxWindows/10, len(e.windows))
		e.windows = slices.Delete(e.windows, 0, over)
		e.start = e.start.Add(time.Duration(over) * Window)
		i -= over
	}
	if i >= maxWindows {
		// A whole timeline of nothing: begin again rather than allocate hours of emptiness.
		e.windows, e.start, i = nil, t, 0
	}
	for len(e.windows) <= i {
		e.windows = append(e.windows, window{})
	}
	return &e.windows[i]
}

func (e *Ear) count(w *window, rms float64, tones uint32) {
	if w.packets == 255 {
		return
	}
	w.packets++
	w.energy += float32(rms * rms)
	if rms < silentRMS {
		w.silent++
	}
	if tones == 0 {
		return
	}
	if w.tones == nil {
		w.tones = make([]uint8, len(e.listen.hz))
	}
	for i := range w.tones {
		if tones&(1<<i) != 0 {
			w.tones[i]++
		}
	}
}

// extend prolongs the last stretch of a tone or opens one, and says whether the tone is new to this call.
func (e *Ear) extend(hz int, at time.Time) (first bool) {
	first = true
	for i := len(e.onsets) - 1; i >= 0; i-- {
		s := &e.onsets[i]
		if s.tone != hz {
			continue
		}
		first = false
		if at.Sub(s.to) <= Window {
			s.to = at
			return false
		}
		break
	}
	if len(e.onsets) < maxSpans {
		e.onsets = append(e.onsets, span{hz, at, at})
	}
	return first
}

// digit notes one DTMF digit.
func (e *Ear) digit(d byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.digits) < maxDigits {
		e.digits = append(e.digits, d)
	}
}

// Packets is the number of audio packets that arrived.
func (e *Ear) Packets() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.packets
}

// Digits are the DTMF digits heard so far (RFC 4733 events and SIP INFO).
func (e *Ear) Digits() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return string(e.digits)
}

// Heard is the part (0 to 1) of the windows wholly between the two instants in which the tone was heard. When
// no window fits wholly, the ones that overlap count. A tone the phone was not told to know is never heard.
func (e *Ear) Heard(hz int, from, to time.Time) float64 {
	i := slices.Index(e.listen.hz, hz)
	if i < 0 {
		return 0
	}
	return e.share(from, to, func(w window) bool { return w.has(i) })
}

// Silent is the part of the windows without sound, because no packets came or because they were quiet.
func (e *Ear) Silent(from, to time.Time) float64 {
	return e.share(from, to, window.quiet)
}

// Other is the part of the windows with sound that is none of the known tones: music, speech, ringing.
func (e *Ear) Other(from, to time.Time) float64 {
	return e.share(from, to, func(w window) bool {
		for i := range w.tones {
			if w.has(i) {
				return false
			}
		}
		return !w.quiet()
	})
}

// has says whether at least half of the window's packets held a tone.
func (w window) has(tone int) bool {
	return w.tones != nil && w.tones[tone] > 0 && 2*int(w.tones[tone]) >= int(w.packets)
}

func (w window) quiet() bool { return 2*int(w.silent) >= int(w.packets) }

func (e *Ear) share(from, to time.Time, is func(window) bool) float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	first, past := e.span(from, to)
	if past <= first {
		return 0
	}
	n := 0
	for i := first; i < past; i++ {
		if is(e.window(i)) {
			n++
		}
	}
	return float64(n) / float64(past-first)
}

// span is the range of windows wholly inside two instants, or else those that overlap them. What lies in
// the future or before the timeline is left out: nobody can have heard it.
func (e *Ear) span(from, to time.Time) (first, past int) {
	if now := time.Now(); to.After(now) {
		to = now
	}
	if from.Before(e.start) {
		from = e.start
	}
	a, b := from.Sub(e.start), to.Sub(e.start)
	if b <= a {
		return 0, 0
	}
	first, past = int((a+Window-1)/Window), int(b/Window)
	if past <= first {
		first, past = int(a/Window), int((b+Window-1)/Window)
	}
	return first, past
}

func (e *Ear) window(i int) window {
	if i < len(e.windows) {
		return e.windows[i]
	}
	return window{}
}

// First is the arrival of the first packet that held the tone at or after an instant; false if there was none.
func (e *Ear) First(hz int, since time.Time) (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.onsets {
		if s.tone != hz || s.to.Before(since) {
			continue
		}
		if s.from.Before(since) {
			return since, true
		}
		return s.from, true
	}
	return time.Time{}, false
}

// Last is the arrival of the last packet that held the tone; false if it was never heard.
func (e *Ear) Last(hz int) (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range slices.Backward(e.onsets) {
		if s.tone == hz {
			return s.to, true
		}
	}
	return time.Time{}, false
}

// LongestGap is the longest stretch between two instants without any audio packet. The edges count: no packet
// at all makes the whole stretch a gap. The part of the stretch that lies in the future does not count.
func (e *Ear) LongestGap(from, to time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); to.After(now) {
		to = now
	}
	longest := time.Duration(0)
	for _, g := range append([]gap{{e.last, to}, {from, e.began}}, e.gaps...) {
		a, b := g.from, g.to
		if a.Before(from) {
			a = from
		}
		if b.After(to) {
			b = to
		}
		longest = max(longest, b.Sub(a))
	}
	return longest
}

// LongestWithout is the longest stretch between two instants in which the tone was not heard, to the length of
// a packet.
func (e *Ear) LongestWithout(hz int, from, to time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); to.After(now) {
		to = now
	}
	longest, quiet := time.Duration(0), from
	for _, s := range e.onsets {
		if s.tone != hz || s.to.Before(from) || s.from.After(to) {
			continue
		}
		longest = max(longest, s.from.Sub(quiet))
		quiet = s.to
	}
	return max(longest, to.Sub(quiet))
}

// Timeline is a copy of the windows that overlap two instants.
func (e *Ear) Timeline(from, to time.Time) []Moment {
	e.mu.Lock()
	defer e.mu.Unlock()
	first, past := e.span(from, to)
	out := make([]Moment, 0, max(0, past-first))
	for i := first; i < past; i++ {
		w := e.window(i)
		h := Moment{Start: e.start.Add(time.Duration(i) * Window), Packets: int(w.packets)}
		if w.packets > 0 {
			h.RMS = math.Sqrt(float64(w.energy) / float64(w.packets))
		}
		for t, hz := range e.listen.hz {
			if w.has(t) {
				h.Tones = append(h.Tones, hz)
			}
		}
		out = append(out, h)
	}
	return out
}

// Tones are the known tones heard at any time so far, in Hz, in the order of their first packet.
func (e *Ear) Tones() []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []int
	for _, s := range e.onsets {
		if !slices.Contains(out, s.tone) {
			out = append(out, s.tone)
		}
	}
	return out
}

// WaitTone waits until the tone is heard at or after an instant, and says when.
func (e *Ear) WaitTone(ctx context.Context, hz int, since time.Time) (time.Time, error) {
	tick := time.NewTicker(waitStep)
	defer tick.Stop()
	for {
		if at, ok := e.First(hz, since); ok {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("wait for %d Hz: %w", hz, ctx.Err())
		case <-tick.C:
		}
	}
}
