package asterisk

import (
	"context"
	"net/http"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// doMore carries out the rest of the actions on one leg.
func (s *Switch) doMore(ctx context.Context, l *leg, a orchestrator.Action) (orchestrator.CommandResult, string) {
	switch a := a.(type) {
	case orchestrator.Ring:
		return s.progress(ctx, l, encodeRing(l.channel))
	case orchestrator.EarlyMedia:
		return s.progress(ctx, l, encodeProgress(l.channel))
	case orchestrator.Mute:
		return s.sendOr(ctx, l)(encodeMute(l.channel, a))
	case orchestrator.Display:
		return s.display(ctx, l, a.Party)
	case orchestrator.SetVariable:
		if s.playing(l) {
			return orchestrator.ResultRejected, reasonPlaying
		}
		return s.sendOr(ctx, l)(encodeSetVariable(l.channel, a.Name, a.Value))
	case orchestrator.ReadVariable:
		return s.readVariable(ctx, l, a.Name)
	case orchestrator.DetectMachine:
		return s.detect(ctx, l)
	}
	return orchestrator.ResultRejected, "unknown action"
}

// reasonPlaying: Asterisk would keep what sets a variable waiting until the play
// is over, and the floor's lane with it.
const reasonPlaying = "a play is running on the leg"

func (s *Switch) playing(l *leg) bool { return len(s.book.running(l)) > 0 }

// progress tells a caller who is not answered how far we are.
func (s *Switch) progress(ctx context.Context, l *leg, r request) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	up, dialled := l.state == orchestrator.LegIsUp, l.dialled
	s.book.mu.Unlock()
	switch {
	case dialled:
		return orchestrator.ResultRejected, "we called this leg"
	case up:
		return orchestrator.ResultAlready, ""
	}
	return s.order(ctx, l, r)
}

// display sets what the phone shows: the number first and unsaid, then the name
// with which both are sent.
func (s *Switch) display(ctx context.Context, l *leg, p orchestrator.Party) (orchestrator.CommandResult, string) {
	if s.playing(l) {
		return orchestrator.ResultRejected, reasonPlaying
	}
	result, reason := s.order(ctx, l, encodeFunction(l.channel, "CONNECTEDLINE(num,i)", orchestrator.PlainNumber(p.Number)))
	if result != orchestrator.ResultAccepted {
		return result, reason
	}
	return s.order(ctx, l, encodeFunction(l.channel, "CONNECTEDLINE(name)", orchestrator.PlainText(p.Name, orchestrator.MaxPartyName)))
}

func (s *Switch) readVariable(ctx context.Context, l *leg, name string) (orchestrator.CommandResult, string) {
	if !variablePattern.MatchString(name) {
		return orchestrator.ResultRejected, "variable name is not 1 to 32 letters, digits and _"
	}
	var got struct{ Value string }
	err := s.rest.send(ctx, encodeReadVariable(l.channel, variablePrefix+name), &got)
	if err != nil && (statusOf(err) != http.StatusNotFound || !strings.Contains(strings.ToLower(err.Error()), "variable")) {
		result, reason := verdict(err)
		if result != orchestrator.ResultRejected {
			s.doubt(l)
		}
		return result, reason
	}
	s.say(orchestrator.VariableRead{Leg: l.id, Name: name, Value: orchestrator.PlainText(got.Value, orchestrator.MaxVariable)})
	return orchestrator.ResultAccepted, ""
}

// detect sends a leg through the dialplan's AMD(), from where it comes back with
// the verdict. Meanwhile it is not in our application.
func (s *Switch) detect(ctx context.Context, l *leg) (orchestrator.CommandResult, string) {
	if err := s.stopPlays(ctx, l); err != nil {
		return verdict(err)
	}
	s.book.mu.Lock()
	ready, begun := l.state == orchestrator.LegIsUp && l.bridge == "", !l.detecting.IsZero()
	if ready && !begun {
		l.detecting = time.Now()
	}
	s.book.mu.Unlock()
	switch {
	case begun:
		return orchestrator.ResultAlready, ""
	case !ready:
		return orchestrator.ResultRejected, "the leg is not up and alone"
	}
	r, err := encodeContinue(l.channel, s.cfg.Detection, "s")
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	result, reason := s.order(ctx, l, r)
	if result == orchestrator.ResultRejected || result == orchestrator.ResultNotFound {
		s.book.mu.Lock()
		l.detecting = time.Time{}
		s.book.mu.Unlock()
	}
	return result, reason
}

// detectPatience bounds how long a leg may be away at its detection; AMD() takes
// 5 s at most unless the administrator says otherwise.
const detectPatience = 30 * time.Second

// detected is a leg coming back from its detection with the words of AMD().
func (b *book) detected(l *leg, args []string) []orchestrator.Event {
	l.detecting, l.left = time.Time{}, time.Time{}
	e := orchestrator.MachineDetected{Leg: l.id, Verdict: orchestrator.VerdictUnsure}
	status := ""
	if len(args) > 2 {
		status = args[2]
	}
	if len(args) > 3 {
		e.Cause = orchestrator.PlainText(args[3], orchestrator.MaxPartyName)
	}
	switch {
	case strings.HasPrefix(e.Cause, "INITIALSILENCE"): // AMD calls that a machine.
	case status == "HUMAN":
		e.Verdict = orchestrator.VerdictPerson
	case status == "MACHINE":
		e.Verdict = orchestrator.VerdictMachine
	}
	return []orchestrator.Event{e}
}

// isDetection reports whether a leg entered our application from AMD().
func isDetection(args []string) bool {
	return len(args) >= 2 && args[0] == argsVersion && args[1] == "amd"
}
