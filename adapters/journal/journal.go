package journal

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
)

const (
	defaultSegmentBytes = 64 << 20
	defaultMaxBytes     = 4 << 30
	minSegmentBytes     = 4 << 10
)

var (
	// ErrLocked means another process (or another Open) holds the journal.
	ErrLocked = errors.New("journal is open elsewhere")
	// ErrFull means the bound or the disk leaves no room. The records stay
	// buffered: Commit again when there is room, or Discard.
	ErrFull = errors.New("journal is full")
	// ErrReadOnly means the disk failed while writing. What it holds is unknown
	// until the journal is opened again; reading goes on.
	ErrReadOnly = errors.New("journal is read-only after a disk failure")
	// ErrTooLarge means a record does not fit the batch. If the batch is not
	// empty, Commit and append again; a record that never fits is above
	// MaxRecordBytes.
	ErrTooLarge = errors.New("record does not fit the batch")
	// ErrRemoved means the wanted records are no longer in the log.
	ErrRemoved = errors.New("records were removed from the journal")
	// ErrClosed means the journal was closed.
	ErrClosed = errors.New("journal is closed")
)

// MaxRecordBytes is the longest payload a record may have.
const MaxRecordBytes = maxBodyBytes - recordHeaderBytes

// CorruptError names the place where the log is damaged. Offset counts bytes
// from the start of the file.
type CorruptError struct {
	File   string
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal file %s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Config says where a journal lives and how much disk it may use.
type Config struct {
	// Dir is the journal's own folder; it is created if missing.
	Dir string
	// SegmentBytes is the size at which a new segment begins; 0 means 64 MiB. A
	// frame larger than this gets a segment of its own.
	SegmentBytes int64
	// MaxBytes bounds all segments together; 0 means 4 GiB. Snapshots (two, and
	// a third while it is written) come on top: without room for a snapshot a
	// full log could never shrink again.
	MaxBytes int64
}

// Validate reports every field that cannot work.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("dir: must name a folder"))
	}
	if c.SegmentBytes < minSegmentBytes || c.SegmentBytes > math.MaxUint32 {
		faults = append(faults, fmt.Errorf("segment_bytes: %d is not between %d and %d", c.SegmentBytes, minSegmentBytes, uint32(math.MaxUint32)))
	}
	if c.MaxBytes < 2*c.SegmentBytes {
		faults = append(faults, fmt.Errorf("max_bytes: %d is less than two segments of %d", c.MaxBytes, c.SegmentBytes))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	c.SegmentBytes = cmp.Or(c.SegmentBytes, defaultSegmentBytes)
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	return c
}

// Recovery is what Open found and did.
type Recovery struct {
	// TornFile and TornBytes say what was cut off the log's end: the rest of a
	// frame that a crash interrupted. Zero when there was nothing to cut.
	TornFile  string
	TornBytes int64
	// DamagedSnapshots lists snapshot files that could not be used.
	DamagedSnapshots []string
	// Behind means that the last records that were acknowledged are neither in
	// the log nor in a snapshot: a disk has lost what it called durable, and
	// whoever stored them elsewhere knows more than this journal.
	Behind bool
}

// Journal is an open journal. Append, Commit, Discard and Close belong to one
// goroutine; everything else may be called from any.
type Journal struct {
	config   Config
	disk     disk
	lock     *os.File // nil when a test brings its own disk
	recovery Recovery

	// The writer's own, untouched by other goroutines.
	batch    batch
	appended uint64 // highest sequence appended or discarded
	active   file

	snapshotting  sync.Mutex // one snapshot at a time
	acknowledging sync.Mutex // one acknowledgement at a time
	pruning       sync.Mutex // one removal at a time; taken after the two above, before mu

	mu           sync.Mutex // guards everything below
	segments     []*segment // never empty; the last one is active
	snapshots    []storedSnapshot
	acknowledged uint64
	settled      uint64 // highest sequence committed or discarded
	discarded    uint64
	full         error // why the last write found no room
	broken       error // why the journal is read-only
	closed       bool
	changed      chan struct{} // closed and replaced when there is more to read
}

// Open opens the journal in config.Dir, or begins a new one. It cuts off a torn
// tail (see [Journal.Recovery]), and fails with a [CorruptError] on damage it can
// see, with [ErrLocked] when the journal is open elsewhere, and with [ErrRemoved]
// when records between the newest readable snapshot and the log are missing.
func Open(config Config) (*Journal, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("open journal %s: %w", config.Dir, err)
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal %s: %w", config.Dir, err)
	}
	lock, err := lockDir(config.Dir)
	if err != nil {
		return nil, err
	}
	j, err := openDisk(config, osDisk{config.Dir})
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	j.lock = lock
	return j, nil
}

func openDisk(config Config, d disk) (*Journal, error) {
	j := &Journal{config: config, disk: d, changed: make(chan struct{})}
	names, err := cleanNames(d)
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", config.Dir, err)
	}
	j.snapshots, j.recovery.DamagedSnapshots = findSnapshots(d, names)
	if j.acknowledged, err = loadAcknowledged(d); err != nil {
		return nil, fmt.Errorf("open journal %s: %w", config.Dir, err)
	}
	if err := j.openLog(names); err != nil {
		return nil, fmt.Errorf("open journal %s: %w", config.Dir, err)
	}
	return j, nil
}

// cleanNames removes what a crash left half-made and returns the rest, sorted.
func cleanNames(d disk) ([]string, error) {
	names, err := d.list()
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	kept := names[:0]
	for _, name := range names {
		if !strings.HasSuffix(name, temporarySuffix) {
			kept = append(kept, name)
			continue
		}
		if err := d.remove(name); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// openLog loads the segments, recovers the last one and opens it for writing.
func (j *Journal) openLog(names []string) error {
	var err error
	if j.segments, err = loadSegments(j.disk, names); err != nil {
		return err
	}
	var snapshotSeq uint64
	if n := len(j.snapshots); n > 0 {
		snapshotSeq = j.snapshots[n-1].seq
	}
	oldest := &segment{first: max(snapshotSeq, j.acknowledged) + 1}
	if len(j.segments) > 0 {
		oldest = j.segments[0]
	}
	if oldest.first > snapshotSeq+1 {
		return fmt.Errorf("%w: snapshot %d needs record %d and the log begins at %d",
			ErrRemoved, snapshotSeq, snapshotSeq+1, oldest.first)
	}
	if len(j.segments) == 0 {
		if err := j.beginLog(oldest); err != nil {
			return fullError(err)
		}
	} else if err := j.recoverActive(); err != nil {
		return err
	}
	// Removed segments were acknowledged, whatever the file says now.
	j.acknowledged = max(j.acknowledged, oldest.first-1)
	here := max(j.segments[len(j.segments)-1].last, snapshotSeq)
	j.recovery.Behind = j.acknowledged > here
	j.appended = max(here, j.acknowledged)
	j.settled = j.appended
	return nil
}

func (j *Journal) beginLog(s *segment) error {
	f, err := prepareSegment(j.disk, s)
	if err != nil {
		return err
	}
	if err := publishSegment(j.disk, s); err != nil {
		_ = f.Close()
		return err
	}
	s.bytes, s.last = segmentHeaderBytes, s.first-1
	j.active, j.segments = f, []*segment{s}
	return nil
}

func (j *Journal) recoverActive() error {
	s := j.segments[len(j.segments)-1]
	f, err := j.disk.open(s.name(), os.O_RDWR)
	if err != nil {
		return fmt.Errorf("open journal segment %s: %w", s.name(), err)
	}
	torn, err := recoverTail(s, f)
	if err != nil {
		_ = f.Close()
		return err
	}
	if torn > 0 {
		j.recovery.TornFile, j.recovery.TornBytes = s.name(), torn
	}
	j.active = f
	return nil
}

// Recovery returns what Open found and did.
func (j *Journal) Recovery() Recovery { return j.recovery }

// LastSeq is the highest sequence in use; the next record must be above it. It
// counts records that exist only in a snapshot, as acknowledged, or as
// discarded, so that no number ever means two things.
func (j *Journal) LastSeq() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.settled
}

// Close ends reading and writing and lets another process open the journal.
// Records appended and not committed are dropped.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	close(j.changed)
	j.mu.Unlock()
	// What is being written beside the log ends before the lock is given away.
	j.snapshotting.Lock()
	defer j.snapshotting.Unlock()
	j.acknowledging.Lock()
	defer j.acknowledging.Unlock()
	err := j.active.Close()
	if j.lock != nil {
		err = errors.Join(err, j.lock.Close())
	}
	if err != nil {
		return fmt.Errorf("close journal %s: %w", j.config.Dir, err)
	}
	return nil
}

// writable says why nothing may be written, if so. The caller holds mu.
func (j *Journal) writable() error {
	if j.closed {
		return ErrClosed
	}
	return j.broken
}
