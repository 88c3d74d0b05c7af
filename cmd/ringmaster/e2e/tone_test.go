package e2e

import (
	"encoding/binary"
	"math"
	"os"
	"testing"
	"time"
)

// writeTone makes a prompt that a phone recognises: 8 kHz, mono, 16 bit.
func writeTone(tb testing.TB, path string, hz int, length time.Duration) {
	tb.Helper()
	const rate = 8000
	n := int(length.Seconds() * rate)
	wav := make([]byte, 44+2*n)
	copy(wav, "RIFF")
	binary.LittleEndian.PutUint32(wav[4:], uint32(36+2*n))
	copy(wav[8:], "WAVEfmt ")
	binary.LittleEndian.PutUint32(wav[16:], 16)
	binary.LittleEndian.PutUint16(wav[20:], 1)
	binary.LittleEndian.PutUint16(wav[22:], 1)
	binary.LittleEndian.PutUint32(wav[24:], rate)
	binary.LittleEndian.PutUint32(wav[28:], 2*rate)
	binary.LittleEndian.PutUint16(wav[32:], 2)
	binary.LittleEndian.PutUint16(wav[34:], 16)
	copy(wav[36:], "data")
	binary.LittleEndian.PutUint32(wav[40:], uint32(2*n))
	for i := range n {
		v := int16(8000 * math.Sin(2*math.Pi*float64(hz)*float64(i)/rate))
		binary.LittleEndian.PutUint16(wav[44+2*i:], uint16(v))
	}
	if err := os.WriteFile(path, wav, 0o644); err != nil {
		tb.Fatal(err)
	}
}
