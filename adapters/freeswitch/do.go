package freeswitch

import (
	"context"
	"errors"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// Reasons of rejected commands that do not come from FreeSWITCH.
const (
	ReasonLost        = "switch_lost"
	ReasonSuperseded  = "superseded"
	ReasonUnreachable = "unreachable"
	ReasonHungUp      = "hung_up_before_it_rang"
	ReasonNotStarted  = "not_started"
)

// Do implements orchestrator.Switch. A command without an answer makes the
// adapter read the leg again and report what changed; the answer is
// ResultNoWord all the same.
//
// Dial waits for the pace (Config.CreatesPerSecond) and answers rejected,
// "overloaded", when its turn does not come; rejected, "unreachable", when no
// phone is registered. After any rejected Dial no leg exists and no event comes.
func (s *Switch) Do(ctx context.Context, a orchestrator.Action) (orchestrator.CommandResult, string) {
	state, over := s.link()
	switch state {
	case linkSuperseded:
		return orchestrator.ResultRejected, ReasonSuperseded
	case linkDown:
		return orchestrator.ResultRejected, ReasonLost
	}
	switch a := a.(type) {
	case orchestrator.Dial:
		return s.dial(ctx, over, a)
	case orchestrator.Hangup:
		return s.hangup(ctx, a)
	case orchestrator.Connect:
		return s.connect(ctx, a)
	case orchestrator.CloseBridge:
		return s.closeBridge(a)
	case orchestrator.DetectMachine, orchestrator.StreamAudio, orchestrator.StopStream:
		return orchestrator.ResultRejected, orchestrator.ReasonUnsupported
	}
	return s.doOnLeg(ctx, a)
}

// doOnLeg carries out the actions that need a living leg.
func (s *Switch) doOnLeg(ctx context.Context, a orchestrator.Action) (orchestrator.CommandResult, string) {
	l, result, reason := s.known(orchestrator.ActionLeg(a))
	if l == nil {
		return result, reason
	}
	switch a := a.(type) {
	case orchestrator.Claim:
		return s.claim(ctx, l, a)
	case orchestrator.Answer:
		return s.answer(ctx, l)
	case orchestrator.Ring:
		return s.ring(ctx, l)
	case orchestrator.EarlyMedia:
		return s.early(ctx, l)
	case orchestrator.Play:
		return s.play(ctx, l, a)
	case orchestrator.StopPlay:
		return s.stopPlay(ctx, l, a.Play)
	case orchestrator.StartMusic:
		return s.startMusic(ctx, l, a.Class)
	case orchestrator.StopMusic:
		return s.stopMusic(ctx, l)
	case orchestrator.SendDigits:
		return s.orderOr(ctx, l)(encodeDigits(l.channel, a.Digits))
	case orchestrator.Mute:
		return s.mute(ctx, l, a)
	case orchestrator.Display:
		return s.order(ctx, l, encodeDisplay(l.channel, a.Party)...)
	case orchestrator.SetVariable:
		return s.orderOr(ctx, l)(encodeSetVariable(l.channel, a.Name, a.Value))
	case orchestrator.ReadVariable:
		return s.readVariable(ctx, l, a.Name)
	case orchestrator.Release:
		return s.release(ctx, l, a)
	}
	return s.doTogether(ctx, l, a)
}

// doTogether carries out the actions that concern a leg and another, or a thing
// that belongs to a leg.
func (s *Switch) doTogether(ctx context.Context, l *leg, a orchestrator.Action) (orchestrator.CommandResult, string) {
	switch a := a.(type) {
	case orchestrator.Separate:
		return s.separate(ctx, l, a)
	case orchestrator.Join:
		return s.join(ctx, l, a)
	case orchestrator.AcceptTransfer:
		return s.accept(ctx, l)
	case orchestrator.RejectTransfer:
		return s.reject(ctx, l)
	case orchestrator.StartRecording:
		return s.startRecording(ctx, l, a.Recording)
	case orchestrator.StopRecording:
		return s.stopRecording(ctx, l, a.Recording)
	case orchestrator.Mask:
		return s.mask(ctx, l, a)
	case orchestrator.Supervise:
		return s.supervise(ctx, l, a)
	case orchestrator.StopSupervising:
		return s.stopSupervising(ctx, l)
	}
	return orchestrator.ResultRejected, "unknown action"
}

// known finds a living leg; without one the answer is why not.
func (s *Switch) known(id orchestrator.LegID) (*leg, orchestrator.CommandResult, string) {
	l, ended := s.book.find(id)
	if ended || l == nil {
		return nil, orchestrator.ResultNotFound, "no such leg: " + clip(string(id), maxID)
	}
	return l, "", ""
}

// order sends orders about a leg. A leg that FreeSWITCH does not know, and no
// answer: in both cases the leg is read again, so that an end nobody told of is
// found.
func (s *Switch) order(ctx context.Context, l *leg, orders ...order) (orchestrator.CommandResult, string) {
	if len(orders) == 0 {
		return orchestrator.ResultAccepted, ""
	}
	_, err := s.send(ctx, l.channel, orders...)
	result, reason := verdict(err)
	if result == orchestrator.ResultNoWord || result == orchestrator.ResultNotFound {
		s.book.doubt(l)
	}
	return result, reason
}

// orderOr adapts order to an encoder that may refuse.
func (s *Switch) orderOr(ctx context.Context, l *leg) func(order, error) (orchestrator.CommandResult, string) {
	return func(o order, err error) (orchestrator.CommandResult, string) {
		if err != nil {
			return orchestrator.ResultRejected, err.Error()
		}
		return s.order(ctx, l, o)
	}
}

// verdict turns the outcome of a command into the switch's answer.
func verdict(err error) (orchestrator.CommandResult, string) {
	var f *failure
	switch {
	case err == nil:
		return orchestrator.ResultAccepted, ""
	case !errors.As(err, &f):
		return orchestrator.ResultRejected, err.Error()
	case f.unsent:
		return orchestrator.ResultRejected, f.answer
	case f.silent:
		return orchestrator.ResultNoWord, f.Error()
	case noChannel(f.answer):
		return orchestrator.ResultNotFound, f.Error()
	}
	return orchestrator.ResultRejected, f.Error()
}

// noChannel reports the words in which FreeSWITCH says that there is no such
// leg; each command has its own.
func noChannel(answer string) bool {
	for _, words := range []string{"No such channel", "Cannot locate session", "invalid session id", "Invalid uuid", "No such session"} {
		if strings.Contains(answer, words) {
			return true
		}
	}
	return false
}

// claim stamps a leg and puts our guard in the place of the dialplan's.
func (s *Switch) claim(ctx context.Context, l *leg, a orchestrator.Claim) (orchestrator.CommandResult, string) {
	o, err := encodeStamp(l.channel, a.Stamp.String())
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	now := time.Now()
	s.book.mu.Lock()
	l.guard.foreign = l.guard.foreign || l.stamp == (orchestrator.Stamp{})
	orders := []order{o}
	if l.bridge == "" && l.joining == "" {
		orders = append(orders, l.renew(s.cfg, now)...)
	}
	s.book.mu.Unlock()
	answers, err := s.send(ctx, l.channel, orders...)
	result, reason := verdict(err)
	switch result {
	case orchestrator.ResultNoWord, orchestrator.ResultNotFound:
		s.book.doubt(l)
	case orchestrator.ResultAccepted:
		if fired(answers) && s.takenBack(ctx, l) {
			return orchestrator.ResultNotFound, "the dialplan has taken the leg back"
		}
		s.book.mu.Lock()
		l.stamp = a.Stamp
		s.book.mu.Unlock()
	}
	return result, reason
}

func (s *Switch) answer(ctx context.Context, l *leg) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	up := l.state == orchestrator.LegIsUp
	s.book.mu.Unlock()
	if up {
		return orchestrator.ResultAlready, ""
	}
	return s.order(ctx, l, encodeAnswer(l.channel))
}

// release gives a leg back. What is ours goes first: the dialplan may send the
// leg to us again, and then it is a new one.
func (s *Switch) release(ctx context.Context, l *leg, a orchestrator.Release) (orchestrator.CommandResult, string) {
	if a.Context == "" {
		a.Context = s.cfg.Fallback
	}
	if a.Extension == "" {
		a.Extension = l.role
	}
	move, err := encodeTransfer(l.channel, a.Extension, a.Context)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	s.book.mu.Lock()
	l.releasing = true
	s.book.post(s.book.silence(l, time.Now())...)
	orders := append(l.disarm(), encodeUnkeep(l.channel), encodeBreak(l.channel), move)
	s.book.mu.Unlock()
	result, reason := s.order(ctx, l, orders...)
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	switch {
	case result == orchestrator.ResultRejected:
		l.releasing = false
	case result == orchestrator.ResultAccepted && s.book.live[l.id] == l && l.hungUp.IsZero():
		s.book.post(append(s.book.leaves(l), s.book.released(l)...)...)
	}
	return result, reason
}

// released takes a leg out of the book that lives on without us.
func (b *book) released(l *leg) []orchestrator.Event {
	var out []orchestrator.Event
	for _, p := range l.sounds.known {
		out = append(out, b.playOver(l, p, orchestrator.PlayStopped)...)
	}
	b.shut(l, true)
	return append(out, orchestrator.LegReleased{Leg: l.id})
}
