package floor_test

import (
	"testing"

	o "ringmaster/orchestrator"
)

// TestALegWhoseArrivalIsToldAfterItsEndOpensNothing: a snapshot may overtake
// the word of an arrival, and end it again.
func TestALegWhoseArrivalIsToldAfterItsEndOpensNothing(t *testing.T) {
	d := newDesk(t)
	for _, e := range []o.LegOffered{
		{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"},
		{Switch: "pbx", Leg: "pbx/2", Entry: o.EntryAgent, Dialled: "102", Endpoint: "PJSIP/1001"},
		{Switch: "pbx", Leg: "pbx/3", Entry: o.EntryAgent, Dialled: "*21", Endpoint: "PJSIP/1001"},
	} {
		d.do(e)
		d.do(o.LegEnded{Leg: e.Leg, Cause: 16, By: o.EndedByRemote})
		if again := d.do(e); len(again.Facts)+len(again.Commands) > 0 {
			t.Errorf("%s is taken twice: %+v", e.Dialled, again)
		}
	}
}
