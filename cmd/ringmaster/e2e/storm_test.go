//go:build storm

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// TestHostileCallerID: whatever a carrier puts into From, the call works or is
// refused by the PBX, nothing is executed, and what is shown is text.
func TestHostileCallerID(t *testing.T) {
	c, talk := witnessed(t, 2, nil)
	c.eventually("the agent is ready", 5*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentReady })
	bait := filepath.Join(c.pbx.Dir, "executed")
	escaped := strings.ReplaceAll(bait, "/", "%2F")
	uri := func(user string) string { return "<sip:" + user + "@127.0.0.2>" }
	for _, x := range []struct{ name, from string }{
		{"quotes", `"\"; DROP TABLE call; -- '\\\" <b onmouseover=alert(1)>" ` + uri("+49830")},
		{"functions", `"${SHELL(touch ` + bait + `)}$[1+1]${EVAL(${SHELL(id)})}" ` + uri("+49831")},
		{"functions in the number", `"x" ` + uri(`$%7BSHELL(touch%20`+escaped+`)%7D`)},
		{"commas and dial options", `"a,b|c&d^e" ` + uri("49,832,U(rm)")},
		{"line ends in the number", `"x" ` + uri("49%0D%0AX-Evil:%201%0D%0A")},
		{"an escape sequence", "\"\x1b]0;owned\x07\x1b[2J\" " + uri("+49834")},
		{"emoji and bidirectional marks", "\"👩‍🚀 \u202egnp.exe\u2066 \u0000e\" " + uri("+49835")},
		{"emoji", `"👩‍🚀 Müller" ` + uri("+49836")},
		{"500 characters", `"` + strings.Repeat("Long", 125) + `" ` + uri(strings.Repeat("4", 500))},
		{"no UTF-8", "\"\xff\xfe\xc3\x28\x80\" " + uri("+49838")},
		{"no UTF-8 in the number", `"x" ` + uri("49%FF%FE839")},
		{"nothing", "<sip:127.0.0.2>"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := c.rawCaller(t)
			status := r.dial("501", x.from)
			if status >= 400 && status < 500 {
				t.Logf("the PBX refuses it: %d", status)
				return
			}
			if status != 200 {
				t.Fatalf("status %d", status)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			ring, err := c.agents[1].WaitCall(ctx)
			if err != nil {
				t.Fatalf("no agent's phone rings: %v\nringmaster said:\n%s", err, c.log())
			}
			if err := ring.WaitAnswer(ctx); err != nil {
				t.Fatal(err)
			}
			c.eventually("they talk", 5*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentTalking })
			c.eventually("the caller hears", 5*time.Second, func() bool { return r.heard.Load() > 20 })
			t.Logf("the phone shows %q %q", ring.PeerName(), ring.Peer())
			harmless(t, "the phone's name", ring.PeerName())
			harmless(t, "the phone's number", ring.Peer())
			if evil := ring.Header("X-Evil"); evil != "" {
				t.Errorf("a header was smuggled: %q", evil)
			}
			for _, call := range c.live().Calls {
				harmless(t, "the live name", call.Caller.Name)
				harmless(t, "the live number", call.Caller.Number)
			}
			r.bye()
			if _, err := ring.WaitEnd(ctx); err != nil {
				t.Error(err)
			}
			c.eventually("the agent is ready", 5*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentReady })
		})
	}
	if _, err := os.Stat(bait); err == nil {
		t.Errorf("%s is there: a caller's name was executed", bait)
	}
	for _, path := range []string{"/v1/calls", "/v1/live"} {
		resp, text := c.send("GET", path, "application/json", strings.NewReader(""))
		if !json.Valid(text) || !utf8.Valid(text) || bytes.ContainsAny(text, "<>\x1b") {
			t.Errorf("%s is not safe to show: %.2000q", path, text)
		}
		if resp.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: headers %v", path, resp.Header)
		}
	}
	talk.testified(t)
}

// harmless checks that text is a bounded line of characters people can see.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	unseen := func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r) && r != '\u200d'
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unseen) || utf8.RuneCountInString(text) > 80 {
		t.Errorf("%s is %q", what, text)
	}
}

// TestDigitStorm: 200 digits as fast as packets go, in a menu, in the queue and
// in a talk.
func TestDigitStorm(t *testing.T) {
	c, talk := witnessed(t, 2, nil)
	c.act(1, document{"action": "pause", "reason": "lunch"})
	storm := strings.Repeat("97*#0A8D", 25)
	t.Run("menu", func(t *testing.T) {
		r := c.rawCaller(t)
		if status := r.dial("500", `"Storm" <sip:+49840@127.0.0.2>`); status != 200 {
			t.Fatalf("status %d", status)
		}
		time.Sleep(300 * time.Millisecond) // the greeting
		r.storm(storm)
		time.Sleep(1200 * time.Millisecond) // the menu
		r.storm(storm)
		select {
		case <-r.over:
		case <-time.After(30 * time.Second):
			t.Fatalf("the menu keeps its caller: %+v", c.live().Calls)
		}
		s := c.story(t, "+49840")
		if s.Call.Outcome.Reason != orchestrator.ReasonFlowHangup || s.count("call_ended") != 1 || len(s.Timeline) > 200 {
			t.Errorf("outcome %+v, %d facts:\n%s", s.Call.Outcome, len(s.Timeline), s)
		}
	})
	t.Run("queue and talk", func(t *testing.T) {
		r := c.rawCaller(t)
		if status := r.dial("501", `"Storm" <sip:+49841@127.0.0.2>`); status != 200 {
			t.Fatalf("status %d", status)
		}
		r.storm(storm)
		c.act(1, document{"action": "ready"})
		c.eventually("they talk", 10*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentTalking })
		r.storm(storm)
		time.Sleep(2 * time.Second)
		ring := incoming(t, c.agents[1])
		if !ring.Up() {
			t.Error("the talk did not survive")
		}
		t.Logf("the agent's phone heard %d digits", len(ring.Ear().Digits()))
		r.bye()
		s := c.story(t, "+49841")
		if s.Call.Outcome.Reason != orchestrator.ReasonTalked || s.count("call_ended") != 1 || s.count("digit_taken") > 0 {
			t.Errorf("outcome %+v:\n%s", s.Call.Outcome, s)
		}
	})
	talk.testified(t)
}

// guesses is how many PINs are tried at most within the time the test has, and
// guessers how many calls do it at once.
const (
	guesses  = 1000
	guessers = 24
)

// TestPINGuessing tries PINs from a phone in many calls at once: after five
// none counts any more, not even the right one, and no PIN is written down
// anywhere.
func TestPINGuessing(t *testing.T) {
	c := newCentre(t, "asterisk", 3)
	c.start()
	t.Cleanup(c.stop)
	doc := c.document(3)
	right := "83619274"
	doc["agents"].([]document)[2]["pin"] = right
	c.apply(doc)
	for i := range 2 {
		c.agents = append(c.agents, c.register(i, phone.AnswerAfter(500*time.Millisecond)))
	}
	c.eventually("the switch is attached", 15*time.Second, func() bool {
		l := c.live()
		return len(l.Switches) > 0 && l.Switches[0].Attached
	})
	c.login(0)
	call := c.dial(c.caller(0), "501", "+49850")
	since := c.hears(call, agentHz, time.Time{})
	talk := conversation{c: c, call: call, ring: incoming(t, c.agents[0]), number: "+49850", since: since.Add(200 * time.Millisecond)}

	desk := c.agents[1]
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var tried int
	var lock sync.Mutex
	var wg sync.WaitGroup
	for i := range guessers {
		wg.Go(func() {
			for n := i; n < guesses && ctx.Err() == nil; n += guessers {
				guess := fmt.Sprintf("5093%04d", n)
				if n >= 2*guessers && n%10 == 0 {
					guess = right
				}
				if c.guess(ctx, desk, "*11103", guess+"#") {
					lock.Lock()
					tried++
					lock.Unlock()
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d calls with a guess", tried)
	c.guess(t.Context(), desk, "*11103*"+right, "") // all in one go
	if s := c.agent(2).State; s != orchestrator.AgentLoggedOut {
		t.Errorf("the guessed agent is %s", s)
	}
	counted, longest := c.refusals(t, "agent3")
	t.Logf("%d guesses counted, the last lock-out is %s", counted, longest)
	if counted != 5 || longest != time.Minute {
		t.Errorf("%d guesses counted, want 5 and a minute's lock-out", counted)
	}
	talk.testified(t)
	c.stop()
	c.nowhere(t, right, "50930")
}

// guess dials a log-in code, types digits and reports whether it came so far.
func (c *centre) guess(ctx context.Context, desk *phone.Phone, code, digits string) bool {
	limit, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	call, err := desk.Dial(limit, code, phone.DialOptions{})
	if err != nil {
		return false
	}
	defer func() {
		end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancelEnd()
		call.Hangup(end) //nolint:errcheck // it may be over
	}()
	return call.WaitAnswer(limit) == nil && digits != "" && call.SendDTMF(limit, digits) == nil
}

// refusals counts the wrong PINs the facts in the database tell of.
func (c *centre) refusals(t *testing.T, agent orchestrator.AgentID) (n int, lockOut time.Duration) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s port=5432 user=ringmaster dbname=ringmaster", filepath.Join(c.dir, "postgres", "cluster")))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // nothing was written
	rows, err := conn.Query(t.Context(), "SELECT at, what FROM fact WHERE name = 'pin_refused' ORDER BY seq, idx")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var at time.Time
		var refused orchestrator.PINRefused
		if err := rows.Scan(&at, &refused); err != nil {
			t.Fatal(err)
		}
		if refused.Agent == agent {
			n++
			lockOut = refused.Locked.Sub(at).Round(time.Second)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return n, lockOut
}

// nowhere checks that digits are in none of the files ringmaster wrote and in
// nothing it said.
func (c *centre) nowhere(t *testing.T, secrets ...string) {
	t.Helper()
	var files int
	err := filepath.WalkDir(c.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s holds the digits %s", path, secret)
			}
		}
		return nil
	})
	if err != nil || files < 10 {
		t.Errorf("%d files read: %v", files, err)
	}
	for _, secret := range secrets {
		if strings.Contains(c.log(), secret) {
			t.Errorf("ringmaster's log holds the digits %s", secret)
		}
	}
}
