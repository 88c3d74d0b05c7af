package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	// frameMarker opens every frame. It lets the recovery look for frames behind
	// a damaged one, which is how damage is told from a torn tail.
	frameMarker uint32 = 0x4d524d52

	frameHeaderBytes  = 12 // marker, length of the body, checksum
	recordHeaderBytes = 12 // sequence, length of the payload

	// maxBodyBytes bounds one frame, and so what a damaged length can make a
	// reader allocate.
	maxBodyBytes = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errFrameShort    = errors.New("frame is cut short")
	errFrameMarker   = errors.New("no frame begins here")
	errFrameLength   = errors.New("frame has an impossible length")
	errFrameChecksum = errors.New("frame does not match its checksum")
)

// Record is one payload and its place in line. The payload belongs to whoever
// received the record.
type Record struct {
	Seq     uint64
	Payload []byte
}

// batch collects records and becomes one frame. Its buffer always starts with
// room for the frame header, so that sealing copies nothing.
type batch struct {
	buffer []byte
	count  int
	last   uint64
}

func (b *batch) bodyBytes() int {
	return max(0, len(b.buffer)-frameHeaderBytes)
}

func (b *batch) add(seq uint64, payload []byte) {
	if len(b.buffer) == 0 {
		b.buffer = append(b.buffer, make([]byte, frameHeaderBytes)...)
	}
	b.buffer = binary.LittleEndian.AppendUint64(b.buffer, seq)
	b.buffer = binary.LittleEndian.AppendUint32(b.buffer, uint32(len(payload)))
	b.buffer = append(b.buffer, payload...)
	b.count++
	b.last = seq
}

// seal fills in the header for a frame that will stand at offset.
func (b *batch) seal(offset int64) []byte {
	body := b.buffer[frameHeaderBytes:]
	binary.LittleEndian.PutUint32(b.buffer[0:], frameMarker)
	binary.LittleEndian.PutUint32(b.buffer[4:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b.buffer[8:], frameChecksum(body, offset))
	return b.buffer
}

func (b *batch) reset() {
	b.buffer = b.buffer[:0]
	b.count = 0
}

func frameChecksum(body []byte, offset int64) uint32 {
	var place [12]byte
	binary.LittleEndian.PutUint64(place[0:], uint64(offset))
	binary.LittleEndian.PutUint32(place[8:], uint32(len(body)))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, body)
}

// parseFrameHeader returns the length of the body that follows header.
func parseFrameHeader(header []byte) (int, error) {
	if len(header) < frameHeaderBytes {
		return 0, errFrameShort
	}
	if binary.LittleEndian.Uint32(header) != frameMarker {
		return 0, errFrameMarker
	}
	length := binary.LittleEndian.Uint32(header[4:])
	if length < recordHeaderBytes || length > maxBodyBytes {
		return 0, errFrameLength
	}
	return int(length), nil
}

// parseFrame returns the body of the frame at the start of data, which was read
// from offset. Bytes behind the frame are ignored.
func parseFrame(data []byte, offset int64) ([]byte, error) {
	length, err := parseFrameHeader(data)
	if err != nil {
		return nil, err
	}
	if len(data)-frameHeaderBytes < length {
		return nil, errFrameShort
	}
	body := data[frameHeaderBytes : frameHeaderBytes+length]
	if binary.LittleEndian.Uint32(data[8:]) != frameChecksum(body, offset) {
		return nil, errFrameChecksum
	}
	return body, nil
}

// parseRecords splits a body whose checksum was right. A body that does not
// split, or goes back behind after, was written wrong and is never accepted.
func parseRecords(body []byte, after uint64) ([]Record, error) {
	var records []Record
	for len(body) > 0 {
		if len(body) < recordHeaderBytes {
			return nil, fmt.Errorf("record after %d has no header", after)
		}
		seq := binary.LittleEndian.Uint64(body)
		length := uint64(binary.LittleEndian.Uint32(body[8:]))
		body = body[recordHeaderBytes:]
		if length > uint64(len(body)) {
			return nil, fmt.Errorf("record %d is longer than its frame", seq)
		}
		if seq <= after {
			return nil, fmt.Errorf("record %d follows record %d", seq, after)
		}
		records = append(records, Record{Seq: seq, Payload: body[:length:length]})
		body, after = body[length:], seq
	}
	return records, nil
}
