package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// launchScript runs in a mount namespace of its own, so that nothing it mounts is
// seen by others or outlives Asterisk. The working folder appears in
// the root at its own path. /etc/hosts names this host, because Asterisk stops
// serving calls while its own name takes seconds to resolve; resolv.conf names
// no server, because a lab asks nobody.
const launchScript = `set -e
root=$1 dir=$2 binary=$3
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root$dir"
mount --bind "$dir" "$root$dir"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
for file in hosts resolv.conf; do
	[ -e "$root/etc/$file" ] || : > "$root/etc/$file"
	mount --bind "$dir/etc/$file" "$root/etc/$file"
done
exec chroot "$root" "$binary" -f -C "$dir/etc/asterisk.conf"
`

// process is one run of a PBX. A nil process is one that never ran.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process is gone
}

// spawn starts Asterisk in the foreground, in a process group of its own. The
// kernel kills it when this process dies.
func spawn(inst installation, dir string) (*process, error) {
	cmd := exec.Command(inst.binary, "-f", "-C", filepath.Join(dir, "etc", "asterisk.conf"))
	var attr *syscall.SysProcAttr
	if inst.root != "" {
		cmd = exec.Command("sh", "-c", launchScript, "lab", inst.root, dir, inst.binary)
		attr = rootLike()
		attr.Unshareflags = syscall.CLONE_NEWNS
	}
	return launch(cmd, attr, dir)
}

// launch runs a PBX with its output in log/console of dir. attr may be nil.
func launch(cmd *exec.Cmd, attr *syscall.SysProcAttr, dir string) (*process, error) {
	console, err := os.OpenFile(filepath.Join(dir, "log", "console"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = console.Close() }()
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Setpgid, attr.Pdeathsig = true, syscall.SIGKILL
	cmd.SysProcAttr = attr
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = console, console
	p := &process{cmd: cmd, done: make(chan struct{})}
	return p, p.run()
}

// rootLike lets a command mount and chroot: root may, and anybody else may in a
// user namespace in which he looks like root.
func rootLike() *syscall.SysProcAttr {
	if os.Geteuid() == 0 {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
}

// run starts and reaps the command on a thread of its own: the kernel sends the
// parent-death signal when the starting thread ends, and Go may end any other.
func (p *process) run() error {
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		runtime.LockOSThread()
		// A thread that ended with its lock would take with it whatever else
		// was ever started from it.
		defer runtime.UnlockOSThread()
		if err := p.cmd.Start(); err != nil {
			started <- fmt.Errorf("run %s (a chroot needs root or user namespaces): %w", p.cmd.Path, err)
			return
		}
		started <- nil
		// The exit code says nothing here: tests kill the PBX on purpose, and
		// waitReady reports one that ends by itself.
		_ = p.cmd.Wait()
	}()
	return <-started
}

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return p.cmd.Process != nil
	}
}

func (p *process) pid() int {
	if !p.running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// signal sends to the whole process group.
func (p *process) signal(sig syscall.Signal) error {
	if !p.running() {
		return errors.New("signal PBX: not running")
	}
	return syscall.Kill(-p.cmd.Process.Pid, sig)
}

func (p *process) freeze() error { return p.signal(syscall.SIGSTOP) }
func (p *process) thaw() error   { return p.signal(syscall.SIGCONT) }

// kill ends the process without a chance to clean up and waits until it is gone.
func (p *process) kill() {
	if p.signal(syscall.SIGKILL) == nil {
		<-p.done
	}
}

// end asks the PBX to stop, and kills it when it has not within the patience.
func (p *process) end(patience time.Duration) {
	if p.signal(syscall.SIGTERM) != nil {
		return
	}
	_ = p.thaw() // A frozen process would not see the first signal.
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
	}
}
