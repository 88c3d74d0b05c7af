package freeswitch

import (
	"context"
	"strconv"
	"time"
)

// heartbeat is what tells the dialplan whether somebody will take a call: a
// global variable that says yes, and a task of FreeSWITCH's own that says no
// unless it is put off.
type heartbeat struct {
	count int
	last  time.Time
}

const (
	beatEvery = 2 * time.Second
	// beatFor is how long after the last beat calls go to the fallback at once.
	beatFor = 8 * time.Second
)

// encodeBeat arms the next no before it takes off the last one. On a switch
// where somebody else's are armed, both groups are taken off at the beginning.
func encodeBeat(count int) []order {
	group := func(n int) string { return "rm-alive-" + strconv.Itoa(n%2) }
	return []order{
		encodeUnguard(group(count)),
		api("beat", "sched_api", delay(beatFor), group(count), "global_setvar", aliveVariable+"=no"),
		encodeUnguard(group(count + 1)),
		encodeGlobal(aliveVariable, "yes"),
	}
}

// beat says that we live. The first one comes before the first snapshot: whom
// the dialplan turned away in between would have been ours.
func (c *session) beat(ctx context.Context, now time.Time) {
	b := &c.heart
	if now.Sub(b.last) < beatEvery {
		return
	}
	b.count++
	b.last = now
	_, _ = c.send(ctx, aliveVariable, encodeBeat(b.count)...) // Without an answer the pulse will find out.
}
