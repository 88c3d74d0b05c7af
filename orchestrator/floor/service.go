package floor

import (
	"strings"
	"time"

	o "ringmaster/orchestrator"
)

// Steps of a service call.
const (
	stepAnswer = "answer" // waiting for our own answer to be up
	stepNumber = "agent_number"
	stepPIN    = "pin"
	stepReason = "pause_reason"
	stepBye    = "confirm"
)

// Bounds of a service call.
const (
	serviceWait   = 10 * time.Second // for the next digit or the end of a prompt
	servicePIN    = 30 * time.Second // for a whole PIN
	serviceTries  = 3
	serviceDigits = 12
)

// serviceOffered is an agent's phone dialling: a feature code, or a number.
func (f *Floor) serviceOffered(e o.LegOffered) {
	ph := f.phoneAt(e.Switch, e.Endpoint)
	if code, _ := f.codeOf(e.Dialled); ph != nil && code == "" && !strings.ContainsAny(e.Dialled, "*#") {
		f.internalOffered(e, ph)
		return
	}
	id := o.PhoneID("")
	if ph != nil {
		id = ph.ID
	}
	f.emit(o.ServiceStarted{Leg: e.Leg, Switch: e.Switch, Phone: id, Dialled: f.withoutPIN(e.Dialled)})
	f.emit(o.LegStarted{Leg: e.Leg, Switch: e.Switch, Role: o.RoleService, Endpoint: e.Endpoint, SIPCall: e.SIPCall})
	f.settlePhone(ph)
	f.command(e.Switch, string(e.Leg), o.Claim{Leg: e.Leg, Stamp: f.stamp("", e.Leg, o.RoleService)})
	f.command(e.Switch, string(e.Leg), o.Answer{Leg: e.Leg})
}

// withoutPIN is what may be written down of what an agent dialled. Behind the
// log-in code and a number some dial their PIN as well; what is no agent's
// number is kept as one that nobody has, so that a PIN is asked for as ever.
func (f *Floor) withoutPIN(dialled string) string {
	code, rest := f.codeOf(dialled)
	if _, known := f.numbers[rest]; code != f.Settings.FeatureCodes.Login || rest == "" || known {
		return dialled
	}
	return code + nobodysNumber
}

// nobodysNumber has a character no phone can dial.
const nobodysNumber = "?"

func (f *Floor) settlePhone(ph *phone) {
	if ph == nil {
		return
	}
	if a := f.Agents[ph.Agent]; a != nil {
		f.settle(a)
	}
}

func (f *Floor) applyService(deed o.Deed) {
	switch d := deed.(type) {
	case o.ServiceStarted:
		s := &service{Leg: d.Leg, Switch: d.Switch, Phone: d.Phone, Dialled: d.Dialled, Step: stepAnswer, By: f.At.Add(serviceWait)}
		f.Services[d.Leg] = s
		if ph := f.Phones[d.Phone]; ph != nil {
			ph.Service = d.Leg
			f.indexAt(ph)
		}
		f.deadlines.set(s)
	case o.ServiceStepped:
		s := f.Services[d.Leg]
		if d.Step != s.Step {
			s.Tries = 0
		} else if d.Digits == "" && s.Digits != "" || d.Step == stepPIN {
			s.Tries++
		}
		s.Step, s.Agent, s.Digits, s.By = d.Step, d.Agent, d.Digits, f.At.Add(serviceWait)
		if d.Step == stepPIN {
			s.By = f.At.Add(servicePIN)
		}
		f.deadlines.set(s)
	case o.ServiceEnded:
		s := f.Services[d.Leg]
		delete(f.Services, d.Leg)
		f.deadlines.drop(s)
		if ph := f.Phones[s.Phone]; ph != nil && ph.Service == d.Leg {
			ph.Service = ""
			f.indexAt(ph)
		}
	}
}

func (f *Floor) indexAt(ph *phone) {
	if a := f.Agents[ph.Agent]; a != nil {
		f.index(a)
	}
}

// serviceAnswered begins the dialogue the dialled code stands for.
func (f *Floor) serviceAnswered(s *service) {
	w := f.words()
	if s == nil || s.Step != stepAnswer {
		return
	}
	codes := f.Settings.FeatureCodes
	ph := f.Phones[s.Phone]
	code, rest := f.codeOf(s.Dialled)
	if ph == nil {
		f.confirm(s, w.unknownPhone)
		return
	}
	switch code {
	case codes.Login:
		f.askNumber(s, rest)
		return
	case "":
		f.confirm(s, w.unknownCode)
		return
	}
	a := f.Agents[ph.Agent]
	if a == nil {
		if code == codes.Logout {
			f.confirm(s, w.loggedOut)
			return
		}
		f.confirm(s, w.notLoggedIn)
		return
	}
	switch code {
	case codes.Logout:
		f.phoneAction(s, a, o.ActionLogout, "", w.loggedOut)
	case codes.Ready:
		f.phoneAction(s, a, o.ActionReady, "", w.ready)
	case codes.WrapUpDone:
		f.phoneAction(s, a, o.ActionWrapUpDone, "", w.wrapUpDone)
	case codes.Pause:
		f.pauseBy(s, a, rest)
	}
}

// codeOf splits what was dialled into the longest feature code it begins with
// and the rest.
func (f *Floor) codeOf(dialled string) (code, rest string) {
	c := f.Settings.FeatureCodes
	for _, candidate := range []string{c.Login, c.Logout, c.Ready, c.Pause, c.WrapUpDone} {
		if strings.HasPrefix(dialled, candidate) && len(candidate) > len(code) {
			code = candidate
		}
	}
	rest = dialled[len(code):]
	if rest != "" && code != c.Login && code != c.Pause {
		return "", dialled
	}
	return code, rest
}

func (f *Floor) phoneAction(s *service, a *agent, action o.AgentAction, reason, say string) {
	w := f.words()
	before := len(f.out.Facts)
	f.agentAsked(o.AgentAsked{Agent: a.ID, Action: action, Reason: reason, Origin: o.OriginPhone, By: string(a.ID)})
	for _, fact := range f.out.Facts[before:] {
		if _, refused := fact.What.(o.ActionRefused); refused {
			say = w.refused
		}
	}
	f.confirm(s, say)
}

// confirm says how it went; the call ends with the sentence.
func (f *Floor) confirm(s *service, text string) {
	f.stepTo(s, stepBye, s.Agent, "")
	f.say(s, text)
}

func (f *Floor) stepTo(s *service, step string, who o.AgentID, digits string) {
	f.emit(o.ServiceStepped{Leg: s.Leg, Step: step, Agent: who, Digits: digits})
}

func (f *Floor) say(s *service, text string) {
	f.hush(s)
	id := o.PlayID(f.newID())
	_, language := wordsIn(f.Settings.Language)
	media := []o.Media{{Say: text, Language: language}}
	f.emit(o.PlayStarted{Leg: s.Leg, Play: id, Purpose: o.PurposeService, Media: media})
	f.command(s.Switch, string(s.Leg), o.Play{Leg: s.Leg, Play: id, Media: media})
}

func (f *Floor) hush(s *service) {
	if s.Play == "" {
		return
	}
	f.command(s.Switch, string(s.Leg), o.StopPlay{Leg: s.Leg, Play: s.Play})
	f.emit(o.PlayEnded{Leg: s.Leg, Play: s.Play, Status: o.PlayStopped})
}

func (f *Floor) servicePlayed(s *service, e o.PlayDone) {
	if s.Play != e.Play || e.Play == "" {
		return
	}
	f.emit(o.PlayEnded{Leg: e.Leg, Play: e.Play, Status: e.Status})
	if s.Step == stepBye {
		f.serviceHangup(s)
	}
}

func (f *Floor) serviceHangup(s *service) {
	f.command(s.Switch, string(s.Leg), o.Hangup{Leg: s.Leg, Cause: o.CauseNormal})
}

// serviceDue is an agent who stopped dialling, or a leg that will not close.
func (f *Floor) serviceDue(s *service) {
	w := f.words()
	switch s.Step {
	case stepNumber, stepReason:
		if s.Digits != "" {
			f.serviceEntered(s)
			return
		}
		f.confirm(s, w.goodbye)
	case stepBye:
		f.stepTo(s, stepBye, s.Agent, "")
		f.serviceHangup(s)
		f.ask(o.Resync{Switch: s.Switch})
	default:
		f.confirm(s, w.goodbye)
		f.serviceHangup(s)
	}
}

func (f *Floor) serviceOver(l *leg, closed o.LegClosed) {
	s := f.Services[l.ID]
	if s != nil && s.Play != "" {
		f.emit(o.PlayEnded{Leg: s.Leg, Play: s.Play, Status: o.PlayStopped})
	}
	f.emit(closed)
	if s == nil {
		return
	}
	f.emit(o.ServiceEnded{Leg: l.ID})
	f.settlePhone(f.Phones[s.Phone])
}
