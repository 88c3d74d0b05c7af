package conformance

import (
	"time"

	"ringmaster/orchestrator"
)

var trunks = []sentence{
	{"a number dialled through a trunk reaches that number", trunkReached},
	{"a busy number behind a trunk is cause 17", trunkBusy},
	{"a number that is none is not dialled", trunkHostile},
	{"a leg from another switch of ours is offered as such", linkOffered},
}

// outward is a Dial of a number through the trunk.
func (s *scene) outward(number string) orchestrator.Dial {
	d := s.dial(0)
	d.Endpoint, d.Number = s.st.Trunk, number
	return d
}

func trunkReached(s *scene) {
	_, a := s.talker()
	d := s.outward("+493045678")
	d.Display = orchestrator.Party{Number: "+4930555", Name: "Support"}
	s.do(d, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegRinging](d.Leg))
	far := s.reached("the number rings", s.h.Trunk())
	if far.Dialled() != d.Number || far.Shown() != d.Display {
		s.Errorf("reached at %q and shown %+v, want %q and %+v", far.Dialled(), far.Shown(), d.Number, d.Display)
	}
	s.must(far.Answer())
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](d.Leg))
	s.connect(a, d.Leg)
	s.mutual(s.fars[0], far)
	s.must(far.Hangup())
	if end := s.ended(d.Leg); end.By != orchestrator.EndedByRemote || end.Cause != orchestrator.CauseNormal {
		s.Errorf("ended %+v, want cause 16 by remote", end)
	}
}

func trunkBusy(s *scene) {
	s.must(s.h.Trunk().Behave(Busy))
	d := s.outward("4711")
	s.do(d, orchestrator.ResultAccepted)
	if end := s.ended(d.Leg); end.Cause != orchestrator.CauseBusy || end.SIP != 486 || end.By != orchestrator.EndedByRemote {
		s.Errorf("ended %+v, want cause 17, SIP 486, by remote", end)
	}
}

func trunkHostile(s *scene) {
	own := s.h.Phone(0).Endpoint()
	for _, number := range []string{
		"4711@127.0.0.1:5060", "4711&" + own, "4711," + own, "sip:4711@evil", "4711;x=y", "4711?x=y", "${X}", "4711 ", "+",
		"4711\r\nX-Evil: 1", "'4711'", "{x=y}4711", "[x=y]4711", "4711|4712", "47^11", "0123456789012345678901234567890123456789012",
	} {
		s.do(s.outward(number), orchestrator.ResultRejected)
	}
	time.Sleep(s.st.Quiet)
	if len(s.h.Trunk().Rung())+len(s.h.Phone(0).Rung()) != 0 {
		s.Error("something rang")
	}
}

func linkOffered(s *scene) {
	mark := s.d.mark()
	far, err := s.h.Link(s.st.Inward, caller)
	s.must(err)
	s.fars = append(s.fars, far)
	e := await(s, s.d, mark, s.st.Event, func(e orchestrator.LegOffered) bool { return e.Entry == orchestrator.EntryLink })
	s.legs = append(s.legs, e.Leg)
	if e.Dialled != s.st.Inward || e.Caller != caller || e.Switch != s.d.sw.ID() {
		s.Errorf("offered %+v, want dialled %q and caller %+v", e, s.st.Inward, caller)
	}
	s.do(orchestrator.Claim{Leg: e.Leg, Stamp: stamp(e.Leg, orchestrator.RoleCaller, callID(e.Leg))}, orchestrator.ResultAccepted)
	s.do(orchestrator.Answer{Leg: e.Leg}, orchestrator.ResultAccepted)
	await(s, s.d, 0, s.st.Event, on[orchestrator.LegUp](e.Leg))
	phone, b := s.listener(0)
	s.connect(e.Leg, b)
	s.mutual(far, phone)
}
