package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
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
	reply, in, err := f.say(ctx, "api "+command)
	if err != nil {
		return "", err
	}
	size, err := strconv.Atoi(reply.Get("Content-Length"))
	if err != nil || size < 0 || size > consoleLimit {
		return "", fmt.Errorf("run %q on event socket: answer of length %q", command, reply.Get("Content-Length"))
	}
	body := make([]byte, size)
	_, err = io.ReadFull(in, body)
	return string(body), err
}

// warm has FreeSWITCH do what it does at the first event about presence of its
// life, which the first call after a start would cause: stand still for half a
// second and tell nobody anything.
func (f *FreeSWITCH) warm(ctx context.Context) error {
	if _, _, err := f.say(ctx, "sendevent ROSTER"); err != nil {
		return err
	}
	time.Sleep(600 * time.Millisecond)
	return nil
}

// say gives one command on a connection of its own and returns the head of the
// answer, and where its body can be read.
func (f *FreeSWITCH) say(ctx context.Context, command string) (textproto.MIMEHeader, io.Reader, error) {
	if strings.ContainsAny(command, "\r\n") {
		return nil, nil, errors.New("console command: holds a line end")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", f.ESLAddr)
	if err != nil {
		return nil, nil, fmt.Errorf("open event socket: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // A closed socket shows at the first read.
	}
	// exit makes FreeSWITCH end the connection behind the answer.
	if _, err := fmt.Fprintf(conn, "auth %s\n\n%s\n\nexit\n\n", f.ESLPassword, command); err != nil {
		return nil, nil, fmt.Errorf("run %q on event socket: %w", command, err)
	}
	all, err := io.ReadAll(io.LimitReader(conn, 2*consoleLimit))
	if err != nil {
		return nil, nil, fmt.Errorf("run %q on event socket: %w", command, err)
	}
	in := textproto.NewReader(bufio.NewReader(bytes.NewReader(all)))
	var reply textproto.MIMEHeader
	for _, what := range []string{"greet", "log in to", "run " + command + " on"} {
		if reply, err = in.ReadMIMEHeader(); err != nil {
			return nil, nil, fmt.Errorf("%s event socket: %w: %.200q", what, err, all)
		}
		if text := reply.Get("Reply-Text"); strings.HasPrefix(text, "-ERR") {
			return nil, nil, fmt.Errorf("%s event socket: %s", what, text)
		}
	}
	return reply, in.R, nil
}
