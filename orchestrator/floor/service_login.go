package floor

import (
	"fmt"
	"strings"
	"time"

	o "ringmaster/orchestrator"
)

// serviceDigit is a key pressed in a service call. While a PIN is read the
// shell keeps the digits to itself.
func (f *Floor) serviceDigit(s *service, digit string) {
	if s.Step != stepNumber && s.Step != stepReason {
		return
	}
	f.hush(s)
	if digit == "#" {
		f.serviceEntered(s)
		return
	}
	if !strings.Contains("0123456789*", digit) || len(s.Digits) >= serviceDigits {
		return
	}
	f.stepTo(s, s.Step, s.Agent, s.Digits+digit)
	if s.Step == stepReason {
		f.serviceEntered(s)
	}
}

// serviceEntered takes what was typed as complete.
func (f *Floor) serviceEntered(s *service) {
	w := f.words()
	if f.Phones[s.Phone] == nil { // it went from the configuration while it dialled
		f.confirm(s, w.unknownPhone)
		return
	}
	switch s.Step {
	case stepNumber:
		f.askPIN(s, s.Digits)
	case stepReason:
		if a := f.Agents[f.Phones[s.Phone].Agent]; a != nil {
			f.pauseBy(s, a, s.Digits)
			return
		}
		f.confirm(s, w.notLoggedIn)
	}
}

// askNumber asks for the agent number, unless it was dialled with the code.
func (f *Floor) askNumber(s *service, number string) {
	w := f.words()
	if number != "" {
		f.askPIN(s, number)
		return
	}
	f.stepTo(s, stepNumber, "", "")
	f.say(s, w.agentNumber)
}

// askPIN asks for the PIN of the agent with that number. A number nobody has
// is asked for a PIN as well: who guesses learns nothing from it.
func (f *Floor) askPIN(s *service, number string) {
	w := f.words()
	id := f.numbers[number]
	ph := f.Phones[s.Phone]
	if f.locked(f.Agents[id], ph) {
		f.confirm(s, w.locked)
		return
	}
	f.stepTo(s, stepPIN, id, "")
	f.say(s, w.pin)
	f.ask(o.ReadPIN{Leg: s.Leg, Agent: id, Timeout: o.MillisOf(serviceWait), InterDigit: o.MillisOf(serviceWait / 2)})
}

// locked reports whether PINs are refused, right or wrong.
func (f *Floor) locked(a *agent, ph *phone) bool {
	return a != nil && a.LockedUntil.After(f.At) || ph.LockedUntil.After(f.At)
}

// pinRead is the shell's verdict on a PIN.
func (f *Floor) pinRead(e o.PINRead) {
	w := f.words()
	s := f.Services[e.Leg]
	if s == nil || s.Step != stepPIN {
		return
	}
	ph := f.Phones[s.Phone]
	if ph == nil || e.Verdict == o.PINTimeout {
		f.confirm(s, w.goodbye)
		return
	}
	a := f.Agents[s.Agent]
	if f.locked(a, ph) {
		// Asked for before the lock-out: who guesses in many calls at once
		// must not learn more than who guesses in one.
		f.confirm(s, w.locked)
		return
	}
	if e.Verdict == o.PINCorrect && a != nil {
		if code := f.login(a, s.Phone, wish{Origin: o.OriginPhone, By: string(a.ID)}); code != "" {
			f.confirm(s, w.refused)
			return
		}
		f.confirm(s, w.loggedIn)
		return
	}
	f.pinWrong(s, a, ph)
}

// pinWrong counts the failure, at the agent and at the phone, and locks both
// for longer each time.
func (f *Floor) pinWrong(s *service, a *agent, ph *phone) {
	w := f.words()
	failures := ph.PINFailures + 1
	id := o.AgentID("")
	if a != nil {
		id, failures = a.ID, max(failures, a.PINFailures+1)
	}
	f.emit(o.PINRefused{Agent: id, Phone: ph.ID, Failures: failures, Locked: f.lockedUntil(failures)})
	if s.Tries+1 >= serviceTries || f.lockedUntil(failures).After(f.At) {
		f.confirm(s, w.wrongPIN)
		return
	}
	f.stepTo(s, stepPIN, id, "")
	f.say(s, w.tryAgain)
	f.ask(o.ReadPIN{Leg: s.Leg, Agent: id, Timeout: o.MillisOf(serviceWait), InterDigit: o.MillisOf(serviceWait / 2)})
}

// Lock-out after wrong PINs: none for the first four, then a minute, doubling
// up to an hour. A thousand guesses then take weeks.
const (
	freeFailures = 4
	lockFirst    = time.Minute
	lockMax      = time.Hour
)

func (f *Floor) lockedUntil(failures int) time.Time {
	if failures <= freeFailures {
		return zero
	}
	lock := lockFirst
	for range min(failures-freeFailures-1, 10) {
		lock = min(2*lock, lockMax)
	}
	return f.At.Add(lock)
}

// pauseBy pauses with the reason of that digit, asking for it if need be.
func (f *Floor) pauseBy(s *service, a *agent, digit string) {
	w := f.words()
	reasons := f.Settings.PauseReasons
	if len(reasons) == 0 {
		f.phoneAction(s, a, o.ActionPause, "", w.paused)
		return
	}
	for _, r := range reasons {
		if r.Digit == digit {
			f.phoneAction(s, a, o.ActionPause, r.ID, fmt.Sprintf(w.pausedFor, r.Name))
			return
		}
	}
	if digit != "" && s.Tries+1 >= serviceTries {
		f.confirm(s, w.goodbye)
		return
	}
	f.stepTo(s, stepReason, a.ID, "")
	f.say(s, w.reasons(reasons))
}
