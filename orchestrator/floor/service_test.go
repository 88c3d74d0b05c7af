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
