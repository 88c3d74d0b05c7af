package asterisk

import (
	"strings"
	"time"

	"github.com/CyCoreSystems/ari/v5"

	"ringmaster/orchestrator"
)

// Words in Stasis() lines and in create: what a leg is.
const (
	argsVersion = "v1"
	argsDialled = "v1,out"
	argsTap     = "v1,tap" // no leg: what hears or speaks into one
)

// chore is a request that an event calls for and nobody waits for.
type chore struct {
	what choreKind
	leg  *leg   // subscribe
	id   string // the channel
}

type choreKind int

const (
	choreSubscribe      choreKind = iota + 1 // have its end told
	choreDiscard                             // nobody waits for it: hang it up
	choreGiveBack                            // not meant for us: back to the dialplan
	choreRefuseTransfer                      // answer a phone's REFER
	choreCloseBridge                         // id is of a bridge nobody needs
)

// apply enters one event into the book. It returns what the floor is to be
// told, in order, and what is to be done. It tolerates repeats, events of legs
// it does not know and events out of order.
func (b *book) apply(m message, now time.Time) (out []orchestrator.Event, todo []chore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.kind == kindTransfer {
		return b.transfer(m.transfer)
	}
	switch e := m.event.(type) {
	case *ari.StasisStart:
		return b.start(e, m.more, now)
	case *ari.StasisEnd:
		out = b.leave(b.leg(e.Channel), now)
		todo = b.tapEnded(e.Channel.ID, now)
	case *ari.ChannelStateChange:
		out = b.advance(b.leg(e.Channel), e.Channel.State)
	case *ari.Dial:
		switch e.Dialstatus {
		case "RINGING":
			out = b.advance(b.leg(e.Peer), "Ringing")
		case "PROGRESS":
			out = b.earlySound(b.leg(e.Peer))
		}
	case *ari.ChannelHangupRequest:
		b.hangupAsked(b.leg(e.Channel), e.Soft, m.more.TechCause)
	case *ari.ChannelDestroyed:
		out = b.end(b.leg(e.Channel), e.Cause, m.more.TechCause)
	case *ari.ChannelDtmfReceived:
		out = b.digit(b.leg(e.Channel), e.Digit)
	case *ari.ChannelEnteredBridge:
		out = b.entered(b.leg(e.Channel), e.Bridge.ID)
	case *ari.ChannelLeftBridge:
		out, todo = b.leftBridge(b.leg(e.Channel), e.Bridge.ID)
	case *ari.ChannelHold:
		out = reportIf(b.leg(e.Channel), func(id orchestrator.LegID) orchestrator.Event { return orchestrator.LegHold{Leg: id} })
	case *ari.ChannelUnhold:
		out = reportIf(b.leg(e.Channel), func(id orchestrator.LegID) orchestrator.Event { return orchestrator.LegUnhold{Leg: id} })
	case *ari.PlaybackFinished:
		out = b.playDone(orchestrator.PlayID(e.Playback.ID), e.Playback.State)
	case *ari.DeviceStateChanged:
		out = b.device(e.DeviceState.Name, e.DeviceState.State)
	default:
		return b.applyRecording(m.event)
	}
	return out, todo
}

// leg finds the leg of a channel, nil when it is not ours.
func (b *book) leg(c ari.ChannelData) *leg {
	return b.live[b.legID(c.ID, c.ChannelVars[stampVariable])]
}

func reportIf(l *leg, event func(orchestrator.LegID) orchestrator.Event) []orchestrator.Event {
	if l == nil || l.quiet {
		return nil
	}
	return []orchestrator.Event{event(l.id)}
}

// start is a channel entering our application.
func (b *book) start(e *ari.StasisStart, more extra, now time.Time) ([]orchestrator.Event, []chore) {
	id := b.legID(e.Channel.ID, e.Channel.ChannelVars[stampVariable])
	if l := b.live[id]; l != nil {
		l.started.set()
		l.left, l.releasing = time.Time{}, false
		if isDetection(e.Args) {
			return b.detected(l, e.Args), nil
		}
		return nil, nil
	}
	entry, number, ours := readArgs(e.Args)
	switch {
	case strings.Join(e.Args, ",") == argsTap:
		if m := b.tapping[e.Channel.ID]; m != nil {
			m.set()
		}
		return nil, nil
	case entry != "":
	case ours:
		// A leg we made and gave up, or made by a process that died before
		// ringing it. Nobody will ring it any more.
		return nil, []chore{{what: choreDiscard, id: e.Channel.ID}}
	default:
		return nil, []chore{{what: choreGiveBack, id: e.Channel.ID}}
	}
	l := b.open(id, now)
	l.started.set()
	l.entry, l.number, l.caller, l.endpoint = entry, number, partyOf(e.Channel.Caller), endpointOf(e.Channel.Name)
	out := []orchestrator.Event{orchestrator.LegOffered{
		Switch: b.switchID, Leg: id, Entry: entry, Dialled: number, Caller: l.caller, Endpoint: l.endpoint,
		SIPCall: orchestrator.PlainText(more.Channel.ProtocolID, maxID),
	}}
	return append(out, b.advance(l, e.Channel.State)...), []chore{{what: choreSubscribe, leg: l, id: l.channel}}
}

// readArgs reads the arguments of a Stasis() line or of a create.
func readArgs(args []string) (entry orchestrator.Entry, number string, ours bool) {
	if strings.Join(args, ",") == argsDialled {
		return "", "", true
	}
	if len(args) < 2 || args[0] != argsVersion {
		return "", "", false
	}
	if len(args) > 2 {
		number = orchestrator.PlainText(args[2], orchestrator.MaxPartyNumber)
	}
	switch e := orchestrator.Entry(args[1]); e {
	case orchestrator.EntryIn, orchestrator.EntryAgent, orchestrator.EntryLink:
		return e, number, false
	}
	return "", "", false
}

func partyOf(c *ari.CallerID) orchestrator.Party {
	return orchestrator.Party{Number: orchestrator.PlainText(c.GetNumber(), orchestrator.MaxPartyNumber), Name: orchestrator.PlainText(c.GetName(), orchestrator.MaxPartyName)}
}

// endpointOf takes the endpoint out of a channel's name: "PJSIP/1001-0000002a".
func endpointOf(name string) string {
	i := strings.LastIndexByte(name, '-')
	if i < 0 || !strings.Contains(name[:i], "/") {
		return ""
	}
	return orchestrator.PlainText(name[:i], maxID)
}

// advance takes a leg to a later state and never back: ringing may be told
// twice, and after up.
func (b *book) advance(l *leg, state string) []orchestrator.Event {
	if l == nil || l.quiet {
		return nil
	}
	switch {
	case state == "Up" && l.state != orchestrator.LegIsUp:
		l.state = orchestrator.LegIsUp
		return []orchestrator.Event{orchestrator.LegUp{Leg: l.id}}
	case state == "Ringing" && l.state == orchestrator.LegNew && l.dialled:
		l.state = orchestrator.LegRings
		return []orchestrator.Event{orchestrator.LegRinging{Leg: l.id}}
	}
	return nil
}

// earlySound is sound from the far end before its answer.
func (b *book) earlySound(l *leg) []orchestrator.Event {
	if l == nil || l.quiet || l.early || l.state == orchestrator.LegIsUp {
		return nil
	}
	l.early = true
	return []orchestrator.Event{orchestrator.LegEarly{Leg: l.id}}
}

// hangupAsked notes who ends a leg. After our own request, or at the end of the
// ring time, Asterisk sets soft; later requests come from the dialplan or the
// SIP stack and say nothing.
func (b *book) hangupAsked(l *leg, soft bool, sip int) {
	if l == nil || l.asked {
		return
	}
	l.asked = true
	if !soft && !l.byUs {
		l.remote = true
		l.sip = sip
	}
}

// leave is a channel leaving our application: released, or about to end.
func (b *book) leave(l *leg, now time.Time) []orchestrator.Event {
	if l == nil || l.quiet {
		return nil
	}
	if l.releasing && !l.asked {
		return b.released(l)
	}
	if !l.detecting.IsZero() && !l.asked {
		l.left = now.Add(detectPatience) // It is away to come back.
		return nil
	}
	l.left = now
	return nil
}

func (b *book) released(l *leg) []orchestrator.Event {
	b.shut(l, true)
	return []orchestrator.Event{orchestrator.LegReleased{Leg: l.id}}
}

// end is a channel that is no more.
func (b *book) end(l *leg, cause, sip int) []orchestrator.Event {
	if l == nil {
		return nil
	}
	b.shut(l, false)
	if l.quiet {
		return nil
	}
	e := orchestrator.LegEnded{Leg: l.id, Cause: cause, By: orchestrator.EndedBySwitch}
	switch {
	case l.byUs && !l.remote:
		e.By = orchestrator.EndedByUs
	case l.remote:
		e.By = orchestrator.EndedByRemote
		if l.sip != 0 {
			e.SIP = sip // tech_cause is the far end's word only then
		}
	}
	if e.Cause == 0 {
		e.Cause = orchestrator.CauseNormal // A caller who hangs up unbridged has no cause.
	}
	return []orchestrator.Event{e}
}

func (b *book) digit(l *leg, digit string) []orchestrator.Event {
	if l == nil || l.quiet || len(digit) != 1 || !strings.Contains("0123456789*#ABCD", digit) {
		return nil
	}
	return []orchestrator.Event{orchestrator.Digit{Leg: l.id, Digit: digit}}
}

func (b *book) entered(l *leg, bridge string) []orchestrator.Event {
	if l == nil || l.quiet || l.bridge == orchestrator.BridgeID(bridge) || isSpyBridge(bridge) {
		return nil
	}
	l.bridge, l.entering = orchestrator.BridgeID(bridge), ""
	return []orchestrator.Event{orchestrator.Joined{Leg: l.id, Bridge: l.bridge}}
}

func (b *book) leftBridge(l *leg, bridge string) ([]orchestrator.Event, []chore) {
	if l == nil || l.quiet {
		return nil, nil
	}
	if isSpyBridge(bridge) {
		return nil, b.leftSpy(l, bridge)
	}
	if l.bridge == orchestrator.BridgeID(bridge) {
		l.bridge = ""
	}
	if l.entering == orchestrator.BridgeID(bridge) {
		l.entering = ""
	}
	return []orchestrator.Event{orchestrator.Left{Leg: l.id, Bridge: orchestrator.BridgeID(bridge)}}, nil
}

// playDone ends a play once. Asterisk calls it failed when its leg ended.
func (b *book) playDone(id orchestrator.PlayID, state string) []orchestrator.Event {
	l := b.plays[id]
	if l == nil || l.plays[id].done {
		return nil
	}
	p := l.plays[id]
	p.done = true
	status := orchestrator.PlayFinished
	switch {
	case p.stopped, state != "done" && (l.asked || l.byUs):
		status = orchestrator.PlayStopped
	case state != "done":
		status = orchestrator.PlayFailed
	}
	return []orchestrator.Event{orchestrator.PlayDone{Leg: l.id, Play: id, Status: status}}
}

// device is a watched endpoint changing. Only differences are told.
func (b *book) device(name, state string) []orchestrator.Event {
	old, watched := b.devices[name]
	if !watched {
		return nil
	}
	d := device{known: true, reachable: true}
	switch state {
	case "UNAVAILABLE", "INVALID":
		d.reachable = false
	case "INUSE", "RINGING", "BUSY", "ONHOLD", "RINGINUSE":
		d.inUse = !b.haunted(name) // A ghost's endpoint would be in use for good.
	}
	if d == old {
		return nil
	}
	b.devices[name] = d
	return []orchestrator.Event{b.changed(name, d)}
}

func (b *book) changed(name string, d device) orchestrator.Event {
	return orchestrator.EndpointChanged{Switch: b.switchID, Endpoint: name, Reachable: d.reachable, InUse: d.inUse}
}
