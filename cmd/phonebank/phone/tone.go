package phone

import (
	"fmt"
	"math"
	"sync"

	"github.com/zaf/g711"
)

const (
	sampleRate   = 8000 // Hz, G.711
	frameSamples = 160  // one packet of 20 ms

	// toneAmplitude is -12 dBFS: loud enough to stand out of music and prompts, far from clipping.
	toneAmplitude = 0.25 * math.MaxInt16

	// minToneHz to maxToneHz is what a telephone line carries.
	minToneHz = 200
	maxToneHz = 3600

	// minToneSpacingHz is a little more than the resolution of a 20 ms block (50 Hz): the energy that leaks
	// from one tone into another at this distance is below 0.05 of it.
	minToneSpacingHz = 60

	// maxTones bounds the work per packet: every known tone costs one pass over it.
	maxTones = 32
)

// DefaultTones are the tones a phone recognises when Config.Tones is empty, in Hz.
var DefaultTones = []int{440, 520, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1500}

// decode holds the linear value of every G.711 byte, by RTP payload type (RFC 3551: 0 is mu-law, 8 is A-law).
var decode = sync.OnceValue(func() map[uint8]*[256]int16 {
	ulaw, alaw := new([256]int16), new([256]int16)
	for i := range 256 {
		ulaw[i] = g711.DecodeUlawFrame(uint8(i))
		alaw[i] = g711.DecodeAlawFrame(uint8(i))
	}
	return map[uint8]*[256]int16{payloadUlaw: ulaw, payloadAlaw: alaw}
})

// sound is one second of G.711 audio that can be repeated without a click: a whole number of periods,
// because frequencies are whole Hz.
type sound struct{ ulaw, alaw []byte }

// toneSound makes the repeating second of a tone; zero Hz is silence.
func toneSound(hz int) sound {
	s := sound{ulaw: make([]byte, sampleRate), alaw: make([]byte, sampleRate)}
	for i := range sampleRate {
		v := int16(toneAmplitude * math.Sin(2*math.Pi*float64(hz)*float64(i)/sampleRate))
		s.ulaw[i] = g711.EncodeUlawFrame(v)
		s.alaw[i] = g711.EncodeAlawFrame(v)
	}
	return s
}

// frame is the 20 ms that starts at sample offset, in the encoding of the payload type.
func (s sound) frame(payload uint8, offset int) []byte {
	offset %= sampleRate
	if payload == payloadAlaw {
		return s.alaw[offset : offset+frameSamples]
	}
	return s.ulaw[offset : offset+frameSamples]
}

// listener measures blocks of samples against a set of known tones with the Goertzel recurrence.
type listener struct {
	hz    []int
	coeff []float64
}

func newListener(hz []int) listener {
	l := listener{hz: hz, coeff: make([]float64, len(hz))}
	for i, f := range hz {
		l.coeff[i] = 2 * math.Cos(2*math.Pi*float64(f)/sampleRate)
	}
	return l
}

const (
	// silentRMS is about -56 dBFS. G.711 noise and the rounding of PBX mixers stay below it.
	silentRMS = 50.0
	// toneRMS is about -46 dBFS: a tone weaker than this is an echo, not a conversation.
	toneRMS = 160.0
	// toneShare is the part of a block's energy that a tone must hold to count as heard. Two people
	// talking in a conference have a half each; the leakage of a neighbour tone stays under 0.05.
	toneShare = 0.2
)

// measure says how loud a block is (RMS, full scale 32768) and which known tones are in it, as bits in
// the order of the tone set.
func (l listener) measure(block []int16) (rms float64, tones uint32) {
	if len(block) == 0 {
		return 0, 0
	}
	var energy float64
	for _, v := range block {
		energy += float64(v) * float64(v)
	}
	n := float64(len(block))
	rms = math.Sqrt(energy / n)
	if rms < toneRMS {
		return rms, 0
	}
	for i, c := range l.coeff {
		var s1, s2 float64
		for _, v := range block {
			s1, s2 = float64(v)+c*s1-s2, s1
		}
		power := s1*s1 + s2*s2 - c*s1*s2
		if 2*power/(n*energy) >= toneShare {
			tones |= 1 << i
		}
	}
	return rms, tones
}

// CheckTones says whether a phone can tell tones apart in blocks of 20 ms, and a telephone line carries them.
// Config.Tones must pass it.
func CheckTones(hz []int) error {
	if len(hz) > maxTones {
		return fmt.Errorf("tones: %d given, at most %d", len(hz), maxTones)
	}
	for i, f := range hz {
		if f < minToneHz || f > maxToneHz {
			return fmt.Errorf("tones: %d Hz is outside %d to %d Hz", f, minToneHz, maxToneHz)
		}
		for _, g := range hz[:i] {
			if f-g < minToneSpacingHz && g-f < minToneSpacingHz {
				return fmt.Errorf("tones: %d and %d Hz are closer than %d Hz", g, f, minToneSpacingHz)
			}
		}
	}
	return nil
}
