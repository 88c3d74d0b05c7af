package freeswitch

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/percipia/eslgo/command"

	"ringmaster/orchestrator"
)

// read is what reading a restless leg again showed.
type read struct {
	leg   *leg
	event event
	found bool
	err   error
}

func (c *session) readLeg(ctx context.Context, l *leg) read {
	answers, err := c.send(ctx, l.channel, encodeDump(l.channel))
	r := read{leg: l}
	if f, silent := unheard(err); silent {
		r.err = f
		return r
	}
	if len(answers) == 1 {
		r.event, r.found = parseDump(answers[0])
	}
	if !r.found {
		c.counters.add(func(n *Stats) { n.HealedEnds++ })
	}
	return r
}

// unheard reports an error that is no answer.
func unheard(err error) (*failure, bool) {
	f, ok := errors.AsType[*failure](err)
	return f, ok && (f.silent || f.unsent)
}

// reread enters what reading a leg again showed.
func (b *book) reread(r read) (out []orchestrator.Event, todo []chore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := r.leg
	if b.live[l.id] != l || r.err != nil {
		return nil, nil // It ended meanwhile, with an event; or it is read again later.
	}
	l.doubtful = false
	switch {
	case !r.found || r.event.get("Answer-State") == "hangup" && !l.hungUp.IsZero():
		return b.over(l, r.event.variable("sip_hangup_disposition"), r.event.number("variable_sip_term_status")), nil
	case r.event.get("Caller-Context") == b.cfg.Fallback:
		return append(b.leaves(l), b.released(l)...), nil
	}
	if peer := b.byChannel(bridgedTo(&r.event)); peer == nil {
		l.joining = ""
		l.parked = l.parked || parkedNow(&r.event)
		out = b.leaves(l)
	} else if l.joining != "" {
		both := event{fields: map[string]string{"Bridge-A-Unique-ID": l.channel, "Bridge-B-Unique-ID": peer.channel}}
		out, todo = b.bridged(&both)
	}
	return append(out, b.up(l, &r.event)...), append(todo, choresOf(l, l.sound())...)
}

// The takeover is an event that a new orchestrator sends to all others.
const (
	takeoverName = "ringmaster::takeover"
	epochHeader  = "Orchestrator-Epoch"
)

var takeoverMark = []byte("ringmaster%3A%3Atakeover")

// subscribed are the events something is done about. CUSTOM is the last word,
// because every word after it is taken for a subclass.
var subscribed = strings.Fields(`
	CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_PARK CHANNEL_BRIDGE CHANNEL_UNBRIDGE
	CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE
	PLAYBACK_START RECORD_START RECORD_STOP DTMF BACKGROUND_JOB HEARTBEAT
	CUSTOM sofia::register sofia::unregister sofia::expire sofia::sip_user_state
	sofia::transferor sofia::transferee sofia::replaced conference::maintenance ` + takeoverName)

func encodeSubscribe() order {
	c := command.Event{Format: "plain", Listen: subscribed}
	return order{name: "subscribe", text: c.BuildMessage() + "\n\n"}
}

func strconvEpoch(epoch uint64) string { return strconv.FormatUint(epoch, 10) }

func encodeTakeover(epoch string) order {
	return order{name: "takeover", text: "sendevent CUSTOM\nEvent-Subclass: " + takeoverName + "\n" + epochHeader + ": " + epoch + "\n\n"}
}

func encodePhones(profile string) order {
	return api("phones", "sofia", "xmlstatus", "profile", profile, "reg")
}

// readPhones reads which users have a phone that answers.
func readPhones(text string) (map[string]bool, error) {
	out := map[string]bool{}
	if !strings.HasPrefix(strings.TrimSpace(text), "<") {
		return out, nil // No such profile, or none started yet.
	}
	var doc struct {
		Registrations []struct {
			User string `xml:"sip-auth-user"`
			AOR  string `xml:"user"`
			Ping string `xml:"ping-status"`
		} `xml:"registrations>registration"`
	}
	dec := xml.NewDecoder(strings.NewReader(text))
	dec.Strict = false
	dec.CharsetReader = plainCharset
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	for _, r := range doc.Registrations {
		user, _, _ := strings.Cut(r.AOR, "@")
		if user == "" {
			user = r.User
		}
		out[user] = out[user] || !strings.EqualFold(r.Ping, "Unreachable")
	}
	return out, nil
}

// plainCharset takes FreeSWITCH's ISO-8859-1 as it is: names of users are ASCII.
func plainCharset(_ string, in io.Reader) (io.Reader, error) { return in, nil }

// watchAnew follows a change of the list and reports the new endpoints.
func (c *session) watchAnew(ctx context.Context) error {
	answers, err := c.ears.send(ctx, encodePhones(c.cfg.Profile))
	if _, silent := unheard(err); silent {
		return err
	}
	phones, err := readPhones(answers[0])
	if err != nil {
		return err
	}
	c.report(ctx, c.book.rewatch(phones, c.watched()), nil)
	return nil
}

func (b *book) rewatch(phones map[string]bool, watched []string) (out []orchestrator.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.devices
	b.devices = map[string]device{}
	for _, name := range watched {
		d := device{reachable: phones[strings.TrimPrefix(name, "user/")], inUse: b.busy[name] > 0}
		b.devices[name] = d
		if was, known := old[name]; !known || was != d {
			out = append(out, b.changed(name, d))
		}
	}
	return out
}
