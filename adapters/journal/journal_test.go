package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, config Config) *Journal {
	t.Helper()
	j, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// put commits records first..last as one frame.
func put(t *testing.T, j *Journal, first, last uint64) {
	t.Helper()
	for seq := first; seq <= last; seq++ {
		if err := j.Append(seq, payload(seq)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Commit(); err != nil {
		t.Fatal(err)
	}
}

func payload(seq uint64) []byte { return fmt.Appendf(nil, "fact %d", seq) }

// sequences checks every payload and returns the sequences after after.
func sequences(t *testing.T, j *Journal, after uint64) []uint64 {
	t.Helper()
	var got []uint64
	for record, err := range j.Records(after) {
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(record.Payload, payload(record.Seq)) {
			t.Fatalf("record %d holds %q", record.Seq, record.Payload)
		}
		got = append(got, record.Seq)
	}
	return got
}

func wantSequences(t *testing.T, got []uint64, first, last uint64) {
	t.Helper()
	var want []uint64
	for seq := first; seq <= last; seq++ {
		want = append(want, seq)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got records %v, want %v", got, want)
	}
}

func onlySegment(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil || len(names) != 1 {
		t.Fatalf("segments %v, %v", names, err)
	}
	return names[0]
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newMemoryDisk()
		config := Config{SegmentBytes: minSegmentBytes}.withDefaults()
		var want []Record
		seq := uint64(0)
		for range rapid.IntRange(1, 4).Draw(t, "openings") {
			j, err := openDisk(config, d)
			if err != nil {
				t.Fatal(err)
			}
			if j.LastSeq() != seq {
				t.Fatalf("last sequence %d, want %d", j.LastSeq(), seq)
			}
			for range rapid.IntRange(0, 12).Draw(t, "commits") {
				for range rapid.IntRange(0, 5).Draw(t, "group") {
					seq += rapid.Uint64Range(1, 3).Draw(t, "step")
					data := rapid.SliceOfN(rapid.Byte(), 0, 900).Draw(t, "payload")
					if err := j.Append(seq, data); err != nil {
						t.Fatal(err)
					}
					want = append(want, Record{seq, data})
				}
				if err := j.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			from := rapid.Uint64Range(0, seq).Draw(t, "after")
			checkRecords(t, j, from, want)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func checkRecords(t *rapid.T, j *Journal, after uint64, want []Record) {
	for len(want) > 0 && want[0].Seq <= after {
		want = want[1:]
	}
	for record, err := range j.Records(after) {
		if err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 || record.Seq != want[0].Seq || !bytes.Equal(record.Payload, want[0].Payload) {
			t.Fatalf("record %d is not the next of %d left", record.Seq, len(want))
		}
		want = want[1:]
	}
	if len(want) > 0 {
		t.Fatalf("%d records are missing from %d on", len(want), want[0].Seq)
	}
}

func TestAppendRefusesGoingBack(t *testing.T) {
	j := open(t, Config{Dir: t.TempDir()})
	put(t, j, 5, 5)
	if err := j.Append(5, nil); err == nil {
		t.Fatal("sequence 5 was taken twice")
	}
	if err := j.Append(6, make([]byte, MaxRecordBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("an oversized record gave %v", err)
	}
	if err := j.Append(6, make([]byte, MaxRecordBytes)); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(7, nil); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("an oversized batch gave %v", err)
	}
	if err := j.Commit(); err != nil {
		t.Fatal(err)
	}
	put(t, j, 7, 7)
}

func TestUncommittedRecordsAreInvisibleAndDropped(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	put(t, j, 1, 2)
	if err := j.Append(3, payload(3)); err != nil {
		t.Fatal(err)
	}
	wantSequences(t, sequences(t, j, 0), 1, 2)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, Config{Dir: dir})
	wantSequences(t, sequences(t, j, 0), 1, 2)
	put(t, j, 3, 3)
}

func TestTornTailAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	put(t, j, 1, 3)
	first := j.Health().LogBytes
	put(t, j, 4, 5)
	second := j.Health().LogBytes
	put(t, j, 6, 6)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole := readAll(t, onlySegment(t, dir))
	for length := int64(segmentHeaderBytes); length <= int64(len(whole)); length++ {
		end, last := int64(segmentHeaderBytes), uint64(0)
		switch {
		case length == int64(len(whole)):
			end, last = length, 6
		case length >= second:
			end, last = second, 5
		case length >= first:
			end, last = first, 3
		}
		checkTorn(t, whole[:length], end, last)
	}
}

// checkTorn opens a journal whose only segment is data and goes on writing.
func checkTorn(t *testing.T, data []byte, end int64, last uint64) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, sequenceName(1, segmentSuffix))
	writeAll(t, name, data)
	j := open(t, Config{Dir: dir})
	if torn := j.Recovery().TornBytes; torn != int64(len(data))-end {
		t.Fatalf("of %d bytes %d were cut, want %d", len(data), torn, int64(len(data))-end)
	}
	if j.LastSeq() != last {
		t.Fatalf("of %d bytes the last record is %d, want %d", len(data), j.LastSeq(), last)
	}
	put(t, j, last+1, last+2)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, Config{Dir: dir})
	wantSequences(t, sequences(t, j, 0), 1, last+2)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBitFlipAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	put(t, j, 1, 3)
	second := j.Health().LogBytes
	put(t, j, 4, 5)
	third := j.Health().LogBytes
	put(t, j, 6, 7)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole := readAll(t, onlySegment(t, dir))
	for at := range int64(len(whole)) {
		for bit := range 8 {
			flipped := bytes.Clone(whole)
			flipped[at] ^= 1 << bit
			if at >= third {
				checkTorn(t, flipped, third, 5)
				continue
			}
			offset := int64(0)
			if at >= second {
				offset = second
			} else if at >= segmentHeaderBytes {
				offset = segmentHeaderBytes
			}
			checkDamage(t, flipped, offset)
		}
	}
}

func checkDamage(t *testing.T, data []byte, offset int64) {
	t.Helper()
	dir := t.TempDir()
	name := sequenceName(1, segmentSuffix)
	writeAll(t, filepath.Join(dir, name), data)
	j, err := Open(Config{Dir: dir})
	if err == nil {
		_ = j.Close()
		t.Fatalf("damage at %d was accepted", offset)
	}
	var damage *CorruptError
	if !errors.As(err, &damage) || damage.File != name || damage.Offset != offset {
		t.Fatalf("damage at %d gave %v", offset, err)
	}
	if got := readAll(t, filepath.Join(dir, name)); !bytes.Equal(got, data) {
		t.Fatal("a damaged segment was changed")
	}
}

// segments returns a journal folder with several sealed segments and its last sequence.
func segments(t *testing.T, config Config) uint64 {
	t.Helper()
	j := open(t, config)
	seq := uint64(0)
	for j.Health().Segments < 4 {
		put(t, j, seq+1, seq+10)
		seq += 10
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return seq
}

func TestDamageInOlderSegment(t *testing.T) {
	config := Config{Dir: t.TempDir(), SegmentBytes: minSegmentBytes}
	segments(t, config)
	names, _ := filepath.Glob(filepath.Join(config.Dir, "*"+segmentSuffix))
	whole := readAll(t, names[1])
	damages := map[string][]byte{
		"flipped":   append(append(bytes.Clone(whole[:2000]), whole[2000]^1), whole[2001:]...),
		"cut":       whole[:len(whole)-1],
		"last gone": whole[:segmentHeaderBytes],
	}
	for name, data := range damages {
		t.Run(name, func(t *testing.T) {
			writeAll(t, names[1], data)
			defer writeAll(t, names[1], whole)
			j := open(t, config) // what only old readers need must not stop the centre
			defer func() { _ = j.Close() }()
			var damage *CorruptError
			if err := lastError(j, 0); !errors.As(err, &damage) || damage.File != filepath.Base(names[1]) || damage.Offset == 0 {
				t.Fatalf("reading it gave %v", err)
			}
		})
	}
	if err := os.Remove(names[1]); err != nil {
		t.Fatal(err)
	}
	var damage *CorruptError
	if _, err := Open(config); !errors.As(err, &damage) || damage.File != filepath.Base(names[2]) {
		t.Fatalf("a missing segment gave %v", err)
	}
}

func lastError(j *Journal, after uint64) error {
	var last error
	for _, err := range j.Records(after) {
		last = err
	}
	return last
}

func TestMissingBeginning(t *testing.T) {
	config := Config{Dir: t.TempDir(), SegmentBytes: minSegmentBytes}
	segments(t, config)
	names, _ := filepath.Glob(filepath.Join(config.Dir, "*"+segmentSuffix))
	if err := os.Remove(names[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(config); !errors.Is(err, ErrRemoved) {
		t.Fatalf("a log without its beginning and without a snapshot gave %v", err)
	}
}

func TestSecondOpener(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Config{Dir: dir})
	_, err := Open(Config{Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Fatalf("a second opener got %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, Config{Dir: dir})
	put(t, j, 1, 1)
}

func TestConfigNamesEveryFault(t *testing.T) {
	err := Config{SegmentBytes: 1, MaxBytes: 1}.Validate()
	for _, field := range []string{"dir", "segment_bytes", "max_bytes"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Fatalf("%v does not name %s", err, field)
		}
	}
}

func TestReaderFollowsWriter(t *testing.T) {
	j := open(t, Config{Dir: t.TempDir(), SegmentBytes: minSegmentBytes})
	const last = 3000
	done := make(chan error, 2)
	for _, from := range []uint64{1, 700} {
		go func() { done <- follow(j, from, last) }()
	}
	for seq := uint64(1); seq <= last; seq += 3 {
		put(t, j, seq, min(seq+2, last))
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func follow(j *Journal, from, last uint64) error {
	r, err := j.Reader(from)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for want := from; want <= last; want++ {
		record, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if record.Seq != want || !bytes.Equal(record.Payload, payload(want)) {
			return fmt.Errorf("got %d %q, want %d", record.Seq, record.Payload, want)
		}
	}
	return nil
}

func TestReaderEnds(t *testing.T) {
	j := open(t, Config{Dir: t.TempDir()})
	r, err := j.Reader(1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("waiting for nothing gave %v", err)
	}
	put(t, j, 1, 1)
	if record, err := r.Next(context.Background()); err != nil || record.Seq != 1 {
		t.Fatalf("got %d, %v", record.Seq, err)
	}
	ended := make(chan error)
	go func() {
		_, err := r.Next(context.Background())
		ended <- err
	}()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Fatalf("closing gave %v", err)
	}
}

func readAll(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeAll(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
