package floor_test

import (
	"testing"

	o "ringmaster/orchestrator"
)

// TestAnOverloadedSwitchIsShown: once for each change, until it is fit again or
// cannot be heard, and whatever is told of it twice.
func TestAnOverloadedSwitchIsShown(t *testing.T) {
	d := newDesk(t)
	over := func(is bool) []o.Fact {
		return d.do(o.SwitchOverloaded{Switch: "pbx", Over: is, Reason: "legs are made slowly"}).Facts
	}
	shown := func(want bool) {
		t.Helper()
		if got := d.f.Live(d.at).Switches[0].Overloaded; got != want {
			t.Errorf("shown as overloaded: %v, want %v", got, want)
		}
	}
	shown(false)
	if facts := over(false); len(facts) != 0 {
		t.Errorf("fit as before: %+v", facts)
	}
	want := o.OverloadNoted{Switch: "pbx", Over: true, Reason: "legs are made slowly"}
	if facts := over(true); len(facts) != 1 || facts[0].What != want {
		t.Errorf("facts %+v, want %+v", facts, want)
	}
	if facts := over(true); len(facts) != 0 {
		t.Errorf("told again: %+v", facts)
	}
	shown(true)
	over(false)
	shown(false)
	over(true)
	d.do(o.SwitchLost{Switch: "pbx", Reason: "no heartbeat"})
	shown(false)
	if facts := over(true); len(facts) != 0 {
		t.Errorf("of a switch that cannot be heard: %+v", facts)
	}
}
