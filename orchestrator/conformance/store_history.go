package conformance

import (
	"fmt"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// day makes the facts of small calls, one after another.
type day struct {
	mint  orchestrator.Minter
	seq   uint64
	now   time.Time
	facts []orchestrator.Fact
}

func newDay() *day {
	return &day{mint: orchestrator.Minter{Space: 1}, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
}

// step is one input's facts, a second after the last.
func (d *day) step(deeds ...orchestrator.Deed) {
	d.seq++
	d.now = d.now.Add(time.Second)
	for i, deed := range deeds {
		d.facts = append(d.facts, orchestrator.Fact{Seq: d.seq, Index: i, At: d.now, What: deed})
	}
}

func (d *day) id(n uint64) string { return d.mint.Mint(d.now.Add(time.Second), d.seq, n) }

// arrives is a call that comes and stays in its flow.
func (d *day) arrives(caller, dialled string) orchestrator.CallID {
	call := orchestrator.CallID(d.id(0))
	leg := orchestrator.LegID("pbx/" + string(call))
	d.step(
		orchestrator.CallArrived{
			Call: call, Leg: leg, Switch: "pbx", Dialled: dialled, Caller: orchestrator.Party{Number: caller, Name: "Eve"},
			Flow: "main", FlowVersion: 1,
		},
		orchestrator.LegStarted{Call: call, Leg: leg, Switch: "pbx", Role: orchestrator.RoleCaller, SIPCall: "s"},
		orchestrator.LegAnswered{Call: call, Leg: leg},
	)
	return call
}

// waits puts the call into a queue.
func (d *day) waits(call orchestrator.CallID, queue orchestrator.QueueID) {
	d.step(orchestrator.CallQueued{Call: call, Queue: queue, Version: 1, Priority: 5, Arrived: d.now.Add(time.Second), Position: 1})
}

// rings offers the call to the agent.
func (d *day) rings(call orchestrator.CallID, queue orchestrator.QueueID, agent orchestrator.AgentID) orchestrator.OfferID {
	offer, leg := orchestrator.OfferID(d.id(1)), orchestrator.LegID(d.id(2))
	d.step(
		orchestrator.OfferMade{
			Offer: offer, Call: call, Queue: queue, Agent: agent, Phone: "p1", Leg: leg, RingUntil: d.now.Add(21 * time.Second),
			Decision: orchestrator.Decision{Strategy: orchestrator.LongestIdle, Free: 2, RunnerUp: "bo", Trigger: "call_arrived"},
		},
		orchestrator.LegStarted{Call: call, Leg: leg, Switch: "pbx", Role: orchestrator.RoleAgent, Endpoint: "PJSIP/1001", Agent: agent},
		orchestrator.AgentChanged{Agent: agent, State: orchestrator.AgentReserved, Phone: "p1", Call: call, Queue: queue},
	)
	return offer
}

// talks has ana answer an offer of the queue sales, holds the call for one and a half seconds and ends it.
func (d *day) talks(call orchestrator.CallID) {
	const queue, agent = "sales", "ana"
	offer := d.rings(call, queue, agent)
	leg := d.facts[len(d.facts)-2].What.(orchestrator.LegStarted).Leg
	d.step(
		orchestrator.LegRang{Call: call, Leg: leg},
		orchestrator.LegAnswered{Call: call, Leg: leg},
		orchestrator.CallLeftQueue{Call: call, Queue: queue, Reason: orchestrator.ReasonConnected, Waited: 2000},
		orchestrator.OfferEnded{
			Offer: offer, Call: call, Queue: queue, Agent: agent, Outcome: orchestrator.OfferAnswered, Rang: 700,
		},
		orchestrator.CallConnected{Call: call, Queue: queue, Agent: agent, Offer: offer, Bridge: "b", Waited: 2000},
		orchestrator.AgentChanged{Agent: agent, State: orchestrator.AgentTalking, Call: call, Queue: queue},
	)
	d.step(orchestrator.LegHeld{Call: call, Leg: leg})
	d.now = d.now.Add(500 * time.Millisecond)
	d.step(orchestrator.LegResumed{Call: call, Leg: leg})
	d.step(orchestrator.LegClosed{Call: call, Leg: leg, Cause: 16, By: orchestrator.EndedByUs})
	d.ends(call, orchestrator.Outcome{Result: orchestrator.ResultCompleted, Reason: orchestrator.ReasonTalked})
	d.step(orchestrator.AgentChanged{Agent: agent, State: orchestrator.AgentReady})
}

func (d *day) ends(call orchestrator.CallID, how orchestrator.Outcome) {
	d.step(
		orchestrator.LegClosed{Call: call, Leg: orchestrator.LegID("pbx/" + string(call)), Cause: 16, SIP: 200, By: orchestrator.EndedByRemote},
		orchestrator.CallEnded{Call: call, Outcome: how, Times: orchestrator.Times{Total: 6000, Flow: 1000, Queue: 2000, Talk: 2500, Hold: 500}},
	)
}

func (s *shelf) project(tenant orchestrator.TenantID, facts []orchestrator.Fact) orchestrator.Projection {
	s.Helper()
	done, err := s.store.Project(s.Context(), tenant, facts)
	s.must(err)
	return done
}

// calls returns the ids of one page.
func (s *shelf) calls(tenant orchestrator.TenantID, q orchestrator.CallQuery) (ids []orchestrator.CallID, next string) {
	s.Helper()
	page, err := s.store.Calls(s.Context(), tenant, q)
	s.must(err)
	for _, c := range page.Calls {
		ids = append(ids, c.ID)
	}
	return ids, page.Next
}

func factsTell(s *shelf) {
	d := newDay()
	call := d.arrives("+49170", "100")
	d.waits(call, "sales")
	d.talks(call)
	last := d.facts[len(d.facts)-1].Seq

	half := len(d.facts) / 2
	s.equal(s.project(tenantA, d.facts[:half]).Stored, half)
	s.equal(s.project(tenantA, d.facts), orchestrator.Projection{Stored: len(d.facts) - half, Skipped: half, Last: last})
	s.equal(s.project(tenantA, d.facts).Skipped, len(d.facts))
	seq, err := s.store.Projected(s.Context(), tenantA)
	s.must(err)
	s.equal(seq, last)

	story, err := s.store.Call(s.Context(), tenantA, call)
	s.must(err)
	begin := d.facts[0].At
	s.equal(story.Call, orchestrator.CallRecord{
		ID: call, Switch: "pbx", Caller: orchestrator.Party{Number: "+49170", Name: "Eve"}, Dialled: "100", Flow: "main", FlowVersion: 1,
		Arrived: begin, Answered: begin, Connected: begin.Add(3 * time.Second), Ended: begin.Add(7500 * time.Millisecond),
		FirstQueue: "sales", LastQueue: "sales", FirstAgent: "ana", LastAgent: "ana", Offers: 1,
		Outcome: orchestrator.Outcome{Result: orchestrator.ResultCompleted, Reason: orchestrator.ReasonTalked},
		Times:   orchestrator.Times{Total: 6000, Flow: 1000, Queue: 2000, Talk: 2500, Hold: 500},
	})
	s.equal(story.Visits, []orchestrator.VisitRecord{{
		Call: call, Queue: "sales", Version: 1, Priority: 5, Arrived: begin.Add(time.Second), Joined: begin.Add(time.Second),
		Left: begin.Add(3 * time.Second), Reason: orchestrator.ReasonConnected, Waited: 2000,
	}})
	s.equal([]int{len(story.Legs), len(story.Offers)}, []int{2, 1})
	s.equal(story.Legs[0].Ended, story.Call.Ended)
	agent := story.Legs[1]
	agent.ID = ""
	s.equal(agent, orchestrator.LegRecord{
		Call: call, Switch: "pbx", Role: orchestrator.RoleAgent, Endpoint: "PJSIP/1001", Agent: "ana",
		Started: begin.Add(2 * time.Second), Rang: begin.Add(3 * time.Second), Answered: begin.Add(3 * time.Second),
		Ended: begin.Add(6500 * time.Millisecond), Held: 1500, Cause: 16, By: orchestrator.EndedByUs,
	})
	offer := story.Offers[0]
	s.equal(offer.Outcome, orchestrator.OfferAnswered)
	s.equal(offer.Decision.RunnerUp, orchestrator.AgentID("bo"))
	s.equal(offer.Seq, uint64(3))
	s.equal(story.Facts, d.facts[:len(d.facts)-1]) // the last is about the agent alone
	_, err = s.store.Call(s.Context(), tenantA, orchestrator.CallID(d.id(9)))
	s.code(err, orchestrator.CodeNotFound)
	_, err = s.store.Call(s.Context(), tenantA, "not an id")
	s.code(err, orchestrator.CodeNotFound)
}

func pages(s *shelf) {
	d := newDay()
	var want []orchestrator.CallID
	for range 23 {
		want = append([]orchestrator.CallID{d.arrives("1", "100")}, want...)
	}
	s.project(tenantA, d.facts)
	var got []orchestrator.CallID
	query := orchestrator.CallQuery{Limit: 5}
	for range 5 {
		ids, next := s.calls(tenantA, query)
		got = append(got, ids...)
		query.Cursor = next
		d.facts = nil
		d.arrives("1", "100") // one that comes while we read does not shift the pages
		s.project(tenantA, d.facts)
	}
	s.equal(query.Cursor, "")
	s.equal(got, want)
	for _, bad := range []orchestrator.CallQuery{{Limit: -1}, {Limit: 100000}, {Cursor: "x"}, {State: "lost"}} {
		_, err := s.store.Calls(s.Context(), tenantA, bad)
		s.code(err, orchestrator.CodeInvalid)
	}
}

func filters(s *shelf) {
	d := newDay()
	first := d.arrives("+491", "100")
	d.waits(first, "sales")
	d.talks(first)
	second := d.arrives("+492", "200")
	d.waits(second, "help")
	d.rings(second, "help", "bo") // rang, never talked
	d.step(orchestrator.CallLeftQueue{Call: second, Queue: "help", Reason: orchestrator.ReasonMaxWait, Waited: 1000})
	d.waits(second, "sales")
	abandoned := orchestrator.Outcome{Result: orchestrator.ResultCaller, Reason: orchestrator.ReasonAbandoned}
	d.ends(second, abandoned)
	third := d.arrives("+493", "100")
	s.project(tenantA, d.facts)
	record := func(id orchestrator.CallID) orchestrator.CallRecord {
		story, err := s.store.Call(s.Context(), tenantA, id)
		s.must(err)
		return story.Call
	}
	for _, c := range []struct {
		query orchestrator.CallQuery
		want  []orchestrator.CallID
	}{
		{orchestrator.CallQuery{}, []orchestrator.CallID{third, second, first}},
		{orchestrator.CallQuery{Queue: "sales"}, []orchestrator.CallID{second, first}},
		{orchestrator.CallQuery{Queue: "help"}, []orchestrator.CallID{second}},
		{orchestrator.CallQuery{Agent: "ana"}, []orchestrator.CallID{first}},
		{orchestrator.CallQuery{Agent: "bo"}, nil},
		{orchestrator.CallQuery{Outcome: orchestrator.Outcome{Result: orchestrator.ResultCaller}}, []orchestrator.CallID{second}},
		{orchestrator.CallQuery{Outcome: orchestrator.Outcome{Reason: orchestrator.ReasonTalked}}, []orchestrator.CallID{first}},
		{orchestrator.CallQuery{Number: "+493"}, []orchestrator.CallID{third}},
		{orchestrator.CallQuery{Number: "100"}, []orchestrator.CallID{third, first}},
		{orchestrator.CallQuery{State: orchestrator.CallOpen}, []orchestrator.CallID{third}},
		{orchestrator.CallQuery{State: orchestrator.CallClosed}, []orchestrator.CallID{second, first}},
		{orchestrator.CallQuery{From: record(second).Arrived}, []orchestrator.CallID{third, second}},
		{orchestrator.CallQuery{To: record(second).Arrived}, []orchestrator.CallID{first}},
		{orchestrator.CallQuery{From: record(second).Arrived, To: record(third).Arrived, Queue: "sales"}, []orchestrator.CallID{second}},
		{orchestrator.CallQuery{Queue: "sales", State: orchestrator.CallOpen}, nil},
	} {
		got, _ := s.calls(tenantA, c.query)
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			s.Errorf("%+v\n got %v\nwant %v", c.query, got, c.want)
		}
	}
}

func standings(s *shelf) {
	before := time.Now().UTC().Truncate(time.Microsecond)
	s.apply(sample())
	d := newDay()
	d.now = before.Add(time.Hour) // the queue is configured by then
	d.step(orchestrator.AgentChanged{Agent: "ana", State: orchestrator.AgentReady, Phone: "p1"})
	ready := d.now
	call := d.arrives("1", "100")
	d.rings(call, "sales", "ana")
	reserved := d.now
	place := orchestrator.Moment{At: d.now, Seq: d.seq}
	d.step(orchestrator.AgentChanged{Agent: "ana", State: orchestrator.AgentPaused, Reason: "lunch"})
	s.project(tenantA, d.facts)

	at := func(when orchestrator.Moment) orchestrator.Standing {
		s.Helper()
		all, err := s.store.StandingsAt(s.Context(), tenantA, "sales", when)
		s.must(err)
		if len(all) != 2 || all[0].Level != 2 || all[1].Agent != "bo" || all[1].State != orchestrator.AgentLoggedOut {
			s.Fatalf("got %+v", all)
		}
		return all[0]
	}
	s.equal(at(place).State, orchestrator.AgentReady) // just before the offer
	s.equal(at(place).From, ready)
	s.equal(at(orchestrator.Moment{At: reserved}).State, orchestrator.AgentReserved)
	now := at(orchestrator.Moment{At: d.now.Add(time.Hour)})
	s.equal([]any{now.State, now.Reason, now.To}, []any{orchestrator.AgentPaused, "lunch", time.Time{}})
	s.equal(at(orchestrator.Moment{At: ready.Add(-time.Millisecond)}).State, orchestrator.AgentLoggedOut)
	_, err := s.store.StandingsAt(s.Context(), tenantA, "sales", orchestrator.Moment{At: before.Add(-time.Hour)})
	s.code(err, orchestrator.CodeNotFound)

	day, err := s.store.AgentIntervals(s.Context(), tenantA, orchestrator.IntervalQuery{Agent: "ana"})
	s.must(err)
	s.equal([]any{len(day), day[0].To, day[1].From, day[1].Call}, []any{3, reserved, reserved, call})
	some, err := s.store.AgentIntervals(s.Context(), tenantA, orchestrator.IntervalQuery{From: reserved, To: d.now})
	s.must(err)
	s.equal([]any{len(some), some[0].State}, []any{1, orchestrator.AgentReserved})
}

func tenantsApart(s *shelf) {
	s.apply(sample())
	d := newDay()
	call := d.arrives("1", "100")
	d.waits(call, "sales")
	d.talks(call)
	s.project(tenantA, d.facts)
	s.must(s.store.SetPIN(s.Context(), tenantA, "ana", "1234"))
	s.must(s.store.SetSwitchAccess(s.Context(), tenantA, "pbx", orchestrator.SwitchAccess{URL: "a"}))
	s.must(s.store.CreateKey(s.Context(), orchestrator.APIKey{Tenant: tenantA, Prefix: "keyofacme", Hash: []byte{1}, Created: d.now}))
	seenByOther(s, call)

	// The same names over there are other things.
	ctx := s.Context()
	change := sample()
	change.Queues[0].Name = "theirs"
	_, err := s.store.Apply(ctx, tenantB, change, orchestrator.ApplyOptions{})
	s.must(err)
	gone := orchestrator.Config{Removed: []orchestrator.Removal{{Kind: orchestrator.KindAgent, ID: "ana"}, {Kind: orchestrator.KindSwitch, ID: "pbx"}}}
	_, err = s.store.Apply(ctx, tenantB, gone, orchestrator.ApplyOptions{})
	s.must(err)
	s.project(tenantB, d.facts) // the very same ids
	s.must(s.store.SetPIN(ctx, tenantB, "bo", "9999"))
	s.code(s.store.RevokeKey(ctx, tenantB, "keyofacme", d.now), orchestrator.CodeNotFound)
	s.must(s.store.UsedKey(ctx, tenantB, "keyofacme", d.now))

	config, version := s.load()
	s.equal([]any{config.Queues[0].Name, len(config.Agents), version}, []any{"Sales", 2, uint64(1)})
	ok, err := s.store.CheckPIN(ctx, tenantA, "ana", "1234")
	s.must(err)
	s.equal(ok, true)
	access, err := s.store.SwitchAccess(ctx, tenantA, "pbx")
	s.must(err)
	s.equal(access.URL, "a")
	key, err := s.store.FindKey(ctx, "keyofacme")
	s.must(err)
	s.equal([]bool{key.Used.IsZero(), key.Revoked.IsZero()}, []bool{true, true})
	story, err := s.store.Call(ctx, tenantA, call)
	s.must(err)
	s.equal([]int{len(story.Legs), len(story.Visits), len(story.Offers), len(story.Facts)}, []int{2, 1, 1, len(d.facts) - 1})
}

// seenByOther has tenant B look for everything of tenant A.
func seenByOther(s *shelf, call orchestrator.CallID) {
	ctx := s.Context()
	config, version, err := s.store.LoadConfig(ctx, tenantB)
	s.must(err)
	s.equal(config, orchestrator.Config{})
	s.equal(version, uint64(0))
	changes, err := s.store.Changes(ctx, tenantB, 0, 10)
	s.must(err)
	ids, _ := s.calls(tenantB, orchestrator.CallQuery{})
	intervals, err := s.store.AgentIntervals(ctx, tenantB, orchestrator.IntervalQuery{})
	s.must(err)
	keys, err := s.store.Keys(ctx, tenantB)
	s.must(err)
	pins, err := s.store.PINs(ctx, tenantB)
	s.must(err)
	seq, err := s.store.Projected(ctx, tenantB)
	s.must(err)
	s.equal([]int{len(changes), len(ids), len(intervals), len(keys), len(pins)}, make([]int, 5))
	s.equal(seq, uint64(0))
	_, err = s.store.Call(ctx, tenantB, call)
	s.code(err, orchestrator.CodeNotFound)
	_, err = s.store.StandingsAt(ctx, tenantB, "sales", orchestrator.Moment{At: time.Now().Add(time.Hour)})
	s.code(err, orchestrator.CodeNotFound)
	_, err = s.store.SwitchAccess(ctx, tenantB, "pbx")
	s.code(err, orchestrator.CodeNotFound)
	s.code(s.store.SetPIN(ctx, tenantB, "ana", "1234"), orchestrator.CodeNotFound)
	s.code(s.store.SetSwitchAccess(ctx, tenantB, "pbx", orchestrator.SwitchAccess{}), orchestrator.CodeNotFound)
	ok, err := s.store.CheckPIN(ctx, tenantB, "ana", "1234")
	s.must(err)
	s.equal(ok, false)
}

// attacks are texts that mean something to SQL, to JSON or to a pattern.
var attacks = []string{
	`'`, `''`, `"`, `\`, `\'; DROP TABLE call; --`, `' OR '1'='1`, `' OR 1=1 --`, `1; SELECT pg_sleep(5)`, `' UNION SELECT * FROM api_key --`,
	`%`, `_`, `%' OR tenant_id <> '`, `$1`, `?`, `@name`, `:name`, `{}`, `{"id":"x"}`, `"]}`, `*`, `id DESC; DELETE FROM fact`,
	`(SELECT password FROM switch_access LIMIT 1)`, `sales'||'`, "sales\x00", "\xff\xfe", "\u202e", `😀`, `NULL`, `true`, "a\nb\r\n", `/*`, `E'\\'`,
	strings.Repeat("A", 10000), `1e309`, `-1`, `../../etc/passwd`, `${jndi:ldap://x}`, "acme", "bolt",
}

func hostileTexts(s *shelf) {
	s.apply(sample())
	d := newDay()
	call := d.arrives("+491", "100")
	d.waits(call, "sales")
	d.talks(call)
	s.project(tenantA, d.facts)
	ctx := s.Context()
	harmless := func(what, text string, found int, err error) {
		s.Helper()
		switch code := orchestrator.CodeOf(err); {
		case code != "" && code != orchestrator.CodeInvalid && code != orchestrator.CodeNotFound:
			s.Errorf("%s %q: %v", what, text, err)
		case found != 0:
			s.Errorf("%s %q found %d", what, text, found)
		}
	}
	for _, text := range attacks {
		for what, query := range map[string]orchestrator.CallQuery{
			"queue": {Queue: orchestrator.QueueID(text)}, "agent": {Agent: orchestrator.AgentID(text)}, "number": {Number: text},
			"result": {Outcome: orchestrator.Outcome{Result: orchestrator.Result(text)}},
			"reason": {Outcome: orchestrator.Outcome{Reason: orchestrator.Reason(text)}},
			"state":  {State: orchestrator.CallState(text)}, "cursor": {Cursor: text},
		} {
			page, err := s.store.Calls(ctx, tenantA, query)
			harmless(what, text, len(page.Calls), err)
		}
		_, err := s.store.Call(ctx, tenantA, orchestrator.CallID(text))
		harmless("call", text, 0, err)
		intervals, err := s.store.AgentIntervals(ctx, tenantA, orchestrator.IntervalQuery{Agent: orchestrator.AgentID(text)})
		harmless("intervals", text, len(intervals), err)
		all, err := s.store.StandingsAt(ctx, tenantA, orchestrator.QueueID(text), orchestrator.Moment{At: time.Now()})
		harmless("standings", text, len(all), err)
		_, err = s.store.FindKey(ctx, text)
		harmless("key", text, 0, err)
		_, err = s.store.SwitchAccess(ctx, tenantA, orchestrator.SwitchID(text))
		harmless("access", text, 0, err)
		harmless("pin", text, 0, s.store.SetPIN(ctx, tenantA, orchestrator.AgentID(text), "1234"))
	}
	config, version := s.load()
	s.equal([]any{len(config.Agents), version}, []any{2, uint64(1)})
	ids, _ := s.calls(tenantA, orchestrator.CallQuery{})
	s.equal(len(ids), 1)
}
