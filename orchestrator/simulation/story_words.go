package simulation

import (
	"fmt"
	"strings"
	"time"

	o "ringmaster/orchestrator"
)

// since writes down what happened since it was asked last.
func (s *story) since() string {
	var out strings.Builder
	if s.w == nil {
		return "" // the centre is being described
	}
	for ; s.told < len(s.w.tape.Inputs); s.told++ {
		clock := clockFace(s.w.tape.Inputs[s.told].At)
		effects := s.w.tape.Effects[s.told]
		for _, f := range effects.Facts {
			s.christen(f.What)
			if text := s.fact(f.What); text != "" {
				out.WriteString(clock + "  " + text + "\n")
			}
		}
		for _, c := range effects.Commands {
			if text := s.command(c.Do); text != "" {
				out.WriteString(clock + "  > " + text + "\n")
			}
		}
	}
	return out.String()
}

// clockFace is minutes and seconds since the doors opened.
func clockFace(at time.Time) string {
	d := at.Sub(begin).Truncate(time.Second)
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// christen gives what the floor named by a UUID the name people know it by.
func (s *story) christen(d o.Deed) {
	switch d := d.(type) {
	case o.CallArrived:
		s.names[string(d.Call)] = s.name(string(d.Leg))
	case o.LegStarted:
		if d.Endpoint != "" && s.names[string(d.Leg)] == "" {
			s.names[string(d.Leg)] = number(d.Endpoint)
		}
	case o.PlayStarted:
		s.names[string(d.Play)] = words(d.Media)
	}
}

func (s *story) name(id string) string {
	if n := s.names[id]; n != "" {
		return n
	}
	return id
}

func words(media []o.Media) string {
	var all []string
	for _, m := range media {
		all = append(all, m.Say+m.Sound+m.File)
	}
	return fmt.Sprintf("%q", strings.Join(all, " "))
}

func seconds(m o.Millis) string { return m.Duration().Truncate(time.Second).String() }

// switchName tells a second switch from the one most stories have.
func switchName(id o.SwitchID) string {
	if id == "pbx" {
		return "the switch"
	}
	return string(id)
}

// command is an order in words; music and claims go without saying.
func (s *story) command(a o.Action) string {
	switch a := a.(type) {
	case o.Dial:
		return fmt.Sprintf("ring %s for %s", number(a.Endpoint), s.name(string(a.Stamp.Call)))
	case o.Answer:
		return "answer " + s.name(string(a.Leg))
	case o.Hangup:
		return fmt.Sprintf("hang up %s (%d)", s.name(string(a.Leg)), a.Cause)
	case o.Play:
		return fmt.Sprintf("say %s to %s", words(a.Media), s.name(string(a.Leg)))
	case o.StopPlay:
		return fmt.Sprintf("stop %s to %s", s.name(string(a.Play)), s.name(string(a.Leg)))
	case o.StartMusic:
		return "music to " + s.name(string(a.Leg))
	case o.StopMusic:
		return "no music to " + s.name(string(a.Leg))
	case o.Release:
		return "give " + s.name(string(a.Leg)) + " to the dialplan"
	case o.Connect:
		return fmt.Sprintf("connect %s and %s", s.name(string(a.A)), s.name(string(a.B)))
	case o.Separate:
		return "take " + s.name(string(a.Leg)) + " out of the bridge"
	case o.Ring:
		return "tell " + s.name(string(a.Leg)) + " that it rings"
	case o.AcceptTransfer:
		return "tell " + s.name(string(a.Leg)) + " that the transfer succeeded"
	case o.RejectTransfer:
		return "tell " + s.name(string(a.Leg)) + " that the transfer failed"
	case o.Claim, o.SendDigits, o.CloseBridge:
	}
	return ""
}

// fact is a fact in words, "" for those a supervisor does not care about.
func (s *story) fact(d o.Deed) string {
	switch d := d.(type) {
	case o.SwitchAttached:
		return switchName(d.Switch) + " is heard"
	case o.SwitchDetached:
		return switchName(d.Switch) + " cannot be heard: " + d.Reason
	case o.OverloadNoted:
		if !d.Over {
			return switchName(d.Switch) + " is fit again"
		}
		return switchName(d.Switch) + " is overloaded: " + d.Reason
	case o.EndpointNoted, o.ConfigApplied, o.LegStarted, o.LegSeparated, o.LegJoined, o.MusicStarted, o.MusicStopped,
		o.PlayStarted, o.PlayEnded, o.ServiceEnded:
		return ""
	case o.CommandFailed:
		return fmt.Sprintf("an order to %s failed: %s %s", s.name(string(d.Leg)), d.Result, d.Reason)
	case o.InputSetAside:
		return "an input was set aside: " + d.Panic
	case o.Healed:
		return fmt.Sprintf("%s is mended: %s", s.name(string(d.Leg)+d.Bridge), d.Repair)
	}
	for _, tell := range []func(o.Deed) string{s.callFact, s.legFact, s.offerFact, s.agentFact} {
		if text := tell(d); text != "" {
			return text
		}
	}
	return o.FactName(d)
}

func (s *story) callFact(deed o.Deed) string {
	switch d := deed.(type) {
	case o.CallArrived:
		if d.Direction == o.CallInternal {
			return fmt.Sprintf("%s is %s dialling %s", s.name(string(d.Call)), d.Caller.Name, d.Dialled)
		}
		return fmt.Sprintf("%s arrives for %s", s.name(string(d.Call)), d.Dialled)
	case o.CallRefused:
		return fmt.Sprintf("%s is refused: %s", s.name(string(d.Leg)), d.Reason)
	case o.NodeEntered:
		return fmt.Sprintf("%s enters %s", s.name(string(d.Call)), d.Node)
	case o.DigitTaken:
		if d.Early {
			return fmt.Sprintf("%s presses %s early", s.name(string(d.Call)), d.Digit)
		}
		return fmt.Sprintf("%s chose %s so far", s.name(string(d.Call)), d.Digit)
	case o.MenuDecided:
		if d.Again {
			return fmt.Sprintf("%s is asked again: %s", s.name(string(d.Call)), d.Exit)
		}
		return fmt.Sprintf("%s leaves the menu by %s", s.name(string(d.Call)), d.Exit)
	case o.CallQueued:
		return fmt.Sprintf("%s waits in %s, place %d", s.name(string(d.Call)), d.Queue, d.Position)
	case o.CallLeftQueue:
		return fmt.Sprintf("%s leaves %s after %s: %s", s.name(string(d.Call)), d.Queue, seconds(d.Waited), d.Reason)
	case o.CallConnected:
		return fmt.Sprintf("%s talks to %s", s.name(string(d.Call)), d.Agent)
	case o.CallTransferred:
		to := "number " + d.Target
		switch {
		case d.Agent != "":
			to = string(d.Agent)
		case d.Consult != "":
			to = "where " + s.name(string(d.Consult)) + " has got"
		}
		return fmt.Sprintf("%s is transferred by %s to %s (%s)", s.name(string(d.Call)), d.By, to, d.Kind)
	case o.TransferRefused:
		return fmt.Sprintf("%s may not transfer %s to %s: %s", d.By, s.name(string(d.Call)), d.Target, d.Code)
	case o.LegMoved:
		return fmt.Sprintf("%s belongs to %s, no longer to %s", s.name(string(d.Leg)), s.name(string(d.Call)), s.name(string(d.From)))
	case o.CallReleased:
		return fmt.Sprintf("%s goes to the dialplan's %s", s.name(string(d.Call)), d.Extension)
	case o.CallLost:
		if d.Switch != "pbx" {
			return fmt.Sprintf("%s is lost with %s, last known to live at %s", s.name(string(d.Call)), d.Switch, clockFace(d.Since))
		}
		return fmt.Sprintf("%s is lost with its switch, last known to live at %s", s.name(string(d.Call)), clockFace(d.Since))
	case o.CallEnding:
		return fmt.Sprintf("%s is ending: %s, %s", s.name(string(d.Call)), d.Outcome.Result, d.Outcome.Reason)
	case o.CallEnded:
		t := d.Times
		return fmt.Sprintf("%s is over: %s, %s; %s in all, flow %s, queue %s, talk %s, hold %s", s.name(string(d.Call)),
			d.Outcome.Result, d.Outcome.Reason, seconds(t.Total), seconds(t.Flow), seconds(t.Queue), seconds(t.Talk), seconds(t.Hold))
	}
	return ""
}

func (s *story) legFact(deed o.Deed) string {
	switch d := deed.(type) {
	case o.LegRang:
		return s.name(string(d.Leg)) + " rings"
	case o.LegAnswered:
		return s.name(string(d.Leg)) + " is answered"
	case o.LegHeld:
		return s.name(string(d.Leg)) + " holds"
	case o.LegResumed:
		return s.name(string(d.Leg)) + " resumes"
	case o.LegClosed:
		return fmt.Sprintf("%s is on the hook (%d, by %s)", s.name(string(d.Leg)), d.Cause, d.By)
	}
	return ""
}

func (s *story) offerFact(deed o.Deed) string {
	switch d := deed.(type) {
	case o.OfferMade:
		if d.Queue == "" {
			return fmt.Sprintf("%s rings at %s (%s)", s.name(string(d.Call)), d.Agent, d.Decision.Trigger)
		}
		return fmt.Sprintf("%s is offered to %s (%s, %d free)", s.name(string(d.Call)), d.Agent, d.Decision.Strategy, d.Decision.Free)
	case o.OfferEnded:
		text := fmt.Sprintf("%s's offer is %s", d.Agent, d.Outcome)
		if d.Rang > 0 {
			text += ", rang " + seconds(d.Rang)
		}
		if !d.NotBefore.IsZero() {
			text += ", no other before " + clockFace(d.NotBefore)
		}
		return text
	}
	return ""
}

func (s *story) agentFact(deed o.Deed) string {
	switch d := deed.(type) {
	case o.AgentLoggedIn:
		return fmt.Sprintf("%s logs in at %s by %s", d.Agent, s.name(string(d.Phone)), d.Origin)
	case o.AgentIntended:
		return strings.TrimSpace(fmt.Sprintf("%s wants: %s %s", d.Agent, d.Intent, d.Reason))
	case o.AgentChanged:
		text := strings.TrimSpace(fmt.Sprintf("%s is %s %s", d.Agent, d.State, d.Reason))
		if !d.Until.IsZero() {
			text += " until " + clockFace(d.Until)
		}
		if !d.Since.IsZero() {
			text += " since " + clockFace(d.Since)
		}
		return text
	case o.AgentRested:
		return fmt.Sprintf("%s has rested", d.Agent)
	case o.ActionRefused:
		return fmt.Sprintf("%s is refused to %s: %s", d.Agent, d.Action, d.Detail)
	case o.ServiceStarted:
		return fmt.Sprintf("%s dials %s", s.name(string(d.Leg)), d.Dialled)
	case o.ServiceStepped:
		return strings.TrimSpace(fmt.Sprintf("%s is at %s %s", s.name(string(d.Leg)), d.Step, d.Digits))
	case o.PINRefused:
		return fmt.Sprintf("%s's PIN is refused for the %d. time", d.Agent, d.Failures)
	}
	return ""
}
