package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// handedFolder is the first of a child's ExtraFiles, seen from inside.
const handedFolder = "/proc/self/fd/3"

// process is a running server that we started.
type process struct {
	pid  int
	gone chan struct{} // closed when it ended
}

// launch starts the server and keeps the thread that did: the kernel ties the
// death signal to the thread, not to the process (prctl(2)).
func (c *Cluster) launch() (*process, error) {
	dir, err := os.Open(c.folder)
	if err != nil {
		return nil, fmt.Errorf("open database folder: %w", err)
	}
	said, err := os.Create(c.startLog())
	if err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("open start log: %w", err)
	}
	p := &process{gone: make(chan struct{})}
	cmd := exec.Command(c.bin.path("postgres"), c.arguments()...) //nolint:gosec,noctx // our own arguments; it outlives every request
	c.prepare(cmd, dir)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	cmd.Stdout, cmd.Stderr = said, said
	started := make(chan error, 1)
	go func() {
		defer func() { _ = dir.Close(); _ = said.Close() }()
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			// That it ended is enough; how is in the logs.
			_ = cmd.Wait()
		}
		close(p.gone)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.bin.path("postgres"), err)
	}
	return p, nil
}

// arguments are given on every start, so that a newer Ringmaster needs no edit
// of files inside the cluster. An administrator's own settings go into
// postgresql.conf; these here overrule it.
func (c *Cluster) arguments() []string {
	args := []string{"-D", handedFolder}
	for _, setting := range []string{
		"listen_addresses=", // unix socket only
		"port=5432",         // names the socket
		"unix_socket_directories=" + c.serverSocket,
		"unix_socket_permissions=0700",
		"cluster_name=ringmaster",
		"max_connections=60",
		"fsync=on", "full_page_writes=on", "synchronous_commit=on", // an acknowledged fact is dropped from the journal
		"shared_buffers=128MB", "work_mem=8MB", "maintenance_work_mem=64MB",
		"max_wal_size=1GB", "wal_compression=on",
		"timezone=UTC", "log_timezone=UTC",
		"logging_collector=on", "log_directory=log", "log_filename=postgresql-%a.log",
		"log_rotation_age=1d", "log_rotation_size=0", "log_truncate_on_rotation=on",
		"log_line_prefix=%m [%p] %q%a ", "log_checkpoints=off", "log_error_verbosity=terse",
		// Statements carry callers' numbers; PINs and passwords are parameters.
		"log_parameter_max_length=0", "log_parameter_max_length_on_error=0", "log_min_error_statement=panic",
	} {
		args = append(args, "-c", setting)
	}
	return args
}

// residents are the pids that live in the cluster's folder: the server and its
// children change into it and stay there.
func (c *Cluster) residents() ([]int, error) {
	home, err := os.Stat(c.folder)
	if err != nil {
		return nil, fmt.Errorf("look at database folder: %w", err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("look at processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// Not being allowed to look means it is not ours.
		if cwd, err := os.Stat(filepath.Join("/proc", e.Name(), "cwd")); err == nil && os.SameFile(cwd, home) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// pidFile is the pid in postmaster.pid, 0 when there is none.
func (c *Cluster) pidFile() int {
	text, err := os.ReadFile(filepath.Join(c.folder, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return pid
}

// saidAtStart is what the server said before its log file was open: the reason
// why it did not start.
func (c *Cluster) saidAtStart() string {
	text, err := os.ReadFile(c.startLog())
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text))
}

func (c *Cluster) startLog() string { return filepath.Join(c.config.Folder, "start.log") }

// lastLines shortens a program's output for an error message.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > 4 {
		lines = lines[len(lines)-4:]
	}
	return strings.Join(lines, "; ")
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
