package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// tape is a recording as it was fetched: what the leg said and what it heard, in
// samples.
type tape struct {
	rate        int
	said, heard []int16
}

// Slices of a tape are judged one by one.
const slicesPerSecond = 10

// fetch reads the files of a RecordingDone: one of two channels or two of one.
func fetch(h Harness, files []string) (t tape, err error) {
	var channels [][]int16
	for _, f := range files {
		raw, err := h.Fetch(f)
		if err != nil {
			return t, err
		}
		rate, more, err := parseWAV(raw)
		if err != nil {
			return t, fmt.Errorf("read %s: %w", f, err)
		}
		t.rate, channels = rate, append(channels, more...)
	}
	if len(channels) != 2 {
		return t, fmt.Errorf("%d channels in %d files, want 2", len(channels), len(files))
	}
	t.said, t.heard = channels[0], channels[1]
	return t, nil
}

// parseWAV reads PCM of 16 bits (RIFF WAVE), channel by channel.
func parseWAV(raw []byte) (rate int, channels [][]int16, err error) {
	if len(raw) < 12 || string(raw[:4]) != "RIFF" || string(raw[8:12]) != "WAVE" {
		return 0, nil, errors.New("not a WAV file")
	}
	count := 0
	for rest := raw[12:]; len(rest) >= 8; {
		kind, size := string(rest[:4]), int(binary.LittleEndian.Uint32(rest[4:8]))
		body := rest[8:min(8+size, len(rest))]
		switch {
		case kind == "fmt " && len(body) >= 16:
			count, rate = int(binary.LittleEndian.Uint16(body[2:])), int(binary.LittleEndian.Uint32(body[4:]))
			if bits := binary.LittleEndian.Uint16(body[14:]); bits != 16 || count < 1 || count > 2 || rate < 8000 {
				return 0, nil, fmt.Errorf("%d channels of %d bits at %d Hz", count, bits, rate)
			}
		case kind == "data" && count > 0:
			channels = make([][]int16, count)
			for i := 0; i+2*count <= len(body); i += 2 * count {
				for c := range count {
					channels[c] = append(channels[c], int16(binary.LittleEndian.Uint16(body[i+2*c:])))
				}
			}
		}
		rest = rest[8+len(body):]
	}
	if channels == nil {
		return 0, nil, errors.New("no sound in the WAV file")
	}
	return rate, channels, nil
}

// heardIn writes what is in each slice: a letter per tone, in the order of
// tones, '.' for silence and '?' for anything else. The slice cut off at the end
// is left out.
func (t tape) heardIn(samples []int16, tones ...int) string {
	var out strings.Builder
	n := t.rate / slicesPerSecond
	for ; len(samples) >= n; samples = samples[n:] {
		out.WriteByte(t.judge(samples[:n], tones))
	}
	return out.String()
}

func (t tape) judge(slice []int16, tones []int) byte {
	var energy float64
	for _, v := range slice {
		energy += float64(v) * float64(v)
	}
	if math.Sqrt(energy/float64(len(slice))) < 150 {
		return '.'
	}
	for i, hz := range tones {
		if 2*goertzel(slice, hz, t.rate)/float64(len(slice)) > 0.4*energy {
			return byte('a' + i)
		}
	}
	return '?'
}

// goertzel is the power of one frequency in a slice.
func goertzel(slice []int16, hz, rate int) float64 {
	w := 2 * math.Cos(2*math.Pi*float64(hz)/float64(rate))
	var a, b float64
	for _, v := range slice {
		a, b = float64(v)+w*a-b, a
	}
	return a*a + b*b - w*a*b
}

// runs is the text with repeats taken out and what lasts a single slice too: a
// change seldom falls between two slices.
func runs(text string) string {
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] == text[i-1] && (out.Len() == 0 || out.String()[out.Len()-1] != text[i]) {
			out.WriteByte(text[i])
		}
	}
	return out.String()
}
