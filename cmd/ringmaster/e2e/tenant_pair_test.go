package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// twin is one of two centres on one PBX, led by whichever of a pair leads.
type twin struct {
	*centre
	talk    conversation
	waits   *phone.Call
	before  string
	numbers []string // of the calls that came and went
}

// TestTwoTenantsAndAStandby has two centres in each of two processes. The leader
// is killed, and the next one told to stop: each time both centres go on under
// the other, together. No call is dropped or dispatched twice, whoever waits
// keeps their place, and no row says that the two are led by different hands.
func TestTwoTenantsAndAStandby(t *testing.T) { tenantPair(t, "asterisk") }

// The same on FreeSWITCH.
func TestTwoTenantsAndAStandbyOnFreeSWITCH(t *testing.T) { tenantPair(t, "freeswitch") }

func tenantPair(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	p, twins := newTwins(t, kind)
	for i, w := range twins {
		w.settle(t, i)
	}
	for i, change := range []struct {
		name string
		end  func(*centre)
	}{{"killed", (*centre).kill}, {"told to stop", (*centre).stop}} {
		churn := startTwinChurn(t, twins)
		time.Sleep(2500 * time.Millisecond)
		leader, _ := p.roles()
		at := time.Now()
		gone := make(chan struct{})
		go func() { change.end(leader); close(gone) }()
		took := p.follow(at)
		<-gone
		for _, w := range twins {
			w.centre = w.at(p.centre)
		}
		hands := leaseHands(t, p.dsn)
		t.Logf("%s: both are led again after %s, %v", change.name, took, hands)
		if hands["main"] != hands["acme"] || !strings.Contains(hands["main"], p.address) {
			t.Errorf("the leases are %v, and %s leads", hands, p.address)
		}
		time.Sleep(1500 * time.Millisecond)
		churn.stop()
		for _, w := range twins {
			w.stands(t)
		}
		if i == 0 {
			leader.launch("--standby")
			p.awaitGuard(leader)
		}
	}
	for _, w := range twins {
		w.close(t)
	}
}

// newTwins starts two processes that lead two tenants, with two agents each.
func newTwins(t *testing.T, kind string) (*pair, []*twin) {
	t.Helper()
	p := &pair{centre: newCentre(t, kind, 4)}
	p.server, p.dsn = database(t)
	p.nodes = [2]*centre{p.centre, {t: t, pbx: p.pbx, dir: folder(t), keys: map[string]string{}}}
	for _, node := range p.nodes {
		node.env = []string{"RINGMASTER_DATABASE=" + p.dsn, "RINGMASTER_TENANTS=acme"}
		node.address = freeAddress(t)
		t.Cleanup(node.stop)
	}
	p.nodes[0].launch()
	keys := []string{p.key, <-p.shown}
	p.nodes[0].awaitReady(30 * time.Second)
	p.nodes[1].key = p.key
	p.nodes[1].launch("--standby")
	p.awaitGuard(p.nodes[1])
	for i := range 4 {
		p.agents = append(p.agents, p.register(i, phone.AnswerAfter(300*time.Millisecond)))
	}
	p.nodes[1].agents = p.agents
	var twins []*twin
	for i, key := range keys {
		w := &twin{centre: &centre{t: t, pbx: p.pbx, key: key, agents: p.agents}}
		w.centre = w.at(p.centre)
		w.apply(w.half(i))
		twins = append(twins, w)
	}
	for _, w := range twins {
		w.eventually("the switch is attached", 15*time.Second, w.attached)
	}
	return p, twins
}

// at is the centre as a process shows it.
func (w *twin) at(node *centre) *centre {
	return &centre{
		t: w.t, pbx: w.pbx, key: w.key, agents: w.agents, address: node.address, dir: node.dir,
		output: node.output, process: node.process, exited: node.exited,
	}
}

// half is the configuration of the i-th tenant: one agent for a long talk, one
// for all the others, one who is never there. Its numbers begin with 5 or 6.
func (w *twin) half(i int) document {
	doc := w.document(4)
	for _, section := range []string{"phones", "agents"} {
		doc[section] = doc[section].([]document)[2*i : 2*i+2]
	}
	sales := doc["queues"].([]document)[0]
	members := sales["agents"].([]document)
	sales["agents"], sales["wrap_up_ms"] = members[2*i+1:2*i+2], 0
	doc["queues"] = []document{
		sales,
		{"id": "long", "name": "Long", "agents": members[2*i : 2*i+1]},
		{"id": "patient", "name": "Patient", "music": sales["music"], "agents": []document{{"agent": "absent"}}},
	}
	doc["agents"] = append(doc["agents"].([]document), document{"id": "absent", "number": "199", "name": "Absent", "pin": "1999"})
	doc["flows"] = append(doc["flows"].([]document), straightTo("long"), straightTo("patient"))
	doc["numbers"] = []document{
		{"dialled": dialled(i, 1), "flow": "straight"},
		{"dialled": dialled(i, 2), "flow": "to-long"},
		{"dialled": dialled(i, 3), "flow": "to-patient"},
	}
	return doc
}

func dialled(tenant, n int) string    { return fmt.Sprintf("%d0%d", 5+tenant, n) }
func twinCaller(tenant, n int) string { return fmt.Sprintf("+49%d7%05d", tenant, n) }

// settle brings up what must outlive everything: a talk and somebody who waits.
func (w *twin) settle(t *testing.T, i int) {
	t.Helper()
	w.login(2 * i)
	w.login(2*i + 1)
	call := w.dial(w.caller(i), dialled(i, 2), twinCaller(i, 0))
	since := w.hears(call, agentHz+200*i, time.Time{})
	w.talk = conversation{
		c: w.centre, call: call, ring: incoming(t, w.agents[2*i]), number: twinCaller(i, 0), since: since.Add(200 * time.Millisecond),
	}
	w.waits = w.dial(w.caller(2+i), dialled(i, 3), twinCaller(i, 1))
	w.eventually("somebody waits", 5*time.Second, func() bool { return waiting(w.live(), "patient") == 1 })
	w.before = line(w.live(), "patient")
}

// stands checks that who talks talks, and who waits waits where they did.
func (w *twin) stands(t *testing.T) {
	t.Helper()
	if now := line(w.live(), "patient"); now != w.before {
		t.Errorf("the waiting caller stood as %s and stands as %s", w.before, now)
	}
	if !w.talk.call.Up() || !w.waits.Up() {
		t.Error("a call was dropped")
	}
}

// close ends every call and holds the books against the phones.
func (w *twin) close(t *testing.T) {
	t.Helper()
	i := int(w.talk.number[3] - '0')
	since, until := w.talk.since, time.Now()
	for who, gap := range map[string]time.Duration{
		"caller": w.talk.call.Ear().LongestWithout(agentHz+200*i, since, until),
		"agent":  w.talk.ring.Ear().LongestWithout(callerHz+100*i, since, until),
	} {
		if gap > jitter {
			t.Errorf("the %s who talks heard nothing for %s", who, gap)
		}
	}
	for _, call := range []*phone.Call{w.talk.call, w.waits} {
		if err := call.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
	}
	w.eventually("every call has ended", 20*time.Second, func() bool { return len(w.live().Calls) == 0 })
	w.settled(t, append(w.numbers, twinCaller(i, 0), twinCaller(i, 1)), 1) // the last moment of the leader that was killed
	if s := w.story(t, w.talk.number); s.count("call_ended") != 1 || s.Call.Outcome.Reason != orchestrator.ReasonTalked {
		t.Errorf("the long call's story:\n%s", s)
	}
}

// twinChurn has one caller after the other come to each of the twins.
type twinChurn struct {
	end  context.CancelFunc
	done sync.WaitGroup
}

func startTwinChurn(t *testing.T, twins []*twin) *twinChurn {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	c := &twinChurn{end: end}
	for i, w := range twins {
		p := w.caller(4 + i)
		c.done.Go(func() {
			for ctx.Err() == nil {
				number := twinCaller(i, 10+len(w.numbers))
				w.numbers = append(w.numbers, number)
				comeAndGo(ctx, p, dialled(i, 1), number, agentHz+100+200*i)
			}
		})
	}
	t.Cleanup(c.stop)
	return c
}

func (c *twinChurn) stop() {
	c.end()
	c.done.Wait()
}

// comeAndGo is one call, until its agent is heard and a moment longer.
func comeAndGo(ctx context.Context, p *phone.Phone, dialled, number string, hz int) {
	call, err := p.Dial(ctx, dialled, phone.DialOptions{CallerNumber: number})
	if err != nil {
		return
	}
	limit, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	if call.WaitAnswer(limit) == nil {
		if _, err := call.Ear().WaitTone(limit, hz, time.Time{}); err == nil {
			time.Sleep(500 * time.Millisecond)
		}
	}
	end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancelEnd()
	call.Hangup(end) // it may be over
}

// leaseHands says who has each tenant's lease.
func leaseHands(t *testing.T, dsn string) map[string]string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "SELECT tenant_id, instance_name FROM lease WHERE NOT released")
	if err != nil {
		t.Fatal(err)
	}
	hands, tenant, holder := map[string]string{}, "", ""
	if _, err := pgx.ForEachRow(rows, []any{&tenant, &holder}, func() error { hands[tenant] = holder; return nil }); err != nil {
		t.Fatal(err)
	}
	return hands
}

// TestATenantIsNotTakenFromItsLeader: a process that is to lead two tenants
// finds one of them led by another. It leads neither and says why, and the other
// goes on undisturbed; a person can overrule that.
func TestATenantIsNotTakenFromItsLeader(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests take minutes")
	}
	_, dsn := database(t)
	node := func(env ...string) *centre {
		c := &centre{t: t, pbx: &exchange{SoundsDir: folder(t)}, dir: folder(t), address: freeAddress(t), key: "-"}
		c.env = append(env, "RINGMASTER_DATABASE="+dsn)
		t.Cleanup(c.stop)
		return c
	}
	alone := node("RINGMASTER_TENANT=acme")
	alone.launchKeyless()
	alone.awaitReady(30 * time.Second)
	both := node("RINGMASTER_TENANTS=acme")
	both.launchKeyless()
	both.notReady(t, alone.address+") has acme")
	time.Sleep(4 * time.Second) // another try of it
	both.notReady(t, alone.address+") has acme")
	if r, _ := alone.readyz(); !r.Ready || strings.Contains(alone.log(), "not leading any more") {
		t.Errorf("the leader of acme was disturbed: %+v\n%s", r, alone.log())
	}
	if hands := leaseHands(t, dsn); !strings.Contains(hands["acme"], alone.address) {
		t.Errorf("the leases are %v", hands)
	}
	both.stop()
	both.launchKeyless("--take-over")
	both.awaitReady(30 * time.Second)
	alone.notReady(t, "leads")
	if hands := leaseHands(t, dsn); !strings.Contains(hands["acme"], both.address) || hands["main"] != hands["acme"] {
		t.Errorf("after a person took it over the leases are %v", hands)
	}
}
