package simulation_test

import (
	"bytes"
	"encoding/json"
	"testing"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
	"ringmaster/orchestrator/simulation"
)

// lags are how many of the last inputs another leader may not have heard of.
var lags = []int{1, 3, 8, 21, 55, 144}

// TestTakeOverFromOldFacts plays seeds up to each snapshot and gives that to a
// floor that does not know the last of what was decided, as a standby's floor
// whose leader died before all of it was in the database. Whoever talks is left
// to talk, their agent is offered nothing else, and there is a call that says so.
func TestTakeOverFromOldFacts(t *testing.T) {
	adopted, known := 0, 0
	for s := range uint64(80) {
		tape := simulation.Run(simulation.NewPlan(s, 30)).Tape
		f, told := floor.New(floor.Config{Tenant: "acme", Epoch: 1}), 0
		taken := 0
		for i, in := range tape.Inputs {
			if synced, ok := in.Event.(o.SwitchSynced); ok && taken < 12 {
				taken++
				talks := talking(t, f, synced)
				for _, lag := range lags {
					if lag < i {
						n := takeOver(t, tape, i, lag, talks)
						adopted += n
						known += len(talks) - n
					}
				}
			}
			for _, fact := range tape.Effects[i].Facts {
				f.Apply(fact)
				told++
			}
		}
	}
	t.Logf("%d talks taken over that were not known, %d that were", adopted, known)
	if adopted < 25 {
		t.Error("that is too few to have tried anything")
	}
}

// talk is a call in which, as the leader knew, caller and agent hear each other.
type talk struct {
	caller, agent o.LegID
	who           o.AgentID
	endpoint      string
}

// talking are the talks a leader knows of and the snapshot shows.
func talking(t *testing.T, f *floor.Floor, synced o.SwitchSynced) (talks []talk) {
	t.Helper()
	there := map[o.LegID]o.SnapshotLeg{}
	for _, s := range synced.Snapshot.Legs {
		there[s.Leg] = s
	}
	for _, c := range pictureOf(t, f).Calls {
		a, b := there[c.Leg], there[c.AgentLeg]
		plain := a.Stamp.Call == b.Stamp.Call && a.Stamp.Role == o.RoleCaller && b.Stamp.Role == o.RoleAgent
		if c.Phase == o.PhaseTalking && c.Ending == nil && plain && a.Bridge != "" && a.Bridge == b.Bridge {
			talks = append(talks, talk{c.Leg, c.AgentLeg, c.Agent, b.Endpoint})
		}
	}
	return talks
}

// takeOver gives the snapshot of input i to a floor that knows nothing of the
// last lag inputs before it, and counts the talks that this one did not know.
func takeOver(t *testing.T, tape simulation.Tape, i, lag int, talks []talk) (adopted int) {
	t.Helper()
	f := floor.New(floor.Config{Tenant: "acme", Epoch: 99})
	var facts []o.Fact
	for _, e := range tape.Effects[:i-lag] {
		facts = append(facts, e.Facts...)
	}
	for _, fact := range facts {
		f.Apply(fact)
	}
	before := pictureOf(t, f)
	synced := tape.Inputs[i]
	all := []o.Effects{
		f.Step(o.Input{Seq: synced.Seq, At: synced.At, Event: o.Restarted{}}),
		f.Step(o.Input{Seq: synced.Seq + 1, At: synced.At, Event: synced.Event}),
	}

	again := floor.New(floor.Config{Tenant: "acme", Epoch: 99})
	for _, fact := range facts {
		again.Apply(fact)
	}
	for _, e := range all {
		for _, fact := range e.Facts {
			again.Apply(fact)
		}
	}
	if !bytes.Equal(f.Image(), again.Image()) {
		t.Fatalf("lag %d: the facts do not fold to the floor that told them", lag)
	}
	after := pictureOf(t, f)
	for _, x := range talks {
		if before.has(x) || !before.seats(x) {
			continue
		}
		adopted++
		if !after.has(x) {
			t.Errorf("lag %d: %+v talk on and there is no call that says so", lag, x)
		}
		harms(t, all, x)
	}
	return adopted
}

// harms reports orders that would part who talks.
func harms(t *testing.T, all []o.Effects, x talk) {
	t.Helper()
	for _, e := range all {
		for _, c := range e.Commands {
			leg := o.ActionLeg(c.Do)
			if leg != x.caller && leg != x.agent {
				continue
			}
			switch c.Do.(type) {
			case o.Claim, o.Connect, o.StopMusic, o.StopPlay:
			default:
				t.Errorf("%+v talk, and are ordered %T %+v", x, c.Do, c.Do)
			}
		}
	}
}

// picture is what an image tells of calls and agents.
type picture struct {
	Calls map[o.CallID]struct {
		Leg, AgentLeg o.LegID
		Agent         o.AgentID
		Phase         o.CallPhase
		Ending        *o.Outcome
	}
	Agents map[o.AgentID]struct {
		LoggedIn bool
		Phone    o.PhoneID
	}
	Phones map[o.PhoneID]struct{ Endpoint string }
}

func pictureOf(t *testing.T, f *floor.Floor) (p picture) {
	t.Helper()
	if err := json.Unmarshal(f.Image(), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// has reports whether the floor knows of a talk.
func (p picture) has(x talk) bool {
	for _, c := range p.Calls {
		if c.Leg == x.caller && c.AgentLeg == x.agent && c.Phase == o.PhaseTalking {
			return true
		}
	}
	return false
}

// seats reports whether the floor knows who sits at the phone of a talk.
func (p picture) seats(x talk) bool {
	a := p.Agents[x.who]
	return a.LoggedIn && p.Phones[a.Phone].Endpoint == x.endpoint
}
