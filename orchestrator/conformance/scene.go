package conformance

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// scene is one subtest: a running adapter and what was made in this test, to
// be cleared away after it.
type scene struct {
	*testing.T
	h    Harness
	st   Stage
	d    *desk
	fars []Far
	legs []orchestrator.LegID
}

// numbered makes ids that no other run on the same switch has used.
var numbered = struct {
	mint orchestrator.Minter
	n    atomic.Uint64
}{mint: orchestrator.Minter{Space: uint64(time.Now().UnixNano())}}

func newID() string { return numbered.mint.Mint(time.Now(), numbered.n.Add(1), 0) }

// clear ends everything the test made, so that the next finds idle phones.
func (s *scene) clear() {
	for _, leg := range s.legs {
		s.tell(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal})
	}
	for _, far := range s.fars {
		if !far.Ended() {
			_ = far.Hangup() // it may be ending this very moment
		}
	}
	for n := range 3 {
		s.must(s.h.Phone(n).Behave(Rings))
	}
	s.must(s.h.Trunk().Behave(Rings))
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// tell carries one action to the switch and returns its answer.
func (s *scene) tell(a orchestrator.Action) (orchestrator.CommandResult, string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), s.st.Event)
	defer cancel()
	return s.d.sw.Do(ctx, a)
}

// do is tell with an answer that must be one of want.
func (s *scene) do(a orchestrator.Action, want ...orchestrator.CommandResult) {
	s.Helper()
	if got, why := s.tell(a); !slices.Contains(want, got) {
		s.Fatalf("%T %+v was answered %q (%s), want one of %q", a, a, got, why, want)
	}
}

// until waits for a far end to come to a state.
func (s *scene) until(what string, ok func() bool) {
	s.Helper()
	deadline := time.Now().Add(s.st.Event)
	for !ok() {
		if time.Now().After(deadline) {
			s.Fatalf("not within %v: %s", s.st.Event, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func stamp(leg orchestrator.LegID, role orchestrator.LegRole, call orchestrator.CallID) orchestrator.Stamp {
	return orchestrator.Stamp{Tenant: "conformance", Call: call, Leg: leg, Role: role, Epoch: 1}
}

var caller = orchestrator.Party{Number: "+493012345", Name: "Clara Caller"}

// arrival places a call from the trunk and waits for its leg.
func (s *scene) arrival(from orchestrator.Party) (Far, orchestrator.LegOffered) {
	s.Helper()
	mark := s.d.mark()
	far, err := s.h.Call(s.st.Number, from)
	s.must(err)
	s.fars = append(s.fars, far)
	e := await(s, s.d, mark, s.st.Event, func(e orchestrator.LegOffered) bool { return e.Entry == orchestrator.EntryIn })
	s.legs = append(s.legs, e.Leg)
	return far, e
}

// claimed is an arrival in our care, not answered yet.
func (s *scene) claimed() (Far, orchestrator.LegID) {
	s.Helper()
	far, e := s.arrival(caller)
	s.do(orchestrator.Claim{Leg: e.Leg, Stamp: stamp(e.Leg, orchestrator.RoleCaller, callID(e.Leg))}, orchestrator.ResultAccepted)
	return far, e.Leg
}

// callID is the call of a caller's leg in these tests: one each.
func callID(leg orchestrator.LegID) orchestrator.CallID {
	return orchestrator.CallID(numbered.mint.Mint(time.UnixMilli(0), sum(string(leg)), 1))
}

func sum(text string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// talker is a caller who is answered.
func (s *scene) talker() (Far, orchestrator.LegID) {
	s.Helper()
	far, leg := s.claimed()
	s.do(orchestrator.Answer{Leg: leg}, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](leg))
	s.until("the caller's phone is up", far.Up)
	return far, leg
}

// dial is a Dial to the n-th phone with room to ring.
func (s *scene) dial(n int) orchestrator.Dial {
	leg := orchestrator.LegID(newID())
	s.legs = append(s.legs, leg)
	return orchestrator.Dial{
		Leg: leg, Stamp: stamp(leg, orchestrator.RoleAgent, callID(leg)), Endpoint: s.h.Phone(n).Endpoint(),
		Display: orchestrator.Party{Number: "4711", Name: "Support"}, Timeout: orchestrator.MillisOf(2 * s.st.Event),
	}
}

// rung is the one call that reached the n-th phone since it was told how to
// behave.
func (s *scene) rung(n int) Far {
	s.Helper()
	return s.reached(fmt.Sprintf("phone %d rings", n), s.h.Phone(n))
}

// reached is the one call that somebody has since they were told how to behave.
func (s *scene) reached(what string, who Called) Far {
	s.Helper()
	s.until(what, func() bool { return len(who.Rung()) > 0 })
	far := who.Rung()[0]
	s.fars = append(s.fars, far)
	return far
}

// ringing is a dialled leg at the n-th phone that rings.
func (s *scene) ringing(n int) (Far, orchestrator.LegID) {
	s.Helper()
	s.must(s.h.Phone(n).Behave(Rings))
	d := s.dial(n)
	s.do(d, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegRinging](d.Leg))
	return s.rung(n), d.Leg
}

// listener is the n-th phone, dialled and answered.
func (s *scene) listener(n int) (Far, orchestrator.LegID) {
	s.Helper()
	far, leg := s.ringing(n)
	s.must(far.Answer())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](leg))
	return far, leg
}

// pair is a caller and the first phone in one bridge.
type pair struct {
	caller, agent Far
	a, b          orchestrator.LegID
	bridge        orchestrator.BridgeID
}

func (s *scene) connected() pair {
	s.Helper()
	p := pair{}
	p.caller, p.a = s.talker()
	p.agent, p.b = s.listener(0)
	p.bridge = s.connect(p.a, p.b)
	return p
}

// connect joins two legs in a new bridge and waits until both are in.
func (s *scene) connect(a, b orchestrator.LegID) orchestrator.BridgeID {
	s.Helper()
	mark := s.d.mark()
	bridge := orchestrator.BridgeID(newID())
	s.do(orchestrator.Connect{
		Bridge: bridge, Stamp: stamp(a, orchestrator.RoleBridge, callID(a)), A: a, B: b,
	}, orchestrator.ResultAccepted)
	for _, leg := range []orchestrator.LegID{a, b} {
		await(s, s.d, mark, s.st.Event, func(e orchestrator.Joined) bool { return e.Leg == leg && e.Bridge == bridge })
	}
	s.Cleanup(func() { s.tell(orchestrator.CloseBridge{Bridge: bridge}) })
	return bridge
}

// ended waits for a leg's end and says how it was.
func (s *scene) ended(leg orchestrator.LegID) orchestrator.LegEnded {
	s.Helper()
	return await(s, s.d, 0, s.st.Event, on[orchestrator.LegEnded](leg))
}

// snapshot asks for a fresh one.
func (s *scene) snapshot() orchestrator.Snapshot {
	s.Helper()
	mark := s.d.mark()
	s.d.sw.Resync()
	return await[orchestrator.SwitchSynced](s, s.d, mark, s.st.Event, nil).Snapshot
}

func legIn(snap orchestrator.Snapshot, leg orchestrator.LegID) (orchestrator.SnapshotLeg, bool) {
	for _, l := range snap.Legs {
		if l.Leg == leg {
			return l, true
		}
	}
	return orchestrator.SnapshotLeg{}, false
}

// wantLeg fails unless the snapshot has the leg like this.
func (s *scene) wantLeg(snap orchestrator.Snapshot, want orchestrator.SnapshotLeg) {
	s.Helper()
	got, ok := legIn(snap, want.Leg)
	if !ok {
		s.Fatalf("the snapshot lacks leg %s; it has %+v", want.Leg, snap.Legs)
	}
	if got.Stamp != want.Stamp || got.State != want.State || got.Bridge != want.Bridge {
		s.Errorf("the snapshot has %+v, want stamp %q, state %q and bridge %q", got, want.Stamp, want.State, want.Bridge)
	}
}
