package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

const (
	acknowledgedName  = "acknowledged"
	acknowledgedBytes = 12 // sequence, checksum
)

// Acknowledge says that every record up to seq is stored elsewhere, so that the
// log need not keep it for the projector any longer. An older seq than before
// changes nothing.
//
// The number is not synced: after a power cut it may be older than it was. The
// projector then sees some records twice, which its idempotent batches absorb,
// and never misses one, because a removed segment proves its own acknowledgement.
func (j *Journal) Acknowledge(seq uint64) error {
	j.acknowledging.Lock()
	defer j.acknowledging.Unlock()
	j.mu.Lock()
	err, known, settled := j.writable(), j.acknowledged, j.settled
	j.mu.Unlock()
	switch {
	case err != nil:
		return fmt.Errorf("acknowledge record %d: %w", seq, err)
	case seq > settled:
		return fmt.Errorf("acknowledge record %d: only records up to %d are committed", seq, settled)
	case seq <= known:
		return nil
	}
	j.mu.Lock()
	j.acknowledged = seq
	j.mu.Unlock()
	// Removing comes first, because on a full disk it makes room for the number.
	err = j.prune()
	if stored := storeAcknowledged(j.disk, seq); stored != nil {
		err = errors.Join(err, fmt.Errorf("acknowledge record %d: %w", seq, stored))
	}
	return err
}

// Acknowledged is the highest sequence the projector is known to have stored.
func (j *Journal) Acknowledged() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.acknowledged
}

func storeAcknowledged(d disk, seq uint64) error {
	f, err := d.open(acknowledgedName, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	data := binary.LittleEndian.AppendUint64(make([]byte, 0, acknowledgedBytes), seq)
	data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Close())
}

// loadAcknowledged returns 0 when the file is missing or damaged: an older
// number than the true one is always safe.
func loadAcknowledged(d disk) (uint64, error) {
	f, err := d.open(acknowledgedName, os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read journal acknowledgement: %w", err)
	}
	defer func() { _ = f.Close() }()
	var data [acknowledgedBytes]byte
	n, err := f.ReadAt(data[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read journal acknowledgement: %w", err)
	}
	if n < acknowledgedBytes || binary.LittleEndian.Uint32(data[8:]) != crc32.Checksum(data[:8], castagnoli) {
		return 0, nil
	}
	return binary.LittleEndian.Uint64(data[:]), nil
}

// prune removes sealed segments that neither the oldest snapshot nor the
// projector needs. Each removal is durable before the next: whatever the crash,
// what is left is an unbroken chain.
func (j *Journal) prune() error {
	j.pruning.Lock()
	defer j.pruning.Unlock()
	for {
		s := j.detachUnneeded()
		if s == nil {
			return nil
		}
		if err := j.disk.remove(s.name()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove journal segment %s: %w", s.name(), err)
		}
		if err := j.disk.sync(); err != nil {
			return fmt.Errorf("remove journal segment %s: %w", s.name(), err)
		}
	}
}

func (j *Journal) detachUnneeded() *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) < 2 || len(j.snapshots) == 0 {
		return nil
	}
	oldest := j.segments[0]
	if oldest.last > min(j.snapshots[0].seq, j.acknowledged) {
		return nil
	}
	j.segments = j.segments[1:]
	return oldest
}
