package simulation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// fleet is one floor with two switches, east and west, a trunk each way, and an
// agent at a phone of each.
type fleet struct {
	t     *testing.T
	clock *Clock
	floor *floor.Floor
	sw    map[orchestrator.SwitchID]*Switch
	port  map[orchestrator.SwitchID]*Port
	trunk map[orchestrator.SwitchID]*Trunk // from there
	hands map[string]*handed               // by agent
	facts []orchestrator.Fact
	seq   uint64
	deaf  bool // what the switches tell is lost
}

func newFleet(t *testing.T, links bool) *fleet {
	t.Helper()
	f := &fleet{
		t: t, clock: NewClock(begin), sw: map[orchestrator.SwitchID]*Switch{}, port: map[orchestrator.SwitchID]*Port{},
		trunk: map[orchestrator.SwitchID]*Trunk{}, hands: map[string]*handed{},
		floor: floor.New(floor.Config{Tenant: "acme", Epoch: 1}),
	}
	c := orchestrator.Config{
		Agents: []orchestrator.Agent{{ID: "ana", Number: "1", Name: "Ana"}, {ID: "ben", Number: "2", Name: "Ben"}},
		Queues: []orchestrator.Queue{{ID: "sales", Name: "Sales", Version: 1, Agents: []orchestrator.QueueAgent{{Agent: "ana"}, {Agent: "ben"}}}},
		Flows: []orchestrator.Flow{{ID: "main", Version: 1, Start: "q", Nodes: map[string]orchestrator.Node{
			"q": {Type: orchestrator.NodeQueue, Queue: "sales"},
		}}},
		Numbers: []orchestrator.Number{{Dialled: "100", Flow: "main"}},
	}
	for i, id := range []orchestrator.SwitchID{"east", "west"} {
		f.sw[id] = NewSwitch(id, f.clock)
		f.sw[id].Object = func(text string) { t.Errorf("impossible on %s: %s", id, text) }
		agent := []string{"ana", "ben"}[i]
		f.hands[agent] = &handed{reply: 180}
		f.hands[agent].phone = f.sw[id].AddPhone("PJSIP/"+agent, f.hands[agent])
		c.Phones = append(c.Phones, orchestrator.Phone{ID: orchestrator.PhoneID(agent), Switch: id, Endpoint: "PJSIP/" + agent})
		c.Switches = append(c.Switches, orchestrator.PBX{ID: id, Type: "simulated"})
	}
	for i, id := range []orchestrator.SwitchID{"east", "west"} {
		to := []orchestrator.SwitchID{"west", "east"}[i]
		f.trunk[id] = LinkSwitches(f.sw[id], "PJSIP/link", f.sw[to])
		if links {
			c.Switches[i].Links = []orchestrator.Link{{To: to, Trunk: "PJSIP/link"}}
		}
	}
	f.step(orchestrator.ConfigChanged{Change: c})
	for _, id := range []orchestrator.SwitchID{"east", "west"} {
		f.port[id] = f.sw[id].Connect(f.take)
	}
	f.pass(time.Second)
	return f
}

func (f *fleet) take(e orchestrator.Event) {
	f.clock.After(time.Millisecond, func() {
		if !f.deaf {
			f.step(e)
		}
	})
}

func (f *fleet) step(e orchestrator.Event) {
	f.seq++
	out := f.floor.Step(orchestrator.Input{Seq: f.seq, At: f.clock.Now(), Event: e})
	f.facts = append(f.facts, out.Facts...)
	for _, c := range out.Commands {
		f.clock.After(time.Millisecond, func() {
			got, why := f.port[c.Switch].Do(c.Do)
			if got != orchestrator.ResultAccepted && got != orchestrator.ResultAlready {
				f.step(orchestrator.CommandDone{
					Command: c.ID, Switch: c.Switch, Leg: orchestrator.ActionLeg(c.Do), Do: c.Do, Result: got, Reason: why,
				})
			}
		})
	}
	for _, a := range out.Asks {
		if r, ok := a.What.(orchestrator.Resync); ok {
			f.clock.After(time.Millisecond, f.port[r.Switch].Resync)
		}
	}
}

// pass lets time go by.
func (f *fleet) pass(d time.Duration) {
	end := f.clock.Now().Add(d)
	for {
		at, due := f.clock.Next()
		wake, wants := f.floor.NextWake()
		switch {
		case wants && !wake.After(end) && (!due || !wake.After(at)):
			f.clock.Advance(wake)
			f.step(orchestrator.Wake{})
		case due && !at.After(end):
			f.clock.Tick()
		default:
			f.clock.Advance(end)
			return
		}
	}
}

// login puts an agent at their own phone.
func (f *fleet) login(agent string) {
	f.step(orchestrator.AgentAsked{
		Agent: orchestrator.AgentID(agent), Action: orchestrator.ActionLogin, Phone: orchestrator.PhoneID(agent), Origin: orchestrator.OriginAPI,
	})
	f.pass(100 * time.Millisecond)
}

// call places a call on east.
func (f *fleet) call() *Far {
	far := f.sw["east"].Call("100", orchestrator.Party{Number: "+4930"}, nil)
	f.pass(100 * time.Millisecond)
	return far
}

// answer has the agent pick up.
func (f *fleet) answer(agent string) *Far {
	f.t.Helper()
	calls := f.hands[agent].phone.Calls()
	if len(calls) == 0 {
		f.t.Fatalf("nothing rings at %s\n%s", agent, f.told())
	}
	calls[0].Answer()
	f.pass(100 * time.Millisecond)
	return calls[0]
}

// told is every fact by name, to read when something is wrong.
func (f *fleet) told() string {
	var out strings.Builder
	for _, fact := range f.facts {
		fmt.Fprintf(&out, "%s %s %+v\n", fact.At.Format("15:04:05.000"), orchestrator.FactName(fact.What), fact.What)
	}
	return out.String()
}

// only is the one fact of its kind.
func only[T orchestrator.Deed](f *fleet) T {
	f.t.Helper()
	var found []T
	for _, fact := range f.facts {
		if d, ok := fact.What.(T); ok {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		f.t.Fatalf("%d facts %T, want one\n%s", len(found), *new(T), f.told())
	}
	return found[0]
}

// empty holds that neither switch carries anything.
func (f *fleet) empty() {
	f.t.Helper()
	for id, sw := range f.sw {
		if s := sw.Snapshot(); len(s.Legs)+len(s.Bridges) > 0 {
			f.t.Errorf("%s still carries %+v\n%s", id, s, f.told())
		}
	}
}

// hears sends a tone through the trunk's two legs, as the sound would go.
func (f *fleet) together(caller, agent *Far) bool {
	on := func(far *Far) []*leg {
		if l := far.live(); l != nil && l.bridge != nil {
			return l.bridge.legs
		}
		return nil
	}
	return slices.ContainsFunc(on(caller), func(l *leg) bool { return f.trunk["east"].calls[l.far] != nil }) &&
		slices.ContainsFunc(on(agent), func(l *leg) bool {
			for _, far := range f.trunk["east"].calls {
				if far == l.far {
					return true
				}
			}
			return false
		})
}

func TestACallReachesAPhoneOfAnotherSwitch(t *testing.T) {
	f := newFleet(t, true)
	f.login("ben")
	caller := f.call()
	agent := f.answer("ben")
	if d := only[orchestrator.CallConnected](f); d.Agent != "ben" {
		t.Fatalf("connected %+v", d)
	}
	if !f.together(caller, agent) {
		t.Errorf("they do not hear each other\n%s", f.told())
	}
	f.pass(time.Minute)
	agent.Hangup()
	f.pass(time.Second)
	if end := only[orchestrator.CallEnded](f); end.Outcome.Reason != orchestrator.ReasonTalked || !caller.Ended() || end.Times.Talk < 59_000 {
		t.Errorf("ended %+v", end)
	}
	f.empty()
}

func TestTheCallerHangsUpAcrossALink(t *testing.T) {
	f := newFleet(t, true)
	f.login("ben")
	caller := f.call()
	agent := f.answer("ben")
	caller.Hangup()
	f.pass(time.Second)
	only[orchestrator.CallEnded](f)
	if !agent.Ended() {
		t.Error("the agent's phone is still up")
	}
	f.empty()
}

func TestWithoutALinkAPhoneElsewhereIsNotOffered(t *testing.T) {
	f := newFleet(t, false)
	f.login("ben")
	f.call()
	if n := len(f.hands["ben"].phone.Calls()); n > 0 {
		t.Fatalf("%d calls at a phone out of reach", n)
	}
	e, _ := f.floor.Explain(only[orchestrator.CallArrived](f).Call, f.clock.Now())
	waits := e.Waiting
	if waits == nil || !slices.ContainsFunc(waits.Candidates, func(s orchestrator.AgentStanding) bool {
		return s.Agent == "ben" && strings.Contains(s.Verdict, "west")
	}) {
		t.Errorf("the explanation does not say why: %+v", waits)
	}
	f.login("ana")
	f.answer("ana")
	only[orchestrator.CallConnected](f)
}

// A trunk that is down must cost the caller nothing but time: they keep their
// place and get the next agent.
func TestALinkThatFailsGivesTheCallerBack(t *testing.T) {
	f := newFleet(t, true)
	f.trunk["east"].Down(true)
	f.login("ben")
	f.call()
	agent := f.answer("ben")
	f.pass(100 * time.Millisecond)
	if !agent.Ended() {
		t.Errorf("the agent who cannot have the caller holds a dead phone\n%s", f.told())
	}
	if end := only[orchestrator.OfferEnded](f); end.Outcome != orchestrator.OfferCancelled || end.Misses != 0 {
		t.Errorf("the offer ended %+v; the agent is not to blame", end)
	}
	f.login("ana")
	f.answer("ana")
	if d := only[orchestrator.CallConnected](f); d.Agent != "ana" {
		t.Errorf("connected %+v", d)
	}
}

func TestALinkThatBreaksEndsTheCallOnce(t *testing.T) {
	f := newFleet(t, true)
	f.login("ben")
	caller := f.call()
	agent := f.answer("ben")
	f.trunk["east"].Break()
	f.pass(time.Second)
	if end := only[orchestrator.CallEnded](f); end.Outcome.Reason != orchestrator.ReasonSwitchLost {
		t.Errorf("ended %+v", end)
	}
	if !caller.Ended() || !agent.Ended() {
		t.Errorf("caller ended %v, agent ended %v", caller.Ended(), agent.Ended())
	}
	f.empty()
}

// The far switch's connection is lost while its phone rings: the caller goes
// to somebody else at once, and the phone falls silent when it is back.
func TestALostSwitchGivesTheCallersBack(t *testing.T) {
	f := newFleet(t, true)
	f.login("ben")
	f.call()
	f.port["west"].Cut("pulled")
	f.pass(100 * time.Millisecond)
	f.login("ana")
	f.answer("ana")
	if d := only[orchestrator.CallConnected](f); d.Agent != "ana" {
		t.Errorf("connected %+v", d)
	}
	f.port["west"].Open()
	f.pass(time.Second)
	if n := len(f.hands["ben"].phone.Calls()); n > 0 {
		t.Errorf("%d calls still ring at a phone whose offer was withdrawn\n%s", n, f.told())
	}
}

// Two who talk over a link go on while either switch cannot be heard, and end
// as ever afterwards.
func TestATalkOverALinkOutlivesALostConnection(t *testing.T) {
	for _, lost := range []orchestrator.SwitchID{"east", "west"} {
		t.Run(string(lost), func(t *testing.T) {
			f := newFleet(t, true)
			f.login("ben")
			caller := f.call()
			agent := f.answer("ben")
			f.port[lost].Cut("pulled")
			f.pass(20 * time.Second)
			f.port[lost].Open()
			f.pass(time.Second)
			if !caller.Up() || !agent.Up() || !f.together(caller, agent) {
				t.Fatalf("caller up %v, agent up %v\n%s", caller.Up(), agent.Up(), f.told())
			}
			caller.Hangup()
			f.pass(time.Second)
			only[orchestrator.CallEnded](f)
			f.empty()
		})
	}
}

func TestATicketOfNobodyIsRefused(t *testing.T) {
	f := newFleet(t, true)
	for _, number := range []string{"100", "0000000000000000000000000000000000000000", "9999999999999999999999999999999999999999"} {
		far := f.sw["west"].Link(number, orchestrator.Party{}, nil)
		f.pass(time.Second)
		if !far.Ended() || far.Status() != 404 {
			t.Errorf("%s: ended %v with %d, want 404", number, far.Ended(), far.Status())
		}
	}
	f.empty()
}

// A blind transfer by the phone's key on the far switch takes the caller out
// of the link to an agent on the caller's own switch.
func TestATransferOverALink(t *testing.T) {
	f := newFleet(t, true)
	f.sw["east"].Quirks, f.sw["west"].Quirks = Quirks{}, Quirks{}
	f.login("ben")
	caller := f.call()
	agent := f.answer("ben")
	f.login("ana")
	agent.Transfer("1")
	f.pass(100 * time.Millisecond)
	second := f.answer("ana")
	if !caller.Up() || !second.Up() {
		t.Fatalf("caller up %v, second agent up %v\n%s", caller.Up(), second.Up(), f.told())
	}
	second.Hangup()
	f.pass(time.Second)
	only[orchestrator.CallEnded](f)
	agent.Hangup()
	f.pass(time.Second)
	f.empty()
}

// The switch joined the two, and one of them hung up, while Ringmaster heard
// nothing: they have talked, whoever it was that left.
func TestATalkThatNobodyHeardIsATalk(t *testing.T) {
	for _, leaves := range []string{"agent", "caller"} {
		t.Run(leaves, func(t *testing.T) {
			f := newFleet(t, false)
			f.login("ana")
			caller := f.call()
			agent := f.hands["ana"].phone.Calls()[0]
			agent.Answer()
			f.pass(2 * time.Millisecond) // the answer is told, the order to join is carried out
			f.deaf = true
			f.port["east"].Cut("killed")
			f.step(orchestrator.SwitchLost{Switch: "east", Reason: "killed"})
			if agent.live().bridge == nil {
				t.Fatal("they were not joined")
			}
			if leaves == "agent" {
				agent.Hangup()
			} else {
				caller.Hangup()
			}
			f.pass(time.Second)
			f.deaf = false
			f.port["east"].Open()
			f.pass(time.Second)
			only[orchestrator.CallConnected](f)
			if end := only[orchestrator.CallEnded](f); end.Outcome.Reason != orchestrator.ReasonTalked {
				t.Errorf("ended %+v\n%s", end, f.told())
			}
			f.empty()
		})
	}
}
