package phone

import (
	"encoding/binary"
	"math"
	"os"
	"slices"
	"testing"
	"time"
)

// tone makes one packet of a mixture of tones.
func tone(hz ...int) []int16 {
	out := make([]int16, frameSamples)
	for i := range out {
		v := 0.0
		for _, f := range hz {
			v += toneAmplitude / float64(len(hz)) * math.Sin(2*math.Pi*float64(f)*float64(i)/sampleRate)
		}
		out[i] = int16(v)
	}
	return out
}

func TestListenerTellsTonesApart(t *testing.T) {
	all := newListener(DefaultTones)
	for i, hz := range DefaultTones {
		if _, got := all.measure(tone(hz)); got != 1<<i {
			t.Errorf("%d Hz heard as %012b", hz, got)
		}
	}
	if _, got := all.measure(tone(600, 1200)); got != 1<<2|1<<8 {
		t.Errorf("a mixture heard as %012b", got)
	}
	for _, quiet := range [][]int16{nil, make([]int16, frameSamples)} {
		if rms, got := all.measure(quiet); rms != 0 || got != 0 {
			t.Errorf("silence heard as %f %b", rms, got)
		}
	}
	square := make([]int16, frameSamples)
	for i := range square {
		square[i] = int16(8000 * (1 - i%2*2)) // 4 kHz: loud, and none of ours
	}
	if _, got := all.measure(square); got != 0 {
		t.Errorf("another sound heard as %b", got)
	}
}

func TestToneSoundRepeatsWithoutAClick(t *testing.T) {
	s := toneSound(440)
	l := newListener([]int{440, 600})
	for offset := 0; offset < 2*sampleRate; offset += frameSamples {
		for payload, bytes := range map[uint8][]byte{payloadUlaw: s.frame(payloadUlaw, offset), payloadAlaw: s.frame(payloadAlaw, offset)} {
			block := make([]int16, 0, frameSamples)
			for _, b := range bytes {
				block = append(block, decode()[payload][b])
			}
			if _, got := l.measure(block); got != 1 {
				t.Fatalf("payload %d at sample %d heard as %b", payload, offset, got)
			}
		}
	}
}

// story plays packets every 20 ms: A for a second, nothing for half a second, B for a second, silence.
func story(t *testing.T) (*Ear, time.Time) {
	t.Helper()
	start := time.Now().Add(-time.Minute)
	var first []int
	e := newEar(newListener([]int{440, 600}), start, func(hz int, _ time.Time) { first = append(first, hz) })
	play := func(from, to time.Duration, block []int16) {
		for at := from; at < to; at += 20 * time.Millisecond {
			e.hear(start.Add(at), block)
		}
	}
	play(0, time.Second, tone(440))
	play(1500*time.Millisecond, 2500*time.Millisecond, tone(600))
	play(2500*time.Millisecond, 3*time.Second, make([]int16, frameSamples))
	if !slices.Equal(first, []int{440, 600}) {
		t.Errorf("told of first tones %v", first)
	}
	return e, start
}

func TestEarAnswersQueries(t *testing.T) {
	e, start := story(t)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for _, c := range []struct {
		what string
		got  float64
		want float64
	}{
		{"A while A", e.Heard(440, at(0), at(1000)), 1},
		{"A while B", e.Heard(440, at(1500), at(2500)), 0},
		{"A over both", e.Heard(440, at(0), at(2000)), 0.5},
		{"an unknown tone", e.Heard(1000, at(0), at(1000)), 0},
		{"B in a range shorter than a window", e.Heard(600, at(1630), at(1670)), 1},
		{"silence in the gap", e.Silent(at(1000), at(1500)), 1},
		{"silence of zeros", e.Silent(at(2500), at(3000)), 1},
		{"silence while A", e.Silent(at(0), at(1000)), 0},
		{"other sounds", e.Other(at(0), at(3000)), 0},
		{"A before the call", e.Heard(440, at(-5000), at(-1000)), 0},
		{"nothing", e.Heard(440, at(500), at(500)), 0},
	} {
		if math.Abs(c.got-c.want) > 0.001 {
			t.Errorf("%s: %.3f, want %.3f", c.what, c.got, c.want)
		}
	}
	if on, ok := e.First(600, start); !ok || on != at(1500) {
		t.Errorf("B began at %s", on.Sub(start))
	}
	if on, ok := e.First(440, at(500)); !ok || on != at(500) {
		t.Errorf("A after 500 ms at %s", on.Sub(start))
	}
	if _, ok := e.First(440, at(1100)); ok {
		t.Error("A heard after its end")
	}
	if off, ok := e.Last(440); !ok || off != at(980) {
		t.Errorf("A ended at %s", off.Sub(start))
	}
	if got := e.LongestGap(at(0), at(2900)); got != 520*time.Millisecond {
		t.Errorf("longest gap %s, want 520ms", got)
	}
	if got := e.LongestGap(at(3000), at(5000)); got != 2*time.Second {
		t.Errorf("gap after the end %s, want 2s", got)
	}
	if got := e.LongestGap(at(-1000), at(500)); got != time.Second {
		t.Errorf("gap before the start %s, want 1s", got)
	}
	if got := e.LongestWithout(600, at(0), at(2500)); got != 1500*time.Millisecond {
		t.Errorf("longest without B %s, want 1.5s", got)
	}
	if got := e.Packets(); got != 125 {
		t.Errorf("%d packets, want 125", got)
	}
	line := e.Timeline(at(900), at(1600))
	if len(line) != 7 || !slices.Equal(line[0].Tones, []int{440}) || line[1].Packets != 0 || !slices.Equal(line[6].Tones, []int{600}) {
		t.Errorf("timeline %+v", line)
	}
	if !slices.Equal(e.Tones(), []int{440, 600}) {
		t.Errorf("tones %v", e.Tones())
	}
}

func TestEarIsBounded(t *testing.T) {
	start := time.Now().Add(-100 * time.Hour)
	e := newEar(newListener([]int{440}), start, func(int, time.Time) {})
	for h := range 50 {
		e.hear(start.Add(time.Duration(h)*time.Hour), tone(440))
		e.hear(start.Add(time.Duration(h)*time.Hour+90*time.Minute), tone(440))
		if len(e.windows) > maxWindows {
			t.Fatalf("%d windows after %d hours", len(e.windows), h)
		}
	}
	last := start.Add(49*time.Hour + 90*time.Minute)
	if got := e.Heard(440, last, last.Add(time.Millisecond)); got != 1 {
		t.Errorf("the last window heard %.1f", got)
	}
	for range 2 * maxDigits {
		e.digit('1')
	}
	if len(e.Digits()) != maxDigits {
		t.Errorf("%d digits kept", len(e.Digits()))
	}
}

func TestRecorderFillsGapsAndStaysBounded(t *testing.T) {
	path := t.TempDir() + "/a.wav"
	start := time.Now()
	r, err := newRecorder(path, start)
	if err != nil {
		t.Fatal(err)
	}
	r.write(start.Add(20*time.Millisecond), tone(440))
	r.write(start.Add(time.Second), tone(440))
	r.samples += int(maxRecording.Seconds()) * sampleRate
	r.write(start.Add(2*maxRecording), tone(440))
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	samples := readWAV(t, path)
	if len(samples) != sampleRate {
		t.Fatalf("%d samples, want a second", len(samples))
	}
	for i, want := range map[int]uint32{0: 1, sampleRate / 2: 0, sampleRate - frameSamples: 1} {
		if _, got := newListener([]int{440}).measure(samples[i : i+frameSamples]); got != want {
			t.Errorf("at sample %d heard %b, want %b", i, got, want)
		}
	}
}

// readWAV reads back a mono 16-bit file of 8 kHz and checks its header.
func readWAV(t *testing.T, path string) []int16 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[36:40]) != "data" {
		t.Fatalf("not a WAV file: %q", b[:min(44, len(b))])
	}
	channels, rate, size := binary.LittleEndian.Uint16(b[22:]), binary.LittleEndian.Uint32(b[24:]), binary.LittleEndian.Uint32(b[40:])
	if channels != 1 || rate != sampleRate || int(size) != len(b)-44 {
		t.Fatalf("%d channels of %d Hz, %d bytes announced, %d there", channels, rate, size, len(b)-44)
	}
	out := make([]int16, size/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[44+2*i:]))
	}
	return out
}

func BenchmarkMeasure(b *testing.B) {
	l, block := newListener(DefaultTones), tone(600)
	for b.Loop() {
		l.measure(block)
	}
}
