package speech

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	waveSuffix     = ".wav"
	unfinishedName = ".unfinished-*"
	// unfinishedAge is when a half-written prompt surely belongs to nobody.
	unfinishedAge = time.Hour
)

var promptForm = regexp.MustCompile(`^[0-9a-f]{64}\.wav$`)

// cache is a folder of prompts, of which the longest unused go first. What was
// used when is kept in the files' times, so that it outlives the process.
type cache struct {
	dir      string
	maxBytes int64

	mu     sync.Mutex
	bytes  int64
	byKey  map[string]*list.Element
	recent *list.List // of stored, the longest unused in front
}

type stored struct {
	key   string
	bytes int64
}

func openCache(dir string, maxBytes int64) (*cache, error) {
	// A PBX under another user must be able to read the prompts.
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // see above
		return nil, fmt.Errorf("open prompt folder %s: %w", dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open prompt folder %s: %w", dir, err)
	}
	c := &cache{dir: dir, maxBytes: maxBytes, byKey: map[string]*list.Element{}, recent: list.New()}
	var found []os.FileInfo
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open prompt folder %s: %w", dir, err)
		}
		if c.usable(info) {
			found = append(found, info)
		}
	}
	slices.SortFunc(found, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range found {
		c.add(strings.TrimSuffix(info.Name(), waveSuffix), info.Size())
	}
	return c, c.shrink()
}

// usable tells prompts from foreign files, and removes what a crash left.
func (c *cache) usable(info os.FileInfo) bool {
	name := filepath.Join(c.dir, info.Name())
	if leftover, _ := filepath.Match(unfinishedName, info.Name()); leftover && time.Since(info.ModTime()) > unfinishedAge {
		_ = os.Remove(name)
	}
	if !promptForm.MatchString(info.Name()) || !info.Mode().IsRegular() {
		return false
	}
	if !wholePrompt(name, info.Size()) {
		_ = os.Remove(name)
		return false
	}
	return true
}

// wholePrompt compares the header with the one a prompt of that size has: the
// length of the sound is the last thing in it.
func wholePrompt(name string, size int64) bool {
	if size < waveHeaderBytes || size > maxSpoken {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	header := make([]byte, waveHeaderBytes)
	if _, err := io.ReadFull(f, header); err != nil {
		return false
	}
	return slices.Equal(header, waveHeader(Rate, uint32(size-waveHeaderBytes)))
}

func (c *cache) path(key string) string { return filepath.Join(c.dir, key+waveSuffix) }

func (c *cache) file(key string, size int64) File {
	return File{Path: filepath.Join(c.dir, key), Duration: playTime(size)}
}

// find returns the prompt if it is there, and notes that it was used.
func (c *cache) find(key string) (File, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, found := c.byKey[key]
	if !found {
		return File{}, false
	}
	known, _ := element.Value.(stored)
	info, err := os.Stat(c.path(key))
	if err != nil || info.Size() != known.bytes { // somebody cleaned up
		c.forget(element)
		return File{}, false
	}
	c.recent.MoveToBack(element)
	now := time.Now()
	_ = os.Chtimes(c.path(key), now, now) // only the order after a restart depends on it
	return c.file(key, known.bytes), true
}

// store writes a prompt under its name, whole or not at all.
func (c *cache) store(key string, wave []byte) (File, error) {
	if err := c.write(key, wave); err != nil {
		return File{}, fmt.Errorf("store prompt %s: %w", key, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, found := c.byKey[key]; found {
		c.forget(element)
	}
	c.add(key, int64(len(wave)))
	return c.file(key, int64(len(wave))), c.shrink()
}

func (c *cache) write(key string, wave []byte) error {
	f, err := os.CreateTemp(c.dir, unfinishedName)
	if err != nil {
		return err
	}
	_, err = f.Write(wave)
	if err == nil {
		err = f.Chmod(0o644) // the PBX reads it
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.path(key))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// add, forget and shrink need the lock, or a cache nobody else has yet.

func (c *cache) add(key string, size int64) {
	c.byKey[key] = c.recent.PushBack(stored{key: key, bytes: size})
	c.bytes += size
}

func (c *cache) forget(element *list.Element) stored {
	gone, _ := c.recent.Remove(element).(stored)
	delete(c.byKey, gone.key)
	c.bytes -= gone.bytes
	return gone
}

// shrink removes the longest unused prompts, but never the last one used.
func (c *cache) shrink() error {
	for c.bytes > c.maxBytes && c.recent.Len() > 1 {
		gone := c.forget(c.recent.Front())
		if err := os.Remove(c.path(gone.key)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove prompt %s: %w", gone.key, err)
		}
	}
	return nil
}
