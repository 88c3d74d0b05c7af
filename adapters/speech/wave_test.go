package speech

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// tone is a sine of the given frequency and amplitude (1 is full scale).
func tone(rate int, hertz, amplitude float64, length time.Duration) sound {
	s := sound{rate: rate, samples: make([]int16, int(length*time.Duration(rate)/time.Second))}
	for i := range s.samples {
		s.samples[i] = int16(amplitude * math.MaxInt16 * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate)))
	}
	return s
}

// strength is the amplitude of one frequency in samples (Goertzel, 1958, written
// out as a sum).
func strength(samples []float64, hertz float64) float64 {
	var re, im float64
	for i, v := range samples {
		re += v * math.Cos(2*math.Pi*hertz*float64(i)/Rate)
		im += v * math.Sin(2*math.Pi*hertz*float64(i)/Rate)
	}
	return 2 * math.Hypot(re, im) / float64(len(samples))
}

func loudest(samples []float64) float64 {
	peak := 0.0
	for _, v := range samples {
		peak = max(peak, math.Abs(v))
	}
	return peak
}

func TestResampleKeepsTheVoiceAndNothingElse(t *testing.T) {
	for _, rate := range rates {
		for _, hertz := range []float64{300, 1000, 3000, 3390} {
			out := resample(tone(int(rate), hertz, 0.5, time.Second))
			if len(out) != Rate {
				t.Fatalf("%d Hz: a second became %d samples", rate, len(out))
			}
			middle := out[1000:7000] // a whole number of periods, away from the ends
			got := strength(middle, hertz)
			if math.Abs(20*math.Log10(got/0.5)) > 0.1 {
				t.Errorf("%d Hz: a tone of %g Hz came out at %.3f, not 0.5", rate, hertz, got)
			}
			if rest := energy(middle) - got*got/2; rest > 1e-6 {
				t.Errorf("%d Hz: beside the tone of %g Hz there is noise of %.1f dB", rate, hertz, 10*math.Log10(rest))
			}
		}
		for _, hertz := range []float64{4010, 4600, 5000, 7900} {
			if hertz > float64(rate)/2 {
				continue
			}
			out := resample(tone(int(rate), hertz, 1, time.Second))[1000:7000]
			if peak := loudest(out); peak > 0.001 {
				t.Errorf("%d Hz: a tone of %g Hz came back with %.1f dB", rate, hertz, 20*math.Log10(peak))
			}
		}
	}
}

func energy(samples []float64) float64 {
	sum := 0.0
	for _, v := range samples {
		sum += v * v
	}
	return sum / float64(len(samples))
}

// TestResampleIsOnTime puts one click into silence and looks where it went.
func TestResampleIsOnTime(t *testing.T) {
	for _, rate := range rates {
		s := sound{rate: int(rate), samples: make([]int16, rate)}
		s.samples[rate/2] = math.MaxInt16
		out := resample(s)
		at := 0
		for i, v := range out {
			if math.Abs(v) > math.Abs(out[at]) {
				at = i
			}
		}
		if at != Rate/2 {
			t.Errorf("%d Hz: the click at half a second is at sample %d", rate, at)
		}
	}
}

func TestPromptIsLevelAndTrimmed(t *testing.T) {
	for _, amplitude := range []float64{1, 0.5, 0.1} {
		s := tone(22_050, 1000, amplitude, time.Second)
		silence := make([]int16, 22_050/2)
		s.samples = slices.Concat(silence, s.samples, silence)
		got, err := s.prompt()
		if err != nil {
			t.Fatal(err)
		}
		length := time.Duration(len(got.samples)) * time.Second / Rate
		if want := time.Second + leadIn + leadOut; length < want-5*time.Millisecond || length > want+10*time.Millisecond {
			t.Errorf("amplitude %g: a second between silences became %s", amplitude, length)
		}
		if peak := float64(slices.Max(got.samples)) / math.MaxInt16; math.Abs(peak-level) > 0.01 {
			t.Errorf("amplitude %g: the peak is %.3f", amplitude, peak)
		}
	}
	for _, samples := range [][]int16{nil, make([]int16, 1000), {3, -3}} {
		if _, err := (sound{rate: 16_000, samples: samples}).prompt(); !errors.Is(err, errSilent) {
			t.Errorf("silence gave %v", err)
		}
	}
}

func TestWaveRoundTrip(t *testing.T) {
	want := tone(Rate, 440, 0.3, 50*time.Millisecond)
	file := want.wave()
	got, err := parseWave(file)
	if err != nil || got.rate != Rate || !slices.Equal(got.samples, want.samples) {
		t.Fatalf("%d samples at %d Hz, %v", len(got.samples), got.rate, err)
	}
	if length := playTime(int64(len(file))); length != 50*time.Millisecond {
		t.Fatalf("it plays for %s", length)
	}
}

func TestParseWave(t *testing.T) {
	whole := tone(16_000, 440, 0.3, 10*time.Millisecond).wave()
	edit := func(at int, bytes ...byte) []byte {
		return slices.Replace(slices.Clone(whole), at, at+len(bytes), bytes...)
	}
	list := slices.Insert(slices.Clone(whole), 12, []byte("LIST\x03\x00\x00\x00abc\x00")...)
	tests := []struct {
		name    string
		data    []byte
		samples int
		fault   string
	}{
		{"whole", whole, 160, ""},
		{"a chunk of odd length before", list, 160, ""},
		{"length unknown while writing", edit(40, 0xff, 0xff, 0xff, 0x7f), 160, ""},
		{"half a sample at the end", whole[:len(whole)-1], 159, ""},
		{"empty", nil, 0, "not a WAV"},
		{"another file", []byte("#!/bin/sh and more"), 0, "not a WAV"},
		{"no sound", whole[:36], 0, "no sound"},
		{"cut in the format", whole[:30], 0, "ends inside"},
		{"short format", edit(16, 4), 0, "short format"},
		{"stereo", edit(22, 2), 0, "2 channels"},
		{"8 bits", edit(34, 8), 0, "8 bits"},
		{"float", edit(20, 3), 0, "encoding 3"},
		{"odd rate", edit(24, 1), 0, "samples a second"},
		{"sound first", slices.Delete(slices.Clone(whole), 12, 36), 0, "before its format"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseWave(test.data)
			if test.fault == "" && (err != nil || len(got.samples) != test.samples) {
				t.Fatalf("%d samples, %v", len(got.samples), err)
			}
			if test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)) {
				t.Fatalf("got %v, want %q", err, test.fault)
			}
		})
	}
}

func FuzzParseWave(f *testing.F) {
	whole := tone(16_000, 440, 0.3, time.Millisecond).wave()
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(slices.Insert(slices.Clone(whole), 12, []byte("LIST\x03\x00\x00\x00abc\x00")...))
	f.Add(slices.Replace(slices.Clone(whole), 40, 44, 0xff, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseWave(data)
		if err != nil {
			return
		}
		again, err := parseWave(s.wave())
		if err != nil || again.rate != s.rate || !slices.Equal(again.samples, s.samples) {
			t.Fatalf("%d samples became %d, %v", len(s.samples), len(again.samples), err)
		}
		if len(s.samples) > 10_000 {
			return
		}
		p, err := s.prompt()
		if err != nil {
			return
		}
		file := p.wave()
		if binary.LittleEndian.Uint32(file[24:]) != Rate || !bytes.HasPrefix(file, []byte("RIFF")) {
			t.Fatalf("bad header %x", file[:waveHeaderBytes])
		}
		for _, v := range p.samples {
			if math.Abs(float64(v)) > level*math.MaxInt16+1 {
				t.Fatalf("sample %d is above the level", v)
			}
		}
	})
}
