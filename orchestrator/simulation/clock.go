package simulation

import (
	"container/heap"
	"time"
)

// Clock is virtual time and everything that is due in it. What is due at one
// instant happens in the order it was asked for.
type Clock struct {
	now   time.Time
	due   timers
	asked uint64
}

// Timer is one thing that is due.
type Timer struct {
	at      time.Time
	n       uint64
	do      func()
	stopped bool
}

// NewClock starts a clock at an instant.
func NewClock(start time.Time) *Clock { return &Clock{now: start} }

// Now is the virtual instant.
func (c *Clock) Now() time.Time { return c.now }

// After has do happen d from now; a negative d is now.
func (c *Clock) After(d time.Duration, do func()) *Timer {
	c.asked++
	t := &Timer{at: c.now.Add(max(d, 0)), n: c.asked, do: do}
	heap.Push(&c.due, t)
	return t
}

// Stop has the timer not happen. A nil timer is stopped already.
func (t *Timer) Stop() {
	if t != nil {
		t.stopped = true
	}
}

// Next is when something is due next.
func (c *Clock) Next() (time.Time, bool) {
	for len(c.due) > 0 && c.due[0].stopped {
		heap.Pop(&c.due)
	}
	if len(c.due) == 0 {
		return time.Time{}, false
	}
	return c.due[0].at, true
}

// Tick moves time to what is due next and has it happen.
func (c *Clock) Tick() bool {
	if _, ok := c.Next(); !ok {
		return false
	}
	t := heap.Pop(&c.due).(*Timer)
	if t.at.After(c.now) {
		c.now = t.at
	}
	t.do()
	return true
}

// Advance lets everything due up to and including to happen, then it is to.
func (c *Clock) Advance(to time.Time) {
	for at, ok := c.Next(); ok && !at.After(to); at, ok = c.Next() {
		c.Tick()
	}
	if to.After(c.now) {
		c.now = to
	}
}

type timers []*Timer

func (h timers) Len() int { return len(h) }
func (h timers) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].n < h[j].n
}
func (h timers) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timers) Push(x any)   { *h = append(*h, x.(*Timer)) }
func (h *timers) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}
