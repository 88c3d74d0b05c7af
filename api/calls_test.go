package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// day is when the test's calls arrive: after the configuration was made, which
// the store stamps with the clock.
var day = time.Now().UTC().Truncate(time.Hour).Add(time.Hour)

// teller writes facts as a floor would.
type teller struct {
	seq   uint64
	facts []orchestrator.Fact
	at    time.Time
	mint  orchestrator.Minter
}

func (l *teller) step(wait time.Duration, deeds ...orchestrator.Deed) {
	l.seq++
	l.at = l.at.Add(wait)
	for i, d := range deeds {
		l.facts = append(l.facts, orchestrator.Fact{Seq: l.seq, Index: i, At: l.at, What: d})
	}
}

// talked is a call that ana answers after ben did not.
func (l *teller) talked(caller string) orchestrator.CallID {
	id := func(n uint64) string { return l.mint.Mint(l.at, l.seq, n) }
	call, in, out := orchestrator.CallID(id(0)), orchestrator.LegID("pbx/"+id(1)), orchestrator.LegID(id(2))
	offer := orchestrator.OfferID(id(3))
	l.step(0, orchestrator.CallArrived{
		Call: call, Leg: in, Switch: "pbx", Dialled: "+4930123456", Caller: orchestrator.Party{Number: caller}, Flow: "main", FlowVersion: 1,
	}, orchestrator.LegStarted{Call: call, Leg: in, Switch: "pbx", Role: orchestrator.RoleCaller},
		orchestrator.NodeEntered{Call: call, Flow: "main", Version: 1, Node: "wait", Type: orchestrator.NodeQueue},
		orchestrator.CallQueued{Call: call, Queue: "sales", Version: 1, Arrived: l.at, Position: 1},
		orchestrator.OfferMade{
			Offer: offer, Call: call, Queue: "sales", Agent: "ana", Phone: "desk-1", Leg: out, RingUntil: l.at.Add(20 * time.Second),
			Decision: orchestrator.Decision{Strategy: orchestrator.LongestIdle, Free: 1, Trigger: "call_arrived", Waiting: 1, IdleSince: l.at},
		},
		orchestrator.AgentChanged{Agent: "ana", State: orchestrator.AgentReserved, Phone: "desk-1", Call: call, Queue: "sales"},
		orchestrator.LegStarted{Call: call, Leg: out, Switch: "pbx", Role: orchestrator.RoleAgent, Agent: "ana", Endpoint: "PJSIP/1001"})
	l.step(time.Second, orchestrator.LegRang{Call: call, Leg: out})
	l.step(2*time.Second, orchestrator.LegAnswered{Call: call, Leg: out},
		orchestrator.OfferEnded{Offer: offer, Call: call, Queue: "sales", Agent: "ana", Outcome: orchestrator.OfferAnswered, Rang: 2000},
		orchestrator.CallLeftQueue{Call: call, Queue: "sales", Reason: orchestrator.ReasonConnected, Waited: 3000},
		orchestrator.CallConnected{Call: call, Queue: "sales", Agent: "ana", Offer: offer, Bridge: "b", Waited: 3000},
		orchestrator.AgentChanged{Agent: "ana", State: orchestrator.AgentTalking, Phone: "desk-1", Call: call, Queue: "sales"})
	l.step(30*time.Second, orchestrator.LegClosed{Call: call, Leg: in, Cause: 16, By: orchestrator.EndedByRemote},
		orchestrator.LegClosed{Call: call, Leg: out, Cause: 16, By: orchestrator.EndedByUs},
		orchestrator.CallEnded{
			Call: call, Outcome: orchestrator.Outcome{Result: orchestrator.ResultCompleted, Reason: orchestrator.ReasonTalked},
			Times: orchestrator.Times{Total: 33000, Queue: 3000, Talk: 30000},
		},
		orchestrator.AgentChanged{Agent: "ana", State: orchestrator.AgentReady, Phone: "desk-1"})
	return call
}

// abandoned is a call that gives up in the queue.
func (l *teller) abandoned(caller string) orchestrator.CallID {
	call, in := orchestrator.CallID(l.mint.Mint(l.at, l.seq, 0)), orchestrator.LegID("pbx/"+l.mint.Mint(l.at, l.seq, 1))
	l.step(0, orchestrator.CallArrived{
		Call: call, Leg: in, Switch: "pbx", Dialled: "+4930123456", Caller: orchestrator.Party{Number: caller}, Flow: "main", FlowVersion: 1,
	}, orchestrator.LegStarted{Call: call, Leg: in, Switch: "pbx", Role: orchestrator.RoleCaller},
		orchestrator.CallQueued{Call: call, Queue: "sales", Version: 1, Arrived: l.at, Position: 1})
	l.step(5*time.Second, orchestrator.CallLeftQueue{Call: call, Queue: "sales", Reason: orchestrator.ReasonAbandoned, Waited: 5000},
		orchestrator.LegClosed{Call: call, Leg: in, Cause: 16, By: orchestrator.EndedByRemote},
		orchestrator.CallEnded{
			Call: call, Outcome: orchestrator.Outcome{Result: orchestrator.ResultCaller, Reason: orchestrator.ReasonAbandoned},
			Times: orchestrator.Times{Total: 5000, Queue: 5000},
		})
	return call
}

func newTeller(space uint64) *teller {
	return &teller{at: day, mint: orchestrator.Minter{Space: space}}
}

// project stores one talked and one abandoned call and returns the first.
func (s *site) project() orchestrator.CallID {
	s.Helper()
	l := newTeller(uint64(tenants.Add(1)))
	l.step(0, orchestrator.ConfigApplied{Change: orchestrator.Config{Queues: []orchestrator.Queue{{
		ID: "sales", Version: 1, Agents: []orchestrator.QueueAgent{{Agent: "ana"}, {Agent: "ben"}},
	}}}})
	call := l.talked("+4930998877")
	l.at = day.Add(time.Hour)
	l.abandoned("+4930998877")
	s.tell(l)
	return call
}

func (s *site) tell(l *teller) {
	s.Helper()
	p, err := store.Project(s.Context(), s.tenant, l.facts)
	s.must(err)
	if p.SetAside > 0 {
		s.Fatalf("%d facts were set aside", p.SetAside)
	}
}

type callPage struct {
	Items []struct {
		ID      string
		State   string
		Outcome struct{ Result, Reason string }
	}
	NextCursor string `json:"next_cursor"`
}

func TestCallsAreFilteredByEachField(t *testing.T) {
	s := newSite(t)
	call := s.project()
	at := func(d time.Duration) string { return url.QueryEscape(day.Add(d).Format(time.RFC3339)) }
	for query, want := range map[string]int{
		"": 2, "queue=sales": 2, "queue=support": 0, "agent=ana": 1, "agent=ben": 0,
		"result=completed": 1, "result=caller": 1, "reason=abandoned_in_queue": 1, "result=caller&reason=talked": 0,
		"number=%2B4930998877": 2, "number=%2B4930123456": 2, "number=4930998877": 0, "state=open": 0, "state=ended": 2,
		"from=" + at(30*time.Minute): 1, "to=" + at(30*time.Minute): 1, "from=" + at(2*time.Hour): 0,
	} {
		var page callPage
		s.ok("GET", "/v1/calls?"+query, nil, &page)
		if len(page.Items) != want {
			t.Errorf("GET /v1/calls?%s lists %d calls, want %d", query, len(page.Items), want)
		}
	}
	for _, bad := range []string{
		"queue=No%20Slug", "result=great", "reason=none", "state=maybe", "from=yesterday", "to=1", "number=", "sort=id", "cursor=zzz",
	} {
		s.refused(http.StatusBadRequest, "GET", "/v1/calls?"+bad, nil)
	}
	var page callPage
	s.ok("GET", "/v1/calls?agent=ana", nil, &page)
	if page.Items[0].ID != string(call) {
		t.Errorf("ana talked to %s, want %s", page.Items[0].ID, call)
	}
}

func TestPagesOfCallsNeitherLoseNorRepeat(t *testing.T) {
	s := newSite(t)
	l := newTeller(uint64(tenants.Add(1)))
	for i := range 23 {
		l.at = day.Add(time.Duration(i/3) * time.Minute) // several arrive at one instant
		l.abandoned(fmt.Sprintf("%d", i))
	}
	s.tell(l)
	seen := map[string]bool{}
	path, pages := "/v1/calls?limit=5", 0
	for ; path != ""; pages++ {
		var page callPage
		s.ok("GET", path, nil, &page)
		for _, c := range page.Items {
			if seen[c.ID] {
				t.Errorf("call %s is on two pages", c.ID)
			}
			seen[c.ID] = true
		}
		path = ""
		if page.NextCursor != "" {
			path = "/v1/calls?limit=5&cursor=" + url.QueryEscape(page.NextCursor)
		}
	}
	if len(seen) != 23 || pages != 5 {
		t.Errorf("%d calls on %d pages, want 23 on 5", len(seen), pages)
	}
}

func TestACallIsToldLegByLegAndExplained(t *testing.T) {
	s := newSite(t)
	s.build()
	s.ok("PUT", "/v1/agents/ana", object{"id": "ana", "number": "1001", "name": "Ana Lindqvist"}, nil)
	s.ok("PUT", "/v1/agents/ben", object{"id": "ben", "number": "1002", "name": "Ben"}, nil)
	s.ok("PUT", "/v1/queues/sales", object{
		"id": "sales", "name": "Sales", "agents": []object{{"agent": "ana"}, {"agent": "ben"}},
	}, nil)
	call := s.project()
	var story struct {
		Call                 object
		Legs, Offers, Visits []object
		Timeline             []struct{ Fact, Text, Leg string }
		MoreFacts            bool `json:"more_facts"`
	}
	s.ok("GET", "/v1/calls/"+string(call), nil, &story)
	if len(story.Legs) != 2 || len(story.Offers) != 1 || len(story.Visits) != 1 || story.MoreFacts {
		t.Errorf("the story has %d legs, %d offers, %d visits", len(story.Legs), len(story.Offers), len(story.Visits))
	}
	var told strings.Builder
	for _, e := range story.Timeline {
		told.WriteString(e.Text + "\n")
	}
	for _, sentence := range []string{
		"arrived at +4930123456 from +4930998877, enters flow main", "joined queue sales, place 1",
		"offered to Ana Lindqvist on phone desk-1", "talks to Ana Lindqvist after waiting 3s", "ended after 33s: completed, talked",
	} {
		if !strings.Contains(told.String(), sentence) {
			t.Errorf("the timeline does not say %q:\n%s", sentence, told.String())
		}
	}
	var why struct {
		Summary string
		Offers  []struct {
			Why        string
			Candidates []struct {
				Agent, Verdict string
				Chosen         bool
			}
		}
	}
	s.ok("GET", "/v1/calls/"+string(call)+"/explanation", nil, &why)
	if len(why.Offers) != 1 || len(why.Offers[0].Candidates) != 2 || !strings.HasPrefix(why.Summary, "Ana Lindqvist got the call: Ana Lindqvist ") {
		t.Errorf("the explanation is %+v", why)
	}
	s.refused(http.StatusNotFound, "GET", "/v1/calls/"+aCall, nil)
	s.refused(http.StatusNotFound, "GET", "/v1/calls/"+aCall+"/explanation", nil)
	s.refused(http.StatusNotFound, "GET", "/v1/calls/not-an-id", nil)
}

func TestACallOfNowIsExplainedByTheFloorEvenIfTheStoreHasNotHeardOfIt(t *testing.T) {
	s := newSite(t)
	s.floor.calls[aCall] = orchestrator.Explanation{
		Call: aCall, At: day, Summary: "The call waits.",
		Waiting: &orchestrator.WaitReason{Queue: "sales", Position: 1, WouldHelp: "An agent."},
	}
	var why struct {
		Summary string
		Waiting struct {
			Queue string
			Ahead []string
		}
	}
	s.ok("GET", "/v1/calls/"+aCall+"/explanation", nil, &why)
	if why.Summary != "The call waits." || why.Waiting.Queue != "sales" || why.Waiting.Ahead == nil {
		t.Errorf("explanation %+v", why)
	}
}

func TestHangingUpReachesTheFloorForCallsOfNowOnly(t *testing.T) {
	s := newSite(t)
	past := s.project()
	s.floor.calls[aCall] = orchestrator.Explanation{Call: aCall}
	s.ok("POST", "/v1/calls/"+aCall+"/hangup", nil, nil)
	s.ok("POST", "/v1/calls/"+string(past)+"/hangup", nil, nil)
	s.refused(http.StatusNotFound, "POST", "/v1/calls/019b1c1e-0000-7000-8000-000000000000/hangup", nil)
	events := s.floor.seen()
	if len(events) != 1 || events[0] != (orchestrator.HangupAsked{Call: aCall, By: "first key"}) {
		t.Errorf("the floor saw %+v", events)
	}
}

// injections are what people put into filters.
var injections = []string{
	`'`, `"`, `\`, `';--`, `' OR '1'='1`, `1 OR 1=1`, `'; DROP TABLE calls;--`, `') OR ('1'='1`, `sales' UNION SELECT 1--`,
	`1;SELECT pg_sleep(5)`, `' AND pg_sleep(5)::text='`, `$$;SELECT 1$$`, `%27%20OR%201=1`, `\x00`, "\x00", `{{7*7}}`, `${jndi:x}`,
	`sales/*`, `*/--`, `CHR(39)`, `0x27`, "ʼ OR 1=1", `sales%`, `_____`, `NULL`, `-1`, `1e308`, strings.Repeat("'", 63),
}

func TestFiltersAreNeverCode(t *testing.T) {
	s := newSite(t)
	s.project()
	for _, filter := range []string{"queue", "agent", "result", "reason", "number", "state", "from", "to", "cursor", "limit", "order"} {
		for _, text := range injections {
			began := time.Now()
			a := s.call("GET", "/v1/calls?"+filter+"="+url.QueryEscape(text), nil)
			if a.status == http.StatusOK {
				if strings.Count(string(a.body), `"id"`) != 0 {
					t.Errorf("%s=%q found calls: %s", filter, text, a.body)
				}
			} else if a.status != http.StatusBadRequest {
				t.Errorf("%s=%q = %d %s", filter, text, a.status, a.body)
			}
			if time.Since(began) > 4*time.Second {
				t.Errorf("%s=%q slept", filter, text)
			}
		}
	}
	for _, text := range injections {
		for _, path := range []string{"/v1/queues/", "/v1/numbers/", "/v1/calls/", "/v1/agents/"} {
			if a := s.call("GET", path+url.PathEscape(text), nil); a.status != http.StatusNotFound && a.status != http.StatusBadRequest {
				t.Errorf("GET %s%q = %d", path, text, a.status)
			}
		}
	}
	var page callPage
	s.ok("GET", "/v1/calls", nil, &page)
	if len(page.Items) != 2 {
		t.Errorf("%d calls are left, want 2", len(page.Items))
	}
}
