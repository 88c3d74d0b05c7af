package conformance

import (
	"time"

	"ringmaster/orchestrator"
)

var thirds = []sentence{
	{"a third joins two who talk, and all three hear each other", thirdJoins},
	{"a third who is told again to join while it does is in once", thirdTwice},
	{"two who talk are silent for as long as declared when a third joins", thirdInterrupts},
	{"the third leaves again and the two talk on", thirdLeaves},
	{"of three any may go and the others talk on", thirdStays},
	{"joining a bridge or with a leg that is not there joins nobody", joinsNothing},
	{"connect takes legs out of the bridges they are in", connectMoves},
}

// threesome is a pair and a third in one bridge.
type threesome struct {
	pair
	third Far
	c     orchestrator.LegID
}

func (s *scene) threesome() threesome {
	s.Helper()
	t := threesome{pair: s.connected()}
	t.third, t.c = s.listener(1)
	s.joins(t.c, t.bridge)
	return t
}

// joins puts a further leg into a bridge and waits until it is in.
func (s *scene) joins(leg orchestrator.LegID, bridge orchestrator.BridgeID) {
	s.Helper()
	mark := s.d.mark()
	s.do(orchestrator.Join{Leg: leg, Bridge: bridge}, orchestrator.ResultAccepted)
	await(s, s.d, mark, s.st.Event, func(e orchestrator.Joined) bool { return e.Leg == leg && e.Bridge == bridge })
}

// chorus holds that of several each hears all others.
func (s *scene) chorus(fars ...Far) {
	s.Helper()
	if !s.st.Tones {
		return
	}
	notes := []int{600, 800, 1000, 1200}
	for i, f := range fars {
		s.must(f.Tone(notes[i]))
	}
	for i, f := range fars {
		for j := range fars {
			if i != j && !f.Hears(notes[j], s.st.Event) {
				s.Errorf("of %d in the bridge number %d does not hear number %d", len(fars), i, j)
			}
		}
	}
}

func thirdJoins(s *scene) {
	t := s.threesome()
	s.chorus(t.caller, t.agent, t.third)
	for leg, role := range map[orchestrator.LegID]orchestrator.LegRole{
		t.a: orchestrator.RoleCaller, t.b: orchestrator.RoleAgent, t.c: orchestrator.RoleAgent,
	} {
		s.wantLeg(s.snapshot(), orchestrator.SnapshotLeg{
			Leg: leg, Stamp: stamp(leg, role, callID(leg)), State: orchestrator.LegIsUp, Bridge: t.bridge,
		})
	}
	s.do(orchestrator.Join{Leg: t.c, Bridge: t.bridge}, orchestrator.ResultAlready, orchestrator.ResultAccepted)
	s.chorus(t.caller, t.agent, t.third)
}

func thirdTwice(s *scene) {
	t := threesome{pair: s.connected()}
	t.third, t.c = s.listener(1)
	mark := s.d.mark()
	join := orchestrator.Join{Leg: t.c, Bridge: t.bridge}
	s.do(join, orchestrator.ResultAccepted)
	s.do(join, orchestrator.ResultAlready, orchestrator.ResultAccepted)
	await(s, s.d, mark, s.st.Event, func(e orchestrator.Joined) bool { return e.Leg == t.c && e.Bridge == t.bridge })
	never(s, s.d, mark, s.st.Quiet, func(e orchestrator.Left) bool { return e.Leg == t.c })
	s.chorus(t.caller, t.agent, t.third)
}

// thirdInterrupts tries more than one pair: a busy machine makes silence of its
// own. Only the first join counts, because a talk of three may stay what it
// became when one has left it again.
func thirdInterrupts(s *scene) {
	if !s.st.Tones {
		s.Skip("nothing is heard here")
	}
	gap, pairs := s.d.sw.Capabilities().JoinGap.Duration(), 3
	if gap > 0 {
		pairs = 8 // A short one may be overheard.
	}
	var missed []time.Duration
	for range pairs {
		silent := s.interrupted()
		s.Logf("the pair was not heard through for %v", silent)
		if missed = append(missed, silent); gap == 0 && silent < hearing || gap > 0 && silent >= hearing && silent <= 3*gap {
			return
		}
	}
	s.Errorf("declared is a gap of %v; the joins were not heard through for %v", gap, missed)
}

// interrupted is for how long a pair is not heard while a third joins.
func (s *scene) interrupted() time.Duration {
	s.Helper()
	t := threesome{pair: s.connected()}
	t.third, t.c = s.listener(1)
	s.mutual(t.caller, t.agent)
	since := time.Now()
	s.joins(t.c, t.bridge)
	time.Sleep(2 * s.st.Quiet)
	silent := t.caller.Missed(agentTone, since)
	for _, leg := range []orchestrator.LegID{t.a, t.b, t.c} {
		s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, orchestrator.ResultAccepted)
		s.ended(leg)
	}
	return silent
}

// hearing is a silence that is longer than what any network makes now and then.
const hearing = 90 * time.Millisecond

func thirdLeaves(s *scene) {
	t := s.threesome()
	mark := s.d.mark()
	s.do(orchestrator.Separate{Leg: t.c, Bridge: t.bridge}, orchestrator.ResultAccepted)
	await(s, s.d, mark, s.st.Event, func(e orchestrator.Left) bool { return e.Leg == t.c && e.Bridge == t.bridge })
	s.mutual(t.caller, t.agent)
	if s.st.Tones {
		s.must(t.third.Tone(0))
		if t.third.Hears(440, s.st.Quiet) {
			s.Error("who left still hears the talk")
		}
	}
	s.wantLeg(s.snapshot(), orchestrator.SnapshotLeg{
		Leg: t.c, Stamp: stamp(t.c, orchestrator.RoleAgent, callID(t.c)), State: orchestrator.LegIsUp,
	})
	s.joins(t.c, t.bridge)
	s.chorus(t.caller, t.agent, t.third)
}

func thirdStays(s *scene) {
	t := s.threesome()
	s.must(t.agent.Hangup())
	s.ended(t.b)
	s.mutual(t.caller, t.third)
	s.wantLeg(s.snapshot(), orchestrator.SnapshotLeg{
		Leg: t.a, Stamp: stamp(t.a, orchestrator.RoleCaller, callID(t.a)), State: orchestrator.LegIsUp, Bridge: t.bridge,
	})
	s.must(t.third.Hangup())
	s.ended(t.c)
	s.stays(t.caller, t.a)
}

func joinsNothing(s *scene) {
	p := s.connected()
	gone := []orchestrator.CommandResult{orchestrator.ResultNotFound, orchestrator.ResultRejected}
	s.do(orchestrator.Join{Leg: s.absent(), Bridge: p.bridge}, gone...)
	far, leg := s.listener(1)
	mark := s.d.mark()
	s.do(orchestrator.Join{Leg: leg, Bridge: orchestrator.BridgeID(newID())}, gone...)
	never(s, s.d, mark, s.st.Quiet, on[orchestrator.Joined](leg))
	if !far.Up() {
		s.Error("the failed join ended the leg")
	}
	s.mutual(p.caller, p.agent)
}

// connectMoves is what a transfer and a pick-up are made of.
func connectMoves(s *scene) {
	p := s.connected()
	far, c := s.talker()
	agent, d := s.listener(1)
	other := s.connect(c, d)
	mark := s.d.mark()
	s.connect(p.a, d)
	for leg, bridge := range map[orchestrator.LegID]orchestrator.BridgeID{p.a: p.bridge, d: other} {
		await(s, s.d, mark, s.st.Event, func(e orchestrator.Left) bool { return e.Leg == leg && e.Bridge == bridge })
	}
	s.mutual(p.caller, agent)
	if s.st.Tones && (p.agent.Hears(440, s.st.Quiet) || far.Hears(1000, s.st.Quiet)) {
		s.Error("one who was left behind hears the others")
	}
	s.stays(far, c)
	s.stays(p.agent, p.b)
}
