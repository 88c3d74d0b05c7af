package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
)

// CLI runs one command on FreeSWITCH's console ("status", "sofia status") and
// returns what it prints, at most 1 MiB. It gives up after 10 s, for example on
// a frozen lab.
func (f *FreeSWITCH) CLI(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), consoleTimeout)
	defer cancel()
	return f.console(ctx, command)
}

// console is CLI within ctx: one connection to the event socket per command.
func (f *FreeSWITCH) console(ctx context.Context, command string) (string, error) {
	if strings.ContainsAny(command, "\r\n") {
		return "", errors.New("console command: holds a line end")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", f.ESLAddr)
	if err != nil {
		return "", fmt.Errorf("open event socket: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // A closed socket shows at the first read.
	}
	in := textproto.NewReader(bufio.NewReader(conn))
	if _, err := in.ReadMIMEHeader(); err != nil { // auth/request
		return "", fmt.Errorf("greet event socket: %w", err)
	}
	if _, err := fmt.Fprintf(conn, "auth %s\n\napi %s\n\n", f.ESLPassword, command); err != nil {
		return "", fmt.Errorf("run %q on event socket: %w", command, err)
	}
	auth, err := in.ReadMIMEHeader()
	if err != nil {
		return "", fmt.Errorf("log in to event socket: %w", err)
	}
	if reply := auth.Get("Reply-Text"); !strings.HasPrefix(reply, "+OK") {
		return "", fmt.Errorf("log in to event socket: %s", reply)
	}
	reply, err := in.ReadMIMEHeader()
	if err != nil {
		return "", fmt.Errorf("run %q on event socket: %w", command, err)
	}
	size, err := strconv.Atoi(reply.Get("Content-Length"))
	if err != nil || size < 0 || size > consoleLimit {
		return "", fmt.Errorf("run %q on event socket: answer of length %q", command, reply.Get("Content-Length"))
	}
	body := make([]byte, size)
	_, err = io.ReadFull(in.R, body)
	return string(body), err
}
