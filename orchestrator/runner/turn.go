package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	o "ringmaster/orchestrator"
)

// loop is the floor's goroutine.
func (r *Runner) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wake := time.Hour
		if at, ok := r.floor.NextWake(); ok {
			wake = max(0, time.Until(at))
		}
		timer.Reset(wake)
		select {
		case <-ctx.Done():
			return nil
		case m := <-r.inbox:
			if err := r.batch(m); err != nil {
				return err
			}
		case <-timer.C:
			if err := r.batch(message{event: o.Wake{}, at: time.Now()}); err != nil {
				return err
			}
		}
	}
}

// batch steps everything that has gathered, commits once, and then acts.
func (r *Runner) batch(first message) error {
	r.turnStart.Store(time.Now().UnixNano())
	defer r.turnStart.Store(0)
	var effects []o.Effects
	var replies []func()
	var lull <-chan time.Time // runs while there are facts that nothing waits for
	urgent := false
	for m, n, more := first, 1, true; more; n++ {
		if m.look != nil {
			m.look(r.floor, time.Now())
		} else {
			fx := r.step(m)
			effects = append(effects, fx)
			if result := m.result; result != nil { // m is another one by the time this runs
				replies = append(replies, func() { result <- fx.Facts })
			}
			switch {
			case urgent || m.result != nil || len(fx.Commands)+len(fx.Asks) > 0:
				urgent, lull = true, nil
			case lull == nil && len(fx.Facts) > 0:
				lull = time.After(lullMax)
			}
		}
		m, more = r.gather(n, lull)
	}
	if err := r.commit(effects); err != nil {
		return err
	}
	for _, fx := range effects {
		r.act(fx)
	}
	for _, reply := range replies {
		reply()
	}
	r.snapshot()
	return nil
}

// gather returns the next input of a batch of n, false when the batch is
// complete. Facts that nothing waits for may wait themselves: the end of a leg
// follows its leaving the bridge at once, and the agent it frees would
// otherwise be offered the next call one fsync later.
func (r *Runner) gather(n int, lull <-chan time.Time) (message, bool) {
	if n >= batchMax {
		return message{}, false
	}
	select {
	case m := <-r.inbox:
		return m, true
	default:
	}
	if lull == nil {
		return message{}, false
	}
	select {
	case m := <-r.inbox:
		return m, true
	case <-lull:
		return message{}, false
	}
}

// step lets one input happen. A panic sets it aside: the floor is restored
// from what is durable, is told, and looks at its switches again.
func (r *Runner) step(m message) (fx o.Effects) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		r.log().Error("input set aside", "seq", r.seq, "event", fmt.Sprintf("%T", m.event), "panic", cause, "stack", string(debug.Stack()))
		f, err := r.rebuild()
		if err != nil {
			panic(err) // the past was readable a moment ago: nothing is left to stand on
		}
		r.floor = f
		r.seq++
		fx = r.floor.Step(o.Input{Seq: r.seq, At: time.Now(), Event: o.InputFailed{
			Event: fmt.Sprintf("%T", m.event), Panic: fmt.Sprint(cause),
		}})
		r.since = append(r.since, fx.Facts...)
		r.switches.resync()
	}()
	r.seq++
	fx = r.floor.Step(o.Input{Seq: r.seq, At: m.at, Event: m.event})
	r.since = append(r.since, fx.Facts...)
	return fx
}

// commit makes the facts durable. A full journal does not stop calls: the
// facts are dropped from it, counted and reported, and a snapshot keeps the
// state.
func (r *Runner) commit(effects []o.Effects) error {
	wrote := 0
	for _, fx := range effects {
		if len(fx.Facts) == 0 {
			continue
		}
		payload, err := EncodeRecord(fx.Facts)
		if err == nil {
			err = r.cfg.Journal.Append(fx.Facts[0].Seq, payload)
		}
		if err != nil {
			return fmt.Errorf("append facts of input %d: %w", fx.Facts[0].Seq, err)
		}
		wrote++
	}
	if wrote == 0 {
		return nil
	}
	begun := time.Now()
	err := r.cfg.Journal.Commit()
	r.count(effects, time.Since(begun))
	if err == nil {
		return nil
	}
	if errors.Is(err, r.cfg.Full) {
		r.log().Error("journal full: facts dropped from it", "records", r.cfg.Journal.Discard(), "cause", err)
		r.unsaved = true
		return nil
	}
	return fmt.Errorf("commit journal: %w", err)
}

// act sends what the facts allow, now that they are durable.
func (r *Runner) act(fx o.Effects) {
	r.feed.publish(fx.Facts)
	for _, c := range fx.Commands {
		r.lanes.send(c)
	}
	for _, a := range fx.Asks {
		switch q := a.What.(type) {
		case o.ReadPIN:
			r.pins.open(a.ID, q)
		case o.Resync:
			if s := r.switches.of(q.Switch); s != nil {
				s.Resync()
			}
		}
	}
}

// snapshot writes one beside the floor when enough has happened.
func (r *Runner) snapshot() {
	due := r.unsaved || len(r.since) >= r.cfg.SnapshotEvery || len(r.since) > 0 && time.Since(r.saved) > snapshotAge
	if !due || !r.saving.CompareAndSwap(false, true) {
		return
	}
	r.image, r.since, r.unsaved, r.saved = r.floor.Image(), nil, false, time.Now()
	seq, image := r.floor.Seq, bytes.Clone(r.image)
	go func() {
		defer r.saving.Store(false)
		if err := r.cfg.Journal.WriteSnapshot(min(seq, r.cfg.Journal.LastSeq()), image); err != nil {
			r.log().Error("write snapshot", "seq", seq, "cause", err)
		}
	}()
}
