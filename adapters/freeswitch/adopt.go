package freeswitch

import (
	"slices"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

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

// misses reports whether a leg in the book was gone when a picture was taken.
func (b *book) misses(pic picture) bool {
	there := map[string]bool{}
	for i := range pic.channels {
		if e := &pic.channels[i]; b.isOurs(e) {
			there[e.get("Unique-ID")] = true
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.live {
		if !there[l.channel] && !l.quiet && l.born.Before(pic.asked) {
			return true
		}
	}
	return false
}

// adopt brings the book in line with a picture: legs that are ours are entered,
// legs that are gone are taken out without an event, because the snapshot says
// so. Legs younger than the picture stay.
func (b *book) adopt(pic picture) (todo []chore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	present := map[orchestrator.LegID]bool{}
	clear(b.users)
	clear(b.busy)
	b.reborn(pic.core)
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
	b.reborn(pic.core)
	b.core = pic.core
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
	l.guard.inherited = l.guard.foreign
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
