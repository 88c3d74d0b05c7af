package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

const (
	// crashEvery is how long each life of ringmaster lasts, its start included.
	crashEvery = 3 * time.Second
	crashShort = 20 * time.Second
	crashLong  = 5 * time.Minute
)

// TestCrashLoop: something kills ringmaster every three seconds and its
// supervisor starts it again. Calls are served in between, whoever talks talks
// on, each call has one record, and no kill makes more than one dial more of a
// call that was being offered: no storm.
func TestCrashLoop(t *testing.T) { onEach(t, crashLoop) }

func crashLoop(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := staffed(t, kind, 8)
	const prefix = "+4982"
	tr := c.drive(rhythm{every: time.Second, talk: 4 * time.Second, number: "501", prefix: prefix})
	time.Sleep(3 * time.Second) // the first of them talk
	kills, away, heard := c.crash(t)
	trips := tr.stop()
	c.eventually("the switch is heard", 20*time.Second, c.attached)
	v := c.judge(t, trips, prefix, 30*time.Second, away...)
	between := 0
	for _, one := range trips {
		if one.talking.After(kills[0]) && one.talking.Before(kills[len(kills)-1]) {
			between++
		}
	}
	t.Logf("%s, %d kills, the switch heard again before %d of the next: %s; %d talks began in between; load %s",
		c.pbx.Version, len(kills), heard, v, between, load())
	if between < len(kills)/2 {
		t.Errorf("only %d talks began between %d kills", between, len(kills))
	}
	c.stormless(t, trips, prefix, kills)
}

// crash kills and starts ringmaster for as long as the test's length says. It
// returns the kills, when nobody led, and how often the switch was heard before
// the next.
func (c *centre) crash(t *testing.T) (kills []time.Time, away []absence, heard int) {
	t.Helper()
	lasts := crashShort
	if *long {
		lasts = crashLong
	}
	for begun := time.Now(); time.Since(begun) < lasts; {
		killed := time.Now()
		kills = append(kills, killed)
		c.kill()
		c.start()
		back := false
		for next := killed.Add(crashEvery); time.Now().Before(next); time.Sleep(10 * time.Millisecond) {
			if !back && c.attached() {
				back = true
				heard++
				away = append(away, absence{killed, time.Now()})
			}
		}
		if !back {
			away = append(away, absence{killed, time.Now()}) // and the next follows at once
		}
	}
	return kills, away, heard
}

// stormless checks how often each caller's call was dialled: once, once more for
// each kill it lived through before it was answered, and once more for each
// phone that would not take it (the fallback rings the same phones).
func (c *centre) stormless(t *testing.T, trips []*trip, prefix string, kills []time.Time) {
	t.Helper()
	refused := c.refusedOffers(t, prefix)
	dials := map[string]int{}
	var when []time.Time
	for _, p := range c.agents {
		for _, call := range p.Calls() {
			if call.Direction() == phone.Incoming {
				dials[call.Peer()]++
				when = append(when, call.Times().Invite)
			}
		}
	}
	slices.SortFunc(when, time.Time.Compare)
	fallen, all, most := c.pbx.fallen(t), 0, 0
	for _, one := range trips {
		if one.call == nil || fallen[one.from] {
			continue
		}
		until := one.talking
		if until.IsZero() {
			until = one.call.Times().Ended
		}
		allowed := 1 + refused[one.from]
		for _, killed := range kills {
			if killed.After(one.call.Times().Invite) && killed.Before(until) {
				allowed++
			}
		}
		n := dials[one.from]
		all, most = all+n, max(most, n)
		if n > allowed {
			t.Errorf("%s was dialled %d times, %d may be explained", one.from, n, allowed)
		}
	}
	t.Logf("%d dials for %d callers, at most %d for one; at most %d phones dialled in a second, those by the fallback too",
		all, len(trips)-len(fallen), most, busiest(when))
}

// refusedOffers are the offers that ended with a phone's word, by caller.
func (c *centre) refusedOffers(t *testing.T, prefix string) map[string]int {
	t.Helper()
	conn := c.database(t)
	defer conn.Close(context.Background()) // nothing was written
	rows, err := conn.Query(t.Context(), `SELECT c.caller_number, o.outcome FROM offer o JOIN call c ON c.id = o.call_id
		WHERE c.caller_number LIKE $1 || '%'`, prefix)
	if err != nil {
		t.Fatal(err)
	}
	theirs := []orchestrator.OfferOutcome{
		orchestrator.OfferBusy, orchestrator.OfferRejected, orchestrator.OfferUnreachable, orchestrator.OfferNoAnswer,
	}
	refused := map[string]int{}
	for rows.Next() {
		var number, outcome string
		if err := rows.Scan(&number, &outcome); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(theirs, orchestrator.OfferOutcome(outcome)) {
			refused[number]++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return refused
}
