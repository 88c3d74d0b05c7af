package asterisk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/CyCoreSystems/ari/v5"
	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"ringmaster/orchestrator"
)

const (
	connectTimeout = 5 * time.Second
	// messageLimit bounds one message of the websocket.
	messageLimit = 4 << 20
	// pulse and pulseTimeout find a half-open connection within 10 s.
	pulse        = 3 * time.Second
	pulseTimeout = 4 * time.Second
	// endGrace is how long after leaving our application a leg's end may stay
	// untold before it is asked for.
	endGrace   = 300 * time.Millisecond
	restlessly = 200 * time.Millisecond
	choreSlots = 4
	choreQueue = 1024
	// garbledPause bounds how often undecodable messages make us read anew.
	garbledPause = 5 * time.Second
)

var errOverflow = errors.New("the event queue is full: events came faster than they were taken")

// session is one websocket and everything that lives as long as it does.
type session struct {
	*Switch
	conn   *websocket.Conn
	queue  chan received
	reads  chan read
	chores chan chore
	beats  chan struct{} // holds one: our own event came back
	// subscribed are the device sources subscribed on this connection.
	subscribed map[string]bool
	garbledAt  time.Time
}

// received is one message and when it came.
type received struct {
	raw []byte
	at  time.Time
}

// connect opens a connection and serves it to its end. synced says whether it
// ever was of use; the error is never nil.
func (s *Switch) connect(ctx context.Context) (synced bool, err error) {
	if err := s.outdated(ctx); err != nil {
		return false, err
	}
	conn, err := s.open(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.CloseNow() }() // It is broken or given up: nothing to be said to it.
	c := &session{
		Switch: s, conn: conn,
		queue: make(chan received, s.cfg.Queue), reads: make(chan read), chores: make(chan chore, choreQueue),
		beats:      make(chan struct{}, 1),
		subscribed: map[string]bool{},
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.receive(ctx) })
	group.Go(func() error { return c.feelPulse(ctx) })
	group.Go(func() error { return c.lookAfter(ctx) })
	for range choreSlots {
		group.Go(func() error { return c.work(ctx) })
	}
	group.Go(func() error {
		if err := c.greet(ctx); err != nil {
			return err
		}
		synced = true
		return c.serve(ctx)
	})
	err = group.Wait()
	if errors.Is(err, errReplaced) {
		s.setState(linkSuperseded) // At once: what is under way must not go on.
	} else {
		s.setState(linkDown)
	}
	return synced, err
}

// outdated keeps an orchestrator that was cut off while another took over from
// taking the switch back: to Asterisk the last to connect is the newest.
func (s *Switch) outdated(ctx context.Context) error {
	if s.cfg.Epoch == 0 {
		return nil
	}
	var v struct{ Value string }
	// Without an answer v stays empty: opening the websocket will meet the same
	// trouble and name it better.
	_ = s.rest.send(ctx, encodeReadEpoch(s.cfg.App), &v)
	if epoch, err := strconv.ParseUint(v.Value, 10, 64); err == nil && epoch > s.cfg.Epoch {
		s.setState(linkSuperseded)
		return errReplaced
	}
	return nil
}

// open dials the websocket. The password goes into a header, not into the
// address, which servers and proxies log.
func (s *Switch) open(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	address := *s.rest.base
	address.Scheme = strings.Replace(address.Scheme, "http", "ws", 1)
	address.Path = strings.TrimSuffix(address.Path, "/") + "/events"
	address.RawQuery = url.Values{"app": {s.cfg.App}, "subscribeAll": {"false"}}.Encode()
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth(s.cfg.User, s.cfg.Password)
	conn, resp, err := websocket.Dial(ctx, address.String(), &websocket.DialOptions{ //nolint:bodyclose // Dial documents that its body need not be closed.
		HTTPClient: s.rest.http, HTTPHeader: req.Header,
	})
	if err != nil {
		return nil, s.refused(resp, err)
	}
	conn.SetReadLimit(messageLimit)
	return conn, nil
}

// refused says why there is no websocket, in words that lead to the remedy.
func (s *Switch) refused(resp *http.Response, err error) error {
	switch {
	case resp == nil:
		return fmt.Errorf("open event socket: %w", bare(err))
	case resp.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("asterisk refuses user %q or its password (ari.conf)", s.cfg.User)
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("asterisk has no ARI at %s: not started yet, or disabled in ari.conf", s.cfg.URL)
	}
	return fmt.Errorf("open event socket: http status %d", resp.StatusCode)
}

// What the reader looks for: the message of a pulse, and that of a takeover.
var (
	pulseMark    = []byte(`"` + pulseName + `"`)
	replacedMark = []byte(`"ApplicationReplaced"`)
)

// receive only copies: whatever happens behind the queue, Asterisk never waits
// for us.
func (c *session) receive(ctx context.Context) error {
	for {
		_, raw, err := c.conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read event socket: %w", bare(err))
		}
		if bytes.Contains(raw, pulseMark) && typeOf(raw) == "ChannelUserevent" {
			wish(c.beats)
			continue
		}
		if bytes.Contains(raw, replacedMark) && typeOf(raw) == "ApplicationReplaced" {
			c.setState(linkSuperseded) // At once, however long the queue is.
		}
		select {
		case c.queue <- received{raw, time.Now()}:
		default:
			return errOverflow
		}
	}
}

// serve handles messages in their order until the connection ends.
func (c *session) serve(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-c.queue:
			if err := c.handle(ctx, m.raw); err != nil {
				return err
			}
			c.counters.lag(time.Since(m.at))
		case e := <-c.said:
			c.tell(ctx, e)
		case r := <-c.reads:
			c.heal(ctx, r)
		case <-c.resync:
			if err := c.sync(ctx, false); err != nil {
				return err
			}
		case <-c.rewatch:
			if err := c.watchAnew(ctx); err != nil {
				return err
			}
		}
	}
}

// handle takes one message.
func (c *session) handle(ctx context.Context, raw []byte) error {
	m, err := decode(raw)
	first := c.counters.event(m.kind, len(c.queue)+1)
	if err != nil {
		c.garbled(err, first)
		return nil
	}
	if m.event == nil && m.kind != kindTransfer {
		c.counters.add(func(n *Stats) { n.Unknown++ })
		if first {
			c.cfg.Log.Debug("event type ignored", "switch", c.cfg.ID, "type", m.kind)
		}
		return nil
	}
	if _, replaced := m.event.(*ari.ApplicationReplaced); replaced {
		return errReplaced
	}
	out, todo := c.book.apply(m, time.Now())
	c.report(ctx, out)
	for _, job := range todo {
		c.assign(job)
	}
	return nil
}

// garbled counts a message that could not be read. If it was of a type that
// matters it may have been anything, so the switch is read anew, not too often.
func (c *session) garbled(err error, first bool) {
	c.counters.add(func(n *Stats) { n.Garbled++ })
	if first {
		c.cfg.Log.Error("event not understood", "switch", c.cfg.ID, "error", err)
	}
	if time.Since(c.garbledAt) > garbledPause {
		c.garbledAt = time.Now()
		c.Resync()
	}
}

func (c *session) report(ctx context.Context, events []orchestrator.Event) {
	for _, e := range events {
		c.tell(ctx, e)
	}
}

// assign hands a chore to whoever is free. A subscription that finds no place
// is skipped: without it the end of that leg is asked for instead of told.
func (c *session) assign(job chore) {
	select {
	case c.chores <- job:
	default:
		c.counters.add(func(n *Stats) { n.ChoresLost++ })
		if job.what == choreSubscribe {
			c.settle(job.leg)
		}
	}
}

// work does chores until the connection ends. What goes wrong with one is
// counted by the client; the next reading of the switch shows what is left.
func (c *session) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case job := <-c.chores:
			c.do(ctx, job)
		}
	}
}

func (c *session) do(ctx context.Context, job chore) {
	if job.what == choreRefuseTransfer {
		if err := c.sayTransfer(ctx, job.id, transferRefused); err != nil {
			c.cfg.Log.Debug("transfer not refused", "switch", c.cfg.ID, "leg", job.id, "error", err)
		}
		return
	}
	var r request
	switch job.what {
	case choreSubscribe:
		r = encodeSubscribe(c.cfg.App, "channel:"+job.id)
	case choreDiscard:
		r = encodeHangup(job.id, orchestrator.CauseNormal)
	case choreCloseBridge:
		r = encodeCloseBridge(job.id)
	case choreGiveBack:
		c.cfg.Log.Warn("leg given back: its Stasis() line has arguments we do not know", "switch", c.cfg.ID, "leg", job.id)
		r, _ = encodeContinue(job.id, "", "")
	}
	if err := c.rest.send(ctx, r, nil); err != nil {
		c.cfg.Log.Debug("chore not done", "switch", c.cfg.ID, "leg", job.id, "error", err)
	}
	if job.what == choreSubscribe {
		c.settle(job.leg)
	}
}

// settle lets commands for a leg go.
func (c *session) settle(l *leg) {
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	l.subscribed.set()
}
