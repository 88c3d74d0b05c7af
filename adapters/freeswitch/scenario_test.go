package freeswitch

import (
	"context"
	"fmt"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// legNumber is a fixed leg id of ours.
func legNumber(n int) orchestrator.LegID {
	return orchestrator.LegID(fmt.Sprintf("01900000-0000-7000-8000-%012d", n))
}

func stampOf(leg orchestrator.LegID, role orchestrator.LegRole) orchestrator.Stamp {
	return orchestrator.Stamp{Tenant: "default", Call: "01900000-0000-7000-8000-0000000000ca", Leg: leg, Role: role, Epoch: 1}
}

func is(leg orchestrator.LegID) func(orchestrator.LegUp) bool {
	return func(e orchestrator.LegUp) bool { return e.Leg == leg }
}

func ended(leg orchestrator.LegID) func(orchestrator.LegEnded) bool {
	return func(e orchestrator.LegEnded) bool { return e.Leg == leg }
}

// comesIn is a caller who is answered.
func (s *scene) comesIn() (caller orchestrator.LegID) {
	s.far("a caller dials 500", func(_ context.Context, c *cast) error {
		_, err := c.caller.Dial(context.Background(), "500", phone.DialOptions{CallerNumber: "+493012345", CallerName: "Ada"})
		return err
	})
	offered, _ := expect[orchestrator.LegOffered](s.office, 0, nil)
	caller = offered.Leg
	s.must(orchestrator.Claim{Leg: caller, Stamp: stampOf(caller, orchestrator.RoleCaller)})
	s.must(orchestrator.Answer{Leg: caller})
	expect(s.office, 0, is(caller))
	return caller
}

// rings dials a desk phone.
func (s *scene) rings(leg orchestrator.LegID, endpoint string) {
	s.must(orchestrator.Dial{
		Leg: leg, Stamp: stampOf(leg, orchestrator.RoleAgent), Endpoint: endpoint,
		Display: orchestrator.Party{Number: "+493012345", Name: "Ada"}, Timeout: 20_000,
	})
	expect(s.office, 0, func(e orchestrator.LegRinging) bool { return e.Leg == leg })
}

// firstCall: a prompt that a digit stops, music, an agent who answers, holds
// and hangs up.
func firstCall(s *scene) {
	caller, agent := s.comesIn(), legNumber(1)
	s.must(orchestrator.Play{Leg: caller, Play: "play-1", Media: []orchestrator.Media{{File: s.prompt}}})
	s.far("the caller presses 1", func(ctx context.Context, c *cast) error { return c.caller.Calls()[0].SendDTMF(ctx, "1") })
	expect[orchestrator.Digit](s.office, 0, nil)
	s.must(orchestrator.StopPlay{Leg: caller, Play: "play-1"})
	expect[orchestrator.PlayDone](s.office, 0, nil)
	s.must(orchestrator.StartMusic{Leg: caller, Class: "rm-test"})
	s.rings(agent, "user/1001")
	s.far("the agent answers", func(ctx context.Context, c *cast) error { return c.desks[0].Calls()[0].Answer(ctx) })
	expect(s.office, 0, is(agent))
	s.must(orchestrator.Connect{Bridge: "bridge-1", Stamp: stampOf(caller, orchestrator.RoleBridge), A: caller, B: agent})
	expect(s.office, 0, func(e orchestrator.Joined) bool { return e.Leg == agent })
	s.far("the agent holds", func(ctx context.Context, c *cast) error { return c.desks[0].Calls()[0].Hold(ctx) })
	expect[orchestrator.LegHold](s.office, 0, nil)
	s.far("the agent is back", func(ctx context.Context, c *cast) error { return c.desks[0].Calls()[0].Unhold(ctx) })
	expect[orchestrator.LegUnhold](s.office, 0, nil)
	s.far("the agent hangs up", func(ctx context.Context, c *cast) error { return c.desks[0].Calls()[0].Hangup(ctx) })
	expect(s.office, 0, ended(agent))
	expect(s.office, 0, func(e orchestrator.Left) bool { return e.Leg == caller })
	s.must(orchestrator.Hangup{Leg: caller, Cause: orchestrator.CauseNormal})
	expect(s.office, 0, ended(caller))
}

// dialsWithoutLuck: busy, no, nobody there, and called off while it rings.
func dialsWithoutLuck(s *scene) {
	for n, code := range []int{486, 603} {
		leg := legNumber(10 + n)
		s.far(fmt.Sprintf("the phone will say %d", code), func(_ context.Context, c *cast) error {
			return c.desks[0].SetBehaviour(phone.RejectWith(code))
		})
		s.must(orchestrator.Dial{Leg: leg, Stamp: stampOf(leg, orchestrator.RoleAgent), Endpoint: "user/1001", Timeout: 20_000})
		expect(s.office, 0, ended(leg))
	}
	for n, endpoint := range []string{"user/1009", "user/1002"} {
		leg := legNumber(20 + n)
		s.far(fmt.Sprintf("%s is not there", endpoint), func(ctx context.Context, c *cast) error {
			if !c.desks[1].Registered() {
				return nil
			}
			return c.desks[1].Unregister(ctx)
		})
		result, _ := s.do(orchestrator.Dial{Leg: leg, Stamp: stampOf(leg, orchestrator.RoleAgent), Endpoint: endpoint, Timeout: 20_000})
		if result == orchestrator.ResultAccepted {
			expect(s.office, 0, ended(leg))
		}
	}
	leg := legNumber(30)
	s.far("the phone will ring", func(_ context.Context, c *cast) error { return c.desks[0].SetBehaviour(phone.RingForever()) })
	s.rings(leg, "user/1001")
	s.must(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseAnsweredElsewhere})
	expect(s.office, 0, ended(leg))
}

// callerGivesUp: in the middle of the music, while a phone rings for them.
func callerGivesUp(s *scene) {
	caller, agent := s.comesIn(), legNumber(1)
	s.must(orchestrator.StartMusic{Leg: caller, Class: "rm-test"})
	s.rings(agent, "user/1001")
	s.far("the caller hangs up", func(ctx context.Context, c *cast) error { return c.caller.Calls()[0].Hangup(ctx) })
	expect(s.office, 0, ended(caller))
	s.must(orchestrator.Hangup{Leg: agent, Cause: orchestrator.CauseNormal})
	expect(s.office, 0, ended(agent))
}

// talk is a caller and an agent who talk.
func (s *scene) talk() (caller, agent orchestrator.LegID) {
	caller, agent = s.comesIn(), legNumber(1)
	s.rings(agent, "user/1001")
	s.far("the agent answers", func(ctx context.Context, c *cast) error { return c.desks[0].Calls()[0].Answer(ctx) })
	expect(s.office, 0, is(agent))
	s.must(orchestrator.Connect{Bridge: "bridge-1", Stamp: stampOf(caller, orchestrator.RoleBridge), A: caller, B: agent})
	expect(s.office, 0, func(e orchestrator.Joined) bool { return e.Leg == agent })
	return caller, agent
}

// transfers: the agent's transfer key, refused and then granted.
func transfers(s *scene) {
	caller, agent := s.talk()
	for _, target := range []string{"777", "1002"} {
		mark := s.office.mark()
		s.far("the agent sends the caller to "+target, func(_ context.Context, c *cast) error {
			go func() { _ = c.desks[0].Calls()[0].Transfer(context.Background(), target) }() // What the phone is told is not the question here.
			return nil
		})
		expect(s.office, mark, func(e orchestrator.TransferAsked) bool { return e.Leg == agent && e.Target == target })
		if target == "777" {
			s.must(orchestrator.RejectTransfer{Leg: agent})
			expect(s.office, mark, func(e orchestrator.Joined) bool { return e.Leg == caller })
		}
	}
	s.must(orchestrator.AcceptTransfer{Leg: agent})
	s.must(orchestrator.Hangup{Leg: agent, Cause: orchestrator.CauseNormal})
	expect(s.office, 0, ended(agent))
	s.must(orchestrator.Hangup{Leg: caller, Cause: orchestrator.CauseNormal})
	expect(s.office, 0, ended(caller))
}

// recordingMasked: a recording of the caller that is masked for a while.
func recordingMasked(s *scene) {
	caller := s.comesIn()
	s.must(orchestrator.StartRecording{Leg: caller, Recording: "recording-1"})
	expect[orchestrator.RecordingStarted](s.office, 0, nil)
	s.must(orchestrator.Mask{Leg: caller, Recording: "recording-1"})
	s.must(orchestrator.Mask{Leg: caller, Recording: "recording-1", Off: true})
	s.must(orchestrator.StopRecording{Leg: caller, Recording: "recording-1"})
	expect[orchestrator.RecordingDone](s.office, 0, nil)
	s.must(orchestrator.Hangup{Leg: caller, Cause: orchestrator.CauseNormal})
	expect(s.office, 0, ended(caller))
}

// adoption: another adapter finds two who talk, and their ends.
func adoption(s *scene) {
	caller, agent := s.talk()
	s.again()
	s.far("the caller hangs up", func(ctx context.Context, c *cast) error { return c.caller.Calls()[0].Hangup(ctx) })
	expect(s.office, 0, ended(caller))
	s.must(orchestrator.Hangup{Leg: agent, Cause: orchestrator.CauseNormal})
	expect(s.office, 0, ended(agent))
}

// calls has the agent's phone call a number itself, with the caller on hold.
func (s *scene) calls(number string) (leg orchestrator.LegID) {
	mark := s.office.mark()
	s.far("the agent calls "+number, func(ctx context.Context, c *cast) error {
		if err := c.desks[0].Calls()[0].Hold(ctx); err != nil {
			return err
		}
		_, err := c.desks[0].Dial(context.Background(), number, phone.DialOptions{})
		return err
	})
	offered, _ := expect(s.office, mark, func(e orchestrator.LegOffered) bool { return e.Entry == orchestrator.EntryAgent })
	s.must(orchestrator.Claim{Leg: offered.Leg, Stamp: stampOf(offered.Leg, orchestrator.RoleCaller)})
	s.must(orchestrator.Answer{Leg: offered.Leg})
	expect(s.office, mark, is(offered.Leg))
	return offered.Leg
}

// attended: the agent asks a colleague first, and then puts caller and colleague
// together.
func attended(s *scene) {
	caller, agent := s.talk()
	line, colleague := s.calls("102"), legNumber(2)
	s.rings(colleague, "user/1002")
	s.far("the colleague answers", func(ctx context.Context, c *cast) error { return c.desks[1].Calls()[0].Answer(ctx) })
	expect(s.office, 0, is(colleague))
	s.must(orchestrator.Connect{Bridge: "bridge-2", Stamp: stampOf(line, orchestrator.RoleBridge), A: line, B: colleague})
	expect(s.office, 0, func(e orchestrator.Joined) bool { return e.Leg == colleague })
	s.far("the agent puts both together", func(_ context.Context, c *cast) error {
		held, consult := c.desks[0].Calls()[0], c.desks[0].Calls()[1]
		if held.Direction() != phone.Incoming {
			held, consult = consult, held
		}
		go func() { _ = held.TransferTo(context.Background(), consult) }() // What the phone is told is not the question here.
		return nil
	})
	expect(s.office, 0, func(e orchestrator.TransferHappened) bool { return e.Party == caller && e.Peer == colleague })
	for _, leg := range []orchestrator.LegID{agent, line} {
		s.do(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal})
		expect(s.office, 0, ended(leg))
	}
	s.far("the colleague hangs up", func(ctx context.Context, c *cast) error { return c.desks[1].Calls()[0].Hangup(ctx) })
	expect(s.office, 0, ended(colleague))
	s.must(orchestrator.Hangup{Leg: caller, Cause: orchestrator.CauseNormal})
	expect(s.office, 0, ended(caller))
}

// thirdParty: a supervisor listens, whispers and speaks to both, then a third
// joins the talk and leaves it.
func thirdParty(s *scene) {
	caller, agent := s.talk()
	boss := legNumber(2)
	s.rings(boss, "user/1002")
	s.far("the supervisor answers", func(ctx context.Context, c *cast) error { return c.desks[1].Calls()[0].Answer(ctx) })
	expect(s.office, 0, is(boss))
	for _, mode := range []orchestrator.Supervision{orchestrator.Listen, orchestrator.Whisper, orchestrator.Barge} {
		s.must(orchestrator.Supervise{Leg: boss, Target: agent, Mode: mode})
	}
	s.must(orchestrator.StopSupervising{Leg: boss})
	mark := s.office.mark()
	s.must(orchestrator.Join{Leg: boss, Bridge: "bridge-1"})
	expect(s.office, mark, func(e orchestrator.Joined) bool { return e.Leg == boss })
	s.must(orchestrator.Mute{Leg: boss, Direction: orchestrator.MuteIn})
	s.must(orchestrator.Mute{Leg: boss, Direction: orchestrator.MuteIn, Off: true})
	s.must(orchestrator.Separate{Leg: boss, Bridge: "bridge-1"})
	expect(s.office, mark, func(e orchestrator.Left) bool { return e.Leg == boss })
	for _, leg := range []orchestrator.LegID{boss, agent, caller} {
		s.must(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseNormal})
		expect(s.office, 0, ended(leg))
	}
}

// smallCommands: what is set on a leg, read from it and sent into it, and a
// caller who is given to the dialplan.
func smallCommands(s *scene) {
	caller := s.comesIn()
	s.must(orchestrator.SetVariable{Leg: caller, Name: "crm_id", Value: "Größe 42 +*#/=_-"})
	s.must(orchestrator.ReadVariable{Leg: caller, Name: "crm_id"})
	s.must(orchestrator.Display{Leg: caller, Party: orchestrator.Party{Number: "500", Name: "Sales"}})
	s.must(orchestrator.SendDigits{Leg: caller, Digits: "12#"})
	s.must(orchestrator.StartMusic{Leg: caller, Class: "rm-test"})
	s.must(orchestrator.StopMusic{Leg: caller})
	s.must(orchestrator.Release{Leg: caller, Context: "rm-fallback", Extension: "caller"})
	expect(s.office, 0, func(e orchestrator.LegReleased) bool { return e.Leg == caller })
}
