package conformance

import (
	"ringmaster/orchestrator"
)

var overloads = []sentence{
	{"a switch past what it can carry says so, and again after a snapshot; dials are refused and talks go on", overloaded},
}

func overloaded(s *scene) {
	h, ok := s.h.(Strained)
	if !ok {
		s.Skip("this switch cannot be told to carry too much: the tests of its adapter slow it down instead")
	}
	p := s.connected(0)
	told := func(over bool) func(orchestrator.SwitchOverloaded) bool {
		return func(e orchestrator.SwitchOverloaded) bool { return e.Switch == s.d.sw.ID() && e.Over == over }
	}
	mark := s.d.mark()
	h.Strain(true)
	defer h.Strain(false)
	await(s, s.d, mark, s.st.Event, told(true))
	s.do(s.dial(1), orchestrator.ResultRejected)
	s.mutual(p.caller, p.agent)

	mark = s.d.mark()
	s.snapshot()
	await(s, s.d, mark, s.st.Event, told(true))

	mark = s.d.mark()
	h.Strain(false)
	await(s, s.d, mark, s.st.Event, told(false))
	s.ringing(1)
	mark = s.d.mark()
	s.snapshot()
	never(s, s.d, mark, s.st.Quiet, told(true))
}
