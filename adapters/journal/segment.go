package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"
)

const (
	segmentSuffix      = ".segment"
	segmentMagic       = "RMJOURNL"
	segmentVersion     = 1
	segmentHeaderBytes = 32 // magic, version, lowest sequence, the same of the segment before, checksum
	temporarySuffix    = ".temporary"
)

// segment is one file of the log. Fields below mu of the journal change while
// the segment is the active one, and never afterwards.
type segment struct {
	first    uint64 // the lowest sequence it may hold
	previous uint64 // first of the segment before it, 0 if there never was one

	bytes int64    // length of header and committed frames
	last  uint64   // highest committed sequence; first-1 while there is none
	next  *segment // nil while it is the active one
}

func (s *segment) name() string { return sequenceName(s.first, segmentSuffix) }

func sequenceName(seq uint64, suffix string) string {
	return fmt.Sprintf("%020d%s", seq, suffix)
}

// parseSequenceName is the inverse of sequenceName; ok is false for foreign files.
func parseSequenceName(name, suffix string) (uint64, bool) {
	digits, found := strings.CutSuffix(name, suffix)
	if !found || len(digits) != 20 {
		return 0, false
	}
	seq, err := strconv.ParseUint(digits, 10, 64)
	return seq, err == nil
}

func (s *segment) header() []byte {
	header := append(make([]byte, 0, segmentHeaderBytes), segmentMagic...)
	header = binary.LittleEndian.AppendUint32(header, segmentVersion)
	header = binary.LittleEndian.AppendUint64(header, s.first)
	header = binary.LittleEndian.AppendUint64(header, s.previous)
	return binary.LittleEndian.AppendUint32(header, crc32.Checksum(header, castagnoli))
}

// parseSegmentHeader reads what header wrote.
func parseSegmentHeader(header []byte) (*segment, error) {
	if len(header) < segmentHeaderBytes {
		return nil, errors.New("segment header is cut short")
	}
	header = header[:segmentHeaderBytes]
	if string(header[:8]) != segmentMagic {
		return nil, errors.New("not a journal segment")
	}
	if binary.LittleEndian.Uint32(header[28:]) != crc32.Checksum(header[:28], castagnoli) {
		return nil, errors.New("segment header does not match its checksum")
	}
	if version := binary.LittleEndian.Uint32(header[8:]); version != segmentVersion {
		return nil, fmt.Errorf("segment has version %d, this program reads version %d", version, segmentVersion)
	}
	s := &segment{
		first:    binary.LittleEndian.Uint64(header[12:]),
		previous: binary.LittleEndian.Uint64(header[20:]),
		bytes:    segmentHeaderBytes,
	}
	s.last = s.first - 1
	return s, nil
}

// prepareSegment writes a durable header under a temporary name. Together with
// publishSegment it makes a bad header under the right name always damage, and
// never a tear.
func prepareSegment(d disk, s *segment) (file, error) {
	temporary := s.name() + temporarySuffix
	f, err := d.open(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("create journal segment %s: %w", s.name(), err)
	}
	if _, err = f.WriteAt(s.header(), 0); err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close()
		_ = d.remove(temporary)
		return nil, fmt.Errorf("create journal segment %s: %w", s.name(), err)
	}
	return f, nil
}

// publishSegment gives a prepared segment its name. After an error nobody knows
// whether the next Open would see it, so the log must not go on without it.
func publishSegment(d disk, s *segment) error {
	err := d.rename(s.name()+temporarySuffix, s.name())
	if err == nil {
		err = d.sync()
	}
	if err != nil {
		return fmt.Errorf("create journal segment %s: %w", s.name(), err)
	}
	return nil
}

// loadSegments reads the headers of all segments in names, which is sorted, and
// links them. The content of sealed segments is verified when it is read: a
// restart must not wait for gigabytes that only the projector still needs.
func loadSegments(d disk, names []string) ([]*segment, error) {
	var segments []*segment
	for _, name := range names {
		first, ok := parseSequenceName(name, segmentSuffix)
		if !ok {
			continue
		}
		s, err := loadSegment(d, name)
		if err != nil {
			return nil, err
		}
		if s.first != first {
			return nil, &CorruptError{File: name, Reason: fmt.Sprintf("header says it begins at %d", s.first)}
		}
		if n := len(segments); n > 0 {
			before := segments[n-1]
			if s.previous != before.first {
				return nil, &CorruptError{File: name, Reason: fmt.Sprintf("segment %d before it is missing", s.previous)}
			}
			before.next, before.last = s, s.first-1
		}
		segments = append(segments, s)
	}
	return segments, nil
}

func loadSegment(d disk, name string) (*segment, error) {
	f, err := d.open(name, os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("open journal segment %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	header := make([]byte, segmentHeaderBytes)
	n, err := f.ReadAt(header, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read journal segment %s: %w", name, err)
	}
	s, err := parseSegmentHeader(header[:n])
	if err != nil {
		return nil, &CorruptError{File: name, Reason: err.Error()}
	}
	if s.bytes, err = f.size(); err != nil {
		return nil, fmt.Errorf("read journal segment %s: %w", name, err)
	}
	return s, nil
}

// recoverTail finds the end of the last segment's good frames, cuts off what a
// crash left behind it and returns how many bytes that was.
func recoverTail(s *segment, f file) (torn int64, err error) {
	length := s.bytes
	end, last, reason, err := scanFrames(s, f, length)
	if err != nil {
		return 0, err
	}
	s.bytes, s.last = end, last
	if end < length {
		if err := refuseDamage(s, f, length, reason); err != nil {
			return 0, err
		}
		if err := f.Truncate(end); err != nil {
			return 0, fmt.Errorf("cut journal segment %s at byte %d: %w", s.name(), end, err)
		}
	}
	// A killed process may have written its last frame and not yet synced it.
	// The floor is about to act on that frame, so it has to be durable first.
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("sync journal segment %s: %w", s.name(), err)
	}
	return length - end, nil
}

// scanFrames walks the good frames of s and returns where they end, and why.
func scanFrames(s *segment, f file, length int64) (end int64, last uint64, reason, err error) {
	end, last = segmentHeaderBytes, s.first-1
	for end < length {
		records, next, err := readFrame(f, end, length, last)
		if _, damaged := errors.AsType[*frameError](err); damaged {
			return end, last, err, nil
		}
		if err != nil {
			return 0, 0, nil, fmt.Errorf("read journal segment %s: %w", s.name(), err)
		}
		end, last = next, records[len(records)-1].Seq
	}
	return end, last, nil, nil
}

// refuseDamage looks for a good frame behind the bad one at the end of s. A
// frame is only written once the one before it is durable, so a good one behind
// a bad one means that committed records were damaged.
func refuseDamage(s *segment, f file, length int64, reason error) error {
	rest := make([]byte, length-s.bytes)
	if _, err := f.ReadAt(rest, s.bytes); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read journal segment %s: %w", s.name(), err)
	}
	marker := binary.LittleEndian.AppendUint32(nil, frameMarker)
	for at := 1; at < len(rest); at++ {
		found := bytes.Index(rest[at:], marker)
		if found < 0 {
			return nil
		}
		at += found
		if _, err := parseFrame(rest[at:], s.bytes+int64(at)); err == nil {
			return &CorruptError{File: s.name(), Offset: s.bytes, Reason: reason.Error()}
		}
	}
	return nil
}

// frameError marks damage as opposed to a disk that could not be read.
type frameError struct{ cause error }

func (e *frameError) Error() string { return e.cause.Error() }
func (e *frameError) Unwrap() error { return e.cause }

// readFrame reads the frame at offset of a file whose valid part ends at limit,
// and returns its records and where the next frame begins.
func readFrame(f io.ReaderAt, offset, limit int64, after uint64) ([]Record, int64, error) {
	if limit-offset < frameHeaderBytes {
		return nil, 0, &frameError{errFrameShort}
	}
	var header [frameHeaderBytes]byte
	if err := readFull(f, header[:], offset); err != nil {
		return nil, 0, err
	}
	length, err := parseFrameHeader(header[:])
	if err != nil {
		return nil, 0, &frameError{err}
	}
	next := offset + frameHeaderBytes + int64(length)
	if next > limit {
		return nil, 0, &frameError{errFrameShort}
	}
	data := make([]byte, frameHeaderBytes+length)
	if err := readFull(f, data, offset); err != nil {
		return nil, 0, err
	}
	body, err := parseFrame(data, offset)
	if err != nil {
		return nil, 0, &frameError{err}
	}
	records, err := parseRecords(body, after)
	if err != nil {
		return nil, 0, &frameError{err}
	}
	return records, next, nil
}

// readFull treats an early end as damage: the caller asked for bytes that were
// there when the file was measured.
func readFull(f io.ReaderAt, data []byte, offset int64) error {
	n, err := f.ReadAt(data, offset)
	if n == len(data) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return &frameError{errFrameShort}
	}
	return err
}
