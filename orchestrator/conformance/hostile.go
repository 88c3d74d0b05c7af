package conformance

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ringmaster/orchestrator"
)

// What comes from outside is an attacker's (reliability: the typed encoder is
// what stands between a caller's name and a command on the switch).
var hostile = []sentence{
	{"a caller's hostile name arrives as harmless text", hostileCaller},
	{"a hostile display rings one phone and nothing else", hostileDisplay},
	{"a hostile endpoint is refused", hostileEndpoint},
	{"hostile words in other actions are refused", hostileWords},
}

var hostileNames = []string{
	`"><script>alert(1)</script>`,
	`${SHELL(touch /tmp/rm-pwned)} ${CHANNEL}`,
	`O'Brien, "Bob" <sip:root@127.0.0.1>;a=b`,
	`Zoë 📞 漢字`,
	`'; DROP TABLE calls; --`,
	strings.Repeat("long ", 60),
}

func hostileCaller(s *scene) {
	for _, name := range hostileNames {
		far, e := s.arrival(orchestrator.Party{Number: "+49301", Name: name})
		s.harmless(e.Caller.Name)
		s.harmless(e.Caller.Number)
		s.do(orchestrator.Claim{Leg: e.Leg, Stamp: stamp(e.Leg, orchestrator.RoleCaller, callID(e.Leg))}, orchestrator.ResultAccepted)
		s.must(far.Hangup())
		s.ended(e.Leg)
	}
}

// harmless holds Party's promise: bounded and without control characters.
func (s *scene) harmless(text string) {
	s.Helper()
	if !utf8.ValidString(text) || len(text) > 256 || strings.ContainsFunc(text, unicode.IsControl) {
		s.Errorf("the text %q is not valid UTF-8, is too long or has control characters", text)
	}
}

func hostileDisplay(s *scene) {
	names := append([]string{"a\r\nX-Evil: 1", "\x00\x1b[2J", "\xff\xfe"}, hostileNames...)
	for _, name := range names {
		for n := range 3 {
			s.must(s.h.Phone(n).Behave(Rings))
		}
		d := s.dial(0)
		d.Display = orchestrator.Party{Number: name, Name: name}
		s.do(d, orchestrator.ResultAccepted)
		far := s.rung(0)
		s.harmless(far.Shown().Name)
		s.do(orchestrator.Hangup{Leg: d.Leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
		s.ended(d.Leg)
		s.until("the phone stops ringing", far.Ended)
		if len(s.h.Phone(0).Rung())+len(s.h.Phone(1).Rung())+len(s.h.Phone(2).Rung()) != 1 {
			s.Errorf("the display %q rang more than one phone", name)
		}
	}
}

func hostileEndpoint(s *scene) {
	own, other := s.h.Phone(0).Endpoint(), s.h.Phone(1).Endpoint()
	for _, endpoint := range []string{
		own + "&" + other, own + "," + other, own + "/extra", own + "@evil", own + "\r\nX: 1", own + " ",
		"Local/s@" + s.st.Context, "Local/" + s.st.Number + "@default", "${" + own + "}", "../" + own, "", strings.Repeat("9", 5000),
	} {
		s.must(s.h.Phone(0).Behave(Rings))
		s.must(s.h.Phone(1).Behave(Rings))
		d := s.dial(0)
		d.Endpoint = endpoint
		s.do(d, orchestrator.ResultRejected, orchestrator.ResultNotFound)
	}
	time.Sleep(s.st.Quiet)
	if len(s.h.Phone(0).Rung())+len(s.h.Phone(1).Rung()) != 0 {
		s.Error("a hostile endpoint rang a phone")
	}
}

func hostileWords(s *scene) {
	far, leg := s.talker()
	for _, a := range []orchestrator.Action{
		orchestrator.SendDigits{Leg: leg, Digits: "1;2"},
		orchestrator.SendDigits{Leg: leg, Digits: "12&x=y"},
		orchestrator.SendDigits{Leg: leg, Digits: "${X}"},
		orchestrator.StartMusic{Leg: leg, Class: "default&mohClass=x"},
		orchestrator.StartMusic{Leg: leg, Class: "../../etc/passwd"},
		orchestrator.Release{Leg: leg, Context: "x&extension=y", Extension: "s"},
		orchestrator.Release{Leg: leg, Context: s.st.Context, Extension: "s,1,System(id)"},
		orchestrator.Play{Leg: leg, Play: orchestrator.PlayID(newID()), Media: []orchestrator.Media{{Sound: "x,recording:secret"}}},
		orchestrator.Play{Leg: leg, Play: orchestrator.PlayID(newID()), Media: []orchestrator.Media{{Sound: "../../etc/passwd"}}},
		orchestrator.Play{Leg: leg, Play: orchestrator.PlayID(newID()), Media: []orchestrator.Media{{File: "relative/path"}}},
		orchestrator.Play{Leg: leg, Play: orchestrator.PlayID(newID()), Media: []orchestrator.Media{{File: "/x/../../etc/passwd"}}},
		orchestrator.Play{Leg: leg, Play: orchestrator.PlayID(newID())},
		orchestrator.Dial{
			Leg: "not a uuid", Stamp: stamp(leg, orchestrator.RoleAgent, "x"),
			Endpoint: s.h.Phone(0).Endpoint(), Timeout: 1000,
		},
		orchestrator.Hangup{Leg: "../bridges/x", Cause: orchestrator.CauseNormal},
	} {
		if _, hangup := a.(orchestrator.Hangup); hangup {
			s.do(a, orchestrator.ResultRejected, orchestrator.ResultNotFound, orchestrator.ResultAlready)
			continue
		}
		s.do(a, orchestrator.ResultRejected, orchestrator.ResultNotFound)
	}
	if !far.Up() {
		s.Error("hostile words ended the call")
	}
}
