package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// pauses are for how long ringmaster is stopped in its tracks. FreeSWITCH keeps
// an arriving caller for eight seconds before the dialplan takes them back.
func pauses(kind string) []time.Duration {
	all := []time.Duration{200 * time.Millisecond, 5 * time.Second}
	if kind == "freeswitch" {
		all = append(all, dialplanMost+2*time.Second)
	}
	if *long {
		all = append(all, time.Minute)
	}
	return all
}

const (
	// dialplanMost is how long FreeSWITCH's dialplan leaves an arriving caller to
	// a ringmaster that says nothing: the guard in rm-inbound.
	dialplanMost = 8 * time.Second
	// guardLeast is what is left of the guard of a caller in the queue when it
	// was about to be put off: it is of 30 s, counted in whole seconds, and put
	// off every 10.
	guardLeast = 18 * time.Second
	// promptly is within what a call goes to the fallback when FreeSWITCH knows
	// that nobody is there: less than the guard of a call that is handed over.
	promptly = 5 * time.Second
)

// TestFrozenAlone stops ringmaster in its tracks, with nobody to stand in for
// it, and lets it go on. Those who talk talk on, who waits keeps their place,
// who came or left meanwhile is told once, and the next call is taken. A caller
// who comes to a FreeSWITCH whose ringmaster is stopped for longer is served by
// the dialplan.
func TestFrozenAlone(t *testing.T) { onEach(t, frozenAlone) }

func frozenAlone(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	q := talkAndWait(t, kind)
	for i, pause := range pauses(kind) {
		q.freeze(t, 10*i, pause)
	}
	if !q.pbx.fallen(t)[waits] {
		q.unhurt(t)
		return
	}
	// A minute is too long for the guard of who waits: the dialplan has taken
	// them back. Those who talk have none.
	if !*long || !q.wait.Up() {
		t.Errorf("who waited was given to the fallback; still there: %t", q.wait.Up())
	}
	if err := q.wait.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	q.talk.unharmed(t, squeezed)
	q.talk.ends(t, orchestrator.ReasonTalked)
	q.toldOnce(t, talks, waits)
}

// freeze is one pause, in which one comes and one who waited leaves.
func (q *pairAndQueue) freeze(t *testing.T, n int, pause time.Duration) { //nolint:thelper // it is the test itself
	leaver, comer, late := fmt.Sprintf("+4979%02d", n), fmt.Sprintf("+4979%02d", n+1), fmt.Sprintf("+4979%02d", n+2)
	leaves := q.dial(q.caller(n+2), "501", leaver)
	q.eventually("a third caller waits", 5*time.Second, func() bool { return waiting(q.live(), "sales") == 2 })

	pid, stopped := q.process.Process.Pid, time.Now()
	signal(t, pid, syscall.SIGSTOP)
	comes := q.comes(t, n+3, comer)
	if err := leaves.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	left := time.Now()
	if q.pbx.kind == "freeswitch" && pause > dialplanMost {
		q.dialplanServes(t, comer, stopped, dialplanMost+4*time.Second)
		q.hearsFallback(t, comes, stopped)
		// By now FreeSWITCH itself knows that nobody is there. The one phone of the
		// fallback is taken: who is late hears an apology.
		came := time.Now()
		lateCall := q.comes(t, n+4, late)
		q.dialplanServes(t, late, came, promptly)
		defer lateCall.Hangup(t.Context()) // it may be over
	}
	time.Sleep(time.Until(stopped.Add(pause)))
	woken := time.Now()
	signal(t, pid, syscall.SIGCONT)

	ours := q.taken(t, comer, 20*time.Second)
	q.eventually("the switch is heard", 20*time.Second, q.attached)
	t.Logf("stopped for %s: who came is with somebody %s after it went on (with ringmaster: %t); losses %s",
		time.Since(stopped).Round(time.Millisecond), time.Since(woken).Round(time.Millisecond), ours, q.tellLosses(t, stopped))
	if q.pbx.kind != "freeswitch" || pause < guardLeast {
		q.stands(t)
	}
	told := []string{leaver}
	if ours {
		told = append(told, comer)
	} else if ids := q.calls(comer); len(ids) > 1 {
		t.Errorf("who was in the fallback has %d records", len(ids))
	}
	if !ours {
		time.Sleep(2 * time.Second)
		q.hearsFallback(t, comes, time.Now()) // nobody takes it from there
		if now := places(q.live(), "sales"); strings.Contains(now, comer) {
			t.Errorf("who is in the fallback is in the queue as well: %s", now)
		}
	}
	if err := comes.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	q.toldOnce(t, told...)
	if s := q.story(t, leaver); s.Call.Outcome.Reason != orchestrator.ReasonAbandoned {
		t.Errorf("who left: %+v\n%s", s.Call.Outcome, s)
	} else {
		end := s.Timeline[len(s.Timeline)-1]
		t.Logf("%s is told %s after who left did", end.Fact, end.At.Sub(left).Round(time.Millisecond))
	}
}

// dialplanServes waits until the fallback has a caller, while ringmaster stands
// still.
func (q *pairAndQueue) dialplanServes(t *testing.T, number string, came time.Time, within time.Duration) {
	t.Helper()
	for !q.pbx.fallen(t)[number] {
		if time.Since(came) > within {
			t.Fatalf("%s is stranded: ringmaster stands still and the dialplan does nothing", number)
		}
		time.Sleep(50 * time.Millisecond)
	}
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", q.process.Process.Pid))
	if err != nil || !strings.Contains(string(state), ") T ") {
		t.Fatalf("ringmaster does not stand still: %.100s %v", state, err)
	}
	t.Logf("%s was in the fallback after %s", number, time.Since(came).Round(100*time.Millisecond))
}

// hearsFallback waits until a caller hears the phone that the fallback rings.
func (q *pairAndQueue) hearsFallback(t *testing.T, call *phone.Call, since time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := call.Ear().WaitTone(ctx, agentHz, since); err != nil {
		t.Fatalf("a caller in the fallback hears nobody: %v; up %t, ended %+v", err, call.Up(), call.End())
	}
}

func (c *centre) tellLosses(t *testing.T, since time.Time) (text string) {
	t.Helper()
	for _, l := range c.losses(t, since) {
		text += fmt.Sprintf("%s (%s) ", l.to.Sub(l.from).Round(time.Millisecond), l.reason)
	}
	return "[" + strings.TrimSpace(text) + "]"
}
