package e2e

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
)

// long turns on what takes minutes to hours and a machine of its own.
var long = flag.Bool("long", false, "run the tests under load for as long as the README's figures need")

func needLong(t *testing.T) {
	t.Helper()
	if !*long {
		t.Skip("a long run; -long runs it")
	}
}

const (
	// patience is how long a caller waits for a person.
	patience = 40 * time.Second
	// lines is how many callers' phones there are, each with many calls.
	lines = 12
	// ends is how long before the planned end of a talk the agent must have
	// been heard, and stall how long a caller waits for that when not.
	ends, stall = 500 * time.Millisecond, 10 * time.Second
)

// rhythm is how callers come: one each so often, each to talk so long.
type rhythm struct {
	every, talk time.Duration
	number      string // that they dial
	prefix      string // of the numbers they call from
}

// traffic is callers who come evenly, whatever becomes of those before them.
type traffic struct {
	rhythm
	phones []*phone.Phone
	cancel context.CancelFunc
	done   sync.WaitGroup
	lock   sync.Mutex
	trips  []*trip
}

// trip is one call as its caller saw it.
type trip struct {
	from    string
	call    *phone.Call // nil when it could not be placed
	talking time.Time   // since when the agent is heard; zero: never was
	fate    string      // one of the fates
	gap     time.Duration
}

// The fates of a caller.
const (
	talked   = "talked until the planned end"
	dropped  = "dropped in the talk"
	deaf     = "without the agent's voice at the end"
	sentAway = "ended by the other side before a talk"
	gaveUp   = "gave up waiting"
	noAnswer = "not answered"
)

// drive begins to call. All agents speak agentHz and all callers callerHz.
func (c *centre) drive(r rhythm) *traffic {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	tr := &traffic{rhythm: r, cancel: cancel}
	for i := range lines {
		p, err := phone.New(phone.Config{
			User: fmt.Sprintf("line%d", i), Registrar: c.pbx.SIPAddr, ListenHost: lab.CallerIP, CallWaiting: true,
			ToneHz: callerHz, Tones: []int{lab.MusicHz, agentHz, callerHz},
		})
		if err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(func() { p.Close() })
		tr.phones = append(tr.phones, p)
	}
	tr.done.Go(func() { tr.come(ctx) })
	return tr
}

func (tr *traffic) come(ctx context.Context) {
	tick := time.NewTicker(tr.every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		one := &trip{from: fmt.Sprintf("%s%06d", tr.prefix, n)}
		tr.lock.Lock()
		tr.trips = append(tr.trips, one)
		tr.lock.Unlock()
		tr.done.Go(func() { tr.travel(one, tr.phones[n%len(tr.phones)]) })
	}
}

// travel is one call from the INVITE to the BYE.
func (tr *traffic) travel(one *trip, p *phone.Phone) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	call, err := p.Dial(ctx, tr.number, phone.DialOptions{CallerNumber: one.from})
	if err != nil {
		one.fate = noAnswer
		return
	}
	one.call = call
	one.fate = tr.live(ctx, one)
	end, cancelEnd := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancelEnd()
	call.Hangup(end) // a far end that does not answer ends the call too
}

func (tr *traffic) live(ctx context.Context, one *trip) (fate string) {
	call := one.call
	if call.WaitAnswer(ctx) != nil {
		return noAnswer
	}
	hearing, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-call.Done():
			stop()
		case <-hearing.Done():
		}
	}()
	at, err := call.Ear().WaitTone(hearing, agentHz, time.Time{})
	if err != nil {
		if call.Up() {
			return gaveUp
		}
		return sentAway
	}
	one.talking = at
	select {
	case <-call.Done():
		return dropped
	case <-time.After(tr.talk):
	}
	now := time.Now()
	one.gap = call.Ear().LongestWithout(agentHz, at.Add(200*time.Millisecond), now)
	// On a machine that stands still sound comes back; from a broken call it does not.
	still, done := context.WithTimeout(context.Background(), stall)
	defer done()
	if _, err := call.Ear().WaitTone(still, agentHz, now.Add(-ends)); err != nil || !call.Up() {
		return deaf
	}
	return talked
}

// stop lets nobody call any more, and returns when the last talk is over.
func (tr *traffic) stop() []*trip {
	tr.cancel()
	tr.done.Wait()
	return tr.trips
}

// crowdOf registers n desk phones that all speak agentHz, and logs them in.
func (c *centre) crowdOf(n int, rings time.Duration) {
	c.t.Helper()
	for i := range n {
		a := c.pbx.Agents[i]
		p, err := phone.New(phone.Config{
			User: a.Number, Password: a.Password, Registrar: c.pbx.SIPAddr, ListenHost: "127.0.0.1",
			ToneHz: agentHz, Tones: []int{lab.MusicHz, agentHz, callerHz}, Behaviour: phone.AnswerAfter(rings),
		})
		if err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(func() { p.Close() })
		if err := p.Register(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
		c.agents = append(c.agents, p)
	}
	c.loginAll(n)
}

// staffed starts everything on one of kinds with n agents who take whoever
// calls 501, without wrap-up.
func staffed(t *testing.T, kind string, n int) *centre {
	t.Helper()
	return attend(t, newCentre(t, kind, n), n)
}

// attend starts ringmaster beside a PBX that runs.
func attend(t *testing.T, c *centre, n int) *centre {
	t.Helper()
	c.start()
	t.Cleanup(c.stop)
	doc := c.document(n)
	doc["queues"].([]document)[0]["wrap_up_ms"] = 0
	c.apply(doc)
	c.eventually("the switch is attached", 15*time.Second, c.attached)
	c.crowdOf(n, 200*time.Millisecond)
	return c
}

// attached says whether ringmaster hears its switch.
func (c *centre) attached() bool {
	l := c.live()
	return len(l.Switches) > 0 && l.Switches[0].Attached
}

// fallen are the callers of whom the PBX itself says that it sent them to the
// fallback of the dialplan.
func (x *exchange) fallen(t *testing.T) map[string]bool {
	t.Helper()
	name, line := filepath.Join(x.Dir, "log", "queue_log"), regexp.MustCompile(`\|rm-fallback\|NONE\|ENTERQUEUE\|[^|]*\|([^|]*)\|`)
	if x.kind == "freeswitch" {
		name, line = filepath.Join(x.Dir, "log", "freeswitch.log"), regexp.MustCompile(`Processing .*<([^>]*)>->caller in context rm-fallback`)
	}
	found := map[string]bool{}
	file, err := os.Open(name)
	if os.IsNotExist(err) {
		return found
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for in := bufio.NewScanner(file); in.Scan(); {
		if m := line.FindStringSubmatch(in.Text()); m != nil {
			found[m[1]] = true
		}
	}
	return found
}

// entry is a CDR as far as a run under load looks into it.
type entry struct {
	calls, ends, talks int
	offers             map[string]int // by agent
	told               string         // the facts
}

// books waits until every call is closed in the database and returns what it
// tells, by caller.
func (c *centre) books(t *testing.T, prefix string, within time.Duration) map[string]*entry {
	t.Helper()
	conn := c.database(t)
	defer conn.Close(context.Background()) // nothing was written
	c.eventually("every call is closed in the database", within, func() bool {
		var open int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM call WHERE ended_at IS NULL").Scan(&open); err != nil {
			t.Fatal(err)
		}
		return open == 0
	})
	told := map[string]*entry{}
	rows, err := conn.Query(t.Context(), `WITH e AS (SELECT call_id, count(*) FILTER (WHERE name = 'call_ended') AS n,
			string_agg(to_char(at, 'HH24:MI:SS.MS ') || name || ' ' || what, E'\n' ORDER BY seq, idx) AS told FROM fact WHERE call_id IS NOT NULL GROUP BY 1)
		SELECT caller_number, count(*), count(connected_at), coalesce(sum(e.n), 0), coalesce(string_agg(e.told, E'\n'), '')
		FROM call LEFT JOIN e ON e.call_id = id WHERE caller_number LIKE $1 || '%' GROUP BY 1`, prefix)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		e := &entry{offers: map[string]int{}}
		var number string
		if err := rows.Scan(&number, &e.calls, &e.talks, &e.ends, &e.told); err != nil {
			t.Fatal(err)
		}
		told[number] = e
	}
	rows, err = conn.Query(t.Context(), "SELECT c.caller_number, o.agent_id, count(*) FROM offer o JOIN call c ON c.id = o.call_id GROUP BY 1, 2")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var number, agent string
		var n int
		if err := rows.Scan(&number, &agent, &n); err != nil {
			t.Fatal(err)
		}
		if told[number] != nil {
			told[number].offers[agent] = n
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return told
}

// verdict is what a run under load comes to.
type verdict struct {
	placed, reached, established       int
	lost, missing, duplicates, doubles int
	fallback, unserved, untold         int
	gaps                               []time.Duration
}

func (v verdict) String() string {
	return fmt.Sprintf("%d calls placed, %d reached ringmaster, %d of them established; %d dropped, %d CDRs missing, %d duplicate, "+
		"%d double rings, %d callers unserved, %d talks begun and ended while it was away; %d in the dialplan's fallback; longest gap in a talk p50 %s, p99 %s, most %s",
		v.placed, v.reached, v.established, v.lost, v.missing, v.duplicates, v.doubles, v.unserved, v.untold, v.fallback,
		at(v.gaps, 0.5), at(v.gaps, 0.99), at(v.gaps, 1))
}

// at is a percentile of sorted durations.
func at(of []time.Duration, part float64) time.Duration {
	if len(of) == 0 {
		return 0
	}
	return of[min(int(part*float64(len(of))), len(of)-1)].Round(100 * time.Microsecond)
}

// absence is from a kill until ringmaster is back.
type absence struct{ from, to time.Time }

// unheard says whether a talk began and ended where ringmaster could hear of
// neither. A PBX tells what happens with some delay.
func (one *trip) unheard(away []absence) bool {
	const delay = time.Second
	return slices.ContainsFunc(away, func(a absence) bool {
		return one.talking.After(a.from.Add(-delay)) && one.call.Times().Ended.Before(a.to.Add(delay))
	})
}

// judge holds what the phones saw against the books and the PBX's own log. A
// call that is in neither is missing.
func (c *centre) judge(t *testing.T, trips []*trip, prefix string, within time.Duration, away ...absence) (v verdict) {
	t.Helper()
	begun := time.Now()
	told, fallen := c.books(t, prefix, within), c.pbx.fallen(t)
	t.Logf("every call was in the books %s after the last had ended", time.Since(begun).Round(time.Millisecond))
	fates := map[string]int{}
	for _, one := range trips {
		v.placed++
		e := told[one.from]
		where := "ringmaster's: "
		if fallen[one.from] {
			v.fallback++
			where = "fallback's: "
		}
		if e == nil && !fallen[one.from] {
			v.missing++
			t.Errorf("%s: %s, in no book; %+v", one.from, one.fate, one.seen())
			continue
		}
		fates[where+one.fate]++
		if e == nil {
			continue
		}
		v.reached++
		if e.calls > 1 || e.ends != e.calls {
			v.duplicates++
			t.Errorf("%s: %d CDRs, ended %d times", one.from, e.calls, e.ends)
		}
		if fallen[one.from] {
			continue
		}
		v.count(t, one, e, away)
	}
	v.doubles = c.doubles(t, told, fallen)
	slices.Sort(v.gaps)
	t.Logf("fates: %v", fates)
	return v
}

func (v *verdict) count(t *testing.T, one *trip, e *entry, away []absence) {
	t.Helper()
	if !one.talking.IsZero() {
		v.established++
		v.gaps = append(v.gaps, one.gap)
		switch {
		case e.talks > 0:
		case one.unheard(away):
			v.untold++
			t.Logf("%s: talked while ringmaster was away: %s", one.from, one.seen())
		default:
			v.missing++
			t.Errorf("%s: talked, and the books say it never did: %s\n%s", one.from, one.seen(), e.told)
		}
	}
	switch one.fate {
	case dropped, deaf, sentAway:
		v.lost++
		t.Errorf("%s: %s, talking since %s: %+v", one.from, one.fate, one.talking.Format(time.StampMilli), one.seen()+"\n"+e.told)
	case gaveUp, noAnswer:
		v.unserved++
		t.Logf("%s: %s: %+v", one.from, one.fate, one.seen())
	}
}

// seen is the caller's record of a call.
func (one *trip) seen() string {
	if one.call == nil {
		return "never placed"
	}
	x := one.call.Times()
	stamp := func(at time.Time) string { return at.Format("15:04:05.000") }
	return fmt.Sprintf("invited %s, answered %s, ended %s by %+v", stamp(x.Invite), stamp(x.Answered), stamp(x.Ended), one.call.End())
}

// doubles counts rings that no offer explains.
func (c *centre) doubles(t *testing.T, told map[string]*entry, fallen map[string]bool) (n int) {
	t.Helper()
	for i, p := range c.agents {
		rings := map[string][]string{}
		for _, call := range p.Calls() {
			if call.Direction() == phone.Incoming {
				rings[call.Peer()] = append(rings[call.Peer()], call.Times().Invite.Format("15:04:05.000"))
			}
		}
		for from, when := range rings {
			if e := told[from]; e != nil && !fallen[from] && len(when) > e.offers[agentID(i)] {
				n++
				t.Errorf("%s rang for %s at %s and was offered it %d times", agentID(i), from, strings.Join(when, ", "), e.offers[agentID(i)])
			}
		}
	}
	return n
}
