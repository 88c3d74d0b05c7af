package conformance

import (
	"ringmaster/orchestrator"
)

var transfers = []sentence{
	{"a blind transfer is asked for; accepted, the party can be sent on", blindAccepted},
	{"a blind transfer rejected leaves both talking", blindRejected},
	{"after a transfer rejected the agent going leaves the caller with us", rejectedAgentGoes},
	{"after a transfer rejected the caller going leaves the agent with us", rejectedCallerGoes},
	{"the phone going while its transfer waits leaves the party with us", askerGoes},
	{"the party going while a transfer waits ends only its leg", partyGoes},
	{"the transfer key of a phone that talks to nobody is refused unasked", transfersNobody},
	{"an attended transfer joins the party with the one consulted", attended},
	{"an attended transfer rejected leaves both talks", attendedRejected},
	{"an attended transfer to nobody leaves the party with us", attendedNobody},
	{"an answer to no transfer is not found", answersNothing},
}

// answered are the answers to a word about a transfer that is no more.
var answered = []orchestrator.CommandResult{orchestrator.ResultNotFound, orchestrator.ResultAlready}

// elsewhere is a number no far end of the suite has: it is only looked at.
const elsewhere = "2002"

// asking is a pair whose agent has pressed the transfer key.
func (s *scene) asking() pair {
	s.Helper()
	p := s.connected()
	mark := s.d.mark()
	s.must(p.agent.Transfer(elsewhere))
	got := await(s, s.d, mark, s.st.Event, on[orchestrator.TransferAsked](p.b))
	if want := (orchestrator.TransferAsked{Leg: p.b, Party: p.a, Target: elsewhere}); got != want {
		s.Errorf("told %+v, want %+v", got, want)
	}
	if p.agent.Transferred() != 0 {
		s.Errorf("the phone was told %d before we answered", p.agent.Transferred())
	}
	if s.d.sw.Capabilities().TalksWhileAsked {
		s.mutual(p.caller, p.agent)
		never(s, s.d, mark, 0, func(e orchestrator.Left) bool { return e.Bridge == p.bridge })
		return p
	}
	for _, leg := range []orchestrator.LegID{p.a, p.b} {
		await(s, s.d, mark, s.st.Event, func(e orchestrator.Left) bool { return e.Leg == leg && e.Bridge == p.bridge })
	}
	return p
}

// told waits for what the phone hears of its transfer.
func (s *scene) told(phone Far, success bool) {
	s.Helper()
	s.until("the phone is told of its transfer", func() bool { return phone.Transferred() != 0 })
	if got := phone.Transferred(); got < 200 || (got < 300) != success {
		s.Errorf("the phone was told %d, want success %v", got, success)
	}
}

// dismissed ends a leg whose phone may be hanging up by itself.
func (s *scene) dismissed(leg orchestrator.LegID) {
	s.Helper()
	s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal}, append(answered, orchestrator.ResultAccepted)...)
	s.ended(leg)
}

func blindAccepted(s *scene) {
	p := s.asking()
	s.do(orchestrator.AcceptTransfer{Leg: p.b}, orchestrator.ResultAccepted)
	s.told(p.agent, true)
	s.dismissed(p.b)
	if !p.caller.Up() {
		s.Fatal("the accepted transfer ended the caller")
	}
	s.do(orchestrator.Separate{Leg: p.a, Bridge: p.bridge}, orchestrator.ResultAccepted, orchestrator.ResultAlready)
	s.do(orchestrator.StartMusic{Leg: p.a, Class: s.st.Music}, orchestrator.ResultAccepted)
	second, c := s.listener(1)
	s.connect(p.a, c)
	s.mutual(p.caller, second)
	s.do(orchestrator.AcceptTransfer{Leg: p.b}, answered...)
}

func blindRejected(s *scene) {
	p := s.rejected()
	s.do(orchestrator.RejectTransfer{Leg: p.b}, answered...)
	s.do(orchestrator.AcceptTransfer{Leg: p.b}, answered...)
	s.mutual(p.caller, p.agent)
	s.wantLeg(s.snapshot(), orchestrator.SnapshotLeg{
		Leg: p.a, Stamp: stamp(p.a, orchestrator.RoleCaller, callID(p.a)), State: orchestrator.LegIsUp, Bridge: p.bridge,
	})
}

// rejected is a pair who talk on after a transfer was rejected.
func (s *scene) rejected() pair {
	s.Helper()
	p := s.asking()
	mark := s.d.mark()
	s.do(orchestrator.RejectTransfer{Leg: p.b}, orchestrator.ResultAccepted)
	s.told(p.agent, false)
	if !s.d.sw.Capabilities().TalksWhileAsked {
		for _, leg := range []orchestrator.LegID{p.a, p.b} {
			await(s, s.d, mark, s.st.Event, func(e orchestrator.Joined) bool { return e.Leg == leg && e.Bridge == p.bridge })
		}
	}
	s.mutual(p.caller, p.agent)
	return p
}

func rejectedAgentGoes(s *scene) {
	p := s.rejected()
	s.must(p.agent.Hangup())
	s.ended(p.b)
	s.stays(p.caller, p.a)
}

func rejectedCallerGoes(s *scene) {
	p := s.rejected()
	s.must(p.caller.Hangup())
	s.ended(p.a)
	s.stays(p.agent, p.b)
}

func askerGoes(s *scene) {
	p := s.asking()
	s.must(p.agent.Hangup())
	if end := s.ended(p.b); end.By != orchestrator.EndedByRemote {
		s.Errorf("ended %+v, want by remote", end)
	}
	s.do(orchestrator.AcceptTransfer{Leg: p.b}, answered...)
	s.stays(p.caller, p.a)
}

func partyGoes(s *scene) {
	p := s.asking()
	s.must(p.caller.Hangup())
	s.ended(p.a)
	s.do(orchestrator.RejectTransfer{Leg: p.b}, append(answered, orchestrator.ResultAccepted)...)
	s.stays(p.agent, p.b)
}

func transfersNobody(s *scene) {
	far, leg := s.listener(0)
	mark := s.d.mark()
	s.must(far.Transfer(elsewhere))
	s.told(far, false)
	never(s, s.d, mark, s.st.Quiet, on[orchestrator.TransferAsked](leg))
	if !far.Up() {
		s.Error("the transfer key ended the call")
	}
}

// consultation is a pair that is on hold while its agent talks to another.
type consultation struct {
	pair
	phone Far // the agent's end of the consultation
	leg   orchestrator.LegID

	other  Far // who is consulted
	peer   orchestrator.LegID
	second orchestrator.BridgeID
}

// consults has the agent of a pair call us on a second line and be answered.
func (s *scene) consults() consultation {
	s.Helper()
	c := consultation{pair: s.connected()}
	s.must(c.agent.Hold())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegHold](c.b))
	c.leg = s.coded(0).Leg
	c.phone = s.fars[len(s.fars)-1]
	s.do(orchestrator.Claim{Leg: c.leg, Stamp: stamp(c.leg, orchestrator.RoleService, callID(c.leg))}, orchestrator.ResultAccepted)
	s.do(orchestrator.Answer{Leg: c.leg}, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](c.leg))
	s.until("the second line is up", c.phone.Up)
	return c
}

// consulting has the agent talk to the second phone.
func (s *scene) consulting() consultation {
	s.Helper()
	c := s.consults()
	c.other, c.peer = s.listener(1)
	c.second = s.connect(c.leg, c.peer)
	s.mutual(c.phone, c.other)
	return c
}

func (c consultation) asked() orchestrator.TransferAsked {
	return orchestrator.TransferAsked{Leg: c.b, Party: c.a, Consult: c.leg, Peer: c.peer}
}

// presses has the agent put caller and consulted together, and holds the event
// that tells so to be the right one.
func (s *scene) presses(c consultation) {
	s.Helper()
	mark := s.d.mark()
	s.must(c.agent.TransferTo(c.phone))
	if s.d.sw.Capabilities().AsksAttended {
		if got := await(s, s.d, mark, s.st.Event, on[orchestrator.TransferAsked](c.b)); got != c.asked() {
			s.Errorf("told %+v, want %+v", got, c.asked())
		}
		return
	}
	got := await(s, s.d, mark, s.st.Event, on[orchestrator.TransferHappened](c.b))
	got.Target = "" // The number of the consultation, where the switch knows it.
	if got != orchestrator.TransferHappened(c.asked()) {
		s.Errorf("told %+v, want %+v", got, c.asked())
	}
	never(s, s.d, mark, 0, on[orchestrator.TransferAsked](c.b))
}

func attended(s *scene) {
	c := s.consulting()
	mark := s.d.mark()
	s.presses(c)
	if s.d.sw.Capabilities().AsksAttended {
		s.do(orchestrator.AcceptTransfer{Leg: c.b}, orchestrator.ResultAccepted)
		s.do(orchestrator.Connect{
			Bridge: c.second, Stamp: stamp(c.leg, orchestrator.RoleBridge, callID(c.leg)), A: c.a, B: c.peer,
		}, orchestrator.ResultAccepted)
	}
	await(s, s.d, mark, s.st.Event, func(e orchestrator.Joined) bool { return e.Leg == c.a && e.Bridge == c.second })
	s.told(c.agent, true)
	s.dismissed(c.b)
	s.dismissed(c.leg)
	s.mutual(c.caller, c.other)
	s.wantLeg(s.snapshot(), orchestrator.SnapshotLeg{
		Leg: c.a, Stamp: stamp(c.a, orchestrator.RoleCaller, callID(c.a)), State: orchestrator.LegIsUp, Bridge: c.second,
	})
	s.must(c.other.Hangup())
	s.ended(c.peer)
	s.stays(c.caller, c.a)
}

func attendedRejected(s *scene) {
	if !s.d.sw.Capabilities().AsksAttended {
		s.Skip("this switch does attended transfers by itself")
	}
	c := s.consulting()
	s.presses(c)
	s.do(orchestrator.RejectTransfer{Leg: c.b}, orchestrator.ResultAccepted)
	s.told(c.agent, false)
	s.mutual(c.phone, c.other)
	s.must(c.agent.Resume())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUnhold](c.b))
	s.mutual(c.caller, c.agent)
}

// attendedNobody is the second line waiting in a queue: nobody is there yet
// whom the party could be joined with.
func attendedNobody(s *scene) {
	c := s.consults()
	s.start(c.leg, s.st.Long)
	s.presses(c)
	if s.d.sw.Capabilities().AsksAttended {
		s.do(orchestrator.AcceptTransfer{Leg: c.b}, orchestrator.ResultAccepted)
		s.told(c.agent, true)
	}
	s.dismissed(c.b)
	s.dismissed(c.leg)
	s.do(orchestrator.Separate{Leg: c.a, Bridge: c.bridge}, orchestrator.ResultAccepted, orchestrator.ResultAlready)
	s.over(s.start(c.a, s.st.Prompt), orchestrator.PlayFinished)
	s.stays(c.caller, c.a)
}

func answersNothing(s *scene) {
	s.do(orchestrator.AcceptTransfer{Leg: s.absent()}, answered...)
	s.do(orchestrator.RejectTransfer{Leg: s.absent()}, answered...)
	p := s.connected()
	s.do(orchestrator.AcceptTransfer{Leg: p.b}, answered...)
	s.do(orchestrator.RejectTransfer{Leg: p.b}, answered...)
	s.mutual(p.caller, p.agent)
}
