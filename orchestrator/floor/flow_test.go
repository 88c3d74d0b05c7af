package floor_test

import (
	"testing"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/ivr"
)

// TestAPlayThatRepeatsItselfAndFailsEnds: an endless greeting whose file is
// missing does not wait for anything, so it may not go round for long.
func TestAPlayThatRepeatsItselfAndFailsEnds(t *testing.T) {
	d := newDesk(t)
	d.do(o.ConfigChanged{Change: o.Config{
		Flows: []o.Flow{{ID: "main", Version: 2, Start: "answer", Nodes: map[string]o.Node{
			"answer": {Type: o.NodeAnswer, On: map[string]string{"next": "again"}},
			"again":  {Type: o.NodePlay, Play: []o.Media{{File: "/missing"}}, On: map[string]string{"next": "again"}},
		}}},
	}})
	d.do(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500", Caller: o.Party{Number: "+4930"}})
	d.do(o.LegUp{Leg: "pbx/1"})
	rounds := func(status o.PlayStatus, most int) (n int) {
		for ; n < most; n++ {
			play, ok := find[o.PlayStarted](d)
			if ending, over := find[o.CallEnding](d); over {
				if ending.Outcome.Reason != o.ReasonFlowBudget {
					t.Fatalf("outcome %+v", ending.Outcome)
				}
				return n
			} else if !ok {
				t.Fatal("nothing is played")
			}
			d.do(o.PlayDone{Leg: "pbx/1", Play: play.Play, Status: status})
		}
		return n
	}
	rounds(o.PlayFailed, ivr.Budget-1)
	if n := rounds(o.PlayFinished, 3*ivr.Budget); n != 3*ivr.Budget {
		t.Fatalf("a loop that is heard ends after %d rounds", n)
	}
	d.folded()
	if n := rounds(o.PlayFailed, 10*ivr.Budget); n != ivr.Budget {
		t.Fatalf("a loop that is silent goes round %d times, want %d", n, ivr.Budget)
	}
	d.folded()
}

// TestDigitsPressedEarlyAreBounded: whoever leans on a key during the greeting
// fills neither the memory nor the journal.
func TestDigitsPressedEarlyAreBounded(t *testing.T) {
	d := newDesk(t)
	d.do(o.ConfigChanged{Change: o.Config{
		Flows: []o.Flow{{ID: "main", Version: 2, Start: "greeting", Nodes: map[string]o.Node{
			"greeting": {Type: o.NodePlay, Play: []o.Media{{Say: "Welcome."}}, On: map[string]string{"next": "menu"}},
			"menu":     {Type: o.NodeMenu, Play: []o.Media{{Say: "Press one."}}, On: map[string]string{"1": "bye", "timeout": "bye", "invalid": "bye"}},
			"bye":      {Type: o.NodeHangup},
		}}},
	}})
	play := command[o.Play](t, d.do(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500", Caller: o.Party{Number: "+4930"}}))
	before := len(d.facts)
	for _, digit := range []string{"", "A", "11", "1 ", "\x00"} {
		d.do(o.Digit{Leg: "pbx/1", Digit: digit})
	}
	if len(d.facts) != before {
		t.Errorf("what is no digit is kept: %+v", d.facts[before:])
	}
	for range 500 {
		d.do(o.Digit{Leg: "pbx/1", Digit: "1"})
	}
	if n := len(d.facts) - before; n != 20 {
		t.Errorf("%d digits are kept", n)
	}
	d.do(o.PlayDone{Leg: "pbx/1", Play: play.Play, Status: o.PlayFinished})
	if decided, ok := find[o.MenuDecided](d); !ok || decided.Exit != "1" {
		t.Errorf("the menu decides %+v", decided)
	}
	d.folded()
}
