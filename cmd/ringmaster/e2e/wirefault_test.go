package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// Faults of the wire between ringmaster and its switch, on every kind of
// switch. Those on the phones must not notice any of them.

// onEach runs a test on every kind of switch that can run here.
func onEach(t *testing.T, test func(t *testing.T, kind string)) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Run(kind, func(t *testing.T) { test(t, kind) })
	}
}

// wire is the proxy between ringmaster and its switch.
type wire struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
	ills  []string // by name, that it has now
}

// The two directions of a wire.
const (
	toSwitch   = "upstream"
	fromSwitch = "downstream"
)

// wired puts a wire into a document.
func wired(t *testing.T, doc document) *wire {
	t.Helper()
	zerolog.SetGlobalLevel(zerolog.Disabled) // some faults of the proxy log by themselves
	w := &wire{t: t, proxy: throughProxy(t, doc)}
	// A fault of no likelihood, which is never healed: all the proxy does for it
	// is that connections end by a reset, as those that die do, not in order.
	w.put("reset_peer", fromSwitch, 0, "")
	return w
}

// ail makes every connection ill, those that are open and those to come.
func (w *wire) ail(kind, attributes string, directions ...string) {
	w.t.Helper()
	for _, d := range directions {
		w.put(kind, d, 1, attributes)
		w.ills = append(w.ills, kind+"_"+d)
	}
}

func (w *wire) put(kind, direction string, likely int, attributes string) {
	w.t.Helper()
	text := fmt.Sprintf(`{"type": %q, "stream": %q, "toxicity": %d, "attributes": {%s}}`, kind, direction, likely, attributes)
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
}

// heal makes the wire whole again.
func (w *wire) heal() {
	w.t.Helper()
	for _, name := range w.ills {
		if err := w.proxy.Toxics.RemoveToxic(context.WithoutCancel(w.t.Context()), name); err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
	}
	w.ills = nil
}

// pairAndQueue is two who talk and one who waits behind them, in a centre of
// one agent. That is the fifth, who sounds as the first does: the phone of the
// first is for the dialplan to ring.
type pairAndQueue struct {
	*centre
	wire   *wire
	talk   conversation
	wait   *phone.Call
	before string
}

const (
	talks, waits = "+49750", "+49751" // the callers' numbers
	theAgent     = 4
)

func talkAndWait(t *testing.T, kind string) *pairAndQueue {
	t.Helper()
	q := &pairAndQueue{}
	q.centre = openOn(t, kind, theAgent+1, func(doc document) {
		q.wire = wired(t, doc)
		sales := doc["queues"].([]document)[0]
		sales["wrap_up_ms"] = 0
	})
	q.login(theAgent)
	call := q.dial(q.caller(0), "501", talks)
	since := q.hears(call, agentHz, time.Time{})
	q.talk = conversation{c: q.centre, call: call, ring: incoming(t, q.agents[theAgent]), number: talks, since: since.Add(200 * time.Millisecond)}
	q.wait = q.dial(q.caller(1), "501", waits)
	q.eventually("a second caller waits", 5*time.Second, func() bool { return waiting(q.live(), "sales") == 1 })
	q.before = line(q.live(), "sales")
	return q
}

// stands checks that the talk is the talk it was and the caller who waited first
// still does, whoever has come after.
func (q *pairAndQueue) stands(t *testing.T) {
	t.Helper()
	if now := line(q.live(), "sales"); !strings.HasPrefix(now, q.before) {
		t.Errorf("they stood as %s and stand as %s", q.before, now)
	}
}

// unhurt ends it all: the talk went on all the time, who waited is served next,
// each has one record.
func (q *pairAndQueue) unhurt(t *testing.T) {
	t.Helper()
	q.stands(t)
	q.talk.unharmed(t, squeezed)
	q.talk.ends(t, orchestrator.ReasonTalked)
	q.hears(q.wait, agentHz, time.Now())
	q.hangsUp(t, q.wait, waits, orchestrator.ReasonTalked)
	q.toldOnce(t, talks, waits)
}

// toldOnce checks that each caller has one call, which came and ended once.
func (c *centre) toldOnce(t *testing.T, numbers ...string) {
	t.Helper()
	for _, number := range numbers {
		if s := c.story(t, number); s.count("call_arrived") != 1 || s.count("call_ended") != 1 || s.count("call_connected") > 1 {
			t.Errorf("%s is not told once:\n%s", number, s)
		}
	}
}

// comes is a caller who does not wait for an answer.
func (c *centre) comes(t *testing.T, i int, number string) *phone.Call {
	t.Helper()
	call, err := c.caller(i).Dial(t.Context(), "501", phone.DialOptions{CallerNumber: number})
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// taken waits until a caller is with the dialplan's fallback or in the queue; it
// returns whether ringmaster has the call.
func (c *centre) taken(t *testing.T, number string, within time.Duration) (ours bool) {
	t.Helper()
	c.eventually(number+" is with somebody", within, func() bool {
		if c.pbx.fallen(t)[number] {
			return true
		}
		ours = strings.Contains(places(c.live(), "sales"), number+" at ")
		return ours
	})
	return ours
}

// silence is a switch that could not be heard for a while, as the books tell it.
type silence struct {
	from, to time.Time // to is zero while it lasts
	reason   string
}

// losses are those since a moment.
func (c *centre) losses(t *testing.T, since time.Time) (found []silence) {
	t.Helper()
	conn := c.database(t)
	defer conn.Close(context.Background()) // nothing was written
	rows, err := conn.Query(t.Context(), `SELECT at, name = 'switch_detached', coalesce(what ->> 'reason', '') FROM fact
		WHERE name IN ('switch_detached', 'switch_attached') AND at >= $1 ORDER BY seq, idx`, since)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var at time.Time
		var lost bool
		var reason string
		if err := rows.Scan(&at, &lost, &reason); err != nil {
			t.Fatal(err)
		}
		last := len(found) - 1
		switch {
		case lost:
			found = append(found, silence{from: at, reason: reason})
		case last >= 0 && found[last].to.IsZero():
			found[last].to = at
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// recovers waits for the end of a loss that began since a moment, and returns it.
func (c *centre) recovers(t *testing.T, since time.Time) silence {
	t.Helper()
	var all []silence
	c.eventually("the switch is back", 20*time.Second, func() bool {
		all = c.losses(t, since)
		return len(all) > 0 && !all[len(all)-1].to.IsZero() && c.attached()
	})
	all[0].to = all[len(all)-1].to // what came in between belongs to it
	return all[0]
}

// cut is where a connection is torn: behind so many bytes in one direction.
type cut struct {
	direction string
	bytes     int
}

// cutsOf are the cuts of a run: in the first head, in a command, in an event's
// body; and with -long wherever chance has it.
func cutsOf() []cut {
	cuts := []cut{{fromSwitch, 20}, {toSwitch, 30}, {fromSwitch, 700}}
	if random := rand.New(rand.NewPCG(9, 10)); *long {
		for range 20 {
			direction := []string{fromSwitch, toSwitch}[random.IntN(2)]
			cuts = append(cuts, cut{direction, 1 + random.IntN(5000)})
		}
	}
	return cuts
}

// TestResetInMidFrame: the connection is reset in the middle of a message, each
// time while a caller arrives, whose first event may be the message. The talk
// goes on, the line stands as it stood, the caller who came is found by the
// snapshot, or was in the fallback by then.
func TestResetInMidFrame(t *testing.T) { onEach(t, resetInMidFrame) }

func resetInMidFrame(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	q := talkAndWait(t, kind)
	var took []time.Duration
	for i, cut := range cutsOf() {
		time.Sleep(300 * time.Millisecond) // what was asked before is answered
		number, at := fmt.Sprintf("+4976%02d", i), time.Now()
		q.wire.ail("limit_data", fmt.Sprintf(`"bytes": %d`, cut.bytes), cut.direction)
		third := q.comes(t, 2+i, number)
		q.eventually("the reset is noticed", 20*time.Second, func() bool { return len(q.losses(t, at)) > 0 })
		q.wire.heal()
		whole := time.Now()
		l := q.recovers(t, at)
		took = append(took, l.to.Sub(l.from))
		ours := q.taken(t, number, 15*time.Second)
		t.Logf("torn %s after %d bytes: noticed after %s (%s), in step again %s later, %s after the wire was whole; the caller who came was taken: %t",
			cut.direction, cut.bytes, l.from.Sub(at).Round(time.Millisecond), l.reason, l.to.Sub(l.from).Round(time.Millisecond),
			max(0, l.to.Sub(whole)).Round(time.Millisecond), ours)
		q.stands(t)
		if err := third.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
		if ours {
			q.eventually("who came is gone", 10*time.Second, func() bool { return waiting(q.live(), "sales") == 1 })
			q.toldOnce(t, number)
		}
	}
	q.unhurt(t)
	slices.Sort(took)
	t.Logf("%s: %d resets; in step again after p50 %s, most %s", q.pbx.Version, len(took), at(took, 0.5), at(took, 1))
}

// halfOpenMost is within what a connection that is open and dead must be found,
// and halfOpenSlack what a busy machine may add.
const (
	halfOpenMost  = 10 * time.Second
	halfOpenSlack = 3 * time.Second
)

// TestHalfOpen: the connections stay open and nothing comes through any more, in
// both directions and, with -long, in one.
func TestHalfOpen(t *testing.T) { onEach(t, halfOpen) }

func halfOpen(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	q := talkAndWait(t, kind)
	silences := [][]string{{toSwitch, fromSwitch}}
	if *long {
		silences = append(silences, []string{toSwitch}, []string{fromSwitch})
	}
	for _, directions := range silences {
		at := time.Now()
		q.wire.ail("timeout", `"timeout": 0`, directions...)
		q.eventually("the silence is noticed", 30*time.Second, func() bool { return !q.attached() })
		time.Sleep(2 * time.Second) // it is tried again meanwhile, in vain
		q.wire.heal()
		whole := time.Now()
		l := q.recovers(t, at)
		noticed := l.from.Sub(at)
		if noticed > halfOpenMost+halfOpenSlack {
			t.Errorf("silence %v was noticed after %s", directions, noticed)
		}
		t.Logf("silent %v: noticed after %s (%s), back %s after the wire was whole",
			directions, noticed.Round(time.Millisecond), l.reason, l.to.Sub(whole).Round(time.Millisecond))
		q.stands(t)
	}
	q.unhurt(t)
}
