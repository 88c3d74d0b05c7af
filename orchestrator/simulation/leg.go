package simulation

import (
	"time"

	"ringmaster/orchestrator"
)

func (s *Switch) earlyMedia(a orchestrator.EarlyMedia) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.entry == "":
		return s.object("early media for leg %s, which we dialled", a.Leg)
	case l.state == orchestrator.LegIsUp || l.far.early:
		return s.already()
	}
	l.far.early = true
	return orchestrator.ResultAccepted, ""
}

// Early reports whether the call has, or had, sound before its answer.
func (f *Far) Early() bool { return f.early }

func (s *Switch) display(a orchestrator.Display) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	l.far.shown = clean(a.Party)
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) setVariable(a orchestrator.SetVariable) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	if l.variables == nil {
		l.variables = map[string]string{}
	}
	l.variables[a.Name] = a.Value
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) readVariable(a orchestrator.ReadVariable) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	s.emit(orchestrator.VariableRead{Leg: l.id, Name: a.Name, Value: l.variables[a.Name]})
	return orchestrator.ResultAccepted, ""
}

// listening is how long machine detection takes: who still speaks then is one.
const listening = 1500 * time.Millisecond

func (s *Switch) detectMachine(a orchestrator.DetectMachine) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case s.Quirks.NoDetection:
		return orchestrator.ResultRejected, orchestrator.ReasonUnsupported
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.state != orchestrator.LegIsUp || l.bridge != nil:
		return orchestrator.ResultRejected, "the leg is not up and alone"
	case l.detecting != nil:
		return s.already()
	}
	l.far.spoke = l.far.tone != 0
	l.detecting = s.clock.After(listening, func() {
		l.detecting = nil
		e := orchestrator.MachineDetected{Leg: l.id, Verdict: orchestrator.VerdictUnsure, Cause: "silence"}
		switch {
		case l.far.tone != 0:
			e.Verdict, e.Cause = orchestrator.VerdictMachine, "long greeting"
		case l.far.spoke:
			e.Verdict, e.Cause = orchestrator.VerdictPerson, "short greeting"
		}
		s.emit(e)
	})
	return orchestrator.ResultAccepted, ""
}

// Overload is the switch being past what it can carry, or fit again: new dials
// are refused meanwhile.
func (s *Switch) Overload(over bool) {
	if s.overloaded == over {
		return
	}
	s.overloaded = over
	s.emit(orchestrator.SwitchOverloaded{Switch: s.id, Over: over, Reason: "ordered"})
}

// sayOverload tells it again to who has just got a snapshot, which lacks it.
func (s *Switch) sayOverload() {
	if s.overloaded {
		s.emit(orchestrator.SwitchOverloaded{Switch: s.id, Over: true, Reason: "ordered"})
	}
}
