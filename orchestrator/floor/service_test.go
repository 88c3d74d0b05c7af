package floor_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	o "ringmaster/orchestrator"
)

// askedPIN dials the log-in code from a phone and returns the ask for the PIN.
func (d *desk) askedPIN(leg o.LegID, dialled, endpoint string) o.AskID {
	d.t.Helper()
	d.do(o.LegOffered{Switch: "pbx", Leg: leg, Entry: o.EntryAgent, Dialled: dialled, Endpoint: endpoint})
	e := d.do(o.LegUp{Leg: leg})
	if len(e.Asks) != 1 {
		d.t.Fatalf("%s: asks %+v", dialled, e.Asks)
	}
	return e.Asks[0].ID
}

// TestAPINAskedForBeforeTheLockOutIsRefusedInIt: the lock-out holds for the
// calls that were there before it.
func TestAPINAskedForBeforeTheLockOutIsRefusedInIt(t *testing.T) {
	d := newDesk(t)
	var asks []o.AskID
	leg := func(i int) o.LegID { return o.LegID(fmt.Sprintf("pbx/%d", i)) }
	for i := range 20 {
		asks = append(asks, d.askedPIN(leg(i), "*11101", "PJSIP/1001"))
	}
	for i := range 19 {
		d.do(o.PINRead{Ask: asks[i], Leg: leg(i), Verdict: o.PINWrong})
	}
	d.do(o.PINRead{Ask: asks[19], Leg: leg(19), Verdict: o.PINCorrect})
	if a := d.f.Live(d.at).Agents[0]; a.State != o.AgentLoggedOut {
		t.Errorf("logged in during the lock-out: %+v", a)
	}
	if refused, _ := find[o.PINRefused](d); refused.Failures != 5 || refused.Locked.Sub(d.at) != time.Minute {
		t.Errorf("the last refusal counted: %+v", refused)
	}
	d.folded()
}

// TestAPINDialledBehindTheCodeIsNotWrittenDown, and asks for a PIN all the
// same, so that nobody learns which numbers are agents'.
func TestAPINDialledBehindTheCodeIsNotWrittenDown(t *testing.T) {
	for i, dialled := range []string{"*11101#4711", "*111014711", "*11101*4711#", "*114711"} {
		d := newDesk(t)
		d.askedPIN(o.LegID(fmt.Sprintf("pbx/%d", i)), dialled, "PJSIP/1001")
		for _, f := range d.facts {
			text, err := json.Marshal(f.What)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "4711") {
				t.Errorf("%s is told: %T %s", dialled, f.What, text)
			}
		}
		d.folded()
	}
}

// TestAgentsHearTheTenantsLanguage, its dialects too, and English where there
// are no words, spoken by a voice that can read it.
func TestAgentsHearTheTenantsLanguage(t *testing.T) {
	for language, want := range map[string]o.Media{
		"":      {Say: "Please enter your PIN, then press pound.", Language: "en"},
		"en-GB": {Say: "Please enter your PIN, then press pound.", Language: "en-GB"},
		"de-CH": {Say: "Bitte geben Sie Ihre PIN ein und drücken Sie die Rautetaste.", Language: "de-CH"},
		"fi":    {Say: "Please enter your PIN, then press pound.", Language: "en"},
	} {
		d := newDesk(t)
		c := center()
		c.Settings.Language = language
		d.do(o.ConfigChanged{Change: c})
		d.askedPIN("pbx/1", "*11101", "PJSIP/1001")
		if played, _ := find[o.PlayStarted](d); len(played.Media) != 1 || played.Media[0] != want {
			t.Errorf("%q: heard %+v", language, played.Media)
		}
		d.folded()
	}
}

// TestAThousandGuessesTakeWeeks: five are free or nearly so, then the lock-out
// doubles from a minute to an hour and stays there. The right PIN is refused
// in it and taken after it.
func TestAThousandGuessesTakeWeeks(t *testing.T) {
	d := newDesk(t)
	calls := 0
	guess := func(verdict o.PINVerdict) (read bool) {
		calls++
		leg := o.LegID(fmt.Sprintf("pbx/%d", calls))
		d.do(o.LegOffered{Switch: "pbx", Leg: leg, Entry: o.EntryAgent, Dialled: "*11101", Endpoint: "PJSIP/1001"})
		e := d.do(o.LegUp{Leg: leg})
		if len(e.Asks) > 0 {
			d.do(o.PINRead{Ask: e.Asks[0].ID, Leg: leg, Verdict: verdict})
		}
		d.do(o.LegEnded{Leg: leg, Cause: 16, By: o.EndedByRemote})
		return len(e.Asks) > 0
	}
	last := time.Duration(0)
	for n := 1; n <= 1000; n++ {
		if !guess(o.PINWrong) {
			t.Fatalf("guess %d is not even read", n)
		}
		refused, _ := find[o.PINRefused](d)
		if refused.Failures != n {
			t.Fatalf("guess %d counts as %d", n, refused.Failures)
		}
		if refused.Locked.IsZero() {
			continue
		}
		lock := refused.Locked.Sub(d.at)
		if want := min(max(time.Minute, 2*last), time.Hour); lock != want {
			t.Fatalf("guess %d locks for %s after %s, want %s", n, lock, last, want)
		}
		last = lock
		d.pass(lock - time.Millisecond)
		if guess(o.PINCorrect) || d.f.Live(d.at).Agents[0].State != o.AgentLoggedOut {
			t.Fatalf("after guess %d the lock-out is over too early", n)
		}
		d.pass(time.Millisecond)
	}
	if took := d.at.Sub(start); took < 40*24*time.Hour {
		t.Errorf("a thousand guesses take %s", took)
	}
	if !guess(o.PINCorrect) || d.f.Live(d.at).Agents[0].State == o.AgentLoggedOut {
		t.Error("the right PIN is refused after the lock-out")
	}
	d.folded()
}
