package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// The sides of a fleet. East is an Asterisk; west is of either kind.
const (
	east = iota
	west
)

var sideNames = [...]orchestrator.SwitchID{"east", "west"}

// fleetPhones is where the phones of a fleet sit: an Asterisk takes who calls
// from the other switch's address for the other switch.
const fleetPhones = "127.0.0.4"

// linkPassword is what the east proves with to a FreeSWITCH.
const linkPassword = "only-for-the-link"

// fleet is one Ringmaster that drives two PBXs with a trunk each way, as the
// shipped dialplans have it. Agents 1 and 2 have their phones in the east,
// 3 and 4 in the west. The centre's own PBX, where callers call, is the side
// last chosen with from.
type fleet struct {
	*office
	sides [2]*exchange
	trunk [2]string // from each side, as Ringmaster dials it
}

// newFleet starts both sides and everything on them. A west that cannot run
// here skips the test and says so.
func newFleet(t *testing.T, kind string) *fleet {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests take minutes")
	}
	f := &fleet{office: &office{}}
	f.begin(t, kind)
	f.centre = &centre{t: t, pbx: f.sides[east], dir: folder(t)}
	f.start()
	t.Cleanup(f.stop)
	f.apply(f.document())
	for i := range 4 {
		f.agents = append(f.agents, f.register(i))
	}
	f.attached()
	for i := range 4 {
		f.act(i, document{"action": "login", "phone": f.phoneID(i)})
	}
	return f
}

// begin starts both PBXs and links them.
func (f *fleet) begin(t *testing.T, kind string) {
	t.Helper()
	const often = 2 * time.Second
	if kind == "freeswitch" && lab.FreeSWITCHAvailable() != nil {
		t.Skipf("THE MIXED FLEET WAS NOT RUN: %v", lab.FreeSWITCHAvailable())
	}
	f.sides[east] = runAsterisk(t, lab.Config{Agents: 2, Qualify: often})
	f.cleanUp(t, east)
	if kind == "freeswitch" {
		f.sides[west] = runFreeSWITCH(t, lab.FreeSWITCHConfig{
			Agents: 2, Qualify: often, LinkContact: f.sides[east].SIPAddr, LinkPassword: linkPassword,
		})
	} else {
		f.sides[west] = runAsterisk(t, lab.Config{Agents: 2, Qualify: often, Host: lab.LinkIP})
	}
	f.cleanUp(t, west)
	for side, x := range f.sides {
		f.trunk[side] = "gateway/link"
		if pbx, ok := x.machine.(*lab.Asterisk); ok {
			f.trunk[side] = "PJSIP/link"
			if err := pbx.Link(f.sides[1-side].SIPAddr, linkPassword); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (f *fleet) cleanUp(t *testing.T, side int) {
	t.Cleanup(func() {
		if t.Failed() {
			saveLog(t, f.sides[side].Logs())
		}
		if err := f.sides[side].Stop(); err != nil {
			t.Error(err)
		}
	})
}

// document is the configuration: one queue of all four agents.
func (f *fleet) document() document {
	var switches, phones, agents, members []document
	for side, x := range f.sides {
		switches = append(switches, document{
			"id": sideNames[side], "type": x.kind, "url": x.url, "username": x.user, "password": x.password,
			"links": []document{{"to": sideNames[1-side], "trunk": f.trunk[side]}},
		})
	}
	for i := range 4 {
		x := f.sides[i/2]
		phones = append(phones, document{"id": f.phoneID(i), "switch": sideNames[i/2], "endpoint": x.technology + x.Agents[i%2].Number})
		agents = append(agents, document{"id": agentID(i), "number": fmt.Sprint(101 + i), "name": agentID(i), "pin": pin(i)})
		members = append(members, document{"agent": agentID(i)})
	}
	return document{
		"settings": document{"pause_reasons": []document{{"id": "lunch", "name": "lunch", "digit": "1"}}},
		"switches": switches, "phones": phones, "agents": agents,
		"queues": []document{{
			"id": "sales", "name": "Sales", "agents": members, "music": lab.MusicClass, "wrap_up_ms": 0,
			"no_answer_delay_ms": 1000, "busy_delay_ms": 1000, "reject_delay_ms": 1000, "unreachable_delay_ms": 1000,
		}},
		"flows":   []document{straightTo("sales")},
		"numbers": []document{{"dialled": "501", "flow": "to-sales"}},
	}
}

func (f *fleet) phoneID(i int) string {
	return fmt.Sprintf("%s-%s", sideNames[i/2], f.sides[i/2].Agents[i%2].Number)
}

func (f *fleet) register(i int) *phone.Phone {
	f.t.Helper()
	x := f.sides[i/2]
	p, err := phone.New(phone.Config{
		User: x.Agents[i%2].Number, Password: x.Agents[i%2].Password, Registrar: x.SIPAddr, ListenHost: fleetPhones,
		ToneHz: agentHz + 100*i, Tones: tones, Behaviour: phone.AnswerAfter(300 * time.Millisecond),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { p.Close() })
	if err := p.Register(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	return p
}

// attached waits until both sides are.
func (f *fleet) attached() {
	f.t.Helper()
	f.eventually("both switches are attached", 30*time.Second, func() bool {
		l := f.live()
		return len(l.Switches) == 2 && l.Switches[0].Attached && l.Switches[1].Attached
	})
}

func (f *fleet) isAttached(side int) bool {
	for _, s := range f.live().Switches {
		if s.Switch == sideNames[side] {
			return s.Attached
		}
	}
	return false
}

// scene begins anew: callers call at a side, and only these agents take calls.
func (f *fleet) scene(t *testing.T, side int, ready ...int) {
	t.Helper()
	f.turn++
	f.t, f.from, f.pbx = t, fmt.Sprintf("+49306%03d", f.turn), f.sides[side]
	f.attached()
	for i, p := range f.agents {
		if err := p.SetBehaviour(phone.AnswerAfter(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		action := document{"action": "pause", "reason": "lunch"}
		if slices.Contains(ready, i) {
			action = document{"action": "ready"}
		}
		f.act(i, action)
	}
	for i := range f.agents {
		want := orchestrator.AgentPaused
		if slices.Contains(ready, i) {
			want = orchestrator.AgentReady
		}
		f.eventually(fmt.Sprintf("%s is %s", agentID(i), want), 15*time.Second, func() bool {
			a := f.agent(i)
			return a.State == want && a.Reachable
		})
	}
}

// meet is a caller who talks to agent i.
func (f *fleet) meet(i int) (caller, agent *phone.Call) {
	f.t.Helper()
	caller = f.dial(f.caller(0), "501", f.from)
	f.hears(caller, agentHz+100*i, time.Time{})
	agent = incoming(f.t.(*testing.T), f.agents[i])
	f.hears(agent, callerHz, time.Time{})
	return caller, agent
}

// leg is a leg of a call as the API tells it.
type leg struct {
	Role     string    `json:"role"`
	Switch   string    `json:"switch"`
	Endpoint string    `json:"endpoint"`
	Started  time.Time `json:"started_at"`
	Ended    time.Time `json:"ended_at"`
}

func (f *fleet) legs(s story) (legs []leg) {
	f.t.Helper()
	var told struct {
		Legs []leg `json:"legs"`
	}
	f.do("GET", "/v1/calls/"+s.Call.ID, nil, &told)
	return told.Legs
}

// carried holds that the call had these legs, "role@switch", and that none is
// left.
func (f *fleet) carried(s story, want ...string) {
	f.t.Helper()
	var got []string
	for _, l := range f.legs(s) {
		got = append(got, l.Role+"@"+l.Switch)
		if l.Ended.IsZero() {
			f.t.Errorf("the %s leg at %s does not end in the books", l.Role, l.Switch)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		f.t.Errorf("legs %v, want %v\n%s", got, want, s)
	}
}

// empty asks both switches what they carry: nothing.
func (f *fleet) empty() {
	f.t.Helper()
	for side := range f.sides {
		carries := f.carries(side)
		for end := time.Now().Add(10 * time.Second); carries != "" && time.Now().Before(end); carries = f.carries(side) {
			time.Sleep(250 * time.Millisecond)
		}
		if carries != "" {
			f.t.Errorf("the %s still carries\n%s", sideNames[side], carries)
		}
	}
}

// carries is what a switch says it carries, empty for nothing.
func (f *fleet) carries(side int) (text string) {
	f.t.Helper()
	asks := map[string]string{"core show channels count": "0 active channels", "bridge show all": ""}
	if f.sides[side].kind == "freeswitch" {
		asks = map[string]string{"show channels": "0 total.", "conference list": "No active conferences"}
	}
	pbx := f.sides[side].machine.(interface {
		CLI(command string) (string, error)
	})
	for ask, none := range asks {
		out, err := pbx.CLI(ask)
		if err != nil {
			return err.Error()
		}
		if none == "" { // a heading, and a line for each
			if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) > 1 {
				text += out
			}
		} else if !strings.Contains(out, none) {
			text += out
		}
	}
	return text
}

// TestFleet has calls that arrive on one switch reach phones of another, in
// both directions.
func TestFleet(t *testing.T) {
	for _, kind := range []string{"asterisk", "freeswitch"} {
		t.Run("asterisk and "+kind, func(t *testing.T) {
			f := newFleet(t, kind)
			for side := range f.sides {
				there := 2 - 2*side // the first agent on the other side
				for _, x := range []struct {
					name string
					do   func(f *fleet, there int)
				}{
					{"they talk, hold, and the caller hangs up", callerEndsAcross},
					{"the agent hangs up", agentEndsAcross},
					{"the agent transfers to this side", transferHome},
					{"the agent transfers on the far side", transferThere},
				} {
					t.Run(fmt.Sprintf("from the %s, %s", sideNames[side], x.name), func(t *testing.T) {
						f.scene(t, side, there)
						x.do(f, there)
						f.empty()
					})
				}
			}
			t.Run("the link refuses", func(t *testing.T) { f.scene(t, east, 2); linkRefuses(f) })
			if !*long {
				return // what a phone does while its switch restarts is not steady enough yet for every run
			}
			t.Run("the far switch dies while a phone rings", func(t *testing.T) { f.scene(t, east, 2); diesRinging(f) })
			t.Run("the far switch dies while they talk", func(t *testing.T) { f.scene(t, east, 2); diesTalking(f) })
		})
	}
}

func callerEndsAcross(f *fleet, there int) {
	caller, agent := f.meet(there)
	f.hear(caller, agent, callerHz, agentHz+100*there)
	f.holdAcross(caller, agent, there)
	s := f.finish(caller, agent)
	f.across(s, there)
	if s.Call.Times.Hold == 0 {
		f.t.Errorf("times %+v", s.Call.Times)
	}
}

// holdAcross has the agent put the caller on hold and take them back.
func (f *fleet) holdAcross(caller, agent *phone.Call, there int) {
	f.t.Helper()
	if err := agent.Hold(f.within(3 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	held := time.Now()
	f.eventually("the caller hears the music on hold", 10*time.Second, func() bool {
		return caller.Ear().Heard(lab.HoldHz, held, time.Now()) > 0.3
	})
	f.eventually("the agent holds", 3*time.Second, func() bool { return f.agent(there).State == orchestrator.AgentHolding })
	if err := agent.Unhold(f.within(3 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	f.hear(caller, agent, callerHz, agentHz+100*there)
}

func agentEndsAcross(f *fleet, there int) {
	caller, agent := f.meet(there)
	f.hear(caller, agent, callerHz, agentHz+100*there)
	if err := agent.Hangup(f.within(3 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	f.gone(caller)
	f.across(f.story(f.t.(*testing.T), f.from), there)
}

// across holds that a call was taken over a link to agent i, and all of it is
// told.
func (f *fleet) across(s story, i int) {
	f.t.Helper()
	t := f.t.(*testing.T)
	s.has(t, "call_arrived", "offer_made", "link_opened", "call_connected", "link_closed", "call_ended")
	s.offered(t, agentID(i)+" answered")
	if s.Call.Outcome.Reason != orchestrator.ReasonTalked || s.count("call_ended") != 1 {
		t.Errorf("outcome %+v\n%s", s.Call.Outcome, s)
	}
	here, there := string(sideNames[1-i/2]), string(sideNames[i/2])
	f.carried(s, "caller@"+here, "link@"+here, "link@"+there, "agent@"+there)
}

// transferHome has the agent over there send the caller to a colleague on the
// caller's own side, with the phone's key.
func transferHome(f *fleet, there int) { f.transfer(there, 3-(there+1)) }

// transferThere has the agent send the caller to the neighbour over there.
func transferThere(f *fleet, there int) { f.transfer(there, there+1) }

func (f *fleet) transfer(by, to int) {
	f.t.Helper()
	caller, agent := f.meet(by)
	if err := agent.Transfer(f.within(10*time.Second), fmt.Sprint(101+to)); err != nil {
		f.t.Fatal(err)
	}
	f.gone(agent)
	f.hears(caller, agentHz+100*to, time.Now())
	colleague := incoming(f.t.(*testing.T), f.agents[to])
	f.hear(caller, colleague, callerHz, agentHz+100*to)
	s := f.finish(caller, colleague)
	s.has(f.t.(*testing.T), "link_opened", "call_connected", "call_transferred", "offer_made", "call_connected", "call_ended")
	s.offered(f.t, agentID(by)+" answered", agentID(to)+" answered")
	if opened, closed := s.count("link_opened"), s.count("link_closed"); opened != closed {
		f.t.Errorf("%d links opened, %d closed\n%s", opened, closed, s)
	}
}

// linkRefuses has the far side refuse the trunk's calls, as a wrong address
// does. The caller keeps their place and gets the next agent; the one who
// answered in vain is not to blame.
func linkRefuses(f *fleet) {
	pbx := f.sides[east].machine.(*lab.Asterisk)
	nowhere := lab.LinkIP + ":9"
	if err := pbx.Link(nowhere, "wrong"); err != nil {
		f.t.Fatal(err)
	}
	caller := f.dial(f.caller(0), "501", f.from)
	f.eventually("the agent answered in vain", 20*time.Second, func() bool {
		calls := f.agents[2].Calls()
		return len(calls) > 0 && calls[len(calls)-1].Direction() == phone.Incoming && !calls[len(calls)-1].Up() &&
			!calls[len(calls)-1].Times().Answered.IsZero() && calls[len(calls)-1].Peer() == f.from
	})
	f.act(2, document{"action": "pause", "reason": "lunch"})
	f.hears(caller, lab.MusicHz, time.Now())
	f.act(0, document{"action": "ready"})
	f.hears(caller, agentHz, time.Now())
	s := f.finish(caller, incoming(f.t.(*testing.T), f.agents[0]))
	if n := len(s.Offers); n < 2 || s.Offers[0].Outcome != string(orchestrator.OfferCancelled) || s.Offers[n-1].Outcome != "answered" {
		f.t.Errorf("offers %+v\n%s", s.Offers, s)
	}
	if n := s.count("call_queued"); n != 1 {
		f.t.Errorf("the caller joined the queue %d times\n%s", n, s)
	}
	if err := pbx.Link(f.sides[west].SIPAddr, linkPassword); err != nil {
		f.t.Fatal(err)
	}
	f.empty()
}

// diesRinging kills the west while a phone of it rings.
func diesRinging(f *fleet) {
	if err := f.agents[2].SetBehaviour(phone.RingForever()); err != nil {
		f.t.Fatal(err)
	}
	caller := f.dial(f.caller(0), "501", f.from)
	f.eventually("the phone rings", 10*time.Second, func() bool { return f.agent(2).State == orchestrator.AgentReserved })
	f.act(0, document{"action": "ready"})
	f.sides[west].Kill()
	f.eventually("the loss is noticed", 15*time.Second, func() bool { return !f.isAttached(west) })
	lost := time.Now()
	at := f.hears(caller, agentHz, time.Time{})
	f.t.Logf("another agent is heard %s after the loss was noticed", at.Sub(lost).Round(time.Millisecond))
	from := f.from
	if err := caller.Hangup(f.within(3 * time.Second)); err != nil {
		f.t.Fatal(err)
	}
	f.revive(2)
	f.story(f.t.(*testing.T), from).offered(f.t, "agent3 cancelled", "agent1 answered")
}

// diesTalking kills the west while an agent of it talks: the agent is offered no
// other call, and the call is closed once it is known that the switch, and not
// only its connection, was gone. Then the agent takes calls again.
func diesTalking(f *fleet) {
	caller, agent := f.meet(2)
	from := f.from
	time.Sleep(1500 * time.Millisecond) // the PBX writes its registrations down once a second
	f.sides[west].Kill()
	f.eventually("the loss is noticed", 15*time.Second, func() bool { return !f.isAttached(west) })
	if a := f.agent(2); a.Reachable {
		f.t.Errorf("the phone of a lost switch is reachable: %+v", a)
	}
	f.act(0, document{"action": "ready"})
	f.from += "9"
	next := f.dial(f.caller(1), "501", f.from)
	f.hears(next, agentHz, time.Time{})
	f.finish(next, incoming(f.t.(*testing.T), f.agents[0])).offered(f.t, "agent1 answered")
	agent.Hangup(f.within(3 * time.Second)) // they notice that the line is dead
	f.revive(2)
	f.gone(caller)
	s := f.story(f.t.(*testing.T), from)
	if s.count("call_ended") != 1 || s.Call.Outcome.Reason != orchestrator.ReasonTalked {
		f.t.Errorf("the lost call: %+v\n%s", s.Call.Outcome, s)
	}
}

// revive brings the west back and holds that its agent i is offered calls again.
func (f *fleet) revive(i int) {
	f.t.Helper()
	if err := f.sides[west].Restart(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.attached()
	f.from += "8"
	from := f.from
	f.eventually("the phone is there", 30*time.Second, func() bool { return f.agent(i).Reachable })
	f.scene(f.t.(*testing.T), east, i)
	f.from = from
	caller, agent := f.meet(i)
	f.hear(caller, agent, callerHz, agentHz+100*i)
	f.across(f.finish(caller, agent), i)
	f.empty()
}

// answers is how many calls each way of TestAnswerToSound takes.
const answers = 20

// TestAnswerToSound measures what a caller waits from the instant the agent
// picks up to the agent's first sound, on one switch and over a link.
func TestAnswerToSound(t *testing.T) {
	for _, kind := range []string{"asterisk", "freeswitch"} {
		t.Run("asterisk and "+kind, func(t *testing.T) {
			f := newFleet(t, kind)
			for side := range f.sides {
				for _, i := range []int{2 * side, 2 - 2*side} {
					var waits []time.Duration
					for range answers {
						f.scene(t, side, i)
						caller := f.dial(f.caller(0), "501", f.from)
						heard := f.hears(caller, agentHz+100*i, time.Time{})
						agent := incoming(t, f.agents[i])
						waits = append(waits, heard.Sub(agent.Times().Answered))
						f.finish(caller, agent)
					}
					slices.Sort(waits)
					t.Logf("%s to %s: answer to sound p50 %s, p95 %s, most %s", f.sides[side].kind, f.sides[i/2].kind,
						waits[answers/2].Round(time.Millisecond), waits[answers*95/100].Round(time.Millisecond), waits[answers-1].Round(time.Millisecond))
				}
			}
		})
	}
}
