package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

const kills = 20

// jitter is the longest silence a busy 2-core machine makes by itself in a
// minute of talk; what a kill could do to a call would not end at all.
const jitter = 500 * time.Millisecond

// TestKillNine kills ringmaster at random moments with calls talking, waiting
// and ringing, and holds what the phones saw against what is told afterwards.
func TestKillNine(t *testing.T) { onEach(t, killNine) }

func killNine(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := openOn(t, kind, 4, func(doc document) {
		// agent1 serves "long" and talks throughout; agent2 would serve
		// "patient" but never logs in; the others serve the busy queue.
		queues := doc["queues"].([]document)
		sales := queues[0]
		members := sales["agents"].([]document)
		sales["agents"], sales["wrap_up_ms"] = members[2:], 0
		doc["queues"] = append(queues,
			document{"id": "long", "name": "Long", "music": sales["music"], "agents": members[:1]},
			document{"id": "patient", "name": "Patient", "music": sales["music"], "agents": members[1:2]})
		doc["flows"] = append(doc["flows"].([]document), straightTo("long"), straightTo("patient"))
		doc["numbers"] = append(doc["numbers"].([]document),
			document{"dialled": "601", "flow": "to-long"}, document{"dialled": "602", "flow": "to-patient"})
	})
	for _, i := range []int{0, 2, 3} {
		c.login(i)
	}
	talk := c.dial(c.caller(0), "601", "+49100")
	since := c.hears(talk, agentHz, time.Time{})
	first, second := c.dial(c.caller(1), "602", "+49201"), c.dial(c.caller(2), "602", "+49202")
	c.eventually("two callers wait", 5*time.Second, func() bool { return waiting(c.live(), "patient") == 2 })
	before := places(c.live(), "patient")

	churn := startChurn(c, 3)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range kills {
		time.Sleep(time.Duration(random.IntN(2500)) * time.Millisecond)
		c.kill()
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		begun := time.Now()
		c.start()
		c.eventually("the switch is adopted", 15*time.Second, func() bool {
			l := c.live()
			return len(l.Switches) > 0 && l.Switches[0].Attached
		})
		t.Logf("kill %d: back after %s", i+1, time.Since(begun).Round(time.Millisecond))
		if now := places(c.live(), "patient"); now != before {
			t.Fatalf("kill %d: the waiting callers stood as %s and stand as %s", i+1, before, now)
		}
	}
	numbers := churn.stop()
	until := time.Now()
	if gap := talk.Ear().LongestWithout(agentHz, since.Add(200*time.Millisecond), until); gap > jitter {
		t.Errorf("over %d kills the talking caller was without the agent's voice for %s", kills, gap)
	}
	ring := incoming(t, c.agents[0])
	if gap := ring.Ear().LongestWithout(callerHz, since.Add(200*time.Millisecond), until); gap > jitter {
		t.Errorf("over %d kills the talking agent was without the caller's voice for %s", kills, gap)
	}
	for _, call := range []*phone.Call{first, second} {
		if part := call.Ear().Heard(lab.MusicHz, since.Add(2*time.Second), until); part < 0.98 {
			t.Errorf("a waiting caller had music only %.0f %% of the time", 100*part)
		}
	}
	for _, call := range []*phone.Call{talk, first, second} {
		if err := call.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
	}
	c.eventually("every call has ended", 20*time.Second, func() bool { return len(c.live().Calls) == 0 })
	c.settled(t, append(numbers, "+49100", "+49201", "+49202"), 0)
	if s := c.story(t, "+49100"); s.count("call_ended") != 1 || s.Call.Outcome.Reason != orchestrator.ReasonTalked {
		t.Errorf("the long call's story:\n%s", s)
	}
}

func straightTo(queue string) document {
	return document{"id": "to-" + queue, "start": "answer", "nodes": document{
		"answer": document{"type": "answer", "on": document{"next": "queue"}},
		"queue":  document{"type": "queue", "queue": queue},
	}}
}

func waiting(l orchestrator.Live, queue string) (n int) {
	for _, q := range l.Queues {
		if string(q.Queue) == queue {
			n = q.Waiting
		}
	}
	return n
}

// places is the line of a queue: who, since when, at which place.
func places(l orchestrator.Live, queue string) (line string) {
	for _, call := range l.Calls {
		if string(call.Queue) == queue {
			line += fmt.Sprintf("%s at %d since %s; ", call.Caller.Number, call.Position, call.Since.Format(time.RFC3339Nano))
		}
	}
	return line
}

// churn is callers who call, talk for a moment and call again.
type churn struct {
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	lock    sync.Mutex
	numbers []string
}

func startChurn(c *centre, callers int) *churn {
	ctx, cancel := context.WithCancel(c.t.Context())
	ch := &churn{cancel: cancel}
	for i := range callers {
		p := c.caller(10 + i)
		ch.wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				ch.one(ctx, p, fmt.Sprintf("+4930%d%04d", i, n))
			}
		})
	}
	return ch
}

// one call: until an agent is heard and a second longer, or ten seconds.
func (ch *churn) one(ctx context.Context, p *phone.Phone, number string) {
	call, err := p.Dial(ctx, "501", phone.DialOptions{CallerNumber: number})
	if err != nil {
		return
	}
	ch.lock.Lock()
	ch.numbers = append(ch.numbers, number)
	ch.lock.Unlock()
	limit, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if call.WaitAnswer(limit) == nil {
		for limit.Err() == nil && call.Up() {
			if call.Ear().Heard(agentHz+200, time.Now().Add(-300*time.Millisecond), time.Now()) > 0 ||
				call.Ear().Heard(agentHz+300, time.Now().Add(-300*time.Millisecond), time.Now()) > 0 {
				time.Sleep(time.Second)
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancelEnd()
	call.Hangup(end)
}

func (ch *churn) stop() []string {
	ch.cancel()
	ch.wg.Wait()
	return ch.numbers
}

// settled checks the books: of every number at most one call, ended once, and
// no phone was rung more often than offers were made to its agent, but for as
// many rings as may be lost to the books.
func (c *centre) settled(t *testing.T, numbers []string, lost int) {
	t.Helper()
	offers, reached := map[string]int{}, map[string]bool{}
	for _, number := range numbers {
		ids := c.calls(number)
		if len(ids) > 1 {
			t.Errorf("%d CDRs of one call of %s", len(ids), number)
		}
		if len(ids) == 0 {
			continue // it reached the fallback while ringmaster was away
		}
		var s story
		c.eventually("the call of "+number+" is closed in the database", 10*time.Second, func() bool {
			s = story{}
			c.do("GET", "/v1/calls/"+ids[0], nil, &s)
			return s.Call.Outcome.Reason != ""
		})
		reached[number] = true
		if n := s.count("call_ended"); n != 1 {
			t.Errorf("%s ended %d times:\n%s", number, n, s)
		}
		for _, o := range s.Offers {
			offers[o.Agent]++
			if o.Outcome == "" {
				t.Errorf("%s: an offer to %s has no end:\n%s", number, o.Agent, s)
			}
		}
	}
	for i, p := range c.agents {
		rings := 0
		for _, call := range p.Calls() {
			// Callers of the fallback's own queue ring the phones as well.
			if call.Direction() == phone.Incoming && reached[call.Peer()] {
				rings++
			}
		}
		if more := rings - offers[agentID(i)]; more > 0 {
			lost -= more
			t.Logf("%s was offered %d calls and the phone rang %d times", agentID(i), offers[agentID(i)], rings)
		}
		t.Logf("%s: %d offers, %d rings", agentID(i), offers[agentID(i)], rings)
	}
	if lost < 0 {
		t.Errorf("%d rings more than may have no offer in the books", -lost)
	}
	t.Logf("%d calls placed, %d reached ringmaster, one CDR each", len(numbers), len(reached))
}
