package console_test

import (
	"encoding/json"
	"fmt"
	"time"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/metrics"
)

func callID(n int) string { return fmt.Sprintf("019b1c1e-7a10-7c3e-8f52-%012d", n) }

func ago(d time.Duration) time.Time { return time.Now().Add(-d).UTC().Truncate(time.Millisecond) }

func queue(id, name string, day orchestrator.QueueDay) gen.LiveQueue {
	q := gen.LiveQueue{Queue: id, Name: name, Today: gen.QueueDay{
		Date: "2026-11-23", Offered: day.Offered, Answered: day.Answered, AnsweredInTime: day.AnsweredInTime, Abandoned: day.Abandoned,
		AbandonedShort: day.AbandonedShort, ServiceLevelMs: 20_000,
	}}
	for _, d := range metrics.Definitions() {
		f := gen.Figure{Metric: d.Name, Unit: gen.FigureUnit(d.Unit)}
		if v, ok := d.Of(day); ok {
			f.Value = &v
		}
		q.Figures = append(q.Figures, f)
	}
	return q
}

// busy is a centre on a busy morning: every agent state, every phase of a
// call, a queue over its threshold and one that nobody serves.
func (s *stage) busy() {
	s.live.Switches = []gen.LiveSwitch{{Switch: "pbx-berlin", Attached: true, Since: ago(26 * time.Hour)}}
	sales := queue("sales", "Sales", orchestrator.QueueDay{Offered: 131, Answered: 118, AnsweredInTime: 101, Abandoned: 9, AbandonedShort: 3, AnsweredWaitMs: 1_416_000})
	sales.Waiting, sales.WaitingSince, sales.Talking, sales.AgentsLoggedIn, sales.AgentsReady = 3, ago(48*time.Second), 3, 7, 0
	support := queue("support", "Customer support", orchestrator.QueueDay{Offered: 240, Answered: 221, AnsweredInTime: 208, Abandoned: 14, AbandonedShort: 5, AnsweredWaitMs: 2_100_000})
	support.Waiting, support.WaitingSince, support.Talking, support.AgentsLoggedIn, support.AgentsReady = 1, ago(4*time.Second), 2, 6, 2
	billing := queue("billing", "Billing", orchestrator.QueueDay{Offered: 40, Answered: 40, AnsweredInTime: 40, AnsweredWaitMs: 160_000})
	billing.AgentsLoggedIn, billing.AgentsReady = 4, 2
	night := queue("night", "Night desk", orchestrator.QueueDay{})
	night.Waiting, night.WaitingSince = 1, ago(95*time.Second)
	s.live.Queues = []gen.LiveQueue{sales, support, billing, night}
	s.live.Agents = crew()
	s.live.Calls = []gen.LiveCall{
		waiting(1, "Jo Bergström", "+46701740605", "sales", 1, 48*time.Second),
		waiting(2, "", "+4930998877", "sales", 2, 31*time.Second),
		waiting(3, "<img src=x onerror=alert(1)>\u202e${jndi}", "+33142278186", "sales", 3, 12*time.Second),
		{
			Call: callID(4), Caller: gen.Party{Number: "+390612345678", Name: "Marta Ricci"}, Dialled: "501", Arrived: ago(14 * time.Second),
			Phase: "ringing", Since: ago(4 * time.Second), Queue: "support", Agent: "ben", Switch: "pbx-berlin",
		},
		talking(5, "Familie Özdemir", "+4917612345678", "sales", "ana", 4*time.Minute+12*time.Second),
		talking(6, "", "+441632960961", "support", "chloe", 11*time.Minute),
		talking(7, "O'Neill & Sons", "+35315551234", "sales", "dmitri", 42*time.Second),
		{
			Call: callID(8), Caller: gen.Party{}, Dialled: "500", Arrived: ago(7 * time.Second), Phase: "flow", Since: ago(5 * time.Second),
			Node: "menu", Switch: "pbx-berlin",
		},
		waiting(9, "Nia", "+27115550199", "night", 1, 95*time.Second),
	}
	for i := range 60 {
		s.ended = append(s.ended, endedCall(100+i, i))
	}
	s.tell()
}

func waiting(n int, name, number, queue string, place int, lasts time.Duration) gen.LiveCall {
	return gen.LiveCall{
		Call: callID(n), Caller: gen.Party{Number: number, Name: name}, Dialled: "500", Arrived: ago(lasts + 9*time.Second), Phase: "queued",
		Since: ago(lasts), Queue: queue, Position: place, Switch: "pbx-berlin",
	}
}

func talking(n int, name, number, queue, agent string, lasts time.Duration) gen.LiveCall {
	return gen.LiveCall{
		Call: callID(n), Caller: gen.Party{Number: number, Name: name}, Dialled: "500", Arrived: ago(lasts + 25*time.Second), Phase: "talking",
		Since: ago(lasts), Queue: queue, Agent: agent, Switch: "pbx-berlin",
	}
}

func crew() []gen.LiveAgent {
	agent := func(id, name string, state gen.AgentState, since time.Duration, more func(*gen.LiveAgent)) gen.LiveAgent {
		a := gen.LiveAgent{
			Agent: id, Number: "101", Name: name, State: state, Since: ago(since), Phone: "desk-" + id, PhoneReachable: true,
			Intent: "ready", Queues: []gen.Slug{"sales"},
		}
		if more != nil {
			more(&a)
		}
		return a
	}
	call := func(n int) func(*gen.LiveAgent) { return func(a *gen.LiveAgent) { a.Call = callID(n) } }
	return []gen.LiveAgent{
		agent("ana", "Ana Lindqvist", "talking", 4*time.Minute+12*time.Second, func(a *gen.LiveAgent) { a.Call, a.Intent = callID(5), "pause" }),
		agent("ben", "Ben Achterberg", "reserved", 4*time.Second, call(4)),
		agent("chloe", "Chloé Dubois", "talking", 11*time.Minute, call(6)),
		agent("dmitri", "Dmitri Sokolov", "holding", 42*time.Second, call(7)),
		agent("emeka", "Emeka Obi", "ready", 2*time.Minute+8*time.Second, nil),
		agent("fatma", "Fatma Yıldız", "ready", 36*time.Second, nil),
		agent("goran", "Goran Petrović", "wrap_up", 11*time.Second, func(a *gen.LiveAgent) { a.Until = time.Now().Add(19 * time.Second) }),
		agent("hana", "Hana Kobayashi", "paused", 23*time.Minute, func(a *gen.LiveAgent) { a.Reason = "lunch" }),
		agent("ilse", "Ilse van den Berg-Vandenbroucke", "phone_lost", 6*time.Minute, func(a *gen.LiveAgent) { a.PhoneReachable = false }),
		agent("jonas", "Jonas Weber", "busy", 90*time.Second, nil),
		agent("karin", "Karin Ek", "ready", 9*time.Minute, nil),
		agent("lars", "Lars Holm", "ready", 12*time.Second, nil),
		agent("mia", "Mia Rossi", "logged_out", 15*time.Hour, func(a *gen.LiveAgent) { a.Phone, a.PhoneReachable, a.Intent = "", false, "" }),
		agent("noor", "Noor Haddad", "logged_out", 15*time.Hour, func(a *gen.LiveAgent) { a.Phone, a.PhoneReachable, a.Intent = "", false, "" }),
	}
}

func endedCall(n, i int) gen.Call {
	outcomes := []gen.Outcome{
		{Result: "completed", Reason: "talked"},
		{Result: "completed", Reason: "talked"},
		{Result: "caller", Reason: "abandoned_in_queue"},
		{Result: "completed", Reason: "talked"},
		{Result: "caller", Reason: "abandoned_in_flow"},
		{Result: "system", Reason: "max_wait"},
	}
	names := []string{"Jo Bergström", "", "Marta Ricci", "Nia", "", "Familie Özdemir", "Company with a name that is far too long for any column"}
	out := outcomes[i%len(outcomes)]
	c := gen.Call{
		ID: callID(n), Caller: gen.Party{Number: fmt.Sprintf("+49301%06d", 7919*n%1_000_000), Name: names[i%len(names)]}, Dialled: "500",
		Switch: "pbx-berlin", Flow: "main", FlowVersion: 3, ArrivedAt: ago(time.Duration(i*i+3) * time.Minute), State: "ended", Outcome: out,
		LastQueue: "sales", Times: gen.Times{TotalMs: 184_000, FlowMs: 21_000, QueueMs: int64(9000 + 1700*i), TalkMs: 118_000, HoldMs: 12_000},
	}
	c.EndedAt = c.ArrivedAt.Add(184 * time.Second)
	if out.Reason == "talked" {
		c.LastAgent, c.FirstAgent, c.Offers = "ana", "ana", 1
	} else {
		c.Times.TalkMs, c.Times.HoldMs = 0, 0
	}
	if out.Reason == "abandoned_in_flow" {
		c.LastQueue, c.Times.QueueMs = "", 0
	}
	return c
}

// tell gives the first ended call a story: offered to one who does not answer,
// then to another; a hold; and the first waiting call one that goes on.
func (s *stage) tell() {
	c := s.ended[0]
	c.Offers, c.FirstQueue = 2, "sales"
	at := func(ms int) time.Time { return c.ArrivedAt.Add(time.Duration(ms) * time.Millisecond) }
	c.AnsweredAt, c.ConnectedAt = at(180), at(54_300)
	c.Times = gen.Times{TotalMs: 184_000, FlowMs: 21_000, QueueMs: 33_300, TalkMs: 117_700, HoldMs: 12_000}
	s.ended[0] = c
	caller, first, second := "pbx-berlin/1763888400.17", "pbx-berlin/0a1", "pbx-berlin/0a2"
	story := gen.CallStory{
		Call: c,
		Legs: []gen.CallLeg{
			{Leg: caller, Role: "caller", Switch: "pbx-berlin", StartedAt: at(0), AnsweredAt: at(180), EndedAt: at(184_000), Cause: 16, EndedBy: "remote"},
			{Leg: first, Role: "agent", Agent: "ben", Endpoint: "PJSIP/1002", Switch: "pbx-berlin", StartedAt: at(21_010), RangAt: at(21_200), EndedAt: at(36_010), Cause: 19, EndedBy: "us"},
			{Leg: second, Role: "agent", Agent: "ana", Endpoint: "PJSIP/1001", Switch: "pbx-berlin", StartedAt: at(49_100), RangAt: at(49_300), AnsweredAt: at(54_280), EndedAt: at(183_900), Cause: 16, EndedBy: "us"},
		},
		Visits: []gen.CallVisit{{Queue: "sales", Version: 3, ArrivedAt: at(21_000), JoinedAt: at(21_000), LeftAt: at(54_300), Reason: "connected", WaitedMs: 33_300}},
		Offers: []gen.CallOffer{
			{Offer: callID(901), Queue: "sales", Agent: "ben", Phone: "desk-ben", Leg: first, MadeAt: at(21_000), EndedAt: at(36_000), Outcome: "no_answer", RangMs: 15_000},
			{Offer: callID(902), Queue: "sales", Agent: "ana", Phone: "desk-ana", Leg: second, MadeAt: at(49_090), EndedAt: at(54_300), Outcome: "answered", RangMs: 5_000},
		},
	}
	fact := func(ms int, name, leg, text string, what map[string]any) {
		if what == nil {
			what = map[string]any{}
		}
		raw, _ := json.Marshal(what)
		story.Timeline = append(story.Timeline, gen.TimelineEntry{
			Seq: int64(48_000 + len(story.Timeline)), At: at(ms), OffsetMs: int64(ms), Fact: name, Leg: leg, Text: text, What: raw,
		})
	}
	fact(0, "call_arrived", caller, "arrived at 500 from "+c.Caller.Number+", enters flow main", map[string]any{"dialled": "500"})
	fact(2, "node_entered", "", "at node answer (answer)", map[string]any{"node": "answer", "type": "answer"})
	fact(180, "leg_answered", caller, "answered", nil)
	fact(182, "node_entered", "", "at node greeting (play) by exit next", map[string]any{"node": "greeting", "type": "play"})
	fact(190, "play_started", caller, `hears the prompt: "Welcome to Example"`, map[string]any{"play": "p1", "purpose": "prompt"})
	fact(6_400, "play_ended", caller, "end of the sound: finished", map[string]any{"play": "p1"})
	fact(6_402, "node_entered", "", "at node menu (menu) by exit next", map[string]any{"node": "menu", "type": "menu"})
	fact(6_410, "play_started", caller, `hears the question: "For sales press 1"`, map[string]any{"play": "p2", "purpose": "question"})
	fact(19_800, "play_ended", caller, "end of the sound: finished", map[string]any{"play": "p2"})
	fact(20_990, "digit_taken", "", "pressed 1", map[string]any{"digit": "1"})
	fact(20_991, "menu_decided", "", "menu menu: chose 1", map[string]any{"node": "menu", "digits": "1"})
	fact(21_000, "node_entered", "", "at node queue (queue) by exit 1", map[string]any{"node": "queue", "type": "queue"})
	fact(21_000, "call_queued", "", "joined queue sales, place 1", map[string]any{"queue": "sales"})
	fact(21_005, "music_started", caller, "hears music", nil)
	fact(21_010, "leg_started", first, "dials agent ben at PJSIP/1002", nil)
	fact(21_010, "offer_made", first, "offered to agent ben on phone desk-ben", nil)
	fact(21_200, "leg_rang", first, "rings", nil)
	fact(36_000, "offer_ended", "", "offer to agent ben ended after 15s: no_answer", nil)
	fact(36_010, "leg_closed", first, "leg ended by us, cause 19", nil)
	fact(41_000, "play_started", caller, `hears the announcement: "You are first in line"`, map[string]any{"play": "p3", "purpose": "announcement"})
	fact(44_500, "play_ended", caller, "end of the sound: finished", map[string]any{"play": "p3"})
	fact(49_090, "offer_made", second, "offered to agent ana on phone desk-ana", nil)
	fact(49_300, "leg_rang", second, "rings", nil)
	fact(54_280, "leg_answered", second, "answered", nil)
	fact(54_290, "music_stopped", caller, "music ends", nil)
	fact(54_300, "call_left_queue", "", "left queue sales after 33.3s (connected)", nil)
	fact(54_300, "call_connected", "", "talks to agent ana after waiting 33.3s", nil)
	fact(100_000, "leg_held", second, "put on hold", nil)
	fact(112_000, "leg_resumed", second, "taken off hold", nil)
	fact(183_900, "leg_closed", second, "leg ended by us, cause 16", nil)
	fact(184_000, "leg_closed", caller, "leg ended by remote, cause 16", nil)
	fact(184_000, "call_ended", "", "ended after 3m4s: completed, talked", nil)
	s.stories[c.ID] = story
	stands := []gen.AgentStanding{
		{Agent: "ben", State: "ready", Since: at(-600_000), Chosen: true, Verdict: "chosen: ben had been idle the longest"},
		{Agent: "ana", State: "talking", Since: at(-60_000), Verdict: "talks since " + at(-60_000).Format("15:04:05Z")},
		{Agent: "hana", State: "paused", Since: at(-300_000), Verdict: "paused (lunch) since " + at(-300_000).Format("15:04:05Z")},
	}
	again := []gen.AgentStanding{
		{Agent: "ana", State: "ready", Since: at(49_080), Chosen: true, Verdict: "chosen: ana became free and this call was first in line"},
		{Agent: "ben", State: "ready", Since: at(36_010), Verdict: "ready since " + at(36_010).Format("15:04:05Z") + ", but idle for less time than the chosen agent, or resting after a missed call"},
		{Agent: "hana", State: "paused", Since: at(-300_000), Verdict: "paused (lunch) since " + at(-300_000).Format("15:04:05Z")},
	}
	s.why[c.ID] = gen.Explanation{
		Call: c.ID, At: c.EndedAt, Summary: "Agent ana got the call: ana became free and this call was first in line (priority 0, waiting 28.1s, 1 waiting).",
		Offers: []gen.OfferReason{
			{
				Offer: callID(901), At: at(21_000), Queue: "sales", Agent: "ben", Why: "ben was the only free agent, idle for 10m0s.", Outcome: "no_answer",
				Candidates: stands, Decision: gen.Decision{Strategy: "longest_idle", Free: 1, Waiting: 1, Trigger: "call_arrived"},
			},
			{
				Offer: callID(902), At: at(49_090), Queue: "sales", Agent: "ana", Outcome: "answered", Candidates: again,
				Why:      "ana became free and this call was first in line (priority 0, waiting 28.1s, 1 waiting).",
				Decision: gen.Decision{Strategy: "longest_idle", Free: 1, Waiting: 1, WaitedMs: 28_090, Trigger: "agent_free", TriedBefore: 1},
			},
		},
	}
	s.tellWaiting()
}

func (s *stage) tellWaiting() {
	w := s.live.Calls[0]
	s.stories[w.Call] = gen.CallStory{
		Call:   gen.Call{ID: w.Call, Caller: w.Caller, Dialled: "500", Switch: "pbx-berlin", Flow: "main", FlowVersion: 3, ArrivedAt: w.Arrived, State: "open", FirstQueue: "sales"},
		Legs:   []gen.CallLeg{{Leg: "l1", Role: "caller", Switch: "pbx-berlin", StartedAt: w.Arrived, AnsweredAt: w.Arrived.Add(150 * time.Millisecond)}},
		Visits: []gen.CallVisit{{Queue: "sales", ArrivedAt: w.Since, JoinedAt: w.Since}}, Offers: []gen.CallOffer{},
		Timeline: []gen.TimelineEntry{{Seq: 1, At: w.Arrived, Fact: "call_arrived", Leg: "l1", Text: "arrived at 500 from a caller", What: json.RawMessage(`{"dialled":"500"}`)}},
	}
	s.why[w.Call] = gen.Explanation{
		Call: w.Call, At: time.Now().UTC(), Summary: "The call waits in queue sales for 48s, at place 1.", Offers: []gen.OfferReason{},
		Waiting: gen.WaitReason{
			Queue: "sales", Position: 1, Ahead: []gen.UUID{}, WouldHelp: "No agent of this queue is free: the next who becomes ready gets the first call in line.",
			Candidates: []gen.AgentStanding{
				{Agent: "ana", State: "talking", Since: ago(time.Minute), Verdict: "talks since " + ago(time.Minute).Format("15:04:05Z")},
				{Agent: "hana", State: "paused", Since: ago(23 * time.Minute), Verdict: "paused (lunch) since " + ago(23*time.Minute).Format("15:04:05Z")},
			},
		},
	}
}
