package freeswitch

import (
	"context"
	"errors"
	"time"

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
	case !r.found && l.hungUp.IsZero():
		// The word about its end may be on its way, on the other connection, and
		// it alone says whose doing it was.
		l.hungUp = time.Now()
		return nil, nil
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
