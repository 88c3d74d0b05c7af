package phone

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/emiago/diago/audio"
)

const (
	// maxRecording bounds one recording: two hours are 115 MB.
	maxRecording = 2 * time.Hour

	// recordSlack is how far the file may trail the clock before silence is written: late packets are
	// usual, a silence of the line is longer.
	recordSlack = 60 * time.Millisecond
)

// recorder writes what a call hears to a mono 16-bit WAV file of 8 kHz. Where no packets come it writes
// silence, so that a second of the file is a second of the call.
type recorder struct {
	file    *os.File
	wav     *audio.WavWriter
	start   time.Time
	samples int
	buf     []byte
	err     error
}

func newRecorder(path string, start time.Time) (*recorder, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", path, err)
	}
	w := audio.NewWavWriter(f)
	w.NumChans = 1
	return &recorder{file: f, wav: w, start: start}, nil
}

func (r *recorder) write(at time.Time, block []int16) {
	due := int(at.Sub(r.start).Seconds()*sampleRate) - len(block)
	if late := due - r.samples; late > int(recordSlack.Seconds()*sampleRate) {
		r.put(make([]int16, min(late, int(maxRecording.Seconds())*sampleRate)))
	}
	r.put(block)
}

func (r *recorder) put(block []int16) {
	if r.err != nil || r.samples+len(block) > int(maxRecording.Seconds())*sampleRate {
		return
	}
	r.buf = r.buf[:0]
	for _, v := range block {
		r.buf = binary.LittleEndian.AppendUint16(r.buf, uint16(v))
	}
	_, r.err = r.wav.Write(r.buf)
	r.samples += len(block)
}

// close completes the header and says what went wrong at any time.
func (r *recorder) close() error {
	if r.samples == 0 {
		// diago: closing a WavWriter that wrote nothing leaves a file without its data chunk.
		r.put(make([]int16, frameSamples))
	}
	if err := r.wav.Close(); r.err == nil {
		r.err = err
	}
	if err := r.file.Close(); r.err == nil {
		r.err = err
	}
	if r.err != nil {
		return fmt.Errorf("record %s: %w", r.file.Name(), r.err)
	}
	return nil
}
