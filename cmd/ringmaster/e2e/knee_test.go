package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

const (
	// crew is more free agents than may be dialled at once, and crowd more
	// callers than the crew can take.
	crew  = 60
	crowd = 80
	// squeezed is the silence that a machine on which everything above runs,
	// phones included, may make by itself.
	squeezed = 2 * time.Second
)

// dialsAtMost is what an adapter's cap lets out in any one second, and 10 saved up
// before (Config of either); and a few that a busy machine held up in the second
// before.
var dialsAtMost = map[string]int{"asterisk": 30 + 10 + 10, "freeswitch": 40 + 10 + 5}

// crewTalks is how long the crew talks. It must last longer than it takes to join
// the last of a burst, or a phone hangs up on nobody.
var crewTalks = map[string]time.Duration{"asterisk": time.Second, "freeswitch": 3 * time.Second}

// TestPastTheKnee: more calls than a switch on two cores bears if every agent
// were dialled at once, and then an Asterisk that answers slowly. Dials are
// paced and turned away, calls whose dial was turned away keep their place,
// nobody who talks is cut off, everybody is served, each with one CDR.
func TestPastTheKnee(t *testing.T) { onEach(t, pastTheKnee) }

func pastTheKnee(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	if kind == "freeswitch" {
		needLong(t) // 60 talks at once want a machine of their own there
	}
	var m *meddler
	c, talk := witnessedOn(t, kind, 2+crew, func(doc document) {
		if kind == "asterisk" {
			m = meddle(t, doc)
		}
	})
	c.act(1, document{"action": "pause", "reason": "lunch"})
	for _, p := range c.agents[2:] {
		if err := p.SetBehaviour(phone.Behaviour{Action: phone.Answer, HangUpAfter: crewTalks[kind]}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("cap", func(t *testing.T) {
		gone := c.gather(t, "+4987")
		c.staff(2 + crew)
		c.serves(t, gone, "+4987")
		invites := c.invites()
		n := busiest(invites)
		t.Logf("%d calls rang %d phones, at most %d in one second; %.0f dials turned away, load %s",
			crowd, len(invites), n, c.figure(t, "ringmaster_switch_overloads_total"), load())
		if n > dialsAtMost[kind] {
			t.Errorf("%d phones were dialled within one second", n)
		}
		if c.figure(t, "ringmaster_switch_overloads_total") == 0 {
			t.Error("no dial was turned away: the cap was not reached")
		}
	})
	t.Run("breaker", func(t *testing.T) {
		if m == nil {
			t.Skip("FreeSWITCH stands still as a whole, and those who talk with it")
		}
		gone := c.gather(t, "+4988")
		thaw := c.choke(t, m)
		c.staff(2 + 6) // a few show how slow it is
		lowest := 30.0
		c.eventually("the breaker opens", 30*time.Second, func() bool {
			lowest = min(lowest, c.figure(t, "ringmaster_switch_dial_rate"))
			return lowest < 4
		})
		before := c.figure(t, "ringmaster_switch_overloads_total")
		c.staff(2 + crew)
		turned := 0.0
		c.eventually("dials are turned away", 30*time.Second, func() bool {
			turned = c.figure(t, "ringmaster_switch_overloads_total") - before
			return turned > float64(crew-dialsAtMost[kind]+10) // more than the cap alone
		})
		thaw()
		c.serves(t, gone, "+4988")
		after := c.figure(t, "ringmaster_switch_dial_rate")
		t.Logf("%.1f dials a second while Asterisk was slow, %.1f afterwards; %.0f dials turned away at once, load %s", lowest, after, turned, load())
		if after <= lowest {
			t.Errorf("%.1f dials a second allowed, and still %.1f after all is well", lowest, after)
		}
	})
	if n := c.figure(t, "ringmaster_switch_losses_total"); n > 0 {
		t.Errorf("the switch was lost %.0f times", n)
	}
	c.blamesNobody(t)
	talk.unharmed(t, squeezed)
	talk.ends(t, orchestrator.ReasonTalked)
	c.endsBy(t, "501", "+49899", orchestrator.ReasonTalked)
}

// staff gives the queue its agents: one on a break, and as many others as said.
// Whoever waits then is offered to all of them in one step.
func (c *centre) staff(n int) {
	c.t.Helper()
	var agents []document
	for i := 1; i < n; i++ {
		agents = append(agents, document{"agent": agentID(i)})
	}
	c.insist("PUT", "/v1/queues/sales", document{"id": "sales", "name": "Sales", "music": lab.MusicClass, "wrap_up_ms": 0, "agents": agents})
}

// gather lets the crowd call and wait for agents who are not there yet. The
// channel is closed when the last of them is gone.
func (c *centre) gather(t *testing.T, prefix string) <-chan struct{} {
	t.Helper()
	c.staff(2)
	var phones []*phone.Phone
	for i := range 8 {
		p, err := phone.New(phone.Config{
			User: fmt.Sprintf("crowd%d", i), Registrar: c.pbx.SIPAddr, ListenHost: lab.CallerIP, CallWaiting: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		phones = append(phones, p)
	}
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() { patient(t, phones[i%len(phones)], fmt.Sprintf("%s%03d", prefix, i)) })
		c.eventually("the caller waits", 15*time.Second, func() bool { return i%8 != 7 || waiting(c.live(), "sales") >= i-7 })
	}
	c.eventually("all of them wait", 30*time.Second, func() bool { return waiting(c.live(), "sales") == crowd })
	gone := make(chan struct{})
	go func() {
		wg.Wait()
		close(gone)
	}()
	return gone
}

// patient calls and waits for a minute to be served.
func patient(t *testing.T, p *phone.Phone, number string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	call, err := p.Dial(ctx, "501", phone.DialOptions{CallerNumber: number})
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := call.WaitEnd(ctx); err == nil {
		return
	}
	end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancelEnd()
	if err := call.Hangup(end); err != nil {
		t.Logf("%s: %v", number, err)
	}
}

// choke makes Asterisk stand still again and again, for moments so short that
// those who talk hear each other, and lets each request for a new leg reach it
// just then. The function it returns ends that.
func (c *centre) choke(t *testing.T, m *meddler) (thaw func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	still := make(chan struct{})
	m.creates.Store(&still)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(still)
		for ctx.Err() == nil {
			if err := c.pbx.Freeze(); err != nil {
				t.Error(err)
			}
			m.letIn(still)
			time.Sleep(150 * time.Millisecond)
			if err := c.pbx.Thaw(); err != nil {
				t.Error(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	thaw = func() {
		m.creates.Store(nil)
		cancel()
		wg.Wait()
	}
	t.Cleanup(thaw)
	return thaw
}

// serves waits until the crowd is gone and checks that each was served, in one
// stay in the queue and one CDR.
func (c *centre) serves(t *testing.T, gone <-chan struct{}, prefix string) {
	t.Helper()
	select {
	case <-gone:
	case <-time.After(90 * time.Second):
		t.Fatalf("callers are left: %+v", c.live())
	}
	conn := c.database(t)
	defer conn.Close(context.Background())
	const books = `SELECT count(*) FILTER (WHERE name = 'call_arrived'), count(*) FILTER (WHERE name = 'call_queued'),
		count(*) FILTER (WHERE name = 'call_connected'), count(*) FILTER (WHERE name = 'call_ended')
		FROM fact WHERE what ->> 'call' IN (SELECT what ->> 'call' FROM fact WHERE name = 'call_arrived' AND what -> 'caller' ->> 'number' LIKE $1 || '%')`
	var arrived, queued, connected, ended int
	c.eventually("every call is closed in the database", 30*time.Second, func() bool {
		if err := conn.QueryRow(t.Context(), books, prefix).Scan(&arrived, &queued, &connected, &ended); err != nil {
			t.Fatal(err)
		}
		return ended >= crowd
	})
	if arrived != crowd || queued != crowd || connected != crowd || ended != crowd {
		t.Errorf("of %d callers %d arrived, %d were queued, %d were served, %d ended", crowd, arrived, queued, connected, ended)
	}
}

// blamesNobody checks that no agent has missed a call that never reached them.
func (c *centre) blamesNobody(t *testing.T) {
	t.Helper()
	conn := c.database(t)
	defer conn.Close(context.Background()) // nothing was written
	rows, err := conn.Query(t.Context(), "SELECT what ->> 'outcome', count(*) FROM fact WHERE name = 'offer_ended' GROUP BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var outcome orchestrator.OfferOutcome
		var n int
		if err := rows.Scan(&outcome, &n); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d offers are %s", n, outcome)
		if outcome != orchestrator.OfferAnswered && outcome != orchestrator.OfferCancelled {
			t.Errorf("%d offers are %s", n, outcome)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// invites are the moments at which a phone of the queue was called, in order.
func (c *centre) invites() (at []time.Time) {
	for _, p := range c.agents[1:] {
		for _, call := range p.Calls() {
			if call.Direction() == phone.Incoming {
				at = append(at, call.Times().Invite)
			}
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return at
}

// busiest is the most moments within any one second.
func busiest(at []time.Time) (most int) {
	for first, last := 0, 0; last < len(at); last++ {
		for at[last].Sub(at[first]) > time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// figure is one of ringmaster's own, summed up over its labels.
func (c *centre) figure(t *testing.T, name string) (sum float64) {
	t.Helper()
	_, text := c.ask("GET", "/metrics", nil)
	found := false
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") {
			continue
		}
		var value float64
		if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &value); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		sum, found = sum+value, true
	}
	if !found {
		t.Fatalf("no figure %s", name)
	}
	return sum
}
