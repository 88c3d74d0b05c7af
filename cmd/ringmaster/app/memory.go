package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/uuid"

	"ringmaster/orchestrator"
)

// memory is what an installation must know about itself when it starts and the
// database cannot be asked. It is durable before anything follows from it.
type memory struct {
	path string

	// Instance names the installation; it is drawn at its first start.
	Instance orchestrator.InstanceID `json:"instance"`
	// Epoch is the last one this installation led under: its journal's.
	Epoch uint64 `json:"epoch"`
	// Epochs are the same of the further tenants.
	Epochs map[orchestrator.TenantID]uint64 `json:"epochs,omitempty"`
	// Alone says that nobody else can have taken the lease since: it was this
	// installation's last, it had not promised to yield, and did not release it.
	Alone bool `json:"alone"`
}

// remember reads the memory of a data folder, or begins it.
func remember(folder string) (*memory, error) {
	m := &memory{path: filepath.Join(folder, "instance")}
	text, err := os.ReadFile(m.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("name this installation: %w", err)
		}
		m.Instance = orchestrator.InstanceID(id.String())
		return m, m.save()
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", m.path, err)
	}
	if err := json.Unmarshal(text, m); err != nil || m.Instance == "" {
		return nil, fmt.Errorf("read %s: damaged (%w); if it cannot be mended, remove it and start with --take-over", m.path, err)
	}
	return m, nil
}

func (m *memory) save() error {
	text, err := json.Marshal(m)
	if err == nil {
		err = writeDurably(m.path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", m.path, err)
	}
	return nil
}

// lead notes that this installation leads under epoch.
func (m *memory) lead(epoch uint64) error {
	m.Epoch, m.Alone = epoch, true
	return m.save()
}

// leadAlso notes that it leads a further tenant under epoch.
func (m *memory) leadAlso(t orchestrator.TenantID, epoch uint64) error {
	if m.Epochs == nil {
		m.Epochs = map[orchestrator.TenantID]uint64{}
	}
	m.Epochs[t] = epoch
	return m.save()
}

// setAlone notes whether it may lead without asking.
func (m *memory) setAlone(alone bool) error {
	if m.Alone == alone {
		return nil
	}
	m.Alone = alone
	return m.save()
}

// lockFolder keeps a second process out of the data folder for as long as the
// file is open; the kernel lets go when the process dies.
func lockFolder(folder string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close() //nolint:errcheck // nothing was written
		return nil, fmt.Errorf("data folder %s is in use by another ringmaster", folder)
	}
	return f, nil
}

// writeDurably replaces a small file that only we may read: whole or not at
// all, and on the disk when it returns.
func writeDurably(path string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // it is gone when all went well
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
