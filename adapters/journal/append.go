package journal

import "fmt"

// Append buffers one record for the next Commit and copies payload. Seq must be
// above every sequence before it; [Journal.LastSeq] says where to go on after
// Open. Gaps are allowed and visible to readers.
func (j *Journal) Append(seq uint64, payload []byte) error {
	if seq <= j.appended {
		return fmt.Errorf("append record %d: record %d came before it", seq, j.appended)
	}
	if j.batch.bodyBytes()+recordHeaderBytes+len(payload) > maxBodyBytes {
		return fmt.Errorf("append record %d of %d bytes: %w", seq, len(payload), ErrTooLarge)
	}
	j.batch.add(seq, payload)
	j.appended = seq
	return nil
}

// Commit makes every appended record durable with one write and one fdatasync;
// only then do readers see them. With nothing appended it does nothing.
//
// On [ErrFull] the log is as it was and the records stay buffered. Any other
// failure makes the journal read-only for good ([ErrReadOnly]).
func (j *Journal) Commit() error {
	if j.batch.count == 0 {
		return nil
	}
	s, err := j.makeRoom(int64(len(j.batch.buffer)))
	if err != nil {
		return fmt.Errorf("commit %d records up to %d: %w", j.batch.count, j.batch.last, err)
	}
	if err := j.writeFrame(s); err != nil {
		return fmt.Errorf("commit %d records up to %d: %w", j.batch.count, j.batch.last, err)
	}
	j.mu.Lock()
	s.bytes += int64(len(j.batch.buffer))
	s.last = j.batch.last
	j.settled = j.batch.last
	j.full = nil
	j.announce()
	j.mu.Unlock()
	j.batch.reset()
	return nil
}

// Discard drops what was appended and not committed and returns how many
// records that were. Their sequences stay used, so the loss shows as a gap, and
// [Journal.Health] counts them. A caller whose state already holds these records
// must write a snapshot as soon as there is room: the log cannot rebuild it now.
func (j *Journal) Discard() int {
	dropped := j.batch.count
	j.batch.reset()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.settled = j.appended
	j.discarded += uint64(dropped)
	return dropped
}

// makeRoom returns the segment that takes the next frame, a new one if needed.
func (j *Journal) makeRoom(frameBytes int64) (*segment, error) {
	j.mu.Lock()
	err, total := j.writable(), j.logBytes()
	active := j.segments[len(j.segments)-1]
	j.mu.Unlock()
	if err != nil {
		return nil, err
	}
	rotate := active.bytes > segmentHeaderBytes && active.bytes+frameBytes > j.config.SegmentBytes
	if rotate {
		frameBytes += segmentHeaderBytes
	}
	if total+frameBytes > j.config.MaxBytes {
		err := fmt.Errorf("%w: %d bytes of at most %d", ErrFull, total, j.config.MaxBytes)
		j.setFull(err)
		return nil, err
	}
	if !rotate {
		return active, nil
	}
	return j.rotate(active)
}

func (j *Journal) rotate(active *segment) (*segment, error) {
	s := &segment{first: active.last + 1, previous: active.first, bytes: segmentHeaderBytes, last: active.last}
	f, err := prepareSegment(j.disk, s)
	if isFull(err) {
		err = fullError(err)
		j.setFull(err)
		return nil, err
	}
	if err != nil {
		return nil, j.breakDown(err)
	}
	if err := publishSegment(j.disk, s); err != nil {
		_ = f.Close()
		return nil, j.breakDown(err)
	}
	_ = j.active.Close() // everything in it is durable, so nothing can be lost here
	j.active = f
	j.mu.Lock()
	active.next = s
	j.segments = append(j.segments, s)
	j.mu.Unlock()
	return s, nil
}

// writeFrame puts the batch behind the committed frames of s.
//
// Whatever went wrong, the file is cut back as far as that still works: a frame
// that was reported as failed must not come back to life at the next Open.
func (j *Journal) writeFrame(s *segment) error {
	_, err := j.active.WriteAt(j.batch.seal(s.bytes), s.bytes)
	if err == nil {
		if err = j.active.Sync(); err == nil {
			return nil
		}
		_ = j.active.Truncate(s.bytes)
		return j.breakDown(err)
	}
	if cut := j.active.Truncate(s.bytes); cut != nil || !isFull(err) {
		return j.breakDown(err)
	}
	err = fullError(err)
	j.setFull(err)
	return err
}

// breakDown makes the journal read-only and returns why.
func (j *Journal) breakDown(cause error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = fmt.Errorf("%w: %w", ErrReadOnly, cause)
	return j.broken
}

func (j *Journal) setFull(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.full = err
}

// fullError marks err as [ErrFull] when the disk has no room, and leaves other
// errors alone.
func fullError(err error) error {
	if isFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// announce wakes the readers that wait for more. The caller holds mu.
func (j *Journal) announce() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// logBytes is the length of all segments. The caller holds mu.
func (j *Journal) logBytes() int64 {
	var total int64
	for _, s := range j.segments {
		total += s.bytes
	}
	return total
}
