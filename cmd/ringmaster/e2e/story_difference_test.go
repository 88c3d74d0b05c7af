package e2e

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"ringmaster/adapters/asterisk"
	"ringmaster/adapters/freeswitch"
)

// difference is what two kinds of switch may tell differently, and the
// capability that declares it; without one it is known and harmless. It holds
// for some calls of the file, or with none for all. Drop takes it out of a fact's
// fields, mend out of what is told of one thing, fact by fact; both say whether
// there was anything to take out.
type difference struct {
	capability string // as JSON has it
	calls      []string
	why        string
	moments    bool // it is a matter of moments and need not be met
	drop       func(fact string, what map[string]any) bool
	mend       func(lines []string) ([]string, bool)
}

var differences = []difference{
	{
		capability: "talks_while_asked", calls: []string{"blind transfer to nobody"},
		why:  "a blind transfer that is asked for takes both out of their bridge, and its refusal puts them back",
		mend: backAgain, moments: true,
	},
	{
		capability: "asks_attended", calls: []string{"attended transfer"},
		why:  "an attended transfer that the switch does takes the colleague out of their bridge, and puts them and the caller into it",
		mend: backAgain,
	},
	{
		calls: []string{"blind transfer", "attended transfer"},
		why:   "a phone that has transferred its call hangs up, and is hung up, whichever comes first",
		mend:  eitherEnds, moments: true,
	},
	{
		capability: "talks_while_asked", calls: []string{"blind transfer to nobody"},
		why:  "two who were put back into their bridge are hung up by the switch when one goes, and by us, whichever comes first",
		mend: eitherEnds, moments: true,
	},
	{
		why: "callers' endpoints and SIP calls have the names of their switch",
		drop: func(fact string, what map[string]any) bool {
			if fact != "leg_started" {
				return false
			}
			_, sip := what["sip_call"]
			delete(what, "sip_call")
			if what["role"] == "caller" {
				delete(what, "endpoint")
			}
			return sip || what["role"] == "caller"
		},
	},
}

// backAgain takes out that a leg left a bridge if the next thing is that it is in
// the same one again.
func backAgain(lines []string) (kept []string, some bool) {
	for i := 0; i < len(lines); i++ {
		if strings.Contains(lines[i], ": leg_separated ") && i+1 < len(lines) &&
			strings.Replace(lines[i], ": leg_separated ", ": leg_joined ", 1) == lines[i+1] {
			i, some = i+1, true
			continue
		}
		kept = append(kept, lines[i])
	}
	return kept, some
}

// eitherEnds takes out who ended a leg of the agent who transfers.
func eitherEnds(lines []string) (kept []string, some bool) {
	for _, line := range lines {
		if strings.Contains(lines[0], ` leg_started {"agent":"agent1",`) && strings.Contains(line, ": leg_closed ") {
			line, some = strings.NewReplacer(`"by":"us",`, "", `"by":"remote",`, "", `"by":"switch",`, "").Replace(line), true
		}
		kept = append(kept, line)
	}
	return kept, some
}

// holds reports whether it may be met in a call.
func (d difference) holds(call string) bool {
	return len(d.calls) == 0 || slices.Contains(d.calls, call)
}

// TestEveryDifferenceIsDeclared holds that the capabilities exist and that the
// two kinds do not both have them.
func TestEveryDifferenceIsDeclared(t *testing.T) {
	a, b := reflect.ValueOf(asterisk.Capable()), reflect.ValueOf(freeswitch.Capable())
	differs := map[string]bool{"": true}
	for i := range a.NumField() {
		if !a.Field(i).Equal(b.Field(i)) {
			differs[a.Type().Field(i).Tag.Get("json")] = true
		}
	}
	for _, d := range differences {
		if !differs[d.capability] {
			t.Errorf("%q is no capability by which they differ (%s)", d.capability, d.why)
		}
	}
}
