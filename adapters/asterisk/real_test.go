package asterisk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/CyCoreSystems/ari/v5"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// What only shows on a real Asterisk and is not in the conformance suite.

var minted = struct {
	sync.Mutex
	n uint64
}{n: uint64(time.Now().UnixNano())}

func newID() string {
	minted.Lock()
	defer minted.Unlock()
	minted.n++
	return orchestrator.Minter{Space: minted.n}.Mint(time.Now(), 1, 1)
}

// atWork is an adapter at the real place, synced.
func atWork(tb testing.TB, change func(*Config)) *office {
	tb.Helper()
	p := atPlace(tb)
	c := p.config(tb)
	if change != nil {
		change(&c)
	}
	sw, err := New(c)
	if err != nil {
		tb.Fatal(err)
	}
	for _, desk := range p.phones {
		if err := desk.SetBehaviour(phone.RingForever()); err != nil {
			tb.Fatal(err)
		}
	}
	o := openOffice(tb, sw, p)
	expect[orchestrator.SwitchSynced](o, 0, nil)
	o.awaitPhones()
	return o
}

// awaitPhones waits until Asterisk has found every phone again, which after a
// restart takes as long as the first qualify.
func (o *office) awaitPhones() {
	o.Helper()
	for began := time.Now(); time.Since(began) < 2*patience; time.Sleep(50 * time.Millisecond) {
		var found []ari.EndpointData
		if err := o.sw.rest.send(o.Context(), encodeRead("endpoints"), &found); err != nil {
			o.Fatal(err)
		}
		online := 0
		for _, e := range found {
			if e.State == "online" {
				online++
			}
		}
		if online >= desks {
			return
		}
	}
	o.Fatal("the phones are not registered")
}

// caller is a claimed and answered leg from the trunk.
func (o *office) caller() (*phone.Call, orchestrator.LegID) {
	o.Helper()
	mark := o.mark()
	call, err := o.trunk.Dial(context.Background(), "4930555", phone.DialOptions{CallerNumber: "+493012345", CallerName: "Clara"})
	if err != nil {
		o.Fatal(err)
	}
	e, _ := expect[orchestrator.LegOffered](o, mark, nil)
	o.Cleanup(func() { _ = within(patience, call.Hangup) })
	o.must(orchestrator.Claim{Leg: e.Leg, Stamp: stampOf(e.Leg, orchestrator.RoleCaller)})
	o.must(orchestrator.Answer{Leg: e.Leg})
	expect(o, mark, func(e2 orchestrator.LegUp) bool { return e2.Leg == e.Leg })
	return call, e.Leg
}

func stampOf(leg orchestrator.LegID, role orchestrator.LegRole) orchestrator.Stamp {
	return orchestrator.Stamp{Tenant: "acme", Call: "call", Leg: leg, Role: role, Epoch: 1}
}

// ring dials the n-th phone and returns both ends.
func (o *office) ring(n int, display orchestrator.Party, auto bool) (*phone.Call, orchestrator.LegID) {
	o.Helper()
	mark := o.mark()
	id := orchestrator.LegID(newID())
	old := len(o.phones[n].Calls())
	o.must(orchestrator.Dial{
		Leg: id, Stamp: stampOf(id, orchestrator.RoleAgent), Endpoint: "PJSIP/" + o.phones[n].User(),
		Display: display, Timeout: 10000, AutoAnswer: auto,
	})
	o.Cleanup(func() { o.do(orchestrator.Hangup{Leg: id}) })
	expect(o, mark, func(e orchestrator.LegRinging) bool { return e.Leg == id })
	calls := o.phones[n].Calls()
	if len(calls) <= old {
		o.Fatal("the phone has no new call")
	}
	return calls[len(calls)-1], id
}

// agent is the first phone, dialled and answered.
func (o *office) agent() (*phone.Call, orchestrator.LegID) {
	o.Helper()
	mark := o.mark()
	call, leg := o.ring(0, orchestrator.Party{Number: "+493012345", Name: "Clara"}, false)
	if err := within(patience, call.Answer); err != nil {
		o.Fatal(err)
	}
	expect(o, mark, func(e orchestrator.LegUp) bool { return e.Leg == leg })
	return call, leg
}

func (o *office) connect(a, b orchestrator.LegID) orchestrator.BridgeID {
	o.Helper()
	mark := o.mark()
	bridge := orchestrator.BridgeID(newID())
	o.must(orchestrator.Connect{Bridge: bridge, Stamp: stampOf(a, orchestrator.RoleBridge), A: a, B: b})
	for _, leg := range []orchestrator.LegID{a, b} {
		expect(o, mark, func(e orchestrator.Joined) bool { return e.Leg == leg && e.Bridge == bridge })
	}
	o.Cleanup(func() { o.do(orchestrator.CloseBridge{Bridge: bridge}) })
	return bridge
}

// A display is text on the phone and nothing else: Asterisk does not evaluate
// what it is given as the value of a variable.
func TestDisplayIsOnlyShown(t *testing.T) {
	o := atWork(t, nil)
	proof := filepath.Join(o.pbx.Dir, "proof")
	for _, name := range []string{
		"${SHELL(touch " + proof + ")}", "${ENV(HOME)} ${CHANNEL} $[1+1]", `Müller, "O'Brien" \ %s`, "👩\u200d💻 Zoë", "<sip:evil@127.0.0.1>;x=y",
	} {
		call, leg := o.ring(0, orchestrator.Party{Number: "+493012345", Name: name}, false)
		if call.PeerName() != name || call.Peer() != "+493012345" {
			t.Errorf("the phone shows %q, %q, want %q", call.PeerName(), call.Peer(), name)
		}
		o.must(orchestrator.Hangup{Leg: leg})
		_, _ = call.WaitEnd(t.Context())
	}
	call, leg := o.ring(0, orchestrator.Party{Number: "1\r\nX-Evil: 1", Name: "a\r\nX-Evil: 1\r\n\r\nb"}, false)
	if call.Header("X-Evil") != "" || call.PeerName() != "aX-Evil: 1b" || call.Peer() != "1X-Evil1" {
		t.Errorf("the phone shows %q, %q; X-Evil is %q", call.PeerName(), call.Peer(), call.Header("X-Evil"))
	}
	o.must(orchestrator.Hangup{Leg: leg})
	if _, err := os.Stat(proof); err == nil {
		t.Error("the name was executed")
	}
}

func TestAutoAnswerHeaders(t *testing.T) {
	o := atWork(t, nil)
	call, _ := o.ring(0, orchestrator.Party{Number: "1"}, true)
	if !strings.HasSuffix(call.Header("Call-Info"), ";answer-after=0") || !strings.Contains(call.Header("Alert-Info"), "info=alert-autoanswer") {
		t.Errorf("Call-Info %q, Alert-Info %q", call.Header("Call-Info"), call.Header("Alert-Info"))
	}
	plain, _ := o.ring(1, orchestrator.Party{Number: "1"}, false)
	if plain.Header("Call-Info") != "" || plain.Header("Alert-Info") != "" {
		t.Error("a phone that was not asked to answer by itself got the headers")
	}
}

// A lost race or a caller who went must not leave "missed call" on the phone
// (RFC 3326 with Q.850 cause 26).
func TestAnsweredElsewhereReachesThePhone(t *testing.T) {
	o := atWork(t, nil)
	call, leg := o.ring(0, orchestrator.Party{Number: "1"}, false)
	o.must(orchestrator.Hangup{Leg: leg, Cause: orchestrator.CauseAnsweredElsewhere})
	if _, err := call.WaitEnd(t.Context()); err != nil {
		t.Fatal(err)
	}
	reasons := strings.Join(call.End().Reasons, " | ")
	if !strings.Contains(reasons, "Call completed elsewhere") || !strings.Contains(reasons, "cause=26") {
		t.Errorf("the phone was told %q", reasons)
	}
}

// The caller must not be shown their own number as the one they talk to, which
// is what setting CALLERID on the agent's leg leads to.
func TestCallerSeesTheAgentNotThemselves(t *testing.T) {
	o := atWork(t, nil)
	_, a := o.caller()
	_, b := o.agent()
	o.connect(a, b)
	var c struct {
		Connected struct{ Number, Name string }
	}
	channel := o.sw.book.channelOf(a)
	if err := o.sw.rest.send(t.Context(), encodeRead("channels", channel), &c); err != nil {
		t.Fatal(err)
	}
	if c.Connected.Number == "+493012345" {
		t.Errorf("the caller is connected to %+v", c.Connected)
	}
	t.Logf("the caller is connected to %+v", c.Connected)
}

// With three in a bridge nobody can say who is to be sent: the phone is refused,
// the talk goes on, and Asterisk does not move anybody behind our back.
func TestTransferOutOfThreeIsRefused(t *testing.T) {
	o := atWork(t, nil)
	call, a := o.caller()
	_, third := o.caller()
	agent, b := o.agent()
	bridge := o.connect(a, b)
	o.must(orchestrator.Join{Leg: third, Bridge: bridge})
	expect(o, 0, func(e orchestrator.Joined) bool { return e.Leg == third })
	err := within(patience, func(ctx context.Context) error { return agent.Transfer(ctx, "1002") })
	if err == nil || !strings.Contains(err.Error(), "603") {
		t.Errorf("the phone was told %v, want 603", err)
	}
	if !call.Up() || !agent.Up() || count[orchestrator.Left](o, 0, nil)+count[orchestrator.TransferAsked](o, 0, nil) != 0 {
		t.Error("the call did not go on untouched")
	}
	for _, r := range o.sw.Stats().Requests {
		if r.Name == "read_variable" && (r.Total == 0 || r.Failed != 0) {
			t.Errorf("of %d questions before the answer %d failed", r.Total, r.Failed)
		}
	}
}

func TestWatchMayChangeAtAnyTime(t *testing.T) {
	o := atWork(t, func(c *Config) { c.Endpoints = c.Endpoints[:1] })
	first, second := "PJSIP/"+o.phones[0].User(), "PJSIP/"+o.phones[1].User()
	o.sw.Watch([]string{second, "PJSIP/9999", "nonsense", second})
	e, _ := expect(o, 0, func(e orchestrator.EndpointChanged) bool { return e.Endpoint == second })
	if !e.Reachable || e.InUse {
		t.Errorf("told %+v", e)
	}
	if e, _ := expect(o, 0, func(e orchestrator.EndpointChanged) bool { return e.Endpoint == "PJSIP/9999" }); e.Reachable {
		t.Errorf("told %+v of a phone that does not exist", e)
	}
	mark := o.mark()
	o.ring(0, orchestrator.Party{Number: "1"}, false)
	o.ring(1, orchestrator.Party{Number: "1"}, false)
	expect(o, mark, func(e orchestrator.EndpointChanged) bool { return e.Endpoint == second && e.InUse })
	if n := count(o, mark, func(e orchestrator.EndpointChanged) bool { return e.Endpoint == first }); n != 0 {
		t.Errorf("%d changes of a phone that is watched no more", n)
	}
	if n := count(o, mark, func(e orchestrator.EndpointChanged) bool { return e.Endpoint == second }); n != 1 {
		t.Errorf("one change was told %d times", n)
	}
	o.sw.Resync()
	s, _ := expect[orchestrator.SwitchSynced](o, mark, nil)
	if len(s.Snapshot.Endpoints) != 2 {
		t.Errorf("the snapshot has %+v", s.Snapshot.Endpoints)
	}
}

// More endpoints than fit into one request line.
func TestManyEndpoints(t *testing.T) {
	many := make([]string, 500)
	for i := range many {
		many[i] = fmt.Sprintf("PJSIP/%s-%04d", strings.Repeat("e", 75), i)
	}
	o := atWork(t, func(c *Config) { c.Endpoints = append(slices.Clone(many), c.Endpoints...) })
	e, _ := expect[orchestrator.SwitchSynced](o, 0, nil)
	reachable := 0
	for _, p := range e.Snapshot.Endpoints {
		if p.Reachable {
			reachable++
		}
	}
	if len(e.Snapshot.Endpoints) != 500+desks || reachable != desks {
		t.Errorf("%d endpoints, %d reachable", len(e.Snapshot.Endpoints), reachable)
	}
}

// A wrong password is said in words that lead to the file; it is tried again,
// not given up.
func TestWrongPassword(t *testing.T) {
	p := atPlace(t)
	c := p.config(t)
	c.Password = "wrong"
	sw, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	o := openOffice(t, sw, p)
	e, _ := expect[orchestrator.SwitchLost](o, 0, nil)
	if !strings.Contains(e.Reason, "ari.conf") || strings.Contains(e.Reason, "wrong") {
		t.Errorf("the reason is %q", e.Reason)
	}
	time.Sleep(time.Second)
	if n := count[orchestrator.SwitchLost](o, 0, nil); n != 1 {
		t.Errorf("the same reason was told %d times", n)
	}
}

// An orchestrator that was cut off while a newer one took over must not take
// the switch back when its network returns, nor when it is asked to look again.
func TestOlderEpochStaysAway(t *testing.T) {
	older := atWork(t, func(c *Config) { c.Epoch = 7 })
	older.between.Stop()
	expect[orchestrator.SwitchLost](older, 0, nil)
	newer := atWork(t, func(c *Config) { c.Epoch, c.URL = 8, older.pbx.ARIURL })
	if err := older.between.Start(); err != nil {
		t.Fatal(err)
	}
	mark := older.mark()
	expect[orchestrator.SwitchSuperseded](older, mark, nil)
	older.sw.Resync()
	expect[orchestrator.SwitchSuperseded](older, mark+1, nil)
	if result, reason := older.do(orchestrator.CloseBridge{Bridge: "b"}); result != orchestrator.ResultRejected || reason != ReasonSuperseded {
		t.Errorf("the older was answered %s %s", result, reason)
	}
	newer.caller()
	if n := count[orchestrator.SwitchSuperseded](newer, 0, nil); n != 0 {
		t.Error("the newer was superseded")
	}
	older.stop()
	newer.stop()
	if err := older.sw.rest.send(t.Context(), encodeEpoch(defaultApp, 0), nil); err != nil { // For the tests after this.
		t.Fatal(err)
	}
}

// A far switch: every answer takes a fifth of a second, and all works as well.
func TestFarSwitch(t *testing.T) {
	p := atPlace(t)
	far := `{"name":"far","type":"latency","stream":"downstream","attributes":{"latency":200,"jitter":20}}`
	if _, err := p.between.Toxics.AddToxicJson(strings.NewReader(far)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.between.Toxics.RemoveToxic(context.Background(), "far") }()
	o := atWork(t, nil)
	call, a := o.caller()
	agent, b := o.agent()
	o.connect(a, b)
	if err := within(patience, agent.Hangup); err != nil {
		t.Fatal(err)
	}
	expect(o, 0, func(e orchestrator.LegEnded) bool { return e.Leg == b && e.By == orchestrator.EndedByRemote })
	if !call.Up() || o.sw.Stats().CreateRate != 30 {
		t.Errorf("the caller is up: %v; %v legs a second are allowed", call.Up(), o.sw.Stats().CreateRate)
	}
}

// A frozen Asterisk is found and, thawed, read again; the calls are still there.
func TestFrozenSwitch(t *testing.T) {
	o := atWork(t, nil)
	call, a := o.caller()
	agent, b := o.agent()
	bridge := o.connect(a, b)
	if err := o.pbx.Freeze(); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	thaw := time.AfterFunc(12*time.Second, func() { _ = o.pbx.Thaw() })
	defer thaw.Stop()
	defer func() { _ = o.pbx.Thaw() }()
	for count[orchestrator.SwitchLost](o, 0, nil) == 0 && time.Since(frozen) < 11*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	if took := time.Since(frozen); took > 10*time.Second {
		t.Errorf("found after %v", took)
	} else {
		t.Logf("found after %v", took)
	}
	if result, _ := o.do(orchestrator.StopMusic{Leg: a}); result == orchestrator.ResultAccepted {
		t.Error("a frozen switch accepted a command")
	}
	time.Sleep(time.Until(frozen.Add(12 * time.Second)))
	mark := o.mark()
	e, _ := expect[orchestrator.SwitchSynced](o, max(mark-2, 1), nil)
	if len(e.Snapshot.Legs) != 2 || e.Snapshot.Legs[0].Bridge != bridge || !call.Up() || !agent.Up() {
		t.Errorf("after the thaw: %+v", e.Snapshot)
	}
}

// Twenty calls a second for some seconds, each answered, given music, offered to
// a phone that rejects it and hung up: every leg ends once, nothing is left. On
// a machine that is too busy dials are turned away, and that holds all the same.
func TestStorm(t *testing.T) {
	o := atWork(t, func(c *Config) { c.Log = nil })
	for _, desk := range o.phones {
		if err := desk.SetBehaviour(phone.RejectWith(486)); err != nil {
			t.Fatal(err)
		}
	}
	const calls = 100
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() { o.stormCall(i) })
		time.Sleep(50 * time.Millisecond)
	}
	all.Wait()
	s := o.sw.Stats()
	legs := 2*calls - int(s.Overloads)
	if ends := count[orchestrator.LegEnded](o, 0, nil); ends != legs || s.Legs != 0 {
		t.Errorf("%d ends of %d legs, %d left in the book", ends, legs, s.Legs)
	}
	t.Logf("%d dials turned away, queue at most %d deep, %d ends found by asking, lag %.2f ms on average",
		s.Overloads, s.QueueMax, s.HealedEnds, s.Lag.Seconds/float64(s.Lag.Total)*1000)
}

// stormCall is one caller of the storm, told apart by their number.
func (o *office) stormCall(i int) {
	number := fmt.Sprintf("+4930%05d", i)
	call, err := o.trunk.Dial(context.Background(), "4930555", phone.DialOptions{CallerNumber: number})
	if err != nil {
		o.Error(err)
		return
	}
	defer func() { _ = within(patience, call.Hangup) }()
	e, _ := expect(o, 0, func(e orchestrator.LegOffered) bool { return e.Caller.Number == number })
	for _, a := range []orchestrator.Action{
		orchestrator.Claim{Leg: e.Leg, Stamp: stampOf(e.Leg, orchestrator.RoleCaller)},
		orchestrator.Answer{Leg: e.Leg},
		orchestrator.StartMusic{Leg: e.Leg},
	} {
		if result, reason := o.do(a); result != orchestrator.ResultAccepted {
			o.Errorf("%T: %s %s", a, result, reason)
		}
	}
	d := dialOf(newID())
	d.Endpoint = "PJSIP/" + o.phones[i%desks].User()
	switch result, reason := o.do(d); {
	case result == orchestrator.ResultAccepted:
		expect(o, 0, func(e orchestrator.LegEnded) bool { return e.Leg == d.Leg && e.Cause == orchestrator.CauseBusy })
	case reason != orchestrator.ReasonOverloaded:
		o.Errorf("dial: %s %s", result, reason)
	}
	if result, reason := o.do(orchestrator.Hangup{Leg: e.Leg, Cause: orchestrator.CauseNormal}); result != orchestrator.ResultAccepted {
		o.Errorf("hangup: %s %s", result, reason)
	}
	expect(o, 0, func(end orchestrator.LegEnded) bool { return end.Leg == e.Leg })
}
