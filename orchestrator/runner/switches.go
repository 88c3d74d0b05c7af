package runner

import (
	"context"
	"sync"
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
}

func (s *switches) init(r *Runner) { s.r, s.byID = r, map[o.SwitchID]*attached{} }

func (s *switches) of(id o.SwitchID) o.Switch {
	s.lock.RLock()
	defer s.lock.RUnlock()
	if a := s.byID[id]; a != nil {
		return a.Switch
	}
	return nil
}

func (s *switches) resync() {
	s.lock.RLock()
	defer s.lock.RUnlock()
	for _, a := range s.byID { // order-free: each is told
		a.Resync()
	}
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
	r.switches.byID[sw.ID()] = &attached{Switch: sw, stop: stop}
	r.switches.lock.Unlock()
	r.switches.wg.Go(func() { r.pump(ctx, sw) })
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
func (r *Runner) pump(ctx context.Context, sw o.Switch) {
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-sw.Events():
			if !ok {
				return
			}
			if !r.pins.takes(e) {
				r.post(ctx, message{event: e, at: time.Now()})
			}
		}
	}
}
