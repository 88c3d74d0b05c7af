package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// seedFrames returns frames as a journal writes them at the start of a segment.
func seedFrames() [][]byte {
	var frames [][]byte
	for _, payloads := range [][][]byte{{nil}, {[]byte("a")}, {[]byte("a"), nil, bytes.Repeat([]byte("z"), 300)}} {
		var b batch
		for i, data := range payloads {
			b.add(uint64(i)+1, data)
		}
		frames = append(frames, bytes.Clone(b.seal(segmentHeaderBytes)))
	}
	return frames
}

func FuzzParseFrame(f *testing.F) {
	for _, frame := range seedFrames() {
		f.Add(frame, int64(segmentHeaderBytes), uint64(0))
		f.Add(frame[:len(frame)-1], int64(segmentHeaderBytes), uint64(0))
		f.Add(append(frame, frame...), int64(segmentHeaderBytes), uint64(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, offset int64, after uint64) {
		body, err := parseFrame(data, offset)
		if err != nil {
			return
		}
		records, err := parseRecords(body, after)
		if err != nil {
			return
		}
		var b batch
		for _, record := range records {
			if record.Seq <= after {
				t.Fatalf("record %d after %d", record.Seq, after)
			}
			after = record.Seq
			b.add(record.Seq, record.Payload)
		}
		if again := b.seal(offset); !bytes.HasPrefix(data, again) {
			t.Fatalf("%x was read, %x is written", data, again)
		}
	})
}

// FuzzParseRecords reaches bodies that a fuzzer cannot give a right checksum.
func FuzzParseRecords(f *testing.F) {
	for _, frame := range seedFrames() {
		f.Add(frame[frameHeaderBytes:], uint64(0))
		f.Add(frame[frameHeaderBytes+1:], uint64(0))
	}
	f.Fuzz(func(t *testing.T, body []byte, after uint64) {
		records, err := parseRecords(body, after)
		if err != nil {
			return
		}
		var b batch
		for _, record := range records {
			b.add(record.Seq, record.Payload)
		}
		if len(records) > 0 && !bytes.Equal(b.buffer[frameHeaderBytes:], body) {
			t.Fatalf("%x was read, %x is written", body, b.buffer[frameHeaderBytes:])
		}
	})
}

// FuzzOpen puts anything where a segment should be. Whatever Open accepts must
// take a new record and show it again.
func FuzzOpen(f *testing.F) {
	header := (&segment{first: 1}).header()
	for _, frame := range seedFrames() {
		f.Add(append(bytes.Clone(header), frame...))
		f.Add(append(bytes.Clone(header), frame[:len(frame)-1]...))
	}
	f.Add(header)
	f.Add(header[:10])
	f.Add(append(bytes.Clone(header), make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newMemoryDisk()
		d.names[sequenceName(1, segmentSuffix)] = &memoryFile{disk: d, data: data}
		config := Config{SegmentBytes: minSegmentBytes}.withDefaults()
		j, err := openDisk(config, d)
		if err != nil {
			return
		}
		next := j.LastSeq() + 1
		put(t, j, next, next)
		var last uint64
		for record, err := range j.Records(0) {
			if err != nil {
				t.Fatal(err)
			}
			last = record.Seq
		}
		if last != next {
			t.Fatalf("record %d is read as %d", next, last)
		}
		_ = j.Close()
	})
}

func FuzzParseSnapshot(f *testing.F) {
	for _, state := range [][]byte{nil, []byte("state")} {
		f.Add(append(snapshotHeader(7, state), state...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSnapshot(data)
		if err != nil {
			return
		}
		if again := append(snapshotHeader(s.Seq, s.State), s.State...); !bytes.Equal(data, again) {
			t.Fatalf("%x was read, %x is written", data, again)
		}
	})
}

// BenchmarkCommit appends records of 300 bytes, a typical fact, in groups with
// one write and one fdatasync each, on the disk of the temporary folder.
func BenchmarkCommit(b *testing.B) {
	for _, group := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) { benchmarkCommit(b, group) })
	}
}

func benchmarkCommit(b *testing.B, group int) {
	b.Helper()
	j, err := Open(Config{Dir: b.TempDir(), MaxBytes: 64 << 30})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	data := make([]byte, 300)
	seq := uint64(0)
	for b.Loop() {
		for range group {
			seq++
			if err := j.Append(seq, data); err != nil {
				b.Fatal(err)
			}
		}
		if err := j.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(seq)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(j.Health().LogBytes)/b.Elapsed().Seconds()/1e6, "MB/s")
}

// BenchmarkRecords reads a full segment back, as a restart does.
func BenchmarkRecords(b *testing.B) {
	config := Config{Dir: b.TempDir()}
	j, err := Open(config)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	data := make([]byte, 300)
	for seq := uint64(1); seq <= 64_000; seq++ {
		if err := j.Append(seq, data); err != nil {
			b.Fatal(err)
		}
		if seq%16 == 0 {
			if err := j.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	}
	info, err := os.Stat(filepath.Join(config.Dir, sequenceName(1, segmentSuffix)))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	count := 0
	for b.Loop() {
		count = 0
		for _, err := range j.Records(0) {
			if err != nil {
				b.Fatal(err)
			}
			count++
		}
	}
	b.ReportMetric(float64(count), "records")
}
