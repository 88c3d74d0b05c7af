package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringmaster/docker/lab"
)

// upMax bounds the way from the start to the first conversation on a busy machine.
const upMax = 4 * time.Minute

// binaries is the folder of the demo and the ringmaster it runs, built once.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rmdemo-bin")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir+"/", "ringmaster/cmd/ringmaster", "ringmaster/docker/demo").CombinedOutput()
	if err != nil {
		return "", errors.Join(fmt.Errorf("build: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built {
		if dir, err := binaries(); err == nil {
			os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

var built bool

// show is one run of the built program.
type show struct {
	t    *testing.T
	tmp  string // where everything it makes must be
	cmd  *exec.Cmd
	done chan error

	mu  sync.Mutex
	out bytes.Buffer
}

func (s *show) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *show) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// start runs the demo on a machine where every port it might think of is taken.
func start(t *testing.T, args ...string) *show {
	t.Helper()
	if testing.Short() {
		t.Skip("the demo takes a minute")
	}
	if err := lab.Available(); err != nil {
		t.Skipf("NO TEST OF THE DEMO: %v", err)
	}
	for _, port := range []string{"5060", "5432", "8080", "8088"} {
		occupy(t, port)
	}
	built = true
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	// Not below the test's name, which would be too long for a socket's path.
	tmp, err := os.MkdirTemp("", "rmdt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &show{t: t, tmp: tmp, done: make(chan error, 1)}
	s.cmd = exec.Command(filepath.Join(dir, "demo"), args...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	s.cmd.Stdout, s.cmd.Stderr = s, s
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() { s.cmd.Process.Kill() })
	return s
}

// occupy takes a port of this machine; one that is taken already is as good.
func occupy(t *testing.T, port string) {
	t.Helper()
	var lc net.ListenConfig
	if l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:"+port); err == nil {
		t.Cleanup(func() { l.Close() })
	} else if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatal(err)
	}
	if l, err := lc.ListenPacket(t.Context(), "udp", "127.0.0.1:"+port); err == nil {
		t.Cleanup(func() { l.Close() })
	}
}

// until waits for something to be printed.
func (s *show) until(text string) {
	s.t.Helper()
	for end := time.Now().Add(upMax); !strings.Contains(s.output(), text); time.Sleep(100 * time.Millisecond) {
		select {
		case err := <-s.done:
			s.t.Fatalf("the demo ended (%v) without %q:\n%s", err, text, s.output())
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("not within %s: %q\n%s", upMax, text, s.output())
		}
	}
}

// wait waits for the end and returns the exit code.
func (s *show) wait() int {
	s.t.Helper()
	select {
	case <-s.done:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(upMax):
		s.t.Fatalf("the demo does not end:\n%s", s.output())
		return 0
	}
}

// left is everything that a run has not taken away.
func (s *show) left() (left []string) {
	s.t.Helper()
	left = append(left, s.processes("")...)
	entries, err := os.ReadDir(s.tmp)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, "file "+e.Name())
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, s.tmp) {
			left = append(left, "mount "+line)
		}
	}
	for _, address := range regexp.MustCompile(`127\.0\.0\.1:(\d+)`).FindAllString(s.output(), -1) {
		if strings.HasSuffix(address, ":8080") {
			continue // ours
		}
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			left = append(left, "port "+address)
		}
	}
	return left
}

// processes are those that were started with, or work in, the run's folder and
// whose command line holds what.
func (s *show) processes(what string) (found []string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if _, number := strconv.Atoi(e.Name()); number != nil || err != nil {
			continue
		}
		home, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		command := strings.ReplaceAll(string(line), "\x00", " ")
		if (strings.Contains(command, s.tmp) || strings.HasPrefix(home, s.tmp)) && strings.Contains(command, what) {
			found = append(found, e.Name()+" "+command)
		}
	}
	return found
}

// TestDemo runs the demo for a while: calls are connected, both sides hear each
// other, and nothing is left behind.
func TestDemo(t *testing.T) {
	s := start(t, "--for", "40s", "--every", "3s")
	if code := s.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, s.output())
	}
	for _, want := range []string{
		"[1/7] looking at this machine … 127.0.0.1:8080 is taken by another program, the console goes to 127.0.0.1:",
		"[2/7] starting Asterisk … ",
		"[5/7] plugging in desk phones … 5 registered",
		"[6/7] agents dial *11, their number and PIN to log in … 5 ready",
		" hear each other, ",
		"http://localhost:80", "/#key=rm_", "bin/ringmaster explain 0",
		"Closed in ",
	} {
		if !strings.Contains(s.output(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	// Which sentence is the latest when the line is printed is left to the moment; each is told in TestStory.
	line := regexp.MustCompile(`Now \d+ calls: .* [1-9]\d* talking\.  So far \d+ calls?: .*  Latest: .+\.\n`)
	if !line.MatchString(s.output()) {
		t.Errorf("no line like %q", line)
	}
	m := regexp.MustCompile(`Sound +both sides heard each other in (\d+) of (\d+) conversations?\.\n`).FindStringSubmatch(s.output())
	if m == nil || m[1] == "0" || m[1] != m[2] {
		t.Errorf("not every conversation was heard: %q", m)
	}
	if left := s.left(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if t.Failed() {
		t.Log(s.output())
	}
}

// TestCtrlC: a person who has seen enough leaves nothing behind, and sees no
// error.
func TestCtrlC(t *testing.T) {
	s := start(t)
	s.until("The call centre is open")
	if len(s.processes("serve")) != 1 || len(s.processes("")) < 3 {
		t.Errorf("these run: %q", s.processes("")) // else the test below cannot fail
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, s.output())
	}
	if left := s.left(); len(left) > 0 {
		t.Errorf("left behind: %q\n%s", left, s.output())
	}
}

// TestCtrlCEarly: so does one who changes their mind while it starts.
func TestCtrlCEarly(t *testing.T) {
	s := start(t)
	s.until("[2/7]")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := s.wait(); code != 1 {
		t.Errorf("exit code %d although nobody talked:\n%s", code, s.output())
	}
	if left := s.left(); len(left) > 0 {
		t.Errorf("left behind: %q\n%s", left, s.output())
	}
}

// TestCrash: when a child dies, the demo says which and why, and takes the rest
// down. Its logs stay.
func TestCrash(t *testing.T) {
	for victim, want := range map[string]string{"serve": "ringmaster ended by itself (signal: killed)", "asterisk.conf": "asterisk ended by itself"} {
		t.Run(victim, func(t *testing.T) {
			s := start(t)
			s.until("[5/7]")
			found := s.processes(victim)
			if len(found) == 0 {
				t.Fatalf("no %s among %q", victim, s.processes(""))
			}
			for _, p := range found {
				pid, _, _ := strings.Cut(p, " ")
				n, err := strconv.Atoi(pid)
				if err != nil {
					t.Fatal(err)
				}
				if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			if code := s.wait(); code != 1 {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(s.output(), want) || !strings.Contains(s.output(), "The logs are kept in "+s.tmp) {
				t.Errorf("the demo does not say that %s:\n%s", want, s.output())
			}
			left := s.left()
			if len(left) != 1 || !strings.HasPrefix(left[0], "file rmdemo") {
				t.Errorf("left behind: %q", left)
			}
			logs, err := filepath.Glob(filepath.Join(s.tmp, "*", "*"))
			if err != nil || len(logs) != 2 {
				t.Errorf("kept: %q %v", logs, err)
			}
		})
	}
}

// TestFreeAddress: the next free port, and neither loopback address may be
// another program's.
func TestFreeAddress(t *testing.T) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	port := first.Addr().(*net.TCPAddr).Port
	got, taken, err := freeAddress(t.Context(), fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil || !taken || got == first.Addr().String() {
		t.Errorf("beside %s: %s %v %v", first.Addr(), got, taken, err)
	}
	if other, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		defer other.Close()
		port := other.Addr().(*net.TCPAddr).Port
		if got, taken, err := freeAddress(t.Context(), fmt.Sprintf("127.0.0.1:%d", port)); err != nil || !taken {
			t.Errorf("beside %s: %s %v %v", other.Addr(), got, taken, err)
		}
	}
	for _, wrong := range []string{"8080", "127.0.0.1:0", "127.0.0.1:http", "127.0.0.1:70000", "192.0.2.1:8080"} {
		if got, _, err := freeAddress(t.Context(), wrong); err == nil {
			t.Errorf("%s is taken for %s", wrong, got)
		}
	}
}

// TestTail: the end of a log, and of none.
func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if got := tail(path); !strings.Contains(got, "no such file") {
		t.Errorf("of no file: %q", got)
	}
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintln(&text, "line", i)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got := tail(path)
	if strings.Count(got, "\n")+1 != lastLines || !strings.HasSuffix(got, "line 39") {
		t.Errorf("%q", got)
	}
}

// TestOptions: a wrong flag is one clear line and starts nothing.
func TestOptions(t *testing.T) {
	for _, args := range [][]string{{"--for", "-1s"}, {"--every", "1ms"}, {"--every", "1h"}, {"now"}} {
		c := command()
		c.SetArgs(args)
		if err := c.ExecuteContext(t.Context()); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
