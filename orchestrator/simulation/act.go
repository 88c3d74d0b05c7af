package simulation

import (
	"slices"
	"time"

	"ringmaster/orchestrator"
)

type answer = orchestrator.CommandResult

// do carries out one action as it reaches the switch.
func (s *Switch) do(a orchestrator.Action) (answer, string) {
	if why := malformed(a); why != "" {
		return orchestrator.ResultRejected, why
	}
	switch a := a.(type) {
	case orchestrator.Claim:
		return s.claim(a)
	case orchestrator.Dial:
		return s.dial(a)
	case orchestrator.Answer:
		return s.answer(a)
	case orchestrator.Ring:
		return s.ring(a)
	case orchestrator.Hangup:
		return s.hangup(a)
	case orchestrator.Play:
		return s.play(a)
	case orchestrator.StopPlay:
		return s.stopPlay(a)
	case orchestrator.StartMusic:
		return s.startMusic(a)
	case orchestrator.StopMusic:
		return s.stopMusic(a)
	case orchestrator.SendDigits:
		return s.sendDigits(a)
	case orchestrator.Release:
		return s.release(a)
	case orchestrator.Connect:
		return s.connect(a)
	case orchestrator.Separate:
		return s.separate(a)
	case orchestrator.Join:
		return s.join(a)
	case orchestrator.CloseBridge:
		return s.closeBridge(a)
	case orchestrator.AcceptTransfer:
		return s.answerWish(a.Leg, true)
	case orchestrator.RejectTransfer:
		return s.answerWish(a.Leg, false)
	}
	return s.doMore(a)
}

func (s *Switch) doMore(a orchestrator.Action) (answer, string) {
	switch a := a.(type) {
	case orchestrator.EarlyMedia:
		return s.earlyMedia(a)
	case orchestrator.Mute:
		return s.mute(a)
	case orchestrator.Display:
		return s.display(a)
	case orchestrator.SetVariable:
		return s.setVariable(a)
	case orchestrator.ReadVariable:
		return s.readVariable(a)
	case orchestrator.DetectMachine:
		return s.detectMachine(a)
	case orchestrator.StartRecording:
		return s.startRecording(a)
	case orchestrator.StopRecording:
		return s.stopRecording(a)
	case orchestrator.Mask:
		return s.mask(a)
	case orchestrator.StreamAudio:
		return s.streamAudio(a)
	case orchestrator.StopStream:
		return s.stopStream(a)
	case orchestrator.Supervise:
		return s.supervise(a)
	case orchestrator.StopSupervising:
		return s.stopSupervising(a)
	}
	return s.object("%T is no action", a)
}

func (s *Switch) already() (answer, string) {
	if s.Quirks.AlreadyNever {
		return orchestrator.ResultAccepted, ""
	}
	return orchestrator.ResultAlready, ""
}

func (s *Switch) claim(a orchestrator.Claim) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.entry == "":
		return s.object("claim of leg %s, which we dialled", a.Leg)
	case l.stamp == a.Stamp:
		return s.already()
	}
	l.stamp = a.Stamp
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) dial(a orchestrator.Dial) (answer, string) {
	if s.leg(a.Leg) != nil {
		return orchestrator.ResultAlready, ""
	}
	if s.spent[a.Leg] {
		return orchestrator.ResultRejected, "hung up before it was dialled"
	}
	s.spend(a.Leg)
	if s.overloaded {
		return orchestrator.ResultRejected, orchestrator.ReasonOverloaded
	}
	p := s.phone(a.Endpoint)
	if p == nil || !p.reachable || p.trunk != (a.Number != "") {
		return orchestrator.ResultRejected, "unreachable"
	}
	l := &leg{
		id: a.Leg, stamp: a.Stamp, state: orchestrator.LegNew, endpoint: a.Endpoint, created: s.clock.Now(),
	}
	l.far = &Far{sw: s, leg: l, phone: p, person: p.Person, shown: clean(a.Display), dialled: a.Number}
	s.legs = append(s.legs, l)
	l.patience = s.clock.After(a.Timeout.Duration(), func() {
		s.end(l, orchestrator.CauseNoAnswer, 0, orchestrator.EndedBySwitch)
	})
	l.reply = s.clock.After(s.react(), func() { p.called(l) })
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) react() time.Duration {
	if s.Quirks.React > 0 {
		return s.Quirks.React
	}
	return 5 * time.Millisecond
}

func (s *Switch) answer(a orchestrator.Answer) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.entry == "":
		return s.object("answer of leg %s, which we dialled", a.Leg)
	case l.state == orchestrator.LegIsUp:
		return s.already()
	}
	l.state = orchestrator.LegIsUp
	s.emit(orchestrator.LegUp{Leg: l.id})
	l.far.answered()
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) ring(a orchestrator.Ring) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.entry == "":
		return s.object("ringing told to leg %s, which we dialled", a.Leg)
	case l.state != orchestrator.LegNew:
		return s.already()
	}
	l.state = orchestrator.LegRings
	l.far.rings = true
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) hangup(a orchestrator.Hangup) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		s.spend(a.Leg) // should its dial still be on the way
		return orchestrator.ResultNotFound, ""
	}
	s.end(l, a.Cause, 0, orchestrator.EndedByUs)
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) play(a orchestrator.Play) (answer, string) {
	l := s.leg(a.Leg)
	switch {
	case l == nil:
		return orchestrator.ResultNotFound, ""
	case l.entry == "" && l.state != orchestrator.LegIsUp:
		return s.object("play on leg %s, which is only %s", a.Leg, l.state)
	case slices.ContainsFunc(l.playing, func(p *play) bool { return p.id == a.Play }):
		return orchestrator.ResultAlready, ""
	}
	l.playing = append(l.playing, &play{id: a.Play, media: a.Media})
	if len(l.playing) == 1 {
		s.hear(l)
	}
	return orchestrator.ResultAccepted, ""
}

// hear starts the first play in line.
func (s *Switch) hear(l *leg) {
	p := l.playing[0]
	length, status := lengthOf(p.media)
	p.over = s.clock.After(length, func() {
		l.playing = l.playing[1:]
		s.emit(orchestrator.PlayDone{Leg: l.id, Play: p.id, Status: status})
		if len(l.playing) > 0 {
			s.hear(l)
		}
	})
	l.far.heard(p.media)
}

func (s *Switch) stopPlay(a orchestrator.StopPlay) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	i := slices.IndexFunc(l.playing, func(p *play) bool { return p.id == a.Play })
	if i < 0 {
		return orchestrator.ResultNotFound, ""
	}
	l.playing[i].over.Stop()
	l.playing = slices.Delete(l.playing, i, i+1)
	s.emit(orchestrator.PlayDone{Leg: l.id, Play: a.Play, Status: orchestrator.PlayStopped})
	if i == 0 && len(l.playing) > 0 {
		s.hear(l)
	}
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) startMusic(a orchestrator.StartMusic) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	class := a.Class
	if class == "" {
		class = "default"
	}
	if l.music == class {
		return s.already()
	}
	l.music = class
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) stopMusic(a orchestrator.StopMusic) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	if l.music == "" {
		return s.already()
	}
	l.music = ""
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) sendDigits(a orchestrator.SendDigits) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	if l.state != orchestrator.LegIsUp {
		return s.object("digits to leg %s, which is only %s", a.Leg, l.state)
	}
	l.far.pressed += a.Digits
	return orchestrator.ResultAccepted, ""
}

func (s *Switch) release(a orchestrator.Release) (answer, string) {
	l := s.leg(a.Leg)
	if l == nil {
		return orchestrator.ResultNotFound, ""
	}
	s.silence(l, s.Quirks.PlayDoneAtEnd)
	s.leave(l, true)
	s.endRecordings(l)
	s.drop(l)
	s.emit(orchestrator.LegReleased{Leg: l.id})
	l.far.fallback()
	return orchestrator.ResultAccepted, ""
}
