package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// makeCluster makes <folder>/cluster unless it is there. It is made beside its
// place and moved there when complete, so that a crash half-way leaves nothing
// that looks like a cluster.
func (c *Cluster) makeCluster(ctx context.Context) error {
	release, err := lockFolder(ctx, filepath.Join(c.config.Folder, "lock"))
	if err != nil {
		return err
	}
	defer release()
	if _, err := os.Stat(c.folder); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at database folder: %w", err)
	}
	fresh := c.folder + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("clear half-made database folder: %w", err)
	}
	if err := c.id.own(fresh); err != nil {
		return err
	}
	if err := c.initdb(ctx, fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, c.folder); err != nil {
		return fmt.Errorf("put database folder in place: %w", err)
	}
	return syncFolder(c.config.Folder)
}

func (c *Cluster) initdb(ctx context.Context, fresh string) error {
	began := time.Now()
	dir, err := os.Open(fresh)
	if err != nil {
		return fmt.Errorf("open database folder: %w", err)
	}
	defer func() { _ = dir.Close() }()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, c.bin.path("initdb"), "-D", handedFolder, "-U", role, //nolint:gosec // our own arguments
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions")
	c.prepare(cmd, dir)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make database with initdb: %w: %s", err, lastLines(said.String()))
	}
	c.log.Info("database made", "folder", c.folder, "version", c.bin.version, "took", time.Since(began))
	return nil
}

// prepare makes cmd run as the server's user with dir handed over.
func (c *Cluster) prepare(cmd *exec.Cmd, dir *os.File) {
	cmd.Dir = "/" // somewhere its user may be
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.ExtraFiles = []*os.File{dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: c.id.credential(),
		Setpgid:    true, // Ctrl-C in a terminal is for us alone
	}
}

// lockFolder waits for the lock file, because flock(2) cannot be cancelled it
// asks again and again.
func lockFolder(ctx context.Context, path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if err := pause(ctx, lookAgain); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer func() { _ = dir.Close() }()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
