package phone

import (
	"slices"
	"sync"
	"time"
)

const (
	// Window is the length of one entry of the timeline.
	Window = 100 * time.Millisecond

	// maxWindows bounds the timeline of one call to two hours; the oldest are forgotten.
	maxWindows = 2 * 60 * 60 * 10
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
