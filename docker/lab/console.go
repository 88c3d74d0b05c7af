package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

const (
	consoleTimeout = 10 * time.Second
	consoleLimit   = 1 << 20
)

// CLI runs one command on Asterisk's console and returns what it prints, at
// most 1 MiB. It speaks to the console socket itself, as "asterisk -rx" does,
// and so needs no program inside the chroot. It gives up after 10 s, for
// example on a frozen lab.
func (a *Asterisk) CLI(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), consoleTimeout)
	defer cancel()
	return a.console(ctx, command)
}

// console is CLI within ctx. The socket greets with one line; a command that
// begins with "cli quit after" closes it when done (main/asterisk.c).
func (a *Asterisk) console(ctx context.Context, command string) (string, error) {
	if strings.ContainsAny(command, "\x00\n") {
		return "", errors.New("console command: holds a line end or a zero byte")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(a.Dir, "run", "asterisk.ctl"))
	if err != nil {
		return "", fmt.Errorf("open asterisk console: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // A closed socket shows at the write below.
	}
	if _, err := conn.Write([]byte("cli quit after " + command + "\x00")); err != nil {
		return "", fmt.Errorf("run %q on asterisk console: %w", command, err)
	}
	out, err := io.ReadAll(io.LimitReader(conn, consoleLimit))
	if err != nil {
		return "", fmt.Errorf("run %q on asterisk console: %w", command, err)
	}
	_, out, _ = bytes.Cut(out, []byte("\n"))
	return string(bytes.ReplaceAll(out, []byte{0}, nil)), nil
}

// ready asks once whether every module is loaded and ARI accepts the password.
func (a *Asterisk) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.ARIURL+"/asterisk/info", http.NoBody)
	if err != nil {
		return err
	}
	req.Close = true // No idle connection stays behind in the caller's leak checks.
	req.SetBasicAuth(a.ARIUser, a.ARIPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask ari for its info: %s", resp.Status)
	}
	_, err = a.console(ctx, "core waitfullybooted")
	return err
}
