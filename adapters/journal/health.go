package journal

// State says how much trust and room a journal has left, worst last.
type State string

const (
	// StateOK: there is room.
	StateOK State = "ok"
	// StateNearFull: 80 % of the bound is used, or the disk has room for less
	// than two more segments. The moment to stop making new work.
	StateNearFull State = "near_full"
	// StateFull: the last write found no room. It returns to normal with the
	// next commit that succeeds.
	StateFull State = "full"
	// StateReadOnly: the disk failed; only opening the journal again helps.
	StateReadOnly State = "read_only"
)

// Health is a journal's condition at one moment.
type Health struct {
	State State
	Err   error // why the state is full or read_only

	LogBytes      int64 // all segments
	MaxBytes      int64
	SnapshotBytes int64
	FreeBytes     int64 // what the disk has left for this process
	Segments      int

	LastSeq      uint64
	Acknowledged uint64 // LastSeq - Acknowledged is the projector's backlog
	SnapshotSeq  uint64 // 0 without a snapshot
	Discarded    uint64 // records dropped by Discard since Open
}

// Health returns the journal's condition. It asks the disk for its free space,
// so it is meant for seconds, not for every call.
func (j *Journal) Health() Health {
	free := j.disk.free()
	j.mu.Lock()
	defer j.mu.Unlock()
	h := Health{
		State:        StateOK,
		LogBytes:     j.logBytes(),
		MaxBytes:     j.config.MaxBytes,
		FreeBytes:    free,
		Segments:     len(j.segments),
		LastSeq:      j.settled,
		Acknowledged: j.acknowledged,
		Discarded:    j.discarded,
	}
	for _, s := range j.snapshots {
		h.SnapshotBytes += s.bytes
		h.SnapshotSeq = s.seq
	}
	switch {
	case j.broken != nil:
		h.State, h.Err = StateReadOnly, j.broken
	case j.full != nil:
		h.State, h.Err = StateFull, j.full
	case h.LogBytes >= h.MaxBytes/5*4 || free < 2*j.config.SegmentBytes:
		h.State = StateNearFull
	}
	return h
}
