package speech

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// Rate is the sample rate of every prompt, in Hz.
	Rate            = 8000
	waveHeaderBytes = 44
	bytesPerSample  = 2
)

// rates are those engines speak at. Each stands to Rate as small numbers do,
// which keeps the filter between them short.
var rates = []uint32{8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000}

// sound is mono 16 bit PCM.
type sound struct {
	rate    int
	samples []int16
}

// waveFormat is the part of a "fmt " chunk that matters here.
type waveFormat struct {
	encoding, channels, bits uint16
	rate                     uint32
}

// parseWave reads a RIFF WAVE file of mono 16 bit PCM. Other chunks are skipped.
// A data chunk that claims more than there is ends with the file, because
// programs that stream write a length they do not know yet.
func parseWave(data []byte) (sound, error) {
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return sound{}, errors.New("not a WAV file")
	}
	var format *waveFormat
	for rest := data[12:]; len(rest) >= 8; {
		id, claimed := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		size := min(claimed, uint64(len(body)))
		switch {
		case id == "data" && format == nil:
			return sound{}, errors.New("WAV file has sound before its format")
		case id == "data":
			return format.decode(body[:size])
		case claimed > size:
			return sound{}, fmt.Errorf("WAV file ends inside its chunk %q", id)
		case id == "fmt ":
			var err error
			if format, err = parseWaveFormat(body[:size]); err != nil {
				return sound{}, err
			}
		}
		rest = body[min(size+size%2, uint64(len(body))):] // chunks are padded to even length
	}
	return sound{}, errors.New("WAV file has no sound in it")
}

func parseWaveFormat(chunk []byte) (*waveFormat, error) {
	if len(chunk) < 16 {
		return nil, errors.New("WAV file has a short format chunk")
	}
	f := &waveFormat{
		encoding: binary.LittleEndian.Uint16(chunk[0:]),
		channels: binary.LittleEndian.Uint16(chunk[2:]),
		rate:     binary.LittleEndian.Uint32(chunk[4:]),
		bits:     binary.LittleEndian.Uint16(chunk[14:]),
	}
	const pcm = 1
	if f.encoding != pcm || f.channels != 1 || f.bits != 8*bytesPerSample {
		return nil, fmt.Errorf("WAV file has encoding %d, %d channels, %d bits; want PCM (1), mono, 16 bits",
			f.encoding, f.channels, f.bits)
	}
	if !slices.Contains(rates, f.rate) {
		return nil, fmt.Errorf("WAV file has %d samples a second, not one of %v", f.rate, rates)
	}
	return f, nil
}

func (f *waveFormat) decode(body []byte) (sound, error) {
	samples := make([]int16, len(body)/bytesPerSample)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(body[i*bytesPerSample:]))
	}
	return sound{rate: int(f.rate), samples: samples}, nil
}

// wave is the file's bytes, with a header of exactly waveHeaderBytes.
func (s sound) wave() []byte {
	size := len(s.samples) * bytesPerSample
	file := slices.Grow(waveHeader(uint32(s.rate), uint32(size)), size)
	for _, sample := range s.samples {
		file = binary.LittleEndian.AppendUint16(file, uint16(sample))
	}
	return file
}

// waveHeader is the header before soundBytes of mono 16 bit PCM.
func waveHeader(rate, soundBytes uint32) []byte {
	file := append(make([]byte, 0, waveHeaderBytes), "RIFF"...)
	file = binary.LittleEndian.AppendUint32(file, waveHeaderBytes-8+soundBytes)
	file = append(file, "WAVEfmt "...)
	file = binary.LittleEndian.AppendUint32(file, 16)
	file = binary.LittleEndian.AppendUint16(file, 1) // PCM
	file = binary.LittleEndian.AppendUint16(file, 1) // mono
	file = binary.LittleEndian.AppendUint32(file, rate)
	file = binary.LittleEndian.AppendUint32(file, rate*bytesPerSample)
	file = binary.LittleEndian.AppendUint16(file, bytesPerSample)
	file = binary.LittleEndian.AppendUint16(file, 8*bytesPerSample)
	file = append(file, "data"...)
	return binary.LittleEndian.AppendUint32(file, soundBytes)
}

// playTime is how long a prompt file of fileBytes takes to hear.
func playTime(fileBytes int64) time.Duration {
	samples := (fileBytes - waveHeaderBytes) / bytesPerSample
	return time.Duration(samples) * time.Second / Rate
}
