package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

const (
	snapshotSuffix      = ".snapshot"
	snapshotMagic       = "RMSNAPSH"
	snapshotVersion     = 1
	snapshotHeaderBytes = 32 // magic, version, sequence, length, checksum of header and state

	// snapshotsKept is how many snapshots stand beside the log. The older one is
	// there for the day the newer one cannot be read.
	snapshotsKept = 2
)

// Snapshot is the caller's state after all records up to and including Seq.
type Snapshot struct {
	Seq   uint64
	State []byte
}

// storedSnapshot is a readable snapshot file.
type storedSnapshot struct {
	seq   uint64
	bytes int64
}

// Snapshot reads the newest snapshot, or the one before it when that one is
// damaged; found is false when there is none. The state is the caller's, and the
// records after it are j.Records(snapshot.Seq).
func (j *Journal) Snapshot() (snapshot Snapshot, found bool, err error) {
	j.snapshotting.Lock()
	defer j.snapshotting.Unlock()
	j.mu.Lock()
	kept := slices.Clone(j.snapshots)
	j.mu.Unlock()
	for _, stored := range slices.Backward(kept) {
		snapshot, cause := loadSnapshot(j.disk, stored.seq)
		if cause == nil {
			return snapshot, true, nil
		}
		err = errors.Join(err, cause)
	}
	return Snapshot{}, false, err
}

// WriteSnapshot stores state as the snapshot after record seq, keeps the one
// before it, and removes segments nobody needs any more. It appears whole or not
// at all. It may run beside Append and Commit; two at once queue up.
//
// Seq must be committed (or discarded), and not older than the newest snapshot:
// a snapshot ahead of the log would make facts real that nobody recorded.
func (j *Journal) WriteSnapshot(seq uint64, state []byte) error {
	j.snapshotting.Lock()
	defer j.snapshotting.Unlock()
	if err := j.checkSnapshot(seq); err != nil {
		return fmt.Errorf("write snapshot %d: %w", seq, err)
	}
	if err := storeSnapshot(j.disk, seq, state); err != nil {
		if isFull(err) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
			j.setFull(err)
		}
		return fmt.Errorf("write snapshot %d: %w", seq, err)
	}
	j.mu.Lock()
	j.snapshots = slices.DeleteFunc(j.snapshots, func(s storedSnapshot) bool { return s.seq == seq })
	j.snapshots = append(j.snapshots, storedSnapshot{seq: seq, bytes: int64(snapshotHeaderBytes + len(state))})
	if extra := len(j.snapshots) - snapshotsKept; extra > 0 {
		j.snapshots = slices.Delete(j.snapshots, 0, extra)
	}
	j.mu.Unlock()
	if err := j.removeOldSnapshots(); err != nil {
		return err
	}
	return j.prune()
}

// Seed begins a journal in dir, which must hold none, with a state that came
// from elsewhere: Open then finds the snapshot and goes on after its sequence,
// which counts as stored elsewhere.
func Seed(dir string, snapshot Snapshot) error {
	did := fmt.Sprintf("seed journal %s with %d", dir, snapshot.Seq)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%s: %w", did, err)
	}
	d := osDisk{dir}
	names, err := d.list()
	if err != nil {
		return fmt.Errorf("%s: %w", did, err)
	}
	if len(names) > 0 {
		return fmt.Errorf("%s: the folder holds %s already", did, names[0])
	}
	// The snapshot last: without it the folder is an empty journal's.
	if err := storeAcknowledged(d, snapshot.Seq); err != nil {
		return fmt.Errorf("%s: %w", did, err)
	}
	if err := storeSnapshot(d, snapshot.Seq, snapshot.State); err != nil {
		return fmt.Errorf("%s: %w", did, err)
	}
	return nil
}

func (j *Journal) checkSnapshot(seq uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.writable(); err != nil {
		return err
	}
	if seq > j.settled {
		return fmt.Errorf("only records up to %d are committed", j.settled)
	}
	if n := len(j.snapshots); n > 0 && seq < j.snapshots[n-1].seq {
		return fmt.Errorf("snapshot %d is newer", j.snapshots[n-1].seq)
	}
	return nil
}

func storeSnapshot(d disk, seq uint64, state []byte) error {
	name := sequenceName(seq, snapshotSuffix)
	temporary := name + temporarySuffix
	f, err := d.open(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(snapshotHeader(seq, state), 0); err == nil {
		_, err = f.WriteAt(state, snapshotHeaderBytes)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = d.rename(temporary, name)
	}
	if err != nil {
		_ = d.remove(temporary)
		return err
	}
	return d.sync()
}

func snapshotHeader(seq uint64, state []byte) []byte {
	header := append(make([]byte, 0, snapshotHeaderBytes), snapshotMagic...)
	header = binary.LittleEndian.AppendUint32(header, snapshotVersion)
	header = binary.LittleEndian.AppendUint64(header, seq)
	header = binary.LittleEndian.AppendUint64(header, uint64(len(state)))
	return binary.LittleEndian.AppendUint32(header, snapshotChecksum(header, state))
}

func snapshotChecksum(header, state []byte) uint32 {
	return crc32.Update(crc32.Checksum(header[:28], castagnoli), castagnoli, state)
}

// parseSnapshot checks a snapshot file and returns the state in it.
func parseSnapshot(data []byte) (Snapshot, error) {
	if len(data) < snapshotHeaderBytes || string(data[:8]) != snapshotMagic {
		return Snapshot{}, errors.New("not a snapshot")
	}
	state := data[snapshotHeaderBytes:]
	if binary.LittleEndian.Uint64(data[20:]) != uint64(len(state)) {
		return Snapshot{}, errors.New("snapshot is cut short")
	}
	if binary.LittleEndian.Uint32(data[28:]) != snapshotChecksum(data, state) {
		return Snapshot{}, errors.New("snapshot does not match its checksum")
	}
	if version := binary.LittleEndian.Uint32(data[8:]); version != snapshotVersion {
		return Snapshot{}, fmt.Errorf("snapshot has version %d, this program reads version %d", version, snapshotVersion)
	}
	return Snapshot{Seq: binary.LittleEndian.Uint64(data[12:]), State: state}, nil
}

// findSnapshots returns which snapshots are readable, oldest first, and the
// names of those that are not. A snapshot the disk cannot read counts as damaged
// too: the one before it plus more of the log says the same.
func findSnapshots(d disk, names []string) (readable []storedSnapshot, damaged []string) {
	for _, name := range names {
		seq, ok := parseSequenceName(name, snapshotSuffix)
		if !ok {
			continue
		}
		snapshot, err := loadSnapshot(d, seq)
		if err != nil {
			damaged = append(damaged, name)
			continue
		}
		readable = append(readable, storedSnapshot{seq: seq, bytes: int64(snapshotHeaderBytes + len(snapshot.State))})
	}
	return readable, damaged
}

func loadSnapshot(d disk, seq uint64) (Snapshot, error) {
	name := sequenceName(seq, snapshotSuffix)
	data, err := readFile(d, name)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read snapshot %s: %w", name, err)
	}
	snapshot, err := parseSnapshot(data)
	if err == nil && snapshot.Seq != seq {
		err = fmt.Errorf("it is the snapshot after %d", snapshot.Seq)
	}
	if err != nil {
		return Snapshot{}, &CorruptError{File: name, Reason: err.Error()}
	}
	return snapshot, nil
}

func readFile(d disk, name string) ([]byte, error) {
	f, err := d.open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}

// removeOldSnapshots deletes every snapshot file that is not kept, the damaged
// ones too: they are only evidence until a good snapshot stands after them.
func (j *Journal) removeOldSnapshots() error {
	names, err := j.disk.list()
	if err != nil {
		return fmt.Errorf("list journal %s: %w", j.config.Dir, err)
	}
	j.mu.Lock()
	kept := slices.Clone(j.snapshots)
	j.mu.Unlock()
	for _, name := range names {
		seq, ok := parseSequenceName(name, snapshotSuffix)
		if !ok || slices.ContainsFunc(kept, func(s storedSnapshot) bool { return s.seq == seq }) {
			continue
		}
		if err := j.disk.remove(name); err != nil {
			return fmt.Errorf("remove snapshot %s: %w", name, err)
		}
	}
	return nil // not synced: an old snapshot that comes back does no harm
}
