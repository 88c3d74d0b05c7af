package runner_test

import "testing"

// TestLiveTellsWhatTheSwitchAtHandCanDo: while a switch is attached the live view
// has its capabilities, and none of one that nobody runs.
func TestLiveTellsWhatTheSwitchAtHandCanDo(t *testing.T) {
	h := build(t, &paper{})
	h.furnish("Hello.")
	if can := h.live().Switches[0].Capabilities; can.Kind != "simulated" {
		t.Errorf("attached, it can do %+v", can)
	}
	h.r.Detach("pbx")
	if can := h.live().Switches[0].Capabilities; can.Kind != "" {
		t.Errorf("detached, it can do %+v", can)
	}
}
