package lab

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
)

const (
	toneRate    = 8000 // samples per second: the only .wav Asterisk plays
	toneSeconds = 10   // what Asterisk loops without a gap
	toneLevel   = 8000 // peak of 32767, about -12 dB: loud and far from clipping
)

// writeTone writes a steady sine as 16-bit mono WAV. hz must be a whole number,
// so that the last wave meets the first when Asterisk plays the file in a loop.
func writeTone(path string, hz int) error { return writeToneFor(path, hz, toneSeconds) }

// writeToneFor is writeTone for a number of seconds.
func writeToneFor(path string, hz, seconds int) error {
	samples := toneRate * seconds
	size := uint32(samples * 2)
	var b bytes.Buffer
	b.WriteString("RIFF")
	le := binary.LittleEndian
	put32 := func(v uint32) { b.Write(le.AppendUint32(nil, v)) }
	put16 := func(v uint16) { b.Write(le.AppendUint16(nil, v)) }
	put32(36 + size)
	b.WriteString("WAVEfmt ")
	put32(16)
	put16(1)
	put16(1)
	put32(toneRate)
	put32(toneRate * 2)
	put16(2)
	put16(16)
	b.WriteString("data")
	put32(size)
	for i := range samples {
		angle := 2 * math.Pi * float64(hz) * float64(i) / toneRate
		put16(uint16(int16(toneLevel * math.Sin(angle))))
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
