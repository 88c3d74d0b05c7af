package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	serverStart = 2 * time.Minute // making a database on a slow disk
	serverStop  = 20 * time.Second
	applyMax    = time.Minute
	portsTried  = 100
	lastLines   = 15 // of a log, when something went wrong
)

// server is "ringmaster serve" as a child.
type server struct {
	program string
	logs    string
	process *os.Process
	up      chan struct{} // closed when address and key are known
	url     string
	key     string
	done    chan struct{} // closed when it has ended
	end     error         // how, once done is closed
}

// program is the ringmaster beside this program.
func program() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "ringmaster")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no ringmaster beside %s: run make build", self)
	}
	return path, nil
}

// freeAddress is listen, or the same with the next free port. "localhost" in a
// browser may mean either loopback address, so neither may be another program's.
func freeAddress(ctx context.Context, listen string) (address string, taken bool, err error) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", false, fmt.Errorf("--listen %q: want host:port", listen)
	}
	first, err := strconv.ParseUint(text, 10, 16)
	if err != nil || first == 0 {
		return "", false, fmt.Errorf("--listen %q: want a port from 1 to 65535", listen)
	}
	for port := int(first); port < int(first)+portsTried && port <= 65535; port++ {
		switch err := tryPort(ctx, host, port); {
		case err == nil:
			return net.JoinHostPort(host, strconv.Itoa(port)), port != int(first), nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return "", false, fmt.Errorf("--listen %s: %w", listen, err)
		}
	}
	return "", false, fmt.Errorf("--listen %s: that port and the next %d are taken", listen, portsTried-1)
}

func tryPort(ctx context.Context, host string, port int) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	other, err := lc.Listen(ctx, "tcp6", fmt.Sprintf("[::1]:%d", port))
	if err != nil {
		if host == "127.0.0.1" && errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		return nil // no IPv6 here, or the first listener has that address already
	}
	return other.Close()
}

// launch starts the program. Its data lives below dir; the switch finds the
// prompts under the same path.
func launch(path, dir, prompts, address string) (*server, error) {
	s := &server{
		program: path, logs: filepath.Join(dir, "ringmaster.log"), up: make(chan struct{}), done: make(chan struct{}),
	}
	logs, err := os.Create(s.logs)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "serve", "--data", filepath.Join(dir, "data"), "--listen", address, "--prompts", prompts) //nolint:gosec,noctx // our own program, ended by stop
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)                                                                       // what a killed one leaves goes with the folder
	cmd.Stderr = logs
	// In a group of its own Ctrl-C does not reach it: calls are hung up first.
	// When this process dies in any way, it ends as if it was asked to.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, logs.Close())
	}
	started := make(chan error, 1)
	go func() {
		// The kernel ties the death signal to the thread that started the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		defer func() { _ = logs.Close() }()
		err := cmd.Start()
		s.process = cmd.Process
		started <- err
		if err == nil {
			s.hear(out)
			s.end = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return s, nil
}

// hear reads what the program prints until its end: where it is, and the first
// key, which is shown this one time.
func (s *server) hear(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, is := strings.CutPrefix(lines.Text(), "Ringmaster is up: "); is {
			s.url = address
		}
		if _, key, is := strings.Cut(lines.Text(), "shown only now: "); is {
			s.key = key
			close(s.up)
			break
		}
	}
	_, _ = io.Copy(io.Discard, out) // whatever it prints must not block it
}

// ready waits until the program serves.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, serverStart)
	defer cancel()
	select {
	case <-s.up:
		return nil
	case <-s.done:
		return s.crash()
	case <-ctx.Done():
		return fmt.Errorf("ringmaster is not up: %w\n%s", ctx.Err(), tail(s.logs))
	}
}

// crash says how the program ended by itself.
func (s *server) crash() error {
	how := "without an error"
	if s.end != nil {
		how = s.end.Error()
	}
	return fmt.Errorf("ringmaster ended by itself (%s). The end of its log:\n%s", how, tail(s.logs))
}

// apply configures the centre with "ringmaster apply", as its users do, and
// returns the program's last line.
func (s *server) apply(ctx context.Context, config []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, applyMax)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.program, "apply", "-f", "-", "--yes") //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), "RINGMASTER_URL="+s.url, "RINGMASTER_KEY="+s.key)
	cmd.Stdin = bytes.NewReader(config)
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("ringmaster apply: %w\n%s", err, text)
	}
	return text[strings.LastIndex(text, "\n")+1:], nil
}

// stop asks the program to end, and ends it when it does not.
func (s *server) stop() error {
	if s == nil {
		return nil
	}
	_ = s.process.Signal(syscall.SIGTERM) // fails when it has ended, which is what is wanted
	select {
	case <-s.done:
		if s.end != nil {
			return fmt.Errorf("ringmaster did not end well: %w. The end of its log:\n%s", s.end, tail(s.logs))
		}
		return nil
	case <-time.After(serverStop):
		_ = s.process.Kill()
		<-s.done
		return fmt.Errorf("ringmaster did not end within %s and was killed. The end of its log:\n%s", serverStop, tail(s.logs))
	}
}

// tail is the end of a log.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "  " + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-lastLines):], "\n  ")
}
