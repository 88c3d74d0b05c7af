package floor

import (
	"container/heap"
	"time"

	o "ringmaster/orchestrator"
)

// timed is anything that waits for a moment: a call, an agent, a switch, a
// service call. Its deadline follows from its state; the heap is only an index.
type timed interface {
	// due is the moment, ok false when there is none to wait for.
	due() (at time.Time, ok bool)
	// key breaks ties between equal moments, so that replays agree.
	key() string
	// place is where the heap remembers its index; 0 means not in it.
	place() *int
}

type deadline struct {
	at  time.Time
	who timed
}

type deadlineHeap []deadline

func (h deadlineHeap) Len() int { return len(h) }

func (h deadlineHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].who.key() < h[j].who.key()
}

func (h deadlineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	*h[i].who.place(), *h[j].who.place() = i+1, j+1
}

// Push is for container/heap only.
func (h *deadlineHeap) Push(x any) {
	d := x.(deadline)
	*h = append(*h, d)
	*d.who.place() = len(*h)
}

// Pop is for container/heap only.
func (h *deadlineHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	*last.who.place() = 0
	return last
}

// set brings the index in line with who's state.
func (h *deadlineHeap) set(who timed) {
	at, ok := who.due()
	i := *who.place() - 1
	switch {
	case !ok && i >= 0:
		heap.Remove(h, i)
	case ok && i < 0:
		heap.Push(h, deadline{at, who})
	case ok && !(*h)[i].at.Equal(at):
		(*h)[i].at = at
		heap.Fix(h, i)
	}
}

// drop forgets who altogether.
func (h *deadlineHeap) drop(who timed) {
	if i := *who.place() - 1; i >= 0 {
		heap.Remove(h, i)
	}
}

func (h deadlineHeap) next() (time.Time, bool) {
	if len(h) == 0 {
		return time.Time{}, false
	}
	return h[0].at, true
}

// expireMax bounds the deadlines one step may handle; what is left is due at
// once in the next step.
const expireMax = 1000

// expire handles every deadline that has come.
func (f *Floor) expire() {
	for range expireMax {
		if len(f.deadlines) == 0 || f.deadlines[0].at.After(f.At) {
			return
		}
		who, at, told := f.deadlines[0].who, f.deadlines[0].at, len(f.out.Facts)
		f.fire(who)
		// Two deadlines of one call may share a moment, so only standing still
		// is wrong.
		if len(f.deadlines) > 0 && f.deadlines[0].who == who && f.deadlines[0].at.Equal(at) && len(f.out.Facts) == told {
			panic("floor: deadline of " + who.key() + " did not move")
		}
	}
}

func (f *Floor) fire(who timed) {
	switch w := who.(type) {
	case *call:
		f.callDue(w)
	case *agent:
		f.agentDue(w)
	case *pbx:
		f.giveUp(w)
	case *service:
		f.serviceDue(w)
	}
}

// earliest is the first of the moments that are set.
func earliest(moments ...time.Time) (time.Time, bool) {
	var first time.Time
	for _, m := range moments {
		if !m.IsZero() && (first.IsZero() || m.Before(first)) {
			first = m
		}
	}
	return first, !first.IsZero()
}

func (p *pbx) due() (time.Time, bool) { return p.LostBy, !p.LostBy.IsZero() }
func (p *pbx) key() string            { return "switch " + string(p.ID) }
func (p *pbx) place() *int            { return &p.slot }

// due of an agent: a wrap-up that a colleague's call interrupts ends with it.
func (a *agent) due() (time.Time, bool) {
	if a.State != o.AgentWrapUp {
		return earliest(a.NotBefore)
	}
	return earliest(a.WrapUntil, a.NotBefore)
}
func (a *agent) key() string { return "agent " + string(a.ID) }
func (a *agent) place() *int { return &a.slot }

func (s *service) due() (time.Time, bool) { return s.By, !s.Adrift }
func (s *service) key() string            { return "service " + string(s.Leg) }
func (s *service) place() *int            { return &s.slot }

// due of a call: while its switch cannot be heard nothing is due, because
// nothing could be done; while an agent rings, only the offer's own moments.
func (c *call) due() (time.Time, bool) {
	switch {
	case c.Adrift || c.unheard:
		return time.Time{}, false
	case !c.EndBy.IsZero():
		return c.EndBy, true
	case c.Offer == nil:
		return earliest(c.NodeBy, c.MaxWaitAt, c.AnnounceAt)
	case c.Offer.Answered:
		return c.Offer.ConnectBy, true
	}
	return earliest(c.Offer.SilentBy, c.Offer.RingUntil)
}
func (c *call) key() string { return "call " + string(c.ID) }
func (c *call) place() *int { return &c.slot }
