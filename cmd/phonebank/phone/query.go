package phone

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// waitStep is how often a waiting query looks again: the length of one packet.
const waitStep = 20 * time.Millisecond

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
