package asterisk

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"ringmaster/orchestrator"
)

// restless lists the legs that have to be read again: they left our
// application some time ago and nothing was said about their end, or a request
// about them had no answer.
func (b *book) restless(before time.Time) []*leg {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*leg
	for _, l := range b.live {
		if !l.quiet && (l.doubtful || !l.left.IsZero() && l.left.Before(before)) {
			out = append(out, l)
		}
	}
	return out
}

// lookAfter reads restless legs again.
func (c *session) lookAfter(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(restlessly):
		}
		c.sayOverload()
		c.say(c.book.overdue(time.Now().Add(-endGrace))...)
		for _, l := range c.book.restless(time.Now().Add(-endGrace)) {
			select {
			case c.reads <- c.readAgain(ctx, l):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// read is the answer to reading a restless leg again: what a GET of its channel
// found, with status 404 when it is gone.
type read struct {
	leg      *leg
	status   int
	state    string
	ours     bool // it is in our application
	ghost    bool
	endpoint string
}

// readAgain asks what became of a leg. A ghost is a channel that is over and
// that Asterisk lists until it is started again, without ever telling its end:
// 22.10.1 (res_pjsip_refer.c) attaches a phone's REFER to a channel whose
// hang-up has just cleared such attachments, and it holds the channel for good.
// Only what needs the channel itself shows that it is none.
func (c *session) readAgain(ctx context.Context, l *leg) read {
	found, err := c.readChannel(ctx, l.channel)
	r := read{leg: l, status: statusOf(err)}
	if err != nil {
		return r
	}
	r.status, r.state, r.ours, r.endpoint = http.StatusOK, found.State, found.in(c.cfg.App), endpointOf(found.Name)
	r.ghost = statusOf(c.rest.send(ctx, encodeReadVariable(l.channel, "CHANNEL(state)"), nil)) == http.StatusNotFound
	return r
}

// heal tells what reading a leg again showed.
func (c *session) heal(ctx context.Context, r read) {
	events := c.book.reread(r)
	if len(events) > 0 && (r.ghost || r.status == http.StatusNotFound) {
		c.counters.add(func(n *Stats) { n.HealedEnds++ })
		if r.ghost {
			c.cfg.Log.Warn("asterisk goes on listing a channel that is over, until it is restarted", "switch", c.cfg.ID, "channel", r.leg.channel, "endpoint", r.endpoint)
		}
	}
	c.report(ctx, events)
}

// reread enters what reading a leg again showed.
func (b *book) reread(r read) []orchestrator.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := r.leg
	if b.live[l.id] != l {
		return nil // It ended meanwhile, with an event.
	}
	first := !l.ghostly
	l.doubtful, l.ghostly = false, r.ghost
	switch {
	case r.status == http.StatusNotFound:
		return b.end(l, 0, 0)
	case r.status != http.StatusOK, r.ghost && first: // The event of its end may be on its way.
		l.doubtful = true
		return nil
	case r.ghost:
		return append(b.end(l, 0, 0), b.haunt(l.channel, r.endpoint)...)
	case !r.ours && l.left.After(time.Now()):
		return nil // At its detection.
	case !r.ours && !l.left.IsZero():
		return b.released(l)
	}
	l.left = time.Time{}
	return b.advance(l, r.state)
}

// haunt enters a ghost. Asterisk takes its endpoint for in use as long as it
// stays, so that nothing is known of other calls there.
func (b *book) haunt(channel, endpoint string) []orchestrator.Event {
	b.ghosts[channel] = endpoint
	d, watched := b.devices[endpoint]
	if !watched || !d.inUse {
		return nil
	}
	d.inUse = false
	b.devices[endpoint] = d
	return []orchestrator.Event{b.changed(endpoint, d)}
}

func (b *book) haunted(endpoint string) bool {
	return len(b.ghosts) > 0 && slices.Contains(slices.Collect(maps.Values(b.ghosts)), endpoint)
}

// exorcise forgets ghosts that a picture does not show.
func (b *book) exorcise(there []channel) {
	maps.DeleteFunc(b.ghosts, func(id, _ string) bool {
		return !slices.ContainsFunc(there, func(c channel) bool { return c.ID == id })
	})
}
