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
		epoch := strconvEpoch(c.cfg.Epoch)
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
		c.version = sanitize(pic.version, maxID)
	}
	c.mu.Unlock()
	c.setState(linkUp)
	c.report(ctx, []orchestrator.Event{
		orchestrator.SwitchSynced{Switch: c.cfg.ID, Snapshot: snapshot, Epoch: pic.core},
	}, todo)
	c.cfg.Log.Info("switch synced", "switch", c.cfg.ID, "legs", len(snapshot.Legs), "bridges", len(snapshot.Bridges))
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

// knows reports a channel that is in the book or was.
func (b *book) knows(uuid string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.legID(uuid, "")
	return b.live[id] != nil || b.ended.has(uuid) || b.ended.has(string(id))
}

func (b *book) channels() (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.live {
		out = append(out, l.channel)
	}
	slices.Sort(out)
	return out
}

// isOurs reports a channel that is in our care, by its stamp, or offered to us.
func (b *book) isOurs(e *event) bool {
	if e.get("Answer-State") == "hangup" || e.get("Caller-Context") == b.cfg.Fallback {
		return false
	}
	_, stamped := orchestrator.ParseStamp(e.variable(stampVariable))
	return stamped || entryOf(e) != "" && parkedNow(e)
}

// parkedNow reports a channel that stands in park: what it is doing there
// besides, playing for example, is done in place of park and shown instead.
func parkedNow(e *event) bool {
	state := e.get("Channel-State")
	return state == "CS_PARK" || state == "CS_EXECUTE" && bridgedTo(e) == "" && !confers(e)
}

// confers reports a channel in a conference.
func confers(e *event) bool {
	return e.get("Channel-State") == "CS_EXECUTE" && e.variable("current_application") == "conference"
}

// bridgedTo is the channel another one talks to; FreeSWITCH takes the variable
// off when the talk is over, unlike bridge_uuid and what it tells of the other
// leg.
func bridgedTo(e *event) string { return e.variable("bridge_to") }

// adopt brings the book in line with a picture: legs that are ours are entered,
// legs that are gone are taken out without an event, because the snapshot says
// so. Legs younger than the picture stay.
func (b *book) adopt(pic picture) (todo []chore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	present := map[orchestrator.LegID]bool{}
	clear(b.users)
	clear(b.busy)
	for i := range pic.channels {
		e := &pic.channels[i]
		channel := e.get("Unique-ID")
		if name := b.deviceOf(e); name != "" && e.get("Answer-State") != "hangup" {
			b.users[channel] = name
			b.busy[name]++
		}
		if !b.isOurs(e) || !channelPattern.MatchString(channel) {
			continue
		}
		id := b.legID(channel, e.variable(stampVariable))
		l := b.live[id]
		if l == nil && (b.ended.has(channel) || b.ended.has(string(id))) {
			todo = append(todo, chore{about: channel, orders: []order{encodeHangup(channel, orchestrator.CauseNormal)}})
			continue
		}
		if l == nil {
			l = b.open(id, pic.asked)
			b.describe(l, e)
		}
		present[id] = true
		b.refresh(l, e)
	}
	for id, l := range b.live {
		if !present[id] && !l.quiet && l.born.Before(pic.asked) {
			b.shut(l, false)
		}
	}
	b.pair(pic)
	return todo
}

// regained is what the legs in our care need after a gap in the events.
func (b *book) regained(pic picture, now time.Time) (orders []order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range pic.channels {
		e := &pic.channels[i]
		l := b.byChannel(e.get("Unique-ID"))
		if l != nil && l.parked && l.bridge == "" && l.supervising == nil && l.joining == "" {
			orders = append(orders, b.regain(l, e.variable(musicVariable), now)...)
		}
	}
	return orders
}

// refresh takes over what can have changed unseen.
func (b *book) refresh(l *leg, e *event) {
	l.quiet = l.quiet && l.cancelled.done
	l.started.set()
	l.hungUp, l.doubtful = time.Time{}, false
	if stamp, ok := orchestrator.ParseStamp(e.variable(stampVariable)); ok {
		l.stamp = stamp
	}
	l.answered = e.get("Answer-State") == "answered"
	l.parked = parkedNow(e)
	l.guard.foreign = l.guard.group == ""
	l.conferring = confers(e)
	b.retape(l, e)
	switch {
	case l.answered && (!l.dialled || l.parked || bridgedTo(e) != "" || e.get("Channel-State") == "CS_EXECUTE"):
		l.state = orchestrator.LegIsUp
	case l.dialled && l.state == orchestrator.LegNew && (e.get("Answer-State") == "ringing" || e.get("Answer-State") == "early"):
		l.state = orchestrator.LegRings
	}
}

// retape takes over a recording that another orchestrator, or we before a break,
// had begun on a leg.
func (b *book) retape(l *leg, e *event) {
	id := orchestrator.RecordingID(e.variable(recordingVariable))
	if path, err := recordingPath(b.cfg, id); err == nil && l.recording == nil && !l.recorded[id] {
		l.recording = &recording{id: id, path: path, began: l.born, told: true}
	}
}

// relisten takes over who listens to whom.
func (b *book) relisten(l *leg, e *event) {
	target := b.byChannel(e.variable("current_application_data"))
	on := e.variable("current_application") == supervising && target != nil
	switch {
	case on && l.supervising == nil:
		l.supervising = &supervision{target: target} // In whatever mode.
	case !on && l.supervising != nil && time.Since(l.supervising.since) > joinGrace:
		l.supervising = nil
	}
}

// pair puts legs into the bridges they are in, and listeners to their targets.
func (b *book) pair(pic picture) {
	for _, l := range b.live {
		l.peer = nil
		l.bridge = ""
	}
	for i := range pic.channels {
		e := &pic.channels[i]
		one, two := b.byChannel(e.get("Unique-ID")), b.byChannel(bridgedTo(e))
		id, stamp := readBridgeMark(e.variable(bridgeVariable))
		if one != nil {
			b.relisten(one, e)
		}
		if one == nil || two == nil && !one.conferring || id == "" {
			continue
		}
		one.peer, one.bridge, one.joining, one.parked = two, id, "", false
		if _, known := b.bridges[id]; !known {
			b.bridges[id] = stamp
		}
	}
}

// snapshot is the book as the floor is told it, oldest leg first.
func (b *book) snapshot(pic picture, watched []string) orchestrator.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out orchestrator.Snapshot
	in := map[orchestrator.BridgeID][]orchestrator.LegID{}
	for _, l := range b.live {
		if l.quiet {
			continue
		}
		seen := orchestrator.SnapshotLeg{
			Leg: l.id, Stamp: l.stamp, State: l.state, Bridge: l.bridge, Entry: l.entry,
			Dialled: l.number, Caller: l.caller, Endpoint: l.endpoint, Created: l.born,
		}
		if l.recording != nil {
			seen.Recordings = []orchestrator.RecordingID{l.recording.id}
		}
		if l.supervising != nil {
			seen.Supervises = l.supervising.target.id
		}
		out.Legs = append(out.Legs, seen)
	}
	slices.SortFunc(out.Legs, func(a, b orchestrator.SnapshotLeg) int {
		if d := a.Created.Compare(b.Created); d != 0 {
			return d
		}
		return strings.Compare(string(a.Leg), string(b.Leg))
	})
	for _, l := range out.Legs {
		if l.Bridge != "" {
			in[l.Bridge] = append(in[l.Bridge], l.Leg)
		}
	}
	for _, l := range out.Legs {
		if legs := in[l.Bridge]; len(legs) > 0 && legs[0] == l.Leg {
			out.Bridges = append(out.Bridges, orchestrator.SnapshotBridge{Bridge: l.Bridge, Stamp: b.bridges[l.Bridge], Legs: legs})
		}
	}
	clear(b.devices)
	for _, name := range watched {
		d := device{reachable: pic.phones[strings.TrimPrefix(name, "user/")], inUse: b.busy[name] > 0}
		b.devices[name] = d
		out.Endpoints = append(out.Endpoints, orchestrator.SnapshotEndpoint{Endpoint: name, Reachable: d.reachable, InUse: d.inUse})
	}
	return out
}
