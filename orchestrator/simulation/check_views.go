package simulation

import (
	o "ringmaster/orchestrator"
)

// views holds that what people are shown is what the facts say. It is dear, so
// it looks now and then.
type views struct {
	w       *World
	n       int
	offered map[o.QueueID]int // customers' calls
}

func (v *views) fact(f o.Fact) {
	if d, is := f.What.(o.CallQueued); is && !v.w.book.call(d.Call).internal {
		v.offered[d.Queue]++
	}
}

func (v *views) step(in o.Input, _ o.Effects) {
	if v.n++; v.n%23 == 0 {
		v.look(in)
	}
}

func (v *views) end() {}

func (v *views) look(in o.Input) {
	live, b := v.w.floor.Live(in.At), v.w.book
	if live.Seq != in.Seq {
		v.w.fail("views: live shows input %d after %d", live.Seq, in.Seq)
	}
	shown := map[o.CallID]bool{}
	waiting := map[o.QueueID]int{}
	for _, c := range live.Calls {
		if shown[c.Call] {
			v.w.fail("I1: call %s is shown twice", c.Call)
		}
		shown[c.Call] = true
		known := b.call(c.Call)
		if known.phase != c.Phase || !known.arrived.Equal(c.Arrived) {
			v.w.fail("I1: call %s is shown in phase %s, the facts say %s", c.Call, c.Phase, known.phase)
		}
		if c.Phase == o.PhaseQueued || c.Phase == o.PhaseRinging {
			waiting[c.Queue]++
		}
	}
	for _, id := range b.open {
		if c := b.calls[id]; c.gone.IsZero() && !shown[id] {
			v.w.fail("I1: call %s is not shown", id)
		}
		if e, ok := v.w.floor.Explain(id, in.At); !ok || e.Summary == "" {
			v.w.fail("views: call %s has no explanation", id)
		}
	}
	for _, a := range live.Agents {
		if known := b.agent(a.Agent); known.state != a.State {
			v.w.fail("I2: agent %s is shown as %s, the facts say %s", a.Agent, a.State, known.state)
		}
	}
	for _, q := range live.Queues {
		// A queue that is removed and made again counts anew.
		if !v.w.plan.Faults.Changes && q.Today.Date == begin.Format("2006-01-02") && q.Today.Offered != v.offered[q.Queue] {
			v.w.fail("views: queue %s is shown with %d calls offered, there were %d", q.Queue, q.Today.Offered, v.offered[q.Queue])
		}
		if q.Waiting != waiting[q.Queue] {
			v.w.fail("views: queue %s is shown with %d waiting calls, there are %d", q.Queue, q.Waiting, waiting[q.Queue])
		}
	}
}
