package freeswitch

import (
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// chore is an order that an event calls for and nobody waits for.
type chore struct {
	leg    *leg // read again when it fails; nil: nobody cares
	about  string
	orders []order
	renew  bool                // instead of orders: put its guard off
	then   func(answer string) // takes the answer to the first order
}

// choresOf wraps orders about a leg, if there are any.
func choresOf(l *leg, orders []order) []chore {
	if len(orders) == 0 {
		return nil
	}
	return []chore{{leg: l, about: l.channel, orders: orders}}
}

// apply enters one event into the book. It returns what the floor is to be
// told, in order, and what is to be done. It tolerates repeats, events of legs
// it does not know and events out of order.
func (b *book) apply(e *event, now time.Time) (out []orchestrator.Event, todo []chore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.name {
	case "BACKGROUND_JOB":
		b.job(e)
		return nil, nil
	case "sofia::register", "sofia::unregister", "sofia::expire", "sofia::sip_user_state":
		return b.registered(e), nil
	case "sofia::transferor":
		return b.transferor(e), nil
	}
	channel := e.get("Unique-ID")
	if channel == "" {
		return nil, nil
	}
	out = b.occupied(e, channel)
	l := b.live[b.legID(channel, e.variable(stampVariable))]
	if l == nil {
		told, todo := b.stranger(e, channel, now)
		return append(out, told...), todo
	}
	// An event older than what is known says nothing about the state any more.
	stale := e.sequence() != 0 && e.sequence() < l.sequence
	l.sequence = max(l.sequence, e.sequence())
	if stale {
		b.late++
	}
	told, todo := b.about(l, e, now, stale)
	return append(out, told...), todo
}

// stranger is an event of a channel that is not in the book.
func (b *book) stranger(e *event, channel string, now time.Time) ([]orchestrator.Event, []chore) {
	switch {
	case b.ended.has(channel) && e.name != "CHANNEL_HANGUP" && e.name != "CHANNEL_HANGUP_COMPLETE":
		// A leg given up while it was being made has come to life.
		return nil, []chore{{about: channel, orders: []order{encodeHangup(channel, orchestrator.CauseNormal)}}}
	case e.name == "CHANNEL_PARK":
		return b.arrival(e, channel, now)
	case e.name == "CHANNEL_HANGUP_COMPLETE" && entryOf(e) != "":
		b.ended.add(string(b.legID(channel, ""))) // Its arrival may be on its way.
	}
	return nil, nil
}

// arrival is a call that the dialplan hands to us.
func (b *book) arrival(e *event, channel string, now time.Time) ([]orchestrator.Event, []chore) {
	entry := entryOf(e)
	if entry == "" || e.get("Answer-State") == "hangup" || !channelPattern.MatchString(channel) {
		return nil, nil
	}
	id := b.legID(channel, "")
	if b.ended.has(string(id)) {
		return nil, nil // Its end overtook it, or it is told again.
	}
	l := b.open(id, now)
	b.describe(l, e)
	l.parked = true
	l.sequence = e.sequence()
	out := []orchestrator.Event{orchestrator.LegOffered{
		Switch: b.cfg.ID, Leg: l.id, Entry: l.entry, Dialled: l.number, Caller: l.caller, Endpoint: l.endpoint,
		SIPCall: orchestrator.PlainText(e.variable("sip_call_id"), maxID),
	}}
	return append(out, b.up(l, e)...), nil
}

// entryOf is the door the dialplan says the call came in by.
func entryOf(e *event) orchestrator.Entry {
	switch entry := orchestrator.Entry(e.variable("rm_entry")); entry {
	case orchestrator.EntryIn, orchestrator.EntryAgent, orchestrator.EntryLink:
		return entry
	}
	return ""
}

// describe fills in what does not change.
func (b *book) describe(l *leg, e *event) {
	l.born = e.created(l.born)
	l.entry = entryOf(e)
	l.dialled = l.entry == ""
	if l.dialled || l.entry == orchestrator.EntryAgent {
		l.role = roleAgent
	}
	l.number = orchestrator.PlainText(e.variable("rm_number"), orchestrator.MaxPartyNumber)
	if l.number == "" && !l.dialled {
		l.number = orchestrator.PlainText(e.get("Caller-Destination-Number"), orchestrator.MaxPartyNumber)
	}
	if !l.dialled {
		l.caller = orchestrator.Party{
			Number: orchestrator.PlainText(e.get("Caller-Caller-ID-Number"), orchestrator.MaxPartyNumber), Name: orchestrator.PlainText(e.get("Caller-Caller-ID-Name"), orchestrator.MaxPartyName),
		}
		if l.caller.Name == l.caller.Number {
			l.caller.Name = "" // FreeSWITCH's stand-in for a name that was not given.
		}
	}
	l.endpoint = b.deviceOf(e)
}

// about is an event of a leg in the book.
func (b *book) about(l *leg, e *event, now time.Time, stale bool) (out []orchestrator.Event, todo []chore) {
	switch e.name {
	case "CHANNEL_CREATE":
		b.made(l)
	case "CHANNEL_PROGRESS":
		b.made(l)
		out = b.rings(l, stale)
	case "CHANNEL_PROGRESS_MEDIA":
		b.made(l)
		if l.dialled && !l.quiet && l.state != orchestrator.LegIsUp && !stale {
			out = []orchestrator.Event{orchestrator.LegEarly{Leg: l.id}}
		}
	case "CHANNEL_ANSWER":
		b.made(l)
		out = b.up(l, e)
	case "CHANNEL_PARK":
		return b.parks(l, e)
	case "CHANNEL_BRIDGE":
		return b.bridged(e)
	case "CHANNEL_UNBRIDGE":
		out = b.unbridged(e)
	case "CHANNEL_HOLD":
		out = reportIf(l, orchestrator.LegHold{Leg: l.id})
	case "CHANNEL_UNHOLD":
		out = reportIf(l, orchestrator.LegUnhold{Leg: l.id})
	case "PLAYBACK_START":
		if s := l.sounds.now; s != nil && s.play != nil {
			s.play.heard = true
		}
	case "CHANNEL_EXECUTE_COMPLETE":
		return b.completed(l, e)
	case "DTMF":
		out = digit(l, e.get("DTMF-Digit"))
	case "RECORD_START":
		todo = b.recordingBegins(l, e.get("Record-File-Path"))
	case "RECORD_STOP":
		if l.recording != nil && l.recording.path == e.get("Record-File-Path") {
			out = b.recordingOver(l, e.number("variable_record_ms"), "")
		}
	case "conference::maintenance":
		out = b.conferenced(l, e)
	case "CHANNEL_HANGUP":
		l.hungUp, l.cause = now, e.cause()
		if l.failure == "" {
			l.failure = e.get("Hangup-Cause")
		}
		l.failed.set()
	case "CHANNEL_HANGUP_COMPLETE":
		out = b.end(l, e)
	}
	return out, todo
}

// completed is the end of an application that we had FreeSWITCH run.
func (b *book) completed(l *leg, e *event) (out []orchestrator.Event, todo []chore) {
	id := e.get("Application-UUID")
	if s := l.sounds.now; s != nil && (s.id == id || s.found && e.get("Application") == "playback") {
		out = b.soundOver(l, e.get("Application-Response"))
		todo = choresOf(l, l.sound())
	}
	if l.supervising != nil && e.get("Application") == supervising {
		l.supervising = nil
		l.guard.since = time.Time{} // It waits again.
		todo = append(todo, choresOf(l, l.sound())...)
	}
	return out, todo
}

func reportIf(l *leg, e orchestrator.Event) []orchestrator.Event {
	if l.quiet {
		return nil
	}
	return []orchestrator.Event{e}
}

// made is the first sign of a leg we dialled: from now on it has events.
func (b *book) made(l *leg) {
	if l.quiet && !l.cancelled.done {
		l.quiet = false
	}
	l.started.set()
}

// rings takes a dialled leg to ringing and never back: it may be told twice,
// and after up.
func (b *book) rings(l *leg, stale bool) []orchestrator.Event {
	if l.quiet || !l.dialled || stale || l.state != orchestrator.LegNew {
		return nil
	}
	l.state = orchestrator.LegRings
	return []orchestrator.Event{orchestrator.LegRinging{Leg: l.id}}
}

// up is a leg answered. One we dialled is up only when it is parked as well:
// before, FreeSWITCH is still making it, and bridging it would end it.
func (b *book) up(l *leg, e *event) []orchestrator.Event {
	if e.name == "CHANNEL_ANSWER" || e.get("Answer-State") == "answered" {
		l.answered = true
	}
	if l.quiet || !l.answered || l.state == orchestrator.LegIsUp || l.dialled && !l.parked {
		return nil
	}
	l.state = orchestrator.LegIsUp
	return []orchestrator.Event{orchestrator.LegUp{Leg: l.id}}
}

// parks is a leg coming into our care, for the first time or again.
func (b *book) parks(l *leg, e *event) (out []orchestrator.Event, todo []chore) {
	if e.get("Answer-State") == "hangup" || !l.hungUp.IsZero() {
		return nil, nil // Answered and hung up in the same instant.
	}
	b.made(l)
	l.parked = true
	l.supervising, l.conferring = nil, false
	l.guard.foreign, l.guard.since = true, time.Time{} // The care context armed one.
	l.arrive()
	out = append(b.leaves(l), b.up(l, e)...)
	out = append(out, b.asked(l)...)
	if l.waits() && !l.renewing {
		l.renewing = true
		todo = append(todo, chore{leg: l, about: l.channel, renew: true})
	}
	return out, append(todo, choresOf(l, l.sound())...)
}

func digit(l *leg, digit string) []orchestrator.Event {
	if l.quiet || l.ownKey(digit) || len(digit) != 1 || !strings.Contains("0123456789*#ABCD", digit) {
		return nil
	}
	return []orchestrator.Event{orchestrator.Digit{Leg: l.id, Digit: digit}}
}

// cause is why a channel ended, as Q.850 has it. FreeSWITCH's own causes, those
// above 127, are nearest to no answer when a ring timed out and else normal.
func (e *event) cause() int {
	cause := e.number("variable_hangup_cause_q850")
	if cause == 0 {
		cause = causes[e.get("Hangup-Cause")]
	}
	if cause == 0 {
		cause = orchestrator.CauseNormal
	}
	return cause
}

// end is a channel that is no more.
func (b *book) end(l *leg, e *event) []orchestrator.Event {
	if cause := e.cause(); e.get("Hangup-Cause") != "" {
		l.cause = cause
	}
	return b.over(l, e.variable("sip_hangup_disposition"), e.number("variable_sip_term_status"))
}

// statusAway is what a phone says that nobody is at (SIP 480).
const statusAway = 480

// over takes a leg out of the book and tells its end. FreeSWITCH says who sent
// the last word on SIP's side.
func (b *book) over(l *leg, disposition string, status int) []orchestrator.Event {
	l.conferring = false
	out := append(b.leaves(l), b.recordingOver(l, 0, "")...)
	quiet := l.quiet
	l.failed.set()
	b.shut(l, false)
	if quiet {
		return nil
	}
	e := orchestrator.LegEnded{Leg: l.id, Cause: l.cause, By: orchestrator.EndedBySwitch}
	switch {
	case strings.HasPrefix(disposition, "recv_"):
		e.By = orchestrator.EndedByRemote
		if disposition == "recv_refuse" {
			e.SIP = status
		}
		if e.SIP == statusAway {
			e.Cause = orchestrator.CauseNoAnswer // Which FreeSWITCH calls no user response, as if there had been none.
		}
	case l.killed != 0:
		e.By, e.Cause = orchestrator.EndedByUs, l.killed
	}
	if e.Cause == 0 {
		e.Cause = orchestrator.CauseNormal
	}
	return append(out, e)
}

// job is the end of an originate. One that failed may have had no channel and
// so no other event.
func (b *book) job(e *event) {
	l := b.live[orchestrator.LegID(e.get("Job-UUID"))]
	if l == nil || !l.dialled || !strings.HasPrefix(e.body, "-") {
		return
	}
	word := strings.TrimSpace(strings.TrimPrefix(e.body, "-ERR"))
	l.failure = word
	if l.cause == 0 {
		l.cause = causes[word]
	}
	if l.quiet {
		l.failed.set() // Told as Dial's answer.
		return
	}
	if l.hungUp.IsZero() {
		l.hungUp = time.Now() // Without another word it is read again.
	}
}
