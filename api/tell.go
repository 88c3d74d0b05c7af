package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// tell puts one fact of a call into the timeline. Its sentence calls agents as
// people do; its fields have their ids.
func tell(f orchestrator.Fact, arrived time.Time, named func(orchestrator.AgentID) string) (gen.TimelineEntry, error) {
	what, err := json.Marshal(f.What)
	if err != nil {
		return gen.TimelineEntry{}, fmt.Errorf("show fact %d.%d: %w", f.Seq, f.Index, err)
	}
	name := orchestrator.FactName(f.What)
	sentence := tellCall(f.What)
	if sentence == "" {
		sentence = tellAgent(f.What, named)
	}
	if sentence == "" {
		sentence = tellLeg(f.What)
	}
	if sentence == "" {
		sentence = strings.ReplaceAll(name, "_", " ")
	}
	return gen.TimelineEntry{
		Seq: int64(f.Seq), Index: f.Index, At: f.At.UTC(), OffsetMs: f.At.Sub(arrived).Milliseconds(),
		Fact: name, Leg: string(legOf(f.What)), Text: sentence, What: what,
	}, nil
}

// tellCall is a fact about the call in one sentence, "" for any other.
func tellCall(d orchestrator.Deed) string {
	switch d := d.(type) {
	case orchestrator.CallArrived:
		return arrivedAt(d)
	case orchestrator.NodeEntered:
		return fmt.Sprintf("at node %s (%s)%s", d.Node, d.Type, by(d.Via))
	case orchestrator.DigitTaken:
		if d.Early {
			return "pressed " + d.Digit + " early: the next menu gets it"
		}
		return "pressed " + d.Digit
	case orchestrator.MenuDecided:
		return menuDecided(d)
	case orchestrator.PlayStarted:
		return "hears " + heard(d)
	case orchestrator.PlayEnded:
		return "end of the sound: " + string(d.Status)
	case orchestrator.MusicStarted:
		return "hears music"
	case orchestrator.MusicStopped:
		return "music ends"
	case orchestrator.CallQueued:
		return fmt.Sprintf("joined queue %s, place %d", d.Queue, d.Position)
	case orchestrator.CallLeftQueue:
		return fmt.Sprintf("left queue %s after %s (%s)", d.Queue, seconds(d.Waited), d.Reason)
	case orchestrator.CallReleased:
		return fmt.Sprintf("given to the dialplan at %s,%s", d.Context, d.Extension)
	case orchestrator.CallLost:
		return fmt.Sprintf("lost with switch %s: last known to live at %s", d.Switch, d.Since.UTC().Format(time.RFC3339))
	case orchestrator.CallEnding:
		return fmt.Sprintf("ends: %s, %s", d.Outcome.Result, d.Outcome.Reason)
	case orchestrator.CallEnded:
		return fmt.Sprintf("ended after %s: %s, %s", seconds(d.Times.Total), d.Outcome.Result, d.Outcome.Reason)
	case orchestrator.CommandFailed:
		return fmt.Sprintf("the switch did not carry out a command: %s %s", d.Result, d.Reason)
	case orchestrator.Healed:
		return "mended after the switch was compared: " + d.Repair
	}
	return ""
}

// tellAgent is a fact about an agent in one sentence, "" for any other.
func tellAgent(d orchestrator.Deed, named func(orchestrator.AgentID) string) string {
	switch d := d.(type) {
	case orchestrator.OfferMade:
		return fmt.Sprintf("offered to %s on phone %s", named(d.Agent), d.Phone)
	case orchestrator.OfferEnded:
		return fmt.Sprintf("offer to %s ended after %s: %s", named(d.Agent), seconds(d.Rang), d.Outcome)
	case orchestrator.CallConnected:
		return fmt.Sprintf("talks to %s after waiting %s", named(d.Agent), seconds(d.Waited))
	case orchestrator.AgentChanged:
		return fmt.Sprintf("%s is %s", named(d.Agent), strings.ReplaceAll(string(d.State), "_", " "))
	case orchestrator.CallTransferred:
		return transferredTo(d, named)
	case orchestrator.TransferRefused:
		return fmt.Sprintf("%s may not transfer to %s: %s", named(d.By), d.Target, strings.ReplaceAll(d.Code, "_", " "))
	case orchestrator.LegMoved:
		return fmt.Sprintf("%s goes on in this call, out of the consultation", named(d.Agent))
	case orchestrator.LegStarted:
		if d.Agent != "" && d.Role == orchestrator.RoleAgent {
			return fmt.Sprintf("dials %s at %s", named(d.Agent), d.Endpoint)
		}
	}
	return ""
}

// tellLeg is a fact about a leg in one sentence, "" for any other.
func tellLeg(d orchestrator.Deed) string {
	switch d := d.(type) {
	case orchestrator.LegStarted:
		return fmt.Sprintf("%s's leg on switch %s", d.Role, d.Switch)
	case orchestrator.LegRang:
		return "rings"
	case orchestrator.LegAnswered:
		return "answered"
	case orchestrator.LegJoined:
		return "joined the bridge"
	case orchestrator.LegSeparated:
		return "left the bridge"
	case orchestrator.LegHeld:
		return "put on hold"
	case orchestrator.LegResumed:
		return "taken off hold"
	case orchestrator.LinkOpened:
		return fmt.Sprintf("is carried from switch %s to switch %s", d.From, d.To)
	case orchestrator.LinkClosed:
		return "the link between the switches is closed: " + d.Reason
	case orchestrator.LegClosed:
		return fmt.Sprintf("leg ended by %s, cause %d%s", d.By, d.Cause, sip(d.SIP))
	}
	return ""
}

func legOf(d orchestrator.Deed) orchestrator.LegID {
	switch d := d.(type) {
	case orchestrator.CallArrived:
		return d.Leg
	case orchestrator.LegStarted:
		return d.Leg
	case orchestrator.LegRang:
		return d.Leg
	case orchestrator.LegAnswered:
		return d.Leg
	case orchestrator.LegJoined:
		return d.Leg
	case orchestrator.LegSeparated:
		return d.Leg
	case orchestrator.CallTransferred:
		return d.Leg
	case orchestrator.TransferRefused:
		return d.Leg
	case orchestrator.LegMoved:
		return d.Leg
	case orchestrator.LegHeld:
		return d.Leg
	case orchestrator.LegResumed:
		return d.Leg
	case orchestrator.LegClosed:
		return d.Leg
	case orchestrator.LinkOpened:
		return d.Leg
	case orchestrator.LinkClosed:
		return d.Leg
	case orchestrator.PlayStarted:
		return d.Leg
	case orchestrator.PlayEnded:
		return d.Leg
	case orchestrator.MusicStarted:
		return d.Leg
	case orchestrator.MusicStopped:
		return d.Leg
	case orchestrator.OfferMade:
		return d.Leg
	case orchestrator.CommandFailed:
		return d.Leg
	case orchestrator.Healed:
		return d.Leg
	}
	return ""
}

func arrivedAt(d orchestrator.CallArrived) string {
	switch {
	case d.Flow == "":
		return fmt.Sprintf("%s dials %s", party(d.Caller), d.Dialled)
	case d.Direction == orchestrator.CallInternal:
		return fmt.Sprintf("%s dials %s, enters flow %s", party(d.Caller), d.Dialled, d.Flow)
	}
	return fmt.Sprintf("arrived at %s from %s, enters flow %s", d.Dialled, party(d.Caller), d.Flow)
}

// transferredTo says who sent the call where. An attended transfer goes where
// the consultation has got, which need not be an agent yet.
func transferredTo(d orchestrator.CallTransferred, named func(orchestrator.AgentID) string) string {
	where := "number " + d.Target
	if d.Agent != "" {
		where = named(d.Agent)
	}
	how := "transferred by"
	if d.Kind == orchestrator.TransferAttended {
		how = "transferred after a consultation by"
	}
	return fmt.Sprintf("%s %s to %s", how, named(d.By), where)
}

func menuDecided(d orchestrator.MenuDecided) string {
	switch {
	case d.Again:
		return fmt.Sprintf("menu %s: %s, the question is repeated", d.Node, d.Exit)
	case d.Digits != "":
		return fmt.Sprintf("menu %s: chose %s", d.Node, d.Digits)
	}
	return fmt.Sprintf("menu %s: %s", d.Node, d.Exit)
}

// heard is what a prompt says, as far as words can tell.
func heard(d orchestrator.PlayStarted) string {
	parts := make([]string, 0, len(d.Media))
	for _, m := range d.Media {
		switch {
		case m.Say != "":
			parts = append(parts, fmt.Sprintf("%q", m.Say))
		case m.Sound != "":
			parts = append(parts, "sound "+m.Sound)
		default:
			parts = append(parts, "file "+m.File)
		}
	}
	return fmt.Sprintf("the %s: %s", d.Purpose, strings.Join(parts, ", "))
}

func party(p orchestrator.Party) string {
	switch {
	case p.Number == "" && p.Name == "":
		return "a withheld number"
	case p.Name == "":
		return p.Number
	}
	return fmt.Sprintf("%s (%q)", p.Number, p.Name)
}

func by(exit string) string {
	if exit == "" {
		return ""
	}
	return " by exit " + exit
}

func sip(code int) string {
	if code == 0 {
		return ""
	}
	return fmt.Sprintf(", SIP %d", code)
}

func seconds(m orchestrator.Millis) string {
	return m.Duration().Round(100 * time.Millisecond).String()
}
