package asterisk

import (
	"context"
	"net/http"

	"ringmaster/orchestrator"
)

// Reasons of rejected commands that do not come from Asterisk.
const (
	ReasonLost        = "switch_lost"
	ReasonSuperseded  = "superseded"
	ReasonUnreachable = "unreachable"
	ReasonHungUp      = "hung_up_before_it_rang"
	ReasonNotStarted  = "not_started"
)

// Do implements orchestrator.Switch. A request without an answer makes the
// adapter read the leg again and report what changed; the answer is
// ResultNoWord all the same.
//
// Dial waits for the pace (Config.CreatesPerSecond) and answers rejected,
// "overloaded", when its turn does not come; rejected, "unreachable", when
// Asterisk knows no such device or none is registered. After any rejected Dial
// no leg exists and no event comes.
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
		return s.join(ctx, a)
	case orchestrator.CloseBridge:
		return s.closeBridge(ctx, a)
	case orchestrator.StopRecording, orchestrator.Mask:
		return s.onRecording(ctx, a)
	}
	return s.doOnLeg(ctx, a)
}

// doOnLeg carries out the actions that need a living leg whose end will be told.
func (s *Switch) doOnLeg(ctx context.Context, a orchestrator.Action) (orchestrator.CommandResult, string) {
	id := orchestrator.ActionLeg(a)
	if err := checkID("leg", string(id)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	l, ended := s.book.find(id)
	if ended || l == nil {
		return orchestrator.ResultNotFound, "no such leg"
	}
	select {
	case <-s.book.ready(l):
	case <-ctx.Done():
		return orchestrator.ResultRejected, "the leg was not ready in time"
	}
	return s.onLeg(ctx, l, a)
}

func (s *Switch) onLeg(ctx context.Context, l *leg, a orchestrator.Action) (orchestrator.CommandResult, string) {
	switch a := a.(type) {
	case orchestrator.Claim:
		return s.claim(ctx, l, a)
	case orchestrator.Answer:
		return s.answer(ctx, l)
	case orchestrator.Play:
		return s.play(ctx, l, a)
	case orchestrator.StopPlay:
		return s.stopPlay(ctx, l, a.Play)
	case orchestrator.StartMusic:
		s.book.musical(l, true)
		return s.sendOr(ctx, l)(encodeStartMusic(l.channel, a.Class))
	case orchestrator.StopMusic:
		result, reason := s.order(ctx, l, encodeStopMusic(l.channel))
		if result == orchestrator.ResultAccepted {
			s.book.musical(l, false)
		}
		return result, reason
	case orchestrator.SendDigits:
		return s.sendOr(ctx, l)(encodeDigits(l.channel, a.Digits))
	case orchestrator.Release:
		return s.release(ctx, l, a)
	case orchestrator.Join:
		return s.admit(ctx, l, a)
	case orchestrator.Separate:
		return s.separate(ctx, l, a)
	case orchestrator.StartRecording:
		return s.startRecording(ctx, l, a)
	case orchestrator.StreamAudio:
		return s.streamAudio(ctx, l, a)
	case orchestrator.StopStream:
		return s.stopStream(ctx, l, a)
	case orchestrator.Supervise:
		return s.supervise(ctx, l, a)
	case orchestrator.StopSupervising:
		return s.stopSupervising(ctx, l)
	case orchestrator.AcceptTransfer:
		return s.answerTransfer(ctx, l, transferDone)
	case orchestrator.RejectTransfer:
		return s.answerTransfer(ctx, l, transferRefused)
	}
	return s.doMore(ctx, l, a)
}

// order sends one request about a leg. A 404 means the leg is gone, and no
// answer means nothing: in both cases the leg is read again, so that an end
// nobody told of is found.
func (s *Switch) order(ctx context.Context, l *leg, r request) (orchestrator.CommandResult, string) {
	result, reason := verdict(s.rest.send(ctx, r, nil))
	if result == orchestrator.ResultNoWord || result == orchestrator.ResultNotFound {
		s.doubt(l)
	}
	return result, reason
}

// sendOr adapts order to an encoder that may refuse.
func (s *Switch) sendOr(ctx context.Context, l *leg) func(request, error) (orchestrator.CommandResult, string) {
	return func(r request, err error) (orchestrator.CommandResult, string) {
		if err != nil {
			return orchestrator.ResultRejected, err.Error()
		}
		return s.order(ctx, l, r)
	}
}

func (s *Switch) doubt(l *leg) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	l.doubtful = true
}

// claim stamps a leg. Setting a variable would wait for the end of a play, and
// the floor's lane with it.
func (s *Switch) claim(ctx context.Context, l *leg, a orchestrator.Claim) (orchestrator.CommandResult, string) {
	r, err := encodeStamp(l.channel, a.Stamp.String())
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	if s.playing(l) {
		return orchestrator.ResultRejected, reasonPlaying
	}
	result, reason := s.order(ctx, l, r)
	if result == orchestrator.ResultAccepted {
		s.book.mu.Lock()
		l.stamp = a.Stamp
		s.book.mu.Unlock()
	}
	return result, reason
}

// answer stops plays first: Asterisk would answer after them.
func (s *Switch) answer(ctx context.Context, l *leg) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	up := l.state == orchestrator.LegIsUp
	s.book.mu.Unlock()
	if up {
		return orchestrator.ResultAlready, ""
	}
	if err := s.stopPlays(ctx, l); err != nil {
		return verdict(err)
	}
	return s.order(ctx, l, encodeAnswer(l.channel))
}

// stopPlays ends every play of a leg.
func (s *Switch) stopPlays(ctx context.Context, l *leg) error {
	for _, id := range s.book.running(l) {
		if err := s.stopOne(ctx, l, id); err != nil && statusOf(err) != http.StatusNotFound {
			return err
		}
	}
	return nil
}

// stopOne marks a play as stopped before the request leaves, because its end is
// told before the answer comes.
func (s *Switch) stopOne(ctx context.Context, l *leg, id orchestrator.PlayID) error {
	s.book.mu.Lock()
	if p := l.plays[id]; p != nil {
		p.stopped = true
	}
	s.book.mu.Unlock()
	return s.rest.send(ctx, encodeStopPlay(id), nil)
}

// play guards against a repeated id: Asterisk would play it twice.
func (s *Switch) play(ctx context.Context, l *leg, a orchestrator.Play) (orchestrator.CommandResult, string) {
	r, err := encodePlay(l.channel, a)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	switch known, full := s.book.begin(l, a.Play); {
	case known:
		return orchestrator.ResultAlready, ""
	case full:
		return orchestrator.ResultRejected, "too many plays on one leg"
	}
	result, reason := s.order(ctx, l, r)
	if result == orchestrator.ResultRejected || result == orchestrator.ResultNotFound {
		s.book.mu.Lock()
		s.book.forget(l, a.Play)
		s.book.mu.Unlock()
	}
	return result, reason
}

func (s *Switch) stopPlay(ctx context.Context, l *leg, id orchestrator.PlayID) (orchestrator.CommandResult, string) {
	if err := checkID("play", string(id)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.book.mu.Lock()
	p := l.plays[id]
	over := p != nil && p.done
	s.book.mu.Unlock()
	if over {
		return orchestrator.ResultAlready, ""
	}
	return verdict(s.stopOne(ctx, l, id))
}

// release gives a leg back. The stamp goes first: the dialplan may send the
// leg to us again, and then it is a new one.
func (s *Switch) release(ctx context.Context, l *leg, a orchestrator.Release) (orchestrator.CommandResult, string) {
	if a.Context == "" {
		a.Context = s.cfg.Fallback
	}
	if a.Extension == "" {
		a.Extension = "s"
	}
	r, err := encodeContinue(l.channel, a.Context, a.Extension)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	if err := s.stopPlays(ctx, l); err != nil {
		return verdict(err)
	}
	unstamp, _ := encodeStamp(l.channel, "")
	if result, reason := s.order(ctx, l, unstamp); result != orchestrator.ResultAccepted {
		return result, reason
	}
	s.book.mu.Lock()
	l.stamp, l.releasing = orchestrator.Stamp{}, true
	s.book.mu.Unlock()
	result, reason := s.order(ctx, l, r)
	if result == orchestrator.ResultRejected {
		s.book.mu.Lock()
		l.releasing = false
		s.book.mu.Unlock()
	}
	return result, reason
}
