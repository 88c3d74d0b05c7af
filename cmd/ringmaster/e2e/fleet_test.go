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

// The sides of a fleet.
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

// fleets are the kinds of east and west.
var fleets = [][2]string{{"asterisk", "asterisk"}, {"asterisk", "freeswitch"}, {"freeswitch", "freeswitch"}}

// fleet is one Ringmaster that drives two PBXs with a trunk each way, as the
// shipped dialplans have it. Agents 1 and 2 have their phones in the east,
// 3 and 4 in the west. The centre's own PBX, where callers call, is the side
// last chosen with from.
type fleet struct {
	*office
	sides  [2]*exchange
	trunk  [2]string // from each side, as Ringmaster dials it
	signed time.Time // when the last phone registered
}

// newFleet starts both sides and everything on them. A side that cannot run
// here skips the test and says so.
func newFleet(t *testing.T, kinds [2]string) *fleet {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests take minutes")
	}
	f := &fleet{office: &office{}}
	f.begin(t, kinds)
	f.centre = &centre{t: t, pbx: f.sides[east], dir: folder(t)}
	f.start()
	t.Cleanup(f.stop)
	f.apply(f.document())
	for i := range 4 {
		f.agents = append(f.agents, f.register(i))
	}
	f.signed = time.Now()
	f.attached()
	for i := range 4 {
		f.act(i, document{"action": "login", "phone": f.phoneID(i)})
	}
	return f
}

// begin starts both PBXs and links them.
func (f *fleet) begin(t *testing.T, kinds [2]string) {
	t.Helper()
	const often = 2 * time.Second
	if slices.Contains(kinds[:], "freeswitch") && lab.FreeSWITCHAvailable() != nil {
		t.Skipf("THIS FLEET WAS NOT RUN: %v", lab.FreeSWITCHAvailable())
	}
	for side, kind := range kinds {
		if kind == "freeswitch" {
			f.sides[side] = runFreeSWITCH(t, lab.FreeSWITCHConfig{Agents: 2, Qualify: often, LinkPassword: linkPassword})
		} else {
			f.sides[side] = runAsterisk(t, lab.Config{Agents: 2, Qualify: often, Host: []string{"", lab.LinkIP}[side]})
		}
		f.cleanUp(t, side)
		f.trunk[side] = map[string]string{"asterisk": "PJSIP/link", "freeswitch": "gateway/link"}[kind]
	}
	for side := range f.sides {
		f.link(t, side, f.sides[1-side].SIPAddr)
	}
}

// link lays the trunk of a side to a host:port.
func (f *fleet) link(t *testing.T, side int, peer string) {
	t.Helper()
	pbx := f.sides[side].machine.(interface {
		Link(peer, password string) error
	})
	if err := pbx.Link(peer, linkPassword); err != nil {
		t.Fatal(err)
	}
}

func (f *fleet) cleanUp(t *testing.T, side int) {
	t.Helper()
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
		f.eventually(fmt.Sprintf("%s is %s", agentID(i), want), 30*time.Second, func() bool {
			a := f.agent(i)
			return a.State == want && a.Reachable
		})
	}
}

// hear holds that two hear each other, and nobody else, for a while from now on.
func (f *fleet) hear(a, b *phone.Call, hzA, hzB int) {
	f.t.Helper()
	f.hears(a, hzB, time.Now())
	f.hears(b, hzA, time.Now())
	hearEachOther(f.t, a, b, hzA, hzB)
}

// hearEachOther holds that two hear each other, and nobody else, for a while from
// now on. A machine that stands still for a moment costs another while; a
// stranger is heard once.
func hearEachOther(tb testing.TB, a, b *phone.Call, hzA, hzB int) {
	tb.Helper()
	for end := time.Now().Add(15 * time.Second); ; {
		from := time.Now().Add(200 * time.Millisecond)
		time.Sleep(1200 * time.Millisecond)
		until := time.Now().Add(-200 * time.Millisecond)
		strangers(tb, a, hzB, from, until)
		strangers(tb, b, hzA, from, until)
		heard := min(a.Ear().Heard(hzB, from, until), b.Ear().Heard(hzA, from, until))
		if heard >= 0.95 {
			return
		}
		if time.Now().After(end) {
			tb.Errorf("%s and %s hear each other only %.0f %% of the time", a.Phone(), b.Phone(), 100*heard)
			return
		}
	}
}

// strangers holds that nobody but one is heard.
func strangers(tb testing.TB, call *phone.Call, hz int, from, until time.Time) {
	tb.Helper()
	for _, other := range tones {
		if part := call.Ear().Heard(other, from, until); other != hz && part > 0.02 {
			tb.Errorf("%s hears %d Hz too, %.0f %% of the time", call.Phone(), other, 100*part)
		}
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
