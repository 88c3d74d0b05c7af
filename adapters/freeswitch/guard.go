package freeswitch

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// guard is a scheduled transfer of a waiting leg to the fallback.
//
// sched_transfer fires also when the leg talks, so a talking leg has none.
// Putting one off is arming another before the old one is taken off; each has
// a group of its own, because a group is all that can be taken off by name.
type guard struct {
	group string // of the one that is armed, "" for none
	count int
	since time.Time
	// foreign: the dialplan armed one of its own, in the group that has the
	// channel's name.
	foreign bool
	// inherited: another orchestrator may have armed one before us, in either
	// group.
	inherited bool
}

// guardGroup names the guards of a leg that are armed in turn.
func (l *leg) guardGroup(turn int) string { return "rm-" + l.channel + "-" + strconv.Itoa(turn%2) }

// encodeGuard arms a guard. FreeSWITCH counts whole seconds, so that it may fire
// up to one early.
func encodeGuard(cfg Config, channel, group, role string) order {
	return api("guard", "sched_api", delay(cfg.guardFor), group,
		"uuid_transfer", channel, role, "XML", cfg.Fallback)
}

// encodeUnguard takes off what is armed under a group; that of the dialplan has
// the channel's name.
func encodeUnguard(group string) order { return api("unguard", "sched_del", group) }

// renew arms a new guard and takes the old ones off.
func (l *leg) renew(cfg Config, now time.Time) []order {
	g := &l.guard
	g.count++
	group := l.guardGroup(g.count)
	orders := []order{encodeUnguard(group), encodeGuard(cfg, l.channel, group, l.role)}
	if g.group != "" || g.inherited {
		orders = append(orders, encodeUnguard(l.guardGroup(g.count+1)))
	}
	if g.foreign {
		orders = append(orders, encodeUnguard(l.channel))
	}
	*g = guard{group: group, count: g.count, since: now}
	return orders
}

// disarm takes every guard off.
func (l *leg) disarm() (orders []order) {
	g := &l.guard
	for turn := range 2 {
		if group := l.guardGroup(turn); group == g.group || g.inherited {
			orders = append(orders, encodeUnguard(group))
		}
	}
	g.group, g.foreign, g.inherited = "", false, false
	return append(orders, encodeUnguard(l.channel))
}

// waits reports a leg that must have a guard: in our care and talking to
// nobody.
func (l *leg) waits() bool {
	return l.parked && l.bridge == "" && l.joining == "" && l.supervising == nil && !l.quiet && !l.releasing && l.hungUp.IsZero() &&
		l.stamp != (orchestrator.Stamp{})
}

// unguarded lists the waiting legs whose guard has to be put off.
func (b *book) unguarded(now time.Time) (todo []chore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.live {
		if l.waits() && !l.renewing && (l.guard.foreign || now.Sub(l.guard.since) > b.cfg.guardFor/3) {
			l.renewing = true
			todo = append(todo, chore{leg: l, about: l.channel, renew: true})
		}
	}
	return todo
}

// fired reports whether a guard that should have been there was not, from the
// answers to a Claim: the stamp, the new guard, and those that were taken off.
func fired(answers []string) bool {
	const before = 3
	return len(answers) > before && slices.ContainsFunc(answers[before:], func(a string) bool { return strings.Contains(a, "Deleted: 0") })
}

// takenBack reports whether the fallback has a leg that arrived: we heard of it
// too late, after having been stopped, for example. Whoever speaks to somebody
// there must not be taken away, so what the Claim did is undone.
func (s *Switch) takenBack(ctx context.Context, l *leg) bool {
	answers, err := s.send(ctx, l.channel, encodeDump(l.channel))
	if err != nil {
		return false
	}
	e, ok := parseDump(answers[0])
	unstamp, err := encodeStamp(l.channel, "")
	if !ok || err != nil || e.get("Caller-Context") != s.cfg.Fallback {
		return false
	}
	s.book.mu.Lock()
	orders := append(l.disarm(), unstamp)
	if s.book.live[l.id] == l {
		s.book.post(append(s.book.leaves(l), s.book.released(l)...)...)
	}
	s.book.mu.Unlock()
	_, _ = s.send(ctx, l.channel, orders...) // It may have ended by now.
	return true
}

// putOff renews the guard of a leg that still waits. It has the leg's turn from
// the look at it to FreeSWITCH's answer, as a Connect has: a guard armed behind
// the back of a Connect would tear two who talk apart.
func (s *Switch) putOff(ctx context.Context, l *leg) {
	l.turn.Lock()
	defer l.turn.Unlock()
	s.book.mu.Lock()
	l.renewing = false
	if !l.waits() {
		s.book.mu.Unlock()
		return
	}
	had := l.guard.group != ""
	orders := l.renew(s.cfg, time.Now())
	s.book.mu.Unlock()
	answers, err := s.send(ctx, l.channel, orders...)
	if err != nil || had && strings.Contains(answers[2], "Deleted: 0") {
		s.book.doubt(l) // It fired: the fallback has the leg.
	}
}
