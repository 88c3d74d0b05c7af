package conformance

import (
	"sync"

	"ringmaster/orchestrator"
)

var overloads = []sentence{
	{"a switch past what it can carry says so, and again after a snapshot; dials are refused and talks go on", overloaded},
}

// crowd is more dials at once than any adapter has under way.
const crowd = 24

func overloaded(s *scene) {
	p := s.connected()
	told := func(over bool) func(orchestrator.SwitchOverloaded) bool {
		return func(e orchestrator.SwitchOverloaded) bool { return e.Switch == s.d.sw.ID() && e.Over == over }
	}
	mark := s.d.mark()
	s.h.Strain(s, true)
	fit := sync.OnceFunc(func() { s.h.Strain(s, false) })
	defer fit()
	if n := s.tooMany(crowd); n == 0 {
		s.Errorf("none of %d dials was refused", crowd)
	}
	await(s, s.d, mark, s.st.Event, told(true))
	mark = s.d.mark()
	fit()
	s.snapshot()
	await(s, s.d, mark, s.st.Event, told(true))
	s.mutual(p.caller, p.agent)
	await(s, s.d, mark, s.st.Recover, told(false))
	s.ringing(1)
	mark = s.d.mark()
	s.snapshot()
	never(s, s.d, mark, s.st.Quiet, told(true))
}

// tooMany dials one phone many times at once, and counts what was too much. What
// was not is hung up.
func (s *scene) tooMany(dials int) (n int) {
	var all sync.WaitGroup
	var lock sync.Mutex
	for range dials {
		d := s.dial(1)
		all.Go(func() {
			result, reason := s.tell(d)
			s.tell(orchestrator.Hangup{Leg: d.Leg, Cause: orchestrator.CauseNormal})
			lock.Lock()
			defer lock.Unlock()
			if result == orchestrator.ResultRejected && reason == orchestrator.ReasonOverloaded {
				n++
			}
		})
	}
	all.Wait()
	return n
}
