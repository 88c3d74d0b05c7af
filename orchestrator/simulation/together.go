package simulation

import (
	"slices"

	"ringmaster/orchestrator"
)

func (s *Switch) connect(a orchestrator.Connect) (answer, string) {
	x, y := s.leg(a.A), s.leg(a.B)
	switch {
	case a.A == a.B:
		return s.object("connect of leg %s with itself", a.A)
	case x == nil || y == nil:
		return orchestrator.ResultNotFound, ""
	case x.entry != "" && x.state != orchestrator.LegIsUp || y.entry != "" && y.state != orchestrator.LegIsUp:
		return orchestrator.ResultRejected, "no early bridge: the caller is not answered"
	case x.state != orchestrator.LegIsUp || y.state != orchestrator.LegIsUp:
		return s.object("connect of legs %s (%s) and %s (%s)", x.id, x.state, y.id, y.state)
	}
	b := s.bridge(a.Bridge)
	if b == nil {
		b = &bridge{id: a.Bridge, stamp: a.Stamp}
		s.bridges = append(s.bridges, b)
	}
	if x.bridge == b && y.bridge == b {
		return s.already()
	}
	for _, l := range []*leg{x, y} {
		if l.bridge == b {
			continue
		}
		s.enter(l, b)
	}
	if len(b.legs) >= 2 {
		x.far.together()
		y.far.together()
	}
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) join(a orchestrator.Join) (answer, string) {
	l, b := s.leg(a.Leg), s.bridge(a.Bridge)
	switch {
	case l == nil || b == nil:
		return orchestrator.ResultNotFound, ""
	case l.bridge == b:
		return s.already()
	case l.state != orchestrator.LegIsUp:
		return orchestrator.ResultRejected, "the leg is not answered"
	}
	s.enter(l, b)
	for _, x := range b.legs {
		x.far.together()
	}
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) separate(a orchestrator.Separate) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	if l.bridge == nil || l.bridge.id != a.Bridge {
		return s.already()
	}
	s.leave(l, true)
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) closeBridge(a orchestrator.CloseBridge) (answer, string) {
	b := s.bridge(a.Bridge)
	if b == nil {
		return orchestrator.ResultNotFound, ""
	}
	for _, l := range slices.Clone(b.legs) {
		s.leave(l, true)
	}
	s.bridges = slices.DeleteFunc(s.bridges, func(x *bridge) bool { return x == b })
	return orchestrator.ResultAccepted, ""
}
