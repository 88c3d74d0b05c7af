package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
)

// Reader follows the log from one sequence on, beside the writer, and sees only
// committed records. It belongs to one goroutine.
type Reader struct {
	journal *Journal
	from    uint64
	segment *segment
	file    file
	offset  int64
	last    uint64   // highest sequence read in this segment
	pending []Record // the rest of the last frame
}

// Reader returns a reader whose first record is the one numbered from, or the
// next there is. It fails with [ErrRemoved] when the log no longer holds from.
// Close it after use.
func (j *Journal) Reader(from uint64) (*Reader, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, fmt.Errorf("read journal from %d: %w", from, ErrClosed)
	}
	if first := j.segments[0].first; from < first {
		return nil, fmt.Errorf("read journal from %d: %w: the oldest left is %d", from, ErrRemoved, first)
	}
	start := j.segments[0]
	for start.next != nil && start.next.first <= from {
		start = start.next
	}
	return &Reader{journal: j, from: from, segment: start}, nil
}

// Next returns the next record and waits for it if there is none yet. It ends
// with the context's error, with [ErrClosed] when the journal is closed, or with
// a [CorruptError] on damage; a reader that failed stays where it was.
func (r *Reader) Next(ctx context.Context) (Record, error) {
	for {
		record, more, err := r.step()
		if err != nil || more == nil {
			return record, err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Record{}, ctx.Err()
		}
	}
}

// Close lets go of the file the reader is in.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// Records yields the records after sequence after that are committed now. A
// yielded error is the last thing yielded.
func (j *Journal) Records(after uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r, err := j.Reader(after + 1)
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer func() { _ = r.Close() }()
		for {
			record, more, err := r.step()
			if more != nil {
				return
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// step returns the next record, or a channel that is closed when there may be
// more, or an error.
func (r *Reader) step() (Record, <-chan struct{}, error) {
	for {
		for len(r.pending) > 0 {
			record := r.pending[0]
			r.pending = r.pending[1:]
			if record.Seq >= r.from {
				r.from = record.Seq + 1
				return record, nil, nil
			}
		}
		more, err := r.fill()
		if err != nil || more != nil {
			return Record{}, more, err
		}
	}
}

// fill reads one frame or moves to the next segment; at the end of the log it
// returns what to wait for.
func (r *Reader) fill() (<-chan struct{}, error) {
	r.journal.mu.Lock()
	limit, last, next := r.segment.bytes, r.segment.last, r.segment.next
	changed, closed := r.journal.changed, r.journal.closed
	r.journal.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case r.file == nil:
		return nil, r.openSegment()
	case r.offset < limit:
		return nil, r.readFrame(limit)
	case next == nil:
		return changed, nil
	case r.last != last:
		reason := fmt.Sprintf("it ends with record %d and should end with %d", r.last, last)
		return nil, &CorruptError{File: r.segment.name(), Offset: r.offset, Reason: reason}
	}
	_ = r.file.Close() // only ever read
	r.file, r.segment = nil, next
	return nil, nil
}

func (r *Reader) openSegment() error {
	f, err := r.journal.disk.open(r.segment.name(), os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read journal from %d: %w", r.from, ErrRemoved)
	}
	if err != nil {
		return fmt.Errorf("read journal from %d: %w", r.from, err)
	}
	r.file, r.offset, r.last = f, segmentHeaderBytes, r.segment.first-1
	return nil
}

func (r *Reader) readFrame(limit int64) error {
	records, next, err := readFrame(r.file, r.offset, limit, r.last)
	if _, damaged := errors.AsType[*frameError](err); damaged {
		return &CorruptError{File: r.segment.name(), Offset: r.offset, Reason: err.Error()}
	}
	if err != nil {
		return fmt.Errorf("read journal segment %s: %w", r.segment.name(), err)
	}
	r.pending, r.offset, r.last = records, next, records[len(records)-1].Seq
	return nil
}
