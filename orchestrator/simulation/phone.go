package simulation

import (
	"slices"

	"ringmaster/orchestrator"
)

// Phone is a desk phone of a switch. It has one line: a second call meets 486.
type Phone struct {
	// Person answers the phone; nil lets it ring.
	Person Person

	sw        *Switch
	endpoint  string
	reachable bool
	trunk     bool   // carries many calls, by their numbers
	foreign   bool   // in a call that is not ours
	calls     []*Far // ringing or up
	told      bool   // in use, as last reported
}

// AddPhone puts a registered phone on the switch.
func (s *Switch) AddPhone(endpoint string, who Person) *Phone {
	p := &Phone{sw: s, endpoint: endpoint, reachable: true, Person: who}
	s.phones = append(s.phones, p)
	return p
}

// AddTrunk puts a trunk on the switch: who answers the numbers dialled through
// it. It is no device anybody watches.
func (s *Switch) AddTrunk(endpoint string, who Person) *Phone {
	p := s.AddPhone(endpoint, who)
	p.trunk = true
	return p
}

func (s *Switch) phone(endpoint string) *Phone {
	for _, p := range s.phones {
		if p.endpoint == endpoint {
			return p
		}
	}
	return nil
}

// Endpoint is the switch's own name for the phone.
func (p *Phone) Endpoint() string { return p.endpoint }

// Calls are the calls ringing or up at this phone.
func (p *Phone) Calls() []*Far { return slices.Clone(p.calls) }

// Dial calls a number from this phone.
func (p *Phone) Dial(number string, who Person) *Far {
	f := &Far{phone: p, person: who}
	p.calls = append(p.calls, f)
	p.sw.arrive(&leg{entry: orchestrator.EntryAgent, dialled: number, endpoint: p.endpoint}, f)
	p.note()
	return f
}

// Foreign is the phone being in a call that the switch carries without us.
func (p *Phone) Foreign(on bool) {
	p.foreign = on
	p.note()
}

// Register and Unregister are the phone coming and going. A call that lasts is
// not ended by it, as SIP has it.
func (p *Phone) Register() { p.reach(true) }

// Unregister takes the phone off the switch.
func (p *Phone) Unregister() { p.reach(false) }

func (p *Phone) reach(on bool) {
	if p.reachable != on {
		p.reachable = on
		p.say()
	}
}

func (p *Phone) inUse() bool { return !p.trunk && (p.foreign || len(p.calls) > 0) }

// note reports being in use if that changed.
func (p *Phone) note() {
	if p.told != p.inUse() {
		p.say()
	}
}

func (p *Phone) say() {
	p.told = p.inUse()
	p.sw.emit(orchestrator.EndpointChanged{
		Switch: p.sw.id, Endpoint: p.endpoint, Reachable: p.reachable, InUse: p.told,
	})
}

// called is a dialled leg reaching the phone.
func (p *Phone) called(l *leg) {
	f := l.far
	if p.inUse() {
		f.Refuse(486)
		return
	}
	if !p.reachable {
		return // the contact is dead: nothing comes back until the timeout
	}
	p.calls = append(p.calls, f)
	status := 180
	if f.person != nil {
		status = f.person.Called(f)
	}
	switch {
	case status == 0:
		return
	case status >= 400:
		f.Refuse(status)
		return
	}
	p.note()
	if status == 183 {
		f.early = true
		p.sw.emit(orchestrator.LegEarly{Leg: l.id})
		return
	}
	f.rings = true
	l.state = orchestrator.LegRings
	p.sw.emit(orchestrator.LegRinging{Leg: l.id})
}

func (p *Phone) hungUp(f *Far) {
	p.calls = slices.DeleteFunc(p.calls, func(x *Far) bool { return x == f })
	p.note()
}
