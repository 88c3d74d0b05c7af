package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// openMemory opens a journal with small segments on d.
func openMemory(tb testing.TB, d *memoryDisk, config Config) *Journal {
	tb.Helper()
	if config.SegmentBytes == 0 {
		config.SegmentBytes = minSegmentBytes
	}
	config = config.withDefaults()
	j, err := openDisk(config, d)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = j.Close() })
	return j
}

func TestFailedSyncMakesReadOnly(t *testing.T) {
	d := newMemoryDisk()
	j := openMemory(t, d, Config{})
	put(t, j, 1, 3)
	d.syncFault = syscall.EIO
	if err := j.Append(4, payload(4)); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(); !errors.Is(err, ErrReadOnly) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("a failed fsync gave %v", err)
	}
	d.syncFault = nil // the kernel reports a lost page only once
	if err := j.Commit(); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("the commit after a failed fsync gave %v", err)
	}
	if err := j.WriteSnapshot(3, nil); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("the snapshot after a failed fsync gave %v", err)
	}
	if h := j.Health(); h.State != StateReadOnly || !errors.Is(h.Err, syscall.EIO) {
		t.Fatalf("health is %+v", h)
	}
	wantSequences(t, sequences(t, j, 0), 1, 3)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openMemory(t, d, Config{})
	wantSequences(t, sequences(t, j, 0), 1, 3)
	put(t, j, 4, 4)
}

func TestFailedWriteMakesReadOnly(t *testing.T) {
	d := newMemoryDisk()
	j := openMemory(t, d, Config{})
	put(t, j, 1, 3)
	broken := d.operations + 1
	d.fault = func(op int) error {
		if op == broken {
			return syscall.EIO
		}
		return nil
	}
	if err := j.Append(4, payload(4)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := j.Commit(); !errors.Is(err, ErrReadOnly) || !errors.Is(err, syscall.EIO) {
			t.Fatalf("a failed write gave %v", err)
		}
	}
	wantSequences(t, sequences(t, j, 0), 1, 3)
}

func TestDiskWithoutRoom(t *testing.T) {
	d := newMemoryDisk()
	j := openMemory(t, d, Config{})
	put(t, j, 1, 3)
	d.limited, d.room = true, 20 // a frame of one record does not fit
	if err := j.Append(4, payload(4)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := j.Commit(); !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("a full disk gave %v", err)
		}
	}
	if h := j.Health(); h.State != StateFull || !errors.Is(h.Err, ErrFull) {
		t.Fatalf("health is %+v", h)
	}
	if on, want := len(d.names[sequenceName(1, segmentSuffix)].data), j.Health().LogBytes; int64(on) != want {
		t.Fatalf("%d bytes are on disk, %d are committed", on, want)
	}
	wantSequences(t, sequences(t, j, 0), 1, 3)
	d.room = 1 << 30
	if err := j.Append(5, payload(5)); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(); err != nil {
		t.Fatal(err)
	}
	if h := j.Health(); h.State != StateOK {
		t.Fatalf("health is %+v", h)
	}
	wantSequences(t, sequences(t, j, 0), 1, 5)
}

// TestRealDiskWithoutRoom does the same on a real file system of 256 KiB.
func TestRealDiskWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mounting a small disk needs root: %v", err)
	}
	defer func() { _ = syscall.Unmount(dir, 0) }()
	j := open(t, Config{Dir: dir, SegmentBytes: 64 << 10})
	defer func() { _ = j.Close() }()
	seq, big := uint64(0), bytes.Repeat([]byte("x"), 10_000)
	var err error
	for err == nil && seq < 100 {
		seq++
		if err = j.Append(seq, big); err == nil {
			err = j.Commit()
		}
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) || seq < 20 {
		t.Fatalf("record %d gave %v", seq, err)
	}
	if dropped := j.Discard(); dropped != 1 || j.Health().Discarded != 1 || j.Health().State != StateFull {
		t.Fatalf("dropped %d, health %+v", dropped, j.Health())
	}
	if err := j.Append(seq+1, []byte("small")); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(); err != nil && !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	count := uint64(0)
	for record, err := range j.Records(0) {
		if err != nil || record.Seq == seq {
			t.Fatalf("record %d, %v", record.Seq, err)
		}
		count++
	}
	if count < seq-1 {
		t.Fatalf("%d of %d committed records are left", count, seq-1)
	}
}

func TestBoundIsHard(t *testing.T) {
	d := newMemoryDisk()
	j := openMemory(t, d, Config{MaxBytes: 4 * minSegmentBytes})
	var err error
	seq, warned := uint64(0), false
	for err == nil {
		if h := j.Health(); h.LogBytes > h.MaxBytes {
			t.Fatalf("%d bytes of at most %d", h.LogBytes, h.MaxBytes)
		} else if h.State == StateNearFull {
			warned = true
		}
		seq++
		if err = j.Append(seq, payload(seq)); err == nil {
			err = j.Commit()
		}
	}
	if !errors.Is(err, ErrFull) || !warned || j.Health().State != StateFull {
		t.Fatalf("record %d gave %v, warned %v", seq, err, warned)
	}
	// Neither of the two alone may free anything.
	if err := j.Acknowledge(seq - 1); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(); !errors.Is(err, ErrFull) {
		t.Fatalf("without a snapshot a commit gave %v", err)
	}
	if err := j.WriteSnapshot(seq-1, []byte("state")); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(); err != nil {
		t.Fatal(err)
	}
	wantSequences(t, sequences(t, j, seq-1), seq, seq)
	if h := j.Health(); h.State != StateOK || h.Segments > 2 {
		t.Fatalf("health is %+v", h)
	}
}

// TestEveryOperationFails stops the disk at each writing operation in turn, once
// as broken and once as full, cuts the power and looks at what is left.
func TestEveryOperationFails(t *testing.T) {
	for _, fault := range []error{errPower, syscall.ENOSPC} {
		for at := 1; ; at++ {
			random := rand.New(rand.NewPCG(uint64(at), 1))
			d := newMemoryDisk()
			d.fault = func(op int) error {
				if op >= at {
					return fault
				}
				return nil
			}
			finished := crashOnce(t, d, random, fmt.Sprintf("%v at operation %d", fault, at))
			if finished {
				break
			}
		}
	}
}

// TestPowerCut does long random work with power cuts at random operations.
func TestPowerCut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		random := rand.New(rand.NewPCG(seed, 2))
		d := newMemoryDisk()
		l := &ledger{}
		for range 5 {
			left := random.IntN(120)
			d.operations = 0
			d.fault = func(op int) error {
				if op > left {
					return errPower
				}
				return nil
			}
			l.work(rt, d, random)
			if random.IntN(2) == 0 {
				l.restart(rt, d)
			}
			d.cutPower(random)
			l.check(rt, d)
		}
	})
}

// crashOnce works until the fault, cuts the power and checks; it returns true
// when the work ended without meeting the fault.
func crashOnce(t *testing.T, d *memoryDisk, random *rand.Rand, name string) bool {
	t.Helper()
	l := &ledger{}
	l.work(&named{t, name}, d, random)
	finished := d.fault(d.operations) == nil
	d.cutPower(random)
	l.check(&named{t, name}, d)
	return finished
}

// named says in a failure which case it was.
type named struct {
	*testing.T
	name string
}

func (n *named) Fatalf(format string, arguments ...any) {
	n.Helper()
	n.T.Fatalf(n.name+": "+format, arguments...)
}

type failer interface {
	Helper()
	Fatalf(format string, arguments ...any)
}

// ledger remembers what the journal promised.
type ledger struct {
	committed    uint64 // promised durable
	attempted    uint64 // may or may not be there
	snapshot     uint64
	acknowledged uint64
}

// work appends, snapshots and acknowledges until something fails.
func (l *ledger) work(t failer, d *memoryDisk, random *rand.Rand) {
	t.Helper()
	j, err := openDisk(Config{SegmentBytes: minSegmentBytes}.withDefaults(), d)
	if err != nil {
		return
	}
	defer func() { _ = j.Close() }()
	l.attempted = j.LastSeq()
	for range 30 {
		for range random.IntN(4) + 1 {
			l.attempted++
			if err := j.Append(l.attempted, bytes.Repeat(payload(l.attempted), 30)); err != nil {
				t.Fatalf("append %d: %v", l.attempted, err)
			}
		}
		if j.Commit() != nil {
			return
		}
		l.committed = l.attempted
		if random.IntN(3) == 0 {
			if j.WriteSnapshot(l.committed, payload(l.committed)) != nil {
				return
			}
			l.snapshot = l.committed
		}
		if random.IntN(2) == 0 {
			if j.Acknowledge(l.committed) != nil {
				return
			}
			l.acknowledged = l.committed
		}
	}
}

// restart opens what a kill left, with the power still on. What the journal
// then shows, its caller acts on, so it is promised from there on.
func (l *ledger) restart(t failer, d *memoryDisk) {
	t.Helper()
	d.fault = nil
	j, err := openDisk(Config{SegmentBytes: minSegmentBytes}.withDefaults(), d)
	if err != nil {
		t.Fatalf("open after a kill: %v", err)
	}
	l.committed = j.LastSeq()
	_ = j.Close()
}

// check opens what the power cut left and holds it against the promises.
func (l *ledger) check(t failer, d *memoryDisk) {
	t.Helper()
	j, err := openDisk(Config{SegmentBytes: minSegmentBytes}.withDefaults(), d)
	if err != nil {
		t.Fatalf("open after the power cut: %v", err)
	}
	defer func() { _ = j.Close() }()
	if last := j.LastSeq(); last < l.committed || last > l.attempted {
		t.Fatalf("last record is %d, promised %d, tried %d", last, l.committed, l.attempted)
	}
	s, found, err := j.Snapshot()
	if err != nil || s.Seq < l.snapshot || found && !bytes.Equal(s.State, payload(s.Seq)) {
		t.Fatalf("snapshot %d %q, %v, promised %d", s.Seq, s.State, err, l.snapshot)
	}
	l.checkLog(t, j, s.Seq)
	// The projector may be sent back to what it had, never past it.
	if j.Acknowledged() > l.committed {
		t.Fatalf("acknowledged %d of %d", j.Acknowledged(), l.committed)
	}
	l.checkLog(t, j, j.Acknowledged())
	l.committed, l.snapshot = j.LastSeq(), s.Seq
}

func (l *ledger) checkLog(t failer, j *Journal, after uint64) {
	t.Helper()
	want := after + 1
	for record, err := range j.Records(after) {
		if err != nil {
			t.Fatalf("records after %d: %v", after, err)
		}
		if record.Seq != want || !bytes.Equal(record.Payload, bytes.Repeat(payload(want), 30)) {
			t.Fatalf("record %d where %d should be", record.Seq, want)
		}
		want++
	}
	if want != j.LastSeq()+1 {
		t.Fatalf("records after %d end before %d, the last is %d", after, want, j.LastSeq())
	}
}

func TestCrashBetweenSnapshotAndItsName(t *testing.T) {
	config := Config{Dir: t.TempDir()}
	j := open(t, config)
	put(t, j, 1, 4)
	if err := j.WriteSnapshot(2, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	half := config.Dir + "/" + sequenceName(4, snapshotSuffix) + temporarySuffix
	writeAll(t, half, snapshotHeader(4, []byte("four")))
	j = open(t, config)
	wantSnapshot(t, j, 2, "two")
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the half-made snapshot is still there: %v", err)
	}
	wantSequences(t, sequences(t, j, 2), 3, 4)
}

func wantSnapshot(t *testing.T, j *Journal, seq uint64, state string) {
	t.Helper()
	s, found, err := j.Snapshot()
	if err != nil || !found || s.Seq != seq || string(s.State) != state {
		t.Fatalf("snapshot %d %q, %v, %v; want %d %q", s.Seq, s.State, found, err, seq, state)
	}
}

func TestDamagedSnapshotFallsBack(t *testing.T) {
	config := Config{Dir: t.TempDir()}
	j := open(t, config)
	put(t, j, 1, 4)
	if err := j.WriteSnapshot(2, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := j.WriteSnapshot(4, []byte("four")); err != nil {
		t.Fatal(err)
	}
	wantSnapshot(t, j, 4, "four")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	name := config.Dir + "/" + sequenceName(4, snapshotSuffix)
	whole := readAll(t, name)
	for at := range whole {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		checkFallback(t, config, name, damaged)
		checkFallback(t, config, name, whole[:at])
	}
	j = open(t, config)
	if err := j.WriteSnapshot(4, []byte("again")); err != nil {
		t.Fatal(err)
	}
	wantSnapshot(t, j, 4, "again")
}

func checkFallback(t *testing.T, config Config, name string, data []byte) {
	t.Helper()
	writeAll(t, name, data)
	j := open(t, config)
	defer func() { _ = j.Close() }()
	wantSnapshot(t, j, 2, "two")
	wantSequences(t, sequences(t, j, 2), 3, 4)
	if damaged := j.Recovery().DamagedSnapshots; len(damaged) != 1 || !strings.HasSuffix(name, damaged[0]) {
		t.Fatalf("damaged snapshots %v", damaged)
	}
}

func TestSnapshotKeepsItsOrder(t *testing.T) {
	j := open(t, Config{Dir: t.TempDir()})
	if _, found, err := j.Snapshot(); found || err != nil {
		t.Fatalf("a new journal has a snapshot: %v, %v", found, err)
	}
	put(t, j, 1, 4)
	if err := j.WriteSnapshot(5, nil); err == nil {
		t.Fatal("a snapshot ahead of the log was taken")
	}
	if err := j.WriteSnapshot(4, nil); err != nil {
		t.Fatal(err)
	}
	if err := j.WriteSnapshot(3, nil); err == nil {
		t.Fatal("an older snapshot was taken")
	}
	wantSnapshot(t, j, 4, "")
}

func TestRetention(t *testing.T) {
	config := Config{Dir: t.TempDir(), SegmentBytes: minSegmentBytes}
	last := segments(t, config)
	j := open(t, config)
	slow, err := j.Reader(1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	steps := []struct {
		name         string
		snapshot     uint64
		acknowledged uint64
		removed      bool
	}{
		{"a first snapshot", last / 2, 0, false},
		{"acknowledged below it", 0, 1, false},
		{"both behind the first segment", 0, last / 2, true},
		{"acknowledged, but the older snapshot still needs it", 0, last, false},
		{"a second snapshot", last, 0, false},
		{"a third, so the first is dropped", last, 0, false},
	}
	for _, step := range steps {
		before := j.Health().Segments
		if step.snapshot > 0 {
			if err := j.WriteSnapshot(step.snapshot, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Acknowledge(step.acknowledged); err != nil {
			t.Fatal(err)
		}
		if got := j.Health().Segments < before; got != step.removed {
			t.Fatalf("%s: segments went from %d to %d", step.name, before, j.Health().Segments)
		}
	}
	put(t, j, last+1, last+1)
	if err := j.WriteSnapshot(last+1, nil); err != nil {
		t.Fatal(err)
	}
	if got := j.Health().Segments; got != 1 {
		t.Fatalf("%d segments are left", got)
	}
	if _, err := slow.Next(t.Context()); !errors.Is(err, ErrRemoved) {
		t.Fatalf("a reader left behind got %v", err)
	}
	if _, err := j.Reader(1); !errors.Is(err, ErrRemoved) {
		t.Fatalf("a reader of removed records got %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, config)
	if j.Acknowledged() != last || j.LastSeq() != last+1 {
		t.Fatalf("acknowledged %d, last %d", j.Acknowledged(), j.LastSeq())
	}
}

func TestDamagedAcknowledgement(t *testing.T) {
	config := Config{Dir: t.TempDir(), SegmentBytes: minSegmentBytes}
	last := segments(t, config)
	j := open(t, config)
	if err := j.WriteSnapshot(last, nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Acknowledge(last + 1); err == nil {
		t.Fatal("records nobody wrote were acknowledged")
	}
	if err := j.Acknowledge(last); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	name := config.Dir + "/" + acknowledgedName
	whole := readAll(t, name)
	for at := range whole {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1
		for _, data := range [][]byte{damaged, whole[:at]} {
			writeAll(t, name, data)
			j := open(t, config)
			got := j.Acknowledged()
			if got > last || got == 0 {
				t.Fatalf("acknowledged %d of %d", got, last)
			}
			wantSequences(t, sequences(t, j, got), got+1, last)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestNoNumberIsUsedTwice loses a committed record to damage at the very end,
// which looks like a tear. Its number must not come back with another meaning.
func TestNoNumberIsUsedTwice(t *testing.T) {
	for _, kept := range []string{"snapshot", "acknowledgement"} {
		config := Config{Dir: t.TempDir()}
		j := open(t, config)
		put(t, j, 1, 3)
		put(t, j, 4, 4)
		if err := j.WriteSnapshot(map[string]uint64{"snapshot": 4}[kept], nil); err != nil {
			t.Fatal(err)
		}
		if err := j.Acknowledge(map[string]uint64{"acknowledgement": 4}[kept]); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		name := onlySegment(t, config.Dir)
		whole := readAll(t, name)
		writeAll(t, name, whole[:len(whole)-1])
		j = open(t, config)
		if j.LastSeq() != 4 || j.Recovery().TornBytes == 0 {
			t.Fatalf("%s: last %d, recovery %+v", kept, j.LastSeq(), j.Recovery())
		}
		// What a snapshot holds is not lost; what was only stored elsewhere is.
		if behind := j.Recovery().Behind; behind != (kept == "acknowledgement") {
			t.Fatalf("%s: behind %t", kept, behind)
		}
		put(t, j, 5, 5)
		wantSequences(t, sequences(t, j, 3), 5, 5)
	}
}

func TestLostLogIsNoticed(t *testing.T) {
	config := Config{Dir: t.TempDir()}
	j := open(t, config)
	put(t, j, 1, 4)
	if err := j.WriteSnapshot(2, nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Acknowledge(4); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(onlySegment(t, config.Dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(config); !errors.Is(err, ErrRemoved) {
		t.Fatalf("a log that ends before its acknowledgement gave %v", err)
	}
}
