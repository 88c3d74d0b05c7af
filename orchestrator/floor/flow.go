package floor

import (
	"strings"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/calendar"
	"ringmaster/orchestrator/ivr"
)

// enter takes a call to a node, and on through every node that does not wait.
func (f *Floor) enter(c *call, flow *o.Flow, node, via string) {
	for range ivr.Budget {
		if c.Nodes >= nodesMax {
			break
		}
		n, ok := flow.Nodes[node]
		if !ok {
			f.end(c, o.Outcome{Result: o.ResultSystem, Reason: o.ReasonFlowEnd}, o.CauseNormal)
			return
		}
		f.emit(o.NodeEntered{Call: c.ID, Flow: flow.ID, Version: flow.Version, Node: node, Type: n.Type, Via: via})
		exit, through := f.begin(c, n)
		if !through {
			return
		}
		node, ok = ivr.Exit(n, exit)
		if !ok {
			f.end(c, o.Outcome{Result: o.ResultSystem, Reason: o.ReasonFlowEnd}, o.CauseNormal)
			return
		}
		via = exit
	}
	f.end(c, o.Outcome{Result: o.ResultSystem, Reason: o.ReasonFlowBudget}, o.CauseNormal)
}

// begin starts a node; through is true when its exit is known at once.
func (f *Floor) begin(c *call, n o.Node) (exit string, through bool) {
	switch n.Type {
	case o.NodeAnswer:
		if f.up(c) {
			return o.ExitNext, true
		}
		f.order(c, o.Answer{Leg: c.Leg})
	case o.NodePlay:
		f.play(c, o.PurposePrompt, n.Play)
	case o.NodeMenu:
		return f.question(c, n)
	case o.NodeHours:
		return f.openNow(n.Hours), true
	case o.NodeQueue:
		return f.join(c, n)
	case o.NodeTransfer:
		f.emit(o.CallReleased{Call: c.ID, Context: n.Context, Extension: n.Extension})
		f.order(c, o.Release{Leg: c.Leg, Context: n.Context, Extension: n.Extension})
	case o.NodeHangup:
		cause := n.Cause
		if cause == 0 {
			cause = o.CauseNormal
		}
		f.end(c, o.Outcome{Result: o.ResultCompleted, Reason: o.ReasonFlowHangup}, cause)
	}
	return "", false
}

// up reports whether the caller's leg is answered.
func (f *Floor) up(c *call) bool {
	l := f.Legs[c.Leg]
	return l != nil && l.State == o.LegIsUp
}

// openNow is the exit of an hours node. Hours that are gone from the
// configuration count as closed: a call must not reach an empty office.
func (f *Floor) openNow(id o.HoursID) string {
	h := f.hours[id]
	if h == nil {
		return string(calendar.Closed)
	}
	state, _ := h.At(f.At)
	return string(state)
}

// follow leaves the call's node by an exit.
func (f *Floor) follow(c *call, exit string) {
	if node, ok := ivr.Exit(f.node(c), exit); ok {
		f.enter(c, c.flow, node, exit)
		return
	}
	f.end(c, o.Outcome{Result: o.ResultSystem, Reason: o.ReasonFlowEnd}, o.CauseNormal)
}

// node is where the call is. A flow that vanished yields the zero node, which
// has no exits: the call then ends politely.
func (f *Floor) node(c *call) o.Node {
	if c.flow == nil {
		return o.Node{}
	}
	return c.flow.Nodes[c.Node]
}

// play starts something on the caller's leg.
func (f *Floor) play(c *call, why o.Purpose, media []o.Media) {
	id := o.PlayID(f.newID())
	f.emit(o.PlayStarted{Call: c.ID, Leg: c.Leg, Play: id, Purpose: why, Media: media})
	f.order(c, o.Play{Leg: c.Leg, Play: id, Media: f.spoken(media)})
}

// spoken gives words without a language the tenant's.
func (f *Floor) spoken(media []o.Media) []o.Media {
	out := make([]o.Media, len(media))
	for i, m := range media {
		if m.Say != "" && m.Language == "" {
			m.Language = f.Settings.Language
		}
		out[i] = m
	}
	return out
}

// stopPlay cuts what the caller hears.
func (f *Floor) stopPlay(c *call) {
	if c.Play == "" {
		return
	}
	f.order(c, o.StopPlay{Leg: c.Leg, Play: c.Play})
	f.emit(o.PlayEnded{Call: c.ID, Leg: c.Leg, Play: c.Play, Status: o.PlayStopped})
}

// playDone is the end of a play, as the switch tells it.
func (f *Floor) playDone(e o.PlayDone) {
	if s := f.Services[e.Leg]; s != nil {
		f.servicePlayed(s, e)
		return
	}
	c := f.callOf(e.Leg)
	if c == nil || c.Play != e.Play || e.Play == "" {
		return // cut by us before, or told twice
	}
	purpose := c.Purpose
	f.emit(o.PlayEnded{Call: c.ID, Leg: e.Leg, Play: e.Play, Status: e.Status})
	if c.Ending != nil {
		return
	}
	switch purpose {
	case o.PurposePrompt:
		f.promptDone(c, e.Status)
	case o.PurposeAnnouncement:
		f.music(c)
	}
}

// promptDone goes on after a prompt: a play node's, or the menu's word before
// it repeats its question.
func (f *Floor) promptDone(c *call, status o.PlayStatus) {
	n := f.node(c)
	switch {
	case n.Type == o.NodeMenu:
		f.play(c, o.PurposeQuestion, n.Play)
	case status == o.PlayFailed && c.Silent >= ivr.Budget:
		// A play that fails does not wait: a loop of such nodes would spin.
		f.end(c, o.Outcome{Result: o.ResultSystem, Reason: o.ReasonFlowBudget}, o.CauseNormal)
	case status == o.PlayFailed:
		f.follow(c, o.ExitFailed)
	default:
		f.follow(c, o.ExitNext)
	}
}

// digit is a key the far end pressed.
func (f *Floor) digit(e o.Digit) {
	if s := f.Services[e.Leg]; s != nil {
		f.serviceDigit(s, e.Digit)
		return
	}
	c := f.callOf(e.Leg)
	if c == nil || e.Leg != c.Leg || c.Phase != o.PhaseFlow || c.Ending != nil {
		return
	}
	n := f.node(c)
	if len(e.Digit) != 1 || !strings.Contains("0123456789*#", e.Digit) {
		return
	}
	switch {
	case n.Type == o.NodePlay && len(c.Early) < earlyMax:
		// Who knows the menu need not hear the greeting out. The node does:
		// it may say what the law wants said.
		f.emit(o.DigitTaken{Call: c.ID, Digit: e.Digit, Early: true})
	case n.Type == o.NodeMenu && c.Purpose != o.PurposePrompt:
		// While it is told that a choice was wrong, the menu takes nothing:
		// the rest of a wrong number would be the next wrong choice.
		f.emit(o.DigitTaken{Call: c.ID, Digit: e.Digit})
		f.stopPlay(c)
		f.weigh(c, n)
	}
}

// earlyMax bounds the digits kept for the menus to come.
const earlyMax = 20

// weigh leaves a menu when the digits so far decide it.
func (f *Floor) weigh(c *call, n o.Node) {
	switch ivr.Match(n, c.Digits) {
	case ivr.Complete:
		f.choose(c, c.Digits)
	case ivr.Wrong:
		f.menuMissed(c, o.ExitInvalid)
	}
}

// question asks what a menu asks, or takes what was pressed before it. A
// choice among that is the exit; a wrong one forgets the rest.
func (f *Floor) question(c *call, n o.Node) (exit string, through bool) {
	for c.Early != "" {
		f.emit(o.DigitTaken{Call: c.ID, Digit: c.Early[:1]})
		switch ivr.Match(n, c.Digits) {
		case ivr.Complete:
			exit = c.Digits
			f.emit(o.MenuDecided{Call: c.ID, Node: c.Node, Digits: exit, Exit: exit})
			return exit, true
		case ivr.Wrong:
			f.menuMissed(c, o.ExitInvalid)
			return "", false
		}
	}
	if c.Digits == "" {
		f.play(c, o.PurposeQuestion, n.Play)
	}
	return "", false
}

// choose leaves a menu by a choice.
func (f *Floor) choose(c *call, digits string) {
	f.emit(o.MenuDecided{Call: c.ID, Node: c.Node, Digits: digits, Exit: digits})
	f.follow(c, digits)
}

// menuMissed is a try without a choice: ask again, or leave by the exit.
func (f *Floor) menuMissed(c *call, exit string) {
	n := f.node(c)
	again := c.Tries+1 < ivr.Tries(n)
	f.emit(o.MenuDecided{Call: c.ID, Node: c.Node, Digits: c.Digits, Exit: exit, Again: again})
	if !again {
		f.follow(c, exit)
		return
	}
	words := n.WrongInput
	if exit == o.ExitTimeout {
		words = n.NoInput
	}
	if len(words) > 0 {
		f.play(c, o.PurposePrompt, words)
		return
	}
	f.play(c, o.PurposeQuestion, n.Play)
}

// nodeDue is a node that waited long enough.
func (f *Floor) nodeDue(c *call) {
	n := f.node(c)
	switch {
	case c.Play != "":
		f.stopPlay(c)
		if n.Type == o.NodePlay {
			f.follow(c, o.ExitFailed)
		} else {
			f.menuMissed(c, o.ExitTimeout)
		}
	case n.Type == o.NodeMenu && ivr.Match(n, c.Digits) == ivr.PendingComplete:
		f.choose(c, c.Digits)
	case n.Type == o.NodeMenu && c.Digits != "":
		f.menuMissed(c, o.ExitInvalid)
	case n.Type == o.NodeMenu:
		f.menuMissed(c, o.ExitTimeout)
	case n.Type == o.NodeTransfer:
		f.follow(c, o.ExitFailed)
	default:
		f.end(c, o.Outcome{Result: o.ResultCarrier, Reason: o.ReasonUnknown}, o.CauseNormal)
	}
}

func questionTimeout(c *call) time.Duration { return ivr.QuestionTimeout(c.flow.Nodes[c.Node]) }
func interDigit(c *call) time.Duration      { return ivr.InterDigitTimeout(c.flow.Nodes[c.Node]) }
