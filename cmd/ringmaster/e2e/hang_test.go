package e2e

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A disk that hangs is rare and cannot be had without a machine of its own. What
// it does to a program can: the thread that syncs the journal goes into the
// kernel and does not come back, all others go on. That is done here by a
// debugger's means (ptrace(2)), to the program as it is.

// What package syscall has no name for; from linux/ptrace.h.
const (
	ptraceSeize     = 0x4206
	ptraceInterrupt = 0x4207
	eventStop       = 128 // the event of a stop that an interrupt asked for
	waitAll         = 0x40000000
)

// hang is a thread that a process misses.
type hang struct {
	pid, thread int
	held        map[int]bool  // the threads that are traced
	at          chan error    // told once: nil when a thread is held
	gone        chan struct{} // closed when the thread is no more
}

// hangJournal stops the thread of a process that next syncs a journal, on its
// way into the kernel. The channel tells when it has one.
func hangJournal(t *testing.T, pid int) *hang {
	t.Helper()
	h := &hang{pid: pid, held: map[int]bool{}, at: make(chan error, 1), gone: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // who traces is a thread; it ends with this
		defer close(h.gone)
		h.at <- h.catch(time.Now().Add(20 * time.Second))
		h.release()
		h.await()
	}()
	return h
}

func (h *hang) ptrace(request, thread, data int) error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, uintptr(request), uintptr(thread), 0, uintptr(data), 0, 0); errno != 0 {
		return fmt.Errorf("ptrace %#x of thread %d: %w", request, thread, errno)
	}
	return nil
}

// catch follows every thread from call to call of the kernel until one is about
// to sync a segment of the journal.
func (h *hang) catch(until time.Time) error {
	for time.Now().Before(until) {
		if err := h.seize(); err != nil {
			return err
		}
		for thread := range h.held {
			status, stopped := h.stop(thread)
			if !stopped {
				continue
			}
			if status.StopSignal() == syscall.SIGTRAP|0x80 && h.syncs(thread) {
				h.thread = thread
				return nil
			}
			h.ptrace(syscall.PTRACE_SYSCALL, thread, passed(status)) // the thread may be gone
		}
		time.Sleep(100 * time.Microsecond)
	}
	return fmt.Errorf("process %d does not sync its journal", h.pid)
}

// seize begins to trace the threads that are new. The first one is left out: who
// waits for the process's end would be told of its stops.
func (h *hang) seize() error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", h.pid))
	if err != nil {
		return err
	}
	for _, entry := range threads {
		thread, err := strconv.Atoi(entry.Name())
		if err != nil || thread == h.pid || h.held[thread] {
			continue
		}
		if err := h.ptrace(ptraceSeize, thread, syscall.PTRACE_O_TRACESYSGOOD); err != nil {
			return err
		}
		h.held[thread] = true
		if err := h.ptrace(ptraceInterrupt, thread, 0); err != nil {
			return err
		}
	}
	return nil
}

// stop reports whether a thread stands still for us, and why.
func (h *hang) stop(thread int) (status syscall.WaitStatus, stopped bool) {
	n, err := syscall.Wait4(thread, &status, syscall.WNOHANG|waitAll, nil)
	if err == nil && n == thread && !status.Stopped() {
		delete(h.held, thread)
	}
	return status, err == nil && n == thread && status.Stopped()
}

// passed is the signal that a thread was stopped for on its way to it, 0 for
// stops of our own making.
func passed(status syscall.WaitStatus) int {
	if sig := status.StopSignal(); sig != syscall.SIGTRAP|0x80 && status>>16 != eventStop {
		return int(sig)
	}
	return 0
}

// syncs reports whether a thread that stands at a call of the kernel wants to
// sync a segment of the journal.
func (h *hang) syncs(thread int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", h.pid, thread))
	var call, fd int
	if err != nil {
		return false
	}
	if n, _ := fmt.Sscanf(string(text), "%d 0x%x", &call, &fd); n != 2 || call != syscall.SYS_FDATASYNC {
		return false
	}
	file, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", h.pid, fd))
	return err == nil && strings.HasSuffix(file, ".segment")
}

// release lets go of every thread but the one that hangs.
func (h *hang) release() {
	for thread := range h.held {
		if thread != h.thread {
			h.ptrace(ptraceInterrupt, thread, 0) // the thread may be gone
		}
	}
	for len(h.held) > 1 || h.thread == 0 && len(h.held) > 0 {
		for thread := range h.held {
			if thread == h.thread {
				continue
			}
			if status, stopped := h.stop(thread); stopped {
				h.ptrace(syscall.PTRACE_DETACH, thread, passed(status)) // the thread may be gone
				delete(h.held, thread)
			}
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// await returns when the thread that hangs is gone with its process: only then
// may the process end.
func (h *hang) await() {
	for h.held[h.thread] {
		var status syscall.WaitStatus
		n, err := syscall.Wait4(h.thread, &status, waitAll, nil)
		if err == syscall.EINTR { // a bare errno
			continue
		}
		if err != nil || n == h.thread && !status.Stopped() {
			return
		}
	}
}
