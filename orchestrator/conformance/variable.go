package conformance

import (
	"strings"

	"ringmaster/orchestrator"
)

var variables = []sentence{
	{"a value left at a leg is read again", variableKept},
	{"a value that is not there is read as empty", variableEmpty},
	{"names and values with a meaning elsewhere are refused", variableHostile},
	{"variables of a leg that is gone are not found", variableNothing},
	{"a new display, hostile or not, does no harm", displayed},
}

// read asks for a value and waits for the answer.
func (s *scene) read(leg orchestrator.LegID, name string) string {
	s.Helper()
	mark := s.d.mark()
	s.do(orchestrator.ReadVariable{Leg: leg, Name: name}, orchestrator.ResultAccepted)
	return await(s, s.d, mark, s.st.Event, func(e orchestrator.VariableRead) bool { return e.Leg == leg && e.Name == name }).Value
}

func variableKept(s *scene) {
	_, leg := s.talker()
	for _, value := range []string{"4711", "gold", "a@b.example:5060 +49/30=1#*_-", "Müller 漢字", "0", strings.Repeat("x", 255)} {
		s.do(orchestrator.SetVariable{Leg: leg, Name: "customer", Value: value}, orchestrator.ResultAccepted)
		if got := s.read(leg, "customer"); got != value {
			s.Errorf("%q was read as %q", value, got)
		}
	}
	s.do(orchestrator.SetVariable{Leg: leg, Name: "customer"}, orchestrator.ResultAccepted)
	if got := s.read(leg, "customer"); got != "" {
		s.Errorf("an emptied value was read as %q", got)
	}
}

func variableEmpty(s *scene) {
	_, leg := s.talker()
	if got := s.read(leg, "never_set"); got != "" {
		s.Errorf("it was read as %q", got)
	}
}

func variableHostile(s *scene) {
	far, leg := s.talker()
	long := strings.Repeat("x", 33)
	for _, name := range []string{
		"", "1st", "_x", "a b", "CHANNEL(hangupsource)", "SHELL(id)", "${X}", "a,b", "a=b", "a\r\nb", "api_hangup_hook;x", "ä", long,
	} {
		s.do(orchestrator.SetVariable{Leg: leg, Name: name, Value: "x"}, orchestrator.ResultRejected)
		s.do(orchestrator.ReadVariable{Leg: leg, Name: name}, orchestrator.ResultRejected)
	}
	for _, value := range []string{
		"${SHELL(id)}", "$[1+1]", "a\nb", "a\r\n\r\nb", "a\x00b", "'", `"`, `\n`, "{x}", "[x]", "a,b", "a;b", "a|b", "a&b", "\xff", strings.Repeat("x", 256),
	} {
		s.do(orchestrator.SetVariable{Leg: leg, Name: "x", Value: value}, orchestrator.ResultRejected)
	}
	if !far.Up() {
		s.Error("a hostile variable ended the call")
	}
}

func variableNothing(s *scene) {
	s.do(orchestrator.SetVariable{Leg: s.absent(), Name: "x", Value: "y"}, orchestrator.ResultNotFound)
	s.do(orchestrator.ReadVariable{Leg: s.absent(), Name: "x"}, orchestrator.ResultNotFound)
	s.do(orchestrator.Display{Leg: s.absent(), Party: caller}, orchestrator.ResultNotFound)
}

func displayed(s *scene) {
	p := s.connected()
	s.do(orchestrator.Display{Leg: p.b, Party: caller}, orchestrator.ResultAccepted)
	for _, name := range append([]string{"a\r\nX-Evil: 1", "\x00\x1b[2J", ""}, hostileNames...) {
		s.do(orchestrator.Display{Leg: p.b, Party: orchestrator.Party{Number: name, Name: name}}, orchestrator.ResultAccepted)
		s.harmless(p.agent.Shown().Name)
	}
	s.mutual(p.caller, p.agent)
}
