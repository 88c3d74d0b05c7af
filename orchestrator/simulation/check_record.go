package simulation

import (
	"time"

	"ringmaster/orchestrator"
)

// records is I3: exactly one CDR per call, whose times are those that passed
// and sum up; nothing is told of a call after it.
type records struct {
	w     *World
	ended map[orchestrator.CallID]bool
	last  time.Time
	seq   uint64
	index int
}

func (r *records) fact(f orchestrator.Fact) {
	if f.At.Before(r.last) || f.Seq < r.seq || f.Seq == r.seq && f.Index != r.index+1 || f.Seq > r.seq && f.Index != 0 {
		r.w.fail("I3: fact %d.%d at %s is out of line after %d.%d", f.Seq, f.Index, f.At, r.seq, r.index)
	}
	r.last, r.seq, r.index = f.At, f.Seq, f.Index
	switch d := f.What.(type) {
	case orchestrator.CallEnded:
		r.callEnded(d)
	case orchestrator.LegStarted:
		if r.w.book.legs[d.Leg] != nil {
			r.w.fail("I3: leg %s started twice", d.Leg)
		}
	case orchestrator.LegClosed:
		if l := r.w.book.legs[d.Leg]; l == nil || l.closed {
			r.w.fail("I3: leg %s closed that was not open", d.Leg)
		}
	}
}

func (r *records) callEnded(d orchestrator.CallEnded) {
	c := r.w.book.call(d.Call)
	if c.id == "" || r.ended[d.Call] {
		r.w.fail("I3: call %s ended twice or never arrived", d.Call)
		return
	}
	r.ended[d.Call] = true
	t := d.Times
	if t.Flow+t.Queue+t.Talk+t.Hold != t.Total || min(t.Flow, t.Queue, t.Talk, t.Hold) < 0 {
		r.w.fail("I3: the times of call %s do not sum up: %+v", d.Call, t)
	}
	if total := orchestrator.MillisOf(c.gone.Sub(c.arrived)); t.Total != total {
		r.w.fail("I3: call %s lasted %d ms, its record says %d", d.Call, total, t.Total)
	}
	for part, told := range map[string]orchestrator.Millis{ // order-free: any one is a failure
		"flow": t.Flow, "queue": t.Queue, "talk": t.Talk, "hold": t.Hold,
	} {
		if spent := orchestrator.MillisOf(c.spent[part]); told != spent {
			r.w.fail("I3: call %s spent %d ms in %s, its record says %d", d.Call, spent, part, told)
		}
	}
	faults := r.w.plan.Faults
	lost := faults.Refusals || faults.Silence || faults.Panics // what the floor waits for may never come
	if d.Outcome.Result == "" || d.Outcome.Reason == "" || d.Outcome.Reason == orchestrator.ReasonUnknown && !lost {
		r.w.fail("I3: call %s ended as %+v", d.Call, d.Outcome)
	}
	for _, l := range r.w.book.legs { // order-free: any one is a failure
		if l.call == d.Call && !l.closed {
			r.w.fail("I3: call %s ended before its leg %s closed", d.Call, l.id)
		}
	}
}

func (r *records) step(orchestrator.Input, orchestrator.Effects) {}

func (r *records) end() {
	if a, e := r.w.book.told["call_arrived"], r.w.book.told["call_ended"]; a != e {
		r.w.fail("I3: %d calls arrived and %d ended", a, e)
	}
	for _, l := range r.w.book.openLegs() {
		r.w.fail("I3: leg %s never closed", l.id)
	}
}
