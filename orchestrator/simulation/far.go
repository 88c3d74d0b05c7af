package simulation

import (
	"strconv"

	"ringmaster/orchestrator"
)

// Person is whoever holds the far end of a leg. What they do in answer they do
// later, by the clock.
type Person interface {
	// Called is the reply of a phone that is called: a SIP status. 180 rings
	// until the person does something about it, 183 is sound instead of a ring,
	// 0 never replies.
	Called(f *Far) int
	Up(f *Far)
	Hears(f *Far, media []orchestrator.Media)
	// Together is hearing another party, Alone is hearing them no more.
	Together(f *Far)
	Alone(f *Far)
	// Fallback is the leg being the dialplan's and no longer ours, from now on
	// or from the beginning.
	Fallback(f *Far)
	Ended(f *Far)
}

// Far is the far end of one leg.
type Far struct {
	sw      *Switch
	leg     *leg   // nil in the fallback
	phone   *Phone // nil for callers from the trunk
	person  Person // nil: does nothing by itself
	rings   bool
	up      bool
	over    bool
	given   bool // to the dialplan
	held    bool
	status  int
	told    int  // of its transfer
	consult *Far // of its attended transfer
	tone    int
	spoke   bool // since somebody listened for it
	early   bool // sound before the answer
	pressed string
	shown   orchestrator.Party
	dialled string // by which it was reached through a trunk
}

// Ringing, Up and Ended are where the far end believes its call to be.
func (f *Far) Ringing() bool { return f.rings && !f.up && !f.over }

// Up reports whether the call was answered and lasts.
func (f *Far) Up() bool { return f.up && !f.over }

// Ended reports whether the call is over.
func (f *Far) Ended() bool { return f.over }

// Status is the SIP status of a refused call, 0 otherwise.
func (f *Far) Status() int { return f.status }

// Pressed is the DTMF the far end has received.
func (f *Far) Pressed() string { return f.pressed }

// Shown is the caller as the phone displays it.
func (f *Far) Shown() orchestrator.Party { return f.shown }

// Dialled is the number this far end was reached by through a trunk.
func (f *Far) Dialled() string { return f.dialled }

// Leg is the leg's id, "" in the fallback.
func (f *Far) Leg() orchestrator.LegID {
	if f.leg == nil {
		return ""
	}
	return f.leg.id
}

// Call is a call from the trunk. Without a connection to us the dialplan's
// fallback takes it.
func (s *Switch) Call(to string, from orchestrator.Party, who Person) *Far {
	return s.arrive(&leg{entry: orchestrator.EntryIn, dialled: to, caller: clean(from)}, &Far{person: who})
}

// Link is a call from another switch of ours. Without a connection to us it is
// refused, because the other switch has somewhere else to send it.
func (s *Switch) Link(to string, from orchestrator.Party, who Person) *Far {
	return s.arrive(&leg{entry: orchestrator.EntryLink, dialled: to, caller: clean(from)}, &Far{person: who})
}

func (s *Switch) arrive(l *leg, f *Far) *Far {
	f.sw = s
	if s.port == nil || !s.port.open {
		if l.entry == orchestrator.EntryLink {
			f.ended(causeNobody, 503)
			return f
		}
		f.fallback()
		return f
	}
	s.serial++
	l.id = orchestrator.LegID(string(s.id) + "/" + strconv.Itoa(s.epoch) + "." + strconv.Itoa(s.serial))
	l.state, l.created, l.far = orchestrator.LegNew, s.clock.Now(), f
	f.leg = l
	s.legs = append(s.legs, l)
	s.emit(orchestrator.LegOffered{
		Switch: s.id, Leg: l.id, Entry: l.entry, Dialled: l.dialled, Caller: l.caller, Endpoint: l.endpoint,
		SIPCall: "sip-" + strconv.Itoa(s.serial),
	})
	return f
}

// causeNobody is Q.850 "network out of order".
const causeNobody = 38

// live is the leg while it is on the switch and ours.
func (f *Far) live() *leg {
	if f.over || f.given {
		return nil
	}
	return f.leg
}

// Answer lifts the receiver of a ringing phone.
func (f *Far) Answer() {
	l := f.live()
	if l == nil || !f.Ringing() && !f.early || f.up {
		return
	}
	l.patience.Stop()
	l.state = orchestrator.LegIsUp
	f.sw.emit(orchestrator.LegUp{Leg: l.id})
	f.answered()
}

// Refuse replies to a call with a SIP status of 400 or more.
func (f *Far) Refuse(status int) {
	if l := f.live(); l != nil && !f.up {
		f.sw.end(l, causeOf(status), status, orchestrator.EndedByRemote)
	}
}

// causeOf maps a SIP status to the Q.850 cause Asterisk gives it.
func causeOf(status int) int {
	switch status {
	case 486:
		return orchestrator.CauseBusy
	case 603:
		return orchestrator.CauseRejected
	case 404:
		return orchestrator.CauseUnallocated
	case 480:
		return orchestrator.CauseNoAnswer
	case 503:
		return 34
	}
	return 127
}

// statusOf is the way back, for callers who are refused.
func statusOf(cause int) int {
	switch cause {
	case orchestrator.CauseBusy:
		return 486
	case orchestrator.CauseUnallocated:
		return 404
	case orchestrator.CauseNoAnswer:
		return 480
	}
	return 603
}

// Hangup puts the receiver down, or gives up a call that was not answered.
func (f *Far) Hangup() {
	l := f.live()
	switch {
	case f.over:
	case l == nil:
		f.ended(orchestrator.CauseNormal, 0)
	case l.entry != "" && !f.up:
		f.sw.end(l, 127, 487, orchestrator.EndedByRemote)
	case !f.up:
		f.Refuse(603)
	default:
		f.sw.end(l, orchestrator.CauseNormal, 0, orchestrator.EndedByRemote)
	}
}

// Press sends digits to the switch, all at once.
func (f *Far) Press(digits string) {
	l := f.live()
	if l == nil {
		return
	}
	for i := range len(digits) {
		f.sw.superviseKey(l, digits[i])
		f.sw.emit(orchestrator.Digit{Leg: l.id, Digit: digits[i : i+1]})
	}
}

// Hold and Resume are the phone's hold key.
func (f *Far) Hold() {
	if l := f.live(); l != nil && f.up && !f.held {
		f.held = true
		f.sw.emit(orchestrator.LegHold{Leg: l.id})
	}
}

// Resume takes the other party back.
func (f *Far) Resume() {
	if l := f.live(); l != nil && f.held {
		f.held = false
		f.sw.emit(orchestrator.LegUnhold{Leg: l.id})
	}
}

func (f *Far) answered() {
	f.up = true
	if f.person != nil {
		f.person.Up(f)
	}
}

func (f *Far) heard(media []orchestrator.Media) {
	if f.person != nil {
		f.person.Hears(f, media)
	}
}

func (f *Far) together() {
	if f.person != nil {
		f.person.Together(f)
	}
}

func (f *Far) alone() {
	if f.person != nil && !f.over {
		f.person.Alone(f)
	}
}

func (f *Far) fallback() {
	f.given, f.up = true, true
	if f.phone != nil {
		f.phone.note()
	}
	if f.person != nil {
		f.person.Fallback(f)
	}
}

func (f *Far) ended(cause, sip int) {
	if f.over {
		return
	}
	f.over = true
	if f.status = sip; sip == 0 && !f.up {
		f.status = statusOf(cause)
	}
	if f.phone != nil {
		f.phone.hungUp(f)
	}
	if f.person != nil {
		f.person.Ended(f)
	}
}
