package journal

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
)

// errPower is what every operation returns once the power is off.
var errPower = errors.New("power is off")

// memoryDisk is a disk that keeps what was synced apart from what was only
// written, so that a power cut can lose the difference in any way a real one may.
type memoryDisk struct {
	mu      sync.Mutex
	names   map[string]*memoryFile // what programs see
	durable map[string]*memoryFile // what a power cut leaves
	pending []func()               // name changes since the last sync, in order

	operations int                // writing operations so far
	fault      func(op int) error // asked before each writing operation
	syncFault  error              // returned by file syncs
	room       int64              // bytes left, when limited
	limited    bool
}

type memoryFile struct {
	disk    *memoryDisk
	data    []byte
	durable []byte
	writes  []memoryWrite
}

type memoryWrite struct {
	offset   int64
	data     []byte
	truncate bool
}

func newMemoryDisk() *memoryDisk {
	return &memoryDisk{names: map[string]*memoryFile{}, durable: map[string]*memoryFile{}}
}

func (d *memoryDisk) begin() error {
	d.operations++
	if d.fault != nil {
		return d.fault(d.operations)
	}
	return nil
}

func (d *memoryDisk) open(name string, flag int) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, found := d.names[name]
	if !found {
		if flag&os.O_CREATE == 0 {
			return nil, os.ErrNotExist
		}
		if err := d.begin(); err != nil {
			return nil, err
		}
		f = &memoryFile{disk: d}
		d.names[name] = f
		d.pending = append(d.pending, func() { d.durable[name] = f })
		return f, nil
	}
	if flag&os.O_TRUNC != 0 {
		if err := d.begin(); err != nil {
			return nil, err
		}
		f.truncate(0)
	}
	return f, nil
}

func (d *memoryDisk) list() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.names)), nil
}

func (d *memoryDisk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin(); err != nil {
		return err
	}
	f := d.names[from]
	delete(d.names, from)
	d.names[to] = f
	d.pending = append(d.pending, func() {
		delete(d.durable, from)
		d.durable[to] = f
	})
	return nil
}

func (d *memoryDisk) remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin(); err != nil {
		return err
	}
	if _, found := d.names[name]; !found {
		return os.ErrNotExist
	}
	delete(d.names, name)
	d.pending = append(d.pending, func() { delete(d.durable, name) })
	return nil
}

func (d *memoryDisk) sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin(); err != nil {
		return err
	}
	for _, apply := range d.pending {
		apply()
	}
	d.pending = nil
	return nil
}

func (d *memoryDisk) free() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.limited {
		return d.room
	}
	return 1 << 40
}

// cutPower forgets what was not durable, as random decides, and switches the
// disk on again.
func (d *memoryDisk) cutPower(random *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, apply := range d.pending {
		if random.IntN(2) == 0 { // POSIX promises no order between names
			apply()
		}
	}
	d.pending = nil
	d.names = maps.Clone(d.durable)
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		f := d.names[name]
		f.data = slices.Clone(f.durable)
		for _, w := range f.writes {
			f.replay(w, random)
		}
		f.durable, f.writes = slices.Clone(f.data), nil
	}
	d.fault, d.syncFault, d.limited = nil, nil, false
}

// replay applies one unsynced write wholly, partly, as zeros, or not at all.
func (f *memoryFile) replay(w memoryWrite, random *rand.Rand) {
	switch random.IntN(4) {
	case 0:
		f.apply(w)
	case 1:
		if !w.truncate {
			w.data = w.data[:random.IntN(len(w.data)+1)]
			f.apply(w)
		}
	case 2:
		if !w.truncate {
			w.data = make([]byte, len(w.data))
			f.apply(w)
		}
	}
}

func (f *memoryFile) apply(w memoryWrite) {
	end := w.offset + int64(len(w.data))
	if grow := end - int64(len(f.data)); grow > 0 {
		f.data = append(f.data, make([]byte, grow)...)
	}
	if w.truncate {
		f.data = f.data[:w.offset]
	}
	copy(f.data[w.offset:], w.data)
}

func (f *memoryFile) truncate(size int64) {
	w := memoryWrite{offset: size, truncate: true}
	f.writes = append(f.writes, w)
	f.apply(w)
}

func (f *memoryFile) ReadAt(p []byte, offset int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if offset >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) WriteAt(p []byte, offset int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.disk.begin()
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		return 0, err
	}
	written := p
	if f.disk.limited {
		written = p[:min(int64(len(p)), f.disk.room)]
		f.disk.room -= int64(len(written))
	}
	if err != nil {
		written = p[:len(p)/2] // a full disk takes what still fits
	}
	w := memoryWrite{offset: offset, data: slices.Clone(written)}
	f.writes = append(f.writes, w)
	f.apply(w)
	if len(written) < len(p) {
		return len(written), syscall.ENOSPC
	}
	return len(p), nil
}

func (f *memoryFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.begin(); err != nil {
		return err
	}
	f.truncate(size)
	return nil
}

func (f *memoryFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.begin(); err != nil {
		return err
	}
	if f.disk.syncFault != nil {
		return f.disk.syncFault
	}
	f.durable, f.writes = slices.Clone(f.data), nil
	return nil
}

func (f *memoryFile) Close() error { return nil }

func (f *memoryFile) size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.data)), nil
}
