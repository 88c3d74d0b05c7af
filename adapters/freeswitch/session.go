package freeswitch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/percipia/eslgo"
	"golang.org/x/sync/errgroup"

	"ringmaster/orchestrator"
)

const (
	connectTimeout = 8 * time.Second
	// pulse and owes find a half-open connection within 10 s. The pulse is
	// also what looks for a newer orchestrator.
	pulse      = time.Second
	restlessly = 200 * time.Millisecond
	choreQueue = 1024
	// garbledPause bounds how often unreadable events make us read anew.
	garbledPause = 5 * time.Second
)

var errOverflow = errors.New("the event queue is full: events came faster than they were taken")

// session is one connection for events and everything that lives as long as
// it does.
type session struct {
	*Switch
	ears      *wire
	queue     chan received
	reads     chan read
	chores    []chan chore // one per line: the chores of a leg stay in order
	garbledAt time.Time
	again     *time.Timer // the second reading after connecting
	heart     heartbeat
	signs     signs // FreeSWITCH's
}

// received is one event and when it came.
type received struct {
	raw []byte
	at  time.Time
}

// serveOnce connects and serves the connection to its end. synced says whether
// it ever was of use; the error is never nil.
func (s *Switch) serveOnce(ctx context.Context) (synced bool, err error) {
	group, ctx := errgroup.WithContext(ctx)
	c := &session{Switch: s, queue: make(chan received, s.cfg.Queue), reads: make(chan read), again: time.NewTimer(readAgain)}
	defer c.again.Stop()
	lines := newLines(ctx, s.cfg, s.counters)
	for range lines.each {
		c.chores = append(c.chores, make(chan chore, choreQueue))
	}
	if err := c.connect(ctx, lines); err != nil {
		group.Go(func() error { return err })
		err = group.Wait()
		if errors.Is(err, errReplaced) {
			s.setState(linkSuperseded)
		}
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.ears.fail(context.Cause(ctx)) })
	defer stop()
	s.mu.Lock()
	s.lines = lines
	s.mu.Unlock()
	group.Go(c.ears.run)
	group.Go(func() error { return c.feelPulse(ctx) })
	group.Go(func() error { return c.lookAfter(ctx) })
	for _, chores := range c.chores {
		group.Go(func() error { return c.work(ctx, chores) })
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

// connect opens all connections. An orchestrator that was cut off while
// another took over finds out before it does anything else.
func (c *session) connect(ctx context.Context, lines *lines) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var err error
	if c.ears, err = open(ctx, c.cfg, c.hear); err != nil {
		return err
	}
	if err := lines.connect(ctx); err != nil {
		_ = c.ears.fail(err)
		return err
	}
	return nil
}

// hear takes a message that is no answer. It only copies: whatever happens
// behind the queue, FreeSWITCH never waits for us.
func (c *session) hear(f frame) error {
	if f.kind != eslgo.TypeEventPlain {
		c.counters.add(func(n *Stats) { n.Unknown++ })
		return nil
	}
	c.signs.heard(f.body, time.Now())
	if bytes.Contains(f.body, takeoverMark) {
		if e, ok := parseEvent(f.body); ok && e.name == takeoverName && newerThan(c.cfg.Epoch, e.get(epochHeader)) {
			c.setState(linkSuperseded) // At once, however long the queue is.
			return errReplaced
		}
	}
	select {
	case c.queue <- received{f.body, time.Now()}:
		return nil
	default:
		return errOverflow
	}
}

// newerThan reports an epoch written on the switch that is above ours.
func newerThan(ours uint64, text string) bool {
	theirs, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	return err == nil && ours != 0 && theirs > ours
}

// feelPulse finds a connection that is open and dead, and a newer orchestrator
// whose word did not reach us. It asks on the connection for events, where an
// answer shows that what is sent arrives; that events are sent, FreeSWITCH's
// signs of life show.
func (c *session) feelPulse(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pulse):
		}
		if err := c.checkEpoch(ctx); err != nil {
			return err
		}
		if err := c.signs.look(time.Now(), c.cfg.deafAfter); err != nil {
			return err
		}
	}
}

func (c *session) checkEpoch(ctx context.Context) error {
	began := time.Now()
	answers, err := c.ears.send(ctx, encodeReadGlobal(epochVariable))
	if err != nil {
		return fmt.Errorf("no pulse: %w", err)
	}
	if newerThan(c.cfg.Epoch, answers[0]) {
		c.setState(linkSuperseded)
		return errReplaced
	}
	c.creates.ping(time.Since(began))
	c.mu.Lock()
	lines := c.lines
	c.mu.Unlock()
	if lines != nil {
		lines.fresh()
	}
	return nil
}

// serve handles events in their order until the connection ends.
func (c *session) serve(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-c.queue:
			c.handle(ctx, m.raw)
			c.counters.lag(time.Since(m.at))
		case r := <-c.reads:
			c.enter(ctx, r)
		case <-c.book.posted:
			c.report(ctx, nil, nil)
		case <-c.resync:
			if err := c.sync(ctx, false); err != nil {
				return err
			}
		case <-c.again.C:
			if err := c.lookAgain(ctx); err != nil {
				return err
			}
		case <-c.rewatch:
			if err := c.watchAnew(ctx); err != nil {
				return err
			}
		}
	}
}

// enter takes what reading a leg again showed.
func (c *session) enter(ctx context.Context, r read) {
	out, todo := c.book.reread(r)
	if !r.found && len(out) > 0 {
		c.counters.add(func(n *Stats) { n.HealedEnds++ })
	}
	c.report(ctx, out, todo)
}

// handle takes one event.
func (c *session) handle(ctx context.Context, raw []byte) {
	e, ok := parseEvent(raw)
	if !ok {
		c.counters.add(func(n *Stats) { n.Garbled++ })
		if time.Since(c.garbledAt) > garbledPause {
			c.garbledAt = time.Now()
			c.cfg.Log.Error("event without a name", "switch", c.cfg.ID, "bytes", len(raw))
			c.Resync() // It may have been anything.
		}
		return
	}
	c.counters.event(clip(e.name, maxKind), len(c.queue)+1)
	if !awaited[e.name] {
		c.counters.add(func(n *Stats) { n.Unknown++ })
	}
	out, todo := c.book.apply(&e, time.Now())
	c.report(ctx, out, todo)
}

// maxKind bounds the name of an event, which becomes a key of statistics.
const maxKind = 64

// report tells events, after those that commands have left to be told, and
// hands out chores.
func (c *session) report(ctx context.Context, events []orchestrator.Event, todo []chore) {
	posted, left := c.book.takePosted()
	for _, e := range append(posted, events...) {
		c.tell(ctx, e)
	}
	for _, job := range append(left, todo...) {
		c.assign(job)
	}
}

// assign hands a chore to the goroutine of its line. One that finds no place is
// skipped, and its leg is read again.
func (c *session) assign(job chore) {
	c.mu.Lock()
	place := c.lines.place(job.about)
	c.mu.Unlock()
	select {
	case c.chores[place] <- job:
	default:
		c.counters.add(func(n *Stats) { n.ChoresLost++ })
		if job.leg != nil {
			c.book.doubt(job.leg)
		}
	}
}

// work does chores until the connection ends.
func (c *session) work(ctx context.Context, chores <-chan chore) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case job := <-chores:
			c.do(ctx, job)
		}
	}
}

func (c *session) do(ctx context.Context, job chore) {
	if job.renew {
		c.putOff(ctx, job.leg)
		return
	}
	answers, err := c.send(ctx, job.about, job.orders...)
	if err == nil && job.then != nil {
		job.then(answers[0])
	}
	if err != nil && job.leg != nil {
		c.cfg.Log.Debug("chore not done", "switch", c.cfg.ID, "leg", job.leg.id, "error", err)
		c.book.doubt(job.leg)
	}
}

// lookAfter reads restless legs again, puts guards off and says that we live.
func (c *session) lookAfter(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(restlessly):
		case <-c.hurry:
		}
		if state, _ := c.link(); state != linkUp {
			continue
		}
		now := time.Now()
		c.beat(ctx, now)
		if c.creates.calm(now) {
			c.overloaded(false)
		}
		out, todo := c.book.overdue(now)
		c.book.mu.Lock()
		c.book.post(out...)
		c.book.mu.Unlock()
		for _, job := range append(todo, c.book.unguarded(now)...) {
			c.assign(job)
		}
		for _, l := range c.book.restless(now) {
			select {
			case c.reads <- c.readLeg(ctx, l):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// send carries out orders about one leg on the present connection.
func (s *Switch) send(ctx context.Context, about string, orders ...order) ([]string, error) {
	s.mu.Lock()
	lines, state := s.lines, s.state
	s.mu.Unlock()
	if lines == nil || state == linkSuperseded {
		return nil, &failure{command: orders[0].name, answer: ReasonLost, unsent: true}
	}
	answers, err := lines.send(ctx, about, orders...)
	if f, ok := errors.AsType[*failure](err); ok && f.unsent && f.answer == ReasonSuperseded {
		s.setState(linkSuperseded)
	}
	return answers, err
}
