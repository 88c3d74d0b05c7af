package freeswitch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/percipia/eslgo"
	"github.com/percipia/eslgo/command"

	"ringmaster/orchestrator"
)

const (
	dialTimeout = 3 * time.Second
	authTimeout = 5 * time.Second
	// owes is how long a connection may owe an answer before it is given up:
	// FreeSWITCH answers most commands within a millisecond.
	owes = 4 * time.Second
	// mostPending bounds the commands waiting for an answer on one connection.
	mostPending = 4096
)

var (
	errLate    = fmt.Errorf("no answer within %v", owes)
	errCrowded = errors.New("too many commands wait for an answer")
	errClosed  = errors.New("freeswitch closed the connection")
)

// wire is one connection to the event socket. Commands are pipelined: each
// answer goes to the oldest command that has none, which is FreeSWITCH's own
// order. A connection that owes an answer for too long is closed, so that a
// late answer never reaches another command.
type wire struct {
	conn   net.Conn
	reader *bufio.Reader
	// other takes messages that are no answers, on the reader's goroutine: it
	// must not block. An error closes the connection.
	other func(frame) error

	mu      sync.Mutex // of writing and of the line of waiters together
	waiters []waiter
	err     error
	dead    chan struct{}
}

type waiter struct {
	since time.Time
	to    chan<- string // with room for the answer: nobody need be there
}

// open makes a connection and logs in. Nobody may use it before its reader
// runs; see run.
func open(ctx context.Context, cfg Config, other func(frame) error) (*wire, error) {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("open event socket: %w", bare(err))
	}
	if cfg.May != nil {
		conn = fencedConn{conn, cfg.May}
	}
	w := &wire{conn: conn, reader: bufio.NewReaderSize(conn, headLimit), other: other, dead: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // A read under way ends then.
	defer stop()
	if err := w.login(cfg); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("log in to event socket: %w", err)
	}
	return w, nil
}

// login answers FreeSWITCH's request for the password. One that does not want
// us at all says so in place of the request.
func (w *wire) login(cfg Config) error {
	_ = w.conn.SetDeadline(time.Now().Add(authTimeout)) // A closed socket shows at the read below.
	f, err := readFrame(w.reader)
	if err != nil {
		return bare(err)
	}
	if f.kind == typeRejection {
		return fmt.Errorf("freeswitch refuses this address (apply-inbound-acl in event_socket.conf.xml): %s", said(string(f.body)))
	}
	if f.kind != eslgo.TypeAuthRequest {
		return fmt.Errorf("greeted with %q: this is not an event socket", clip(f.kind, maxID))
	}
	auth := command.Auth{User: cfg.User, Password: cfg.Password}
	if _, err := io.WriteString(w.conn, auth.BuildMessage()+"\n\n"); err != nil {
		return bare(err)
	}
	for { // Of what may come in between, nothing is for us.
		if f, err = readWelcome(w.reader); err != nil {
			return bare(err)
		}
		if f.isReply() {
			break
		}
		if f.kind == eslgo.TypeDisconnect {
			return errClosed
		}
	}
	if !strings.HasPrefix(f.reply, "+OK") {
		return fmt.Errorf("freeswitch refuses the password (event_socket.conf.xml): %s", said(f.reply))
	}
	return w.conn.SetDeadline(time.Time{})
}

// run reads until the connection is over and returns why; never nil.
func (w *wire) run() error {
	for {
		f, err := readFrame(w.reader)
		if err == nil {
			err = w.take(f)
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errLate
		}
		if err != nil {
			return w.fail(bare(err))
		}
	}
}

// take handles one message. A kind nobody knows is passed over.
func (w *wire) take(f frame) error {
	switch {
	case f.isReply():
		return w.answer(f.text())
	case f.kind == eslgo.TypeDisconnect:
		return errClosed
	case f.kind == typeRejection:
		return errors.New("freeswitch refuses this address")
	case w.other != nil:
		return w.other(f)
	}
	return nil
}

// answer gives an answer to the oldest command without one.
func (w *wire) answer(text string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiters) == 0 {
		return errors.New("an answer came that nobody asked for")
	}
	w.waiters[0].to <- text
	w.waiters = w.waiters[1:]
	w.watch()
	return nil
}

// watch makes the reader give up when the oldest command has waited too long.
// The caller holds the lock.
func (w *wire) watch() {
	var until time.Time
	if len(w.waiters) > 0 {
		until = w.waiters[0].since.Add(owes)
	}
	_ = w.conn.SetReadDeadline(until) // A closed socket ends the reader anyway.
}

// fail closes the connection for a reason; the first one counts. Whoever waits
// for an answer is told that there is none.
func (w *wire) fail(why error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = why
		close(w.dead)
		_ = w.conn.Close() // It is over, whatever is said to that.
	}
	return w.err
}

// failure is a command that was not carried out, or of which nothing is known.
type failure struct {
	command string
	answer  string // FreeSWITCH's own words, or the cause
	silent  bool   // no answer
	unsent  bool   // it never left
}

func (f *failure) Error() string {
	if f.silent {
		return f.command + ": no answer: " + f.answer
	}
	return f.command + ": " + f.answer
}

// send writes commands in one piece, so that they are carried out even if we
// end here, and waits for their answers. Each command has its own error; the
// one returned is the first of them.
func (w *wire) send(ctx context.Context, commands ...order) (answers []string, err error) {
	waits, err := w.write(commands)
	if err != nil {
		return nil, &failure{command: commands[0].name, answer: err.Error(), silent: true, unsent: true}
	}
	answers = make([]string, len(commands))
	for i, command := range commands {
		select {
		case answers[i] = <-waits[i]:
		case <-w.dead:
			select {
			case answers[i] = <-waits[i]: // It came just before the end.
			default:
				return answers, &failure{command: command.name, answer: w.why().Error(), silent: true}
			}
		case <-ctx.Done():
			return answers, &failure{command: command.name, answer: ctx.Err().Error(), silent: true}
		}
		if refused(answers[i]) && (!command.free || noChannel(answers[i])) && err == nil {
			err = &failure{command: command.name, answer: said(answers[i])}
		}
	}
	return answers, err
}

func (w *wire) write(commands []order) ([]chan string, error) {
	var text strings.Builder
	waits := make([]chan string, len(commands))
	for i, c := range commands {
		text.WriteString(c.text)
		waits[i] = make(chan string, 1)
	}
	if err := w.put(text.String(), waits); err != nil {
		return nil, err
	}
	return waits, nil
}

// put writes and takes places in the line, under one lock: both in one order.
func (w *wire) put(text string, waits []chan string) error {
	w.mu.Lock()
	switch {
	case w.err != nil:
		defer w.mu.Unlock()
		return w.err
	case len(w.waiters)+len(waits) > mostPending:
		w.mu.Unlock()
		return errCrowded
	}
	now := time.Now()
	for _, c := range waits {
		w.waiters = append(w.waiters, waiter{now, c})
	}
	w.watch()
	_ = w.conn.SetWriteDeadline(now.Add(owes)) // A closed socket shows at the write below.
	_, err := io.WriteString(w.conn, text)
	w.mu.Unlock()
	if err != nil {
		// A part may have left and been carried out: nobody gets an answer.
		_ = w.fail(bare(err))
	}
	if errors.Is(err, errFenced) {
		return err // Nothing has left.
	}
	return nil
}

func (w *wire) why() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// refused reports an answer that is a refusal. Some commands answer with what
// was asked for and without a sign of success.
func refused(answer string) bool {
	return strings.HasPrefix(answer, "-ERR") || strings.HasPrefix(answer, "-USAGE")
}

// said is FreeSWITCH's own words, fit for a log.
func said(answer string) string { return orchestrator.PlainText(answer, 200) }

// bare takes the wrapping off a network error: addresses and port numbers that
// differ each time hide that the cause is the same.
func bare(err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return &net.OpError{Op: op.Op, Net: op.Net, Err: op.Err}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errClosed
	}
	return err
}
