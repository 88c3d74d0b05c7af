package speech

import (
	"errors"
	"math"
	"time"
)

const (
	// passBand and stopBand bound the filter's slope, as parts of the lower of
	// both rates: at 8 kHz everything up to 3.4 kHz (the telephone's own edge)
	// passes, and nothing from 4 kHz on comes back as an alias.
	passBand = 0.425
	stopBand = 0.5
	// stopDecibels is how much is left of what must not pass: -80 dB, below the
	// noise of the telephone's 8 bit coding.
	stopDecibels = 80.0

	// level is the peak of every prompt, -3 dB of full scale; louder would clip
	// in codecs, softer would be lost beside the music.
	level = 0.708
	// maxGain keeps an engine's whisper from becoming a roar of noise.
	maxGain = 8.0
	// silencePeak is what counts as no sound at all, -46 dB of full scale.
	silencePeak = 0.005
	// silencePart of the peak is the loudest that is still trimmed, -40 dB.
	silencePart = 0.01
	leadIn      = 20 * time.Millisecond
	leadOut     = 60 * time.Millisecond
)

var errSilent = errors.New("the engine made no sound of these words")

// prompt brings what an engine said to the rate, length and level of a prompt.
func (s sound) prompt() (sound, error) {
	samples := resample(s)
	peak := 0.0
	for _, v := range samples {
		peak = max(peak, math.Abs(v))
	}
	if peak < silencePeak {
		return sound{}, errSilent
	}
	samples = trim(samples, peak*silencePart)
	gain := min(level/peak, maxGain) * math.MaxInt16
	out := make([]int16, len(samples))
	for i, v := range samples {
		out[i] = int16(math.Round(v * gain))
	}
	return sound{rate: Rate, samples: out}, nil
}

// trim drops both ends up to the first and last sample above threshold, and
// leaves a little of the silence so that the first sound is not a click.
func trim(samples []float64, threshold float64) []float64 {
	first, last := 0, len(samples)
	for first < last && math.Abs(samples[first]) <= threshold {
		first++
	}
	for last > first && math.Abs(samples[last-1]) <= threshold {
		last--
	}
	first = max(0, first-int(leadIn*Rate/time.Second))
	last = min(len(samples), last+int(leadOut*Rate/time.Second))
	return samples[first:last]
}

// resample returns s at Rate, as parts of full scale.
//
// It is the textbook polyphase filter: the input is thought of with up-1 zeros
// between samples, passed through a windowed sinc, and every down-th value is
// kept; the zeros are never computed.
func resample(s sound) []float64 {
	in := make([]float64, len(s.samples))
	for i, v := range s.samples {
		in[i] = float64(v) / (math.MaxInt16 + 1)
	}
	if s.rate == Rate || len(in) == 0 {
		return in
	}
	divisor := gcd(s.rate, Rate)
	up, down := Rate/divisor, s.rate/divisor
	filter := lowPass(s.rate, up)
	middle := len(filter) / 2
	out := make([]float64, (len(in)*up+down-1)/down)
	for n := range out {
		at := n*down + middle // in steps of the raised rate
		sum := 0.0
		for tap, i := at%up, at/up; tap < len(filter) && i >= 0; tap, i = tap+up, i-1 {
			if i < len(in) {
				sum += filter[tap] * in[i]
			}
		}
		out[n] = sum
	}
	return out
}

// lowPass is a Kaiser-windowed sinc for the raised rate (Oppenheim and Schafer,
// Discrete-Time Signal Processing, 7.6), of odd length, with gain up.
func lowPass(rate, up int) []float64 {
	raised := float64(rate * up)
	lower := float64(min(rate, Rate))
	cutoff := (passBand + stopBand) / 2 * lower / raised
	slope := 2 * math.Pi * (stopBand - passBand) * lower / raised
	half := int(math.Ceil((stopDecibels - 7.95) / (2.285 * slope) / 2))
	beta := 0.1102 * (stopDecibels - 8.7)
	filter := make([]float64, 2*half+1)
	for i := range filter {
		x := float64(i - half)
		window := bessel(beta*math.Sqrt(1-(x/float64(half))*(x/float64(half)))) / bessel(beta)
		filter[i] = float64(up) * 2 * cutoff * sinc(2*cutoff*x) * window
	}
	return filter
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// bessel is the modified Bessel function of order zero, by its power series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
