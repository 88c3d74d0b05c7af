package runner

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	o "ringmaster/orchestrator"
)

// switches is the switches at hand, each with a pump into the inbox.
type switches struct {
	r    *Runner
	lock sync.RWMutex
	byID map[o.SwitchID]*attached
	wg   sync.WaitGroup
}

type attached struct {
	o.Switch
	stop context.CancelFunc
	may  func() bool
	busy atomic.Int64 // since when the pump has been handing on one event
}

// ReasonFenced is why a command of a floor that may not lead any more was not
// sent.
const ReasonFenced = "fenced"

// Do asks at the last moment: a process that stood still for a while goes on
// where it was, with the next command in its hand.
func (a *attached) Do(ctx context.Context, do o.Action) (o.CommandResult, string) {
	if a.may != nil && !a.may() {
		return o.ResultRejected, ReasonFenced
	}
	return a.Switch.Do(ctx, do)
}

func (s *switches) init(r *Runner) { s.r, s.byID = r, map[o.SwitchID]*attached{} }

func (s *switches) of(id o.SwitchID) o.Switch {
	s.lock.RLock()
	defer s.lock.RUnlock()
	if a := s.byID[id]; a != nil {
		return a
	}
	return nil
}

// capabilities are those of a switch at hand, zero for one that is not.
func (s *switches) capabilities(id o.SwitchID) o.Capabilities {
	if sw := s.of(id); sw != nil {
		return sw.Capabilities()
	}
	return o.Capabilities{}
}

func (s *switches) resync() {
	s.lock.RLock()
	defer s.lock.RUnlock()
	for _, a := range s.byID { // order-free: each is told
		a.Resync()
	}
}

// stuck reports whether a pump has not got rid of an event for too long.
func (s *switches) stuck() bool {
	s.lock.RLock()
	defer s.lock.RUnlock()
	for _, a := range s.byID { // order-free: any
		if hangs(&a.busy) {
			return true
		}
	}
	return false
}

func (s *switches) close() {
	s.lock.Lock()
	for id, a := range s.byID {
		a.stop()
		delete(s.byID, id)
	}
	s.lock.Unlock()
	s.wg.Wait()
}

// Attach lets the floor hear a switch and give it commands. A switch with the
// same id is replaced. Running the adapter (Switch.Run) stays the caller's part.
func (r *Runner) Attach(sw o.Switch) {
	ctx, stop := context.WithCancel(context.Background())
	r.switches.lock.Lock()
	if old := r.switches.byID[sw.ID()]; old != nil {
		old.stop()
	}
	a := &attached{Switch: sw, stop: stop, may: r.cfg.May}
	r.switches.byID[sw.ID()] = a
	r.switches.lock.Unlock()
	r.switches.wg.Go(func() { r.pump(ctx, a) })
}

// Detach ends what Attach began. The floor learns that it cannot hear the
// switch any more.
func (r *Runner) Detach(id o.SwitchID) {
	r.switches.lock.Lock()
	old := r.switches.byID[id]
	delete(r.switches.byID, id)
	r.switches.lock.Unlock()
	if old != nil {
		old.stop()
		r.post(context.Background(), message{event: o.SwitchLost{Switch: id, Reason: "detached"}, at: now()})
	}
}

// pump moves a switch's events into the inbox, and the digits of a PIN aside.
func (r *Runner) pump(ctx context.Context, sw *attached) {
	for {
		sw.busy.Store(0)
		select {
		case <-ctx.Done():
			return
		case e, ok := <-sw.Events():
			if !ok {
				return
			}
			sw.busy.Store(time.Now().UnixNano())
			if !r.pins.takes(e) {
				r.post(ctx, message{event: e, at: time.Now()})
			}
		}
	}
}
