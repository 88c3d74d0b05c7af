package freeswitch

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// readAgain is how long after the first reading of a new connection there is a
// second: FreeSWITCH lists a channel up to 0.6 s after it was parked, and one
// parked just before we listened is in neither the list nor the events.
const readAgain = 1500 * time.Millisecond

// picture is everything read from a switch.
type picture struct {
	core     string // the identity of the running FreeSWITCH
	version  string
	channels []event // as uuid_dump shows them
	phones   map[string]bool
	asked    time.Time
}

// greet is what a new connection begins with: events before reading, so that
// nothing changes unseen in between. Those received meanwhile wait in the queue.
func (c *session) greet(ctx context.Context) error {
	if err := c.checkEpoch(ctx); err != nil {
		return err
	}
	if _, err := c.ears.send(ctx, encodeSubscribe()); err != nil {
		return err
	}
	if c.cfg.Epoch != 0 {
		epoch := epochText(c.cfg.Epoch)
		if _, err := c.ears.send(ctx, encodeGlobal(epochVariable, epoch), encodeTakeover(epoch)); err != nil {
			return err
		}
	}
	c.beat(ctx, time.Now())
	drain(c.rewatch)
	drain(c.resync)
	if err := c.sync(ctx, true); err != nil {
		return err
	}
	c.again.Reset(readAgain)
	c.counters.add(func(n *Stats) { n.Sessions++ })
	return nil
}

// sync reads the switch, brings the book in line with it and reports it.
// After a gap, events may have been missed.
func (c *session) sync(ctx context.Context, gap bool) error {
	pic, err := c.read(ctx)
	for began := time.Now(); err == nil && !gap && c.book.misses(pic) && time.Since(began) < hearMost; {
		if err = c.hearOut(ctx, pic); err == nil {
			pic, err = c.read(ctx)
		}
	}
	if err != nil {
		return err
	}
	watched := c.watched()
	todo := c.book.adopt(pic)
	if gap {
		_, _ = c.book.takePosted() // Told before the snapshot it would be told of the past.
		// Before anybody is told: a late break would end what comes next.
		for part := range slices.Chunk(c.book.regained(pic, time.Now()), dumpBatch) {
			if _, err := c.ears.send(ctx, part...); c.ears.why() != nil {
				return fmt.Errorf("quiet the switch: %w", err)
			}
		}
	}
	snapshot := c.book.snapshot(pic, watched)
	c.mu.Lock()
	if c.version == "" {
		c.version = orchestrator.PlainText(pic.version, maxID)
	}
	c.mu.Unlock()
	c.setState(linkUp)
	told := []orchestrator.Event{orchestrator.SwitchSynced{Switch: c.cfg.ID, Snapshot: snapshot, Epoch: pic.core}}
	if c.creates.overloaded() {
		told = append(told, c.overload(true)) // A snapshot lacks it.
	}
	c.report(ctx, told, todo)
	c.cfg.Log.Info("switch synced", "switch", c.cfg.ID, "legs", len(snapshot.Legs), "bridges", len(snapshot.Bridges))
	return nil
}

// hearMost is how long the word about a leg that is gone may be on its way.
const hearMost = time.Second

// hearOut waits for the word about legs that a picture misses though no event
// was: their ends are among the events not heard yet, which alone say whose
// doing they were. Those of whom nothing comes are left to the snapshot.
func (c *session) hearOut(ctx context.Context, pic picture) error {
	until := time.After(hearMost)
	for c.book.misses(pic) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-c.queue:
			c.handle(ctx, m.raw)
			c.counters.lag(time.Since(m.at))
		case r := <-c.reads:
			c.enter(ctx, r)
		case <-until:
			return nil
		}
	}
	return nil
}

// lookAgain reads the list of channels once more. A leg of ours that was in
// neither list nor events makes a whole new snapshot.
func (c *session) lookAgain(ctx context.Context) error {
	uuids, err := c.list(ctx)
	if err != nil {
		return err
	}
	for _, uuid := range uuids {
		if c.book.knows(uuid) {
			continue
		}
		e, ok, err := c.dump(ctx, uuid)
		if err != nil {
			return err
		}
		if ok && c.book.isOurs(&e) {
			return c.sync(ctx, false)
		}
	}
	return nil
}

// read asks for everything. The list of channels lags behind, so what is in it
// and what is in the book are both looked at one by one.
func (c *session) read(ctx context.Context) (picture, error) {
	pic := picture{asked: time.Now()}
	answers, err := c.ears.send(ctx, api("core", "global_getvar", "core_uuid"), api("version", "version", "short"), encodePhones(c.cfg.Profile))
	if len(answers) < 3 || err != nil && !strings.Contains(answers[2], "Invalid Profile") {
		return pic, fmt.Errorf("read the switch: %w", err)
	}
	pic.core, pic.version = strings.TrimSpace(answers[0]), strings.TrimSpace(answers[1])
	if pic.phones, err = readPhones(answers[2]); err != nil {
		return pic, fmt.Errorf("read registrations: %w", err)
	}
	pic.channels, err = c.all(ctx)
	return pic, err
}

const (
	// allWithin bounds the wait for a complete list: 0.6 s was the longest that
	// a channel was missing.
	allWithin = time.Second
	allPause  = 50 * time.Millisecond
)

// all reads every channel. The list is FreeSWITCH's database, which lags behind
// what it counts: while there are fewer channels than sessions, it is asked
// again.
func (c *session) all(ctx context.Context) ([]event, error) {
	deadline := time.Now().Add(allWithin)
	for {
		uuids, err := c.list(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the switch: %w", err)
		}
		for _, uuid := range c.book.channels() {
			if !slices.Contains(uuids, uuid) {
				uuids = append(uuids, uuid)
			}
		}
		answers, err := c.ears.send(ctx, api("status", "status"))
		if err != nil {
			return nil, fmt.Errorf("read the switch: %w", err)
		}
		out, err := c.dumpAll(ctx, uuids)
		if err != nil || len(out) >= sessionsIn(answers[0]) || time.Now().After(deadline) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(allPause):
		}
	}
}

var sessionsPattern = regexp.MustCompile(`(?m)^(\d+) session\(s\) - peak`)

// sessionsIn reads how many sessions there are from what status prints; 0 when
// it does not say.
func sessionsIn(status string) int {
	found := sessionsPattern.FindStringSubmatch(status)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		return 0
	}
	return n
}

// list is the channels that FreeSWITCH lists.
func (c *session) list(ctx context.Context) ([]string, error) {
	answers, err := c.ears.send(ctx, api("list", "show", "channels", "as", "json"))
	if err != nil {
		return nil, err
	}
	var rows struct {
		Rows []struct{ UUID string }
	}
	if err := json.Unmarshal([]byte(answers[0]), &rows); err != nil {
		return nil, fmt.Errorf("list of channels: %w", err)
	}
	out := make([]string, 0, len(rows.Rows))
	for _, r := range rows.Rows {
		if channelPattern.MatchString(r.UUID) {
			out = append(out, r.UUID)
		}
	}
	return out, nil
}

// dumpBatch is how many channels are asked for in one piece.
const dumpBatch = 50

func (c *session) dumpAll(ctx context.Context, uuids []string) ([]event, error) {
	var out []event
	for part := range slices.Chunk(uuids, dumpBatch) {
		orders := make([]order, len(part))
		for i, uuid := range part {
			orders[i] = encodeDump(uuid)
		}
		answers, err := c.ears.send(ctx, orders...)
		if _, silent := unheard(err); silent {
			return nil, fmt.Errorf("read the switch: %w", err)
		}
		for _, text := range answers {
			if e, ok := parseDump(text); ok {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// parseDump reads uuid_dump's answer, which is an event without a blank line.
func parseDump(text string) (event, bool) {
	if refused(text) {
		return event{}, false
	}
	e, ok := parseEvent([]byte(text))
	return e, ok && e.get("Unique-ID") != ""
}

func (c *session) dump(ctx context.Context, uuid string) (event, bool, error) {
	answers, err := c.ears.send(ctx, encodeDump(uuid))
	if f, silent := unheard(err); silent {
		return event{}, false, f
	}
	e, ok := parseDump(answers[0])
	return e, ok, nil
}
