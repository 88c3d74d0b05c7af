package asterisk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

const (
	requestTimeout = 10 * time.Second
	// idleTimeout is below Asterisk's session_keep_alive of 15 s, so that we
	// close idle connections before it does and no request meets a closed one.
	idleTimeout = 10 * time.Second
	// answerLimit bounds what is read of an answer: a list of 20,000 channels.
	answerLimit = 32 << 20
)

// client sends requests to ARI. It never repeats one.
type client struct {
	http           *http.Client
	base           *url.URL
	user, password string
	counters       *counters
}

func newClient(cfg Config, base *url.URL, n *counters) *client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			return fence(conn, cfg.May), err
		},
		TLSHandshakeTimeout: 5 * time.Second,
		MaxConnsPerHost:     cfg.Connections,
		MaxIdleConns:        cfg.Connections,
		MaxIdleConnsPerHost: cfg.Connections,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true,
	}
	return &client{
		// A redirect could carry the password elsewhere; ARI sends none.
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
		base: base, user: cfg.User, password: cfg.Password, counters: n,
	}
}

// failure is a request that was not carried out, or of which nothing is known.
type failure struct {
	request string
	status  int    // 0: no answer
	message string // ARI's own, or the cause
	unsent  bool   // the request never left
}

func (f *failure) Error() string {
	if f.status == 0 {
		return fmt.Sprintf("%s: no answer: %s", f.request, f.message)
	}
	return fmt.Sprintf("%s: %d: %s", f.request, f.status, f.message)
}

// send carries out r and decodes the answer into out unless it is nil.
func (c *client) send(ctx context.Context, r request, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := c.build(ctx, r)
	if err != nil {
		return &failure{request: r.name, message: err.Error(), unsent: true}
	}
	began := time.Now()
	body, status, err := c.exchange(req)
	c.counters.request(r.name, time.Since(began), err == nil && status < 300)
	switch {
	case err != nil:
		return &failure{request: r.name, message: err.Error(), unsent: neverSent(err)}
	case status >= 300:
		return &failure{request: r.name, status: status, message: saidBy(body)}
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return &failure{request: r.name, status: status, message: "answer is not the JSON expected: " + err.Error()}
	}
	return nil
}

func (c *client) build(ctx context.Context, r request) (*http.Request, error) {
	address := strings.TrimSuffix(c.base.String(), "/") + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	var body io.Reader = http.NoBody
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.SetBasicAuth(c.user, c.password)
	return req, nil
}

func (c *client) exchange(req *http.Request) (body []byte, status int, err error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, 0, bare(err)
	}
	defer func() { _ = resp.Body.Close() }() // What was read is judged below.
	body, err = io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	if err == nil && len(body) > answerLimit {
		err = fmt.Errorf("answer is longer than %d bytes", answerLimit)
	}
	return body, resp.StatusCode, err
}

// bare takes the wrapping off a network error: addresses and port numbers that
// differ each time hide that the cause is the same.
func bare(err error) error {
	var op *net.OpError
	var wrapped *url.Error
	switch {
	case errors.As(err, &op):
		return &net.OpError{Op: op.Op, Net: op.Net, Err: op.Err}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errClosed
	case errors.As(err, &wrapped):
		return wrapped.Err
	}
	return err
}

var errClosed = errors.New("asterisk closed the connection")

// neverSent reports an error that came before the first byte left: nothing can
// have happened on the switch.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == opFenced)
}

// saidBy is the message ARI put into an error answer: {"message": …} or {"error": …}.
func saidBy(body []byte) string {
	var said struct{ Message, Error string }
	if json.Unmarshal(body, &said) == nil && said.Message+said.Error != "" {
		return orchestrator.PlainText(said.Message+said.Error, 200)
	}
	return orchestrator.PlainText(string(clipBytes(body, 200)), 200)
}

func clipBytes(b []byte, n int) []byte {
	if len(b) > n {
		return b[:n]
	}
	return b
}

// statusOf is the HTTP status err carries, 0 for none.
func statusOf(err error) int {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.status
	}
	return 0
}

// verdict turns the outcome of a request into the switch's answer.
func verdict(err error) (orchestrator.CommandResult, string) {
	var f *failure
	switch {
	case err == nil:
		return orchestrator.ResultAccepted, ""
	case !errors.As(err, &f):
		return orchestrator.ResultRejected, err.Error()
	case f.status == http.StatusNotFound:
		return orchestrator.ResultNotFound, f.message
	case f.status != 0 && f.status >= 300, f.unsent:
		return orchestrator.ResultRejected, f.Error()
	}
	return orchestrator.ResultNoWord, f.Error()
}

// fence makes a connection ask before each write. Whatever a request waited for
// before (its turn, a connection, a process that stood still), this is the last
// moment at which it can be held back.
func fence(conn net.Conn, may func() bool) net.Conn {
	if conn == nil || may == nil {
		return conn
	}
	return fencedConn{conn, may}
}

type fencedConn struct {
	net.Conn
	may func() bool
}

var errFenced = errors.New("this orchestrator does not lead any more")

func (c fencedConn) Write(b []byte) (int, error) {
	if !c.may() {
		return 0, &net.OpError{Op: opFenced, Net: "tcp", Err: errFenced}
	}
	return c.Conn.Write(b)
}

const opFenced = "fence"

func (c *client) close() { c.http.CloseIdleConnections() }
