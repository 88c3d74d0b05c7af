package floor_test

import (
	"testing"
	"time"

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

// TestADialThatNobodyCanTellOfIsLookedFor: the offer was given up meanwhile and
// the hang-up refused, so only the snapshot can free the agent.
func TestADialThatNobodyCanTellOfIsLookedFor(t *testing.T) {
	d := newDesk(t)
	d.do(o.AgentAsked{Agent: "ana", Action: o.ActionLogin, Phone: "p1"})
	d.arrive("pbx/1")
	dial := command[o.Dial](t, d.last)
	d.pass(4 * time.Second) // longer than a phone may be silent
	if over, ok := find[o.OfferEnded](d); !ok || over.Outcome != o.OfferUnreachable {
		t.Fatalf("the offer: %+v", over)
	}
	d.do(o.CommandDone{Switch: "pbx", Leg: dial.Leg, Do: o.Hangup{Leg: dial.Leg}, Result: o.ResultRejected})
	asks := d.do(o.CommandDone{Switch: "pbx", Leg: dial.Leg, Do: dial, Result: o.ResultNoWord}).Asks
	if len(asks) != 1 || asks[0].What != (o.Resync{Switch: "pbx"}) {
		t.Fatalf("asked: %+v", asks)
	}
	d.do(o.SwitchSynced{Switch: "pbx", Epoch: "e1", Snapshot: o.Snapshot{
		Legs:      []o.SnapshotLeg{{Leg: "pbx/1", Stamp: o.Stamp{Role: o.RoleCaller}, Entry: o.EntryIn, State: o.LegIsUp}},
		Endpoints: []o.SnapshotEndpoint{{Endpoint: "PJSIP/1001", Reachable: true}},
	}})
	if closed, ok := find[o.LegClosed](d); !ok || closed.Leg != dial.Leg {
		t.Errorf("closed: %+v", closed)
	}
}

// TestACallerWhoseEndIsNotToldHasAbandoned: a switch that was heard all the time
// and does not carry a caller any more has not lost them; one that was away has.
func TestACallerWhoseEndIsNotToldHasAbandoned(t *testing.T) {
	for name, x := range map[string]struct {
		away bool
		want o.Reason
	}{"heard all the time": {false, o.ReasonAbandonedIVR}, "after a gap": {true, o.ReasonSwitchLost}} {
		d := newDesk(t)
		d.do(o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"})
		if x.away {
			d.do(o.SwitchLost{Switch: "pbx"})
		}
		d.do(o.SwitchSynced{Switch: "pbx", Epoch: "e1"})
		if ended, ok := find[o.CallEnding](d); !ok || ended.Outcome.Reason != x.want {
			t.Errorf("%s: %+v, want %s", name, ended.Outcome, x.want)
		}
	}
}
