package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"ringmaster/orchestrator"
)

// TestHostileCallerID: whatever a carrier puts into From, the call works or is
// refused by the PBX, nothing is executed, and what is shown is text.
func TestHostileCallerID(t *testing.T) {
	for _, kind := range []string{"asterisk", "freeswitch"} {
		t.Run(kind, func(t *testing.T) { hostileCallerID(t, kind) })
	}
}

func hostileCallerID(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c, talk := witnessedOn(t, kind, 2, nil)
	c.eventually("the agent is ready", 10*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentReady })
	bait := filepath.Join(c.pbx.Dir, "executed")
	escaped := strings.ReplaceAll(bait, "/", "%2F")
	uri := func(user string) string { return "<sip:" + user + "@127.0.0.2>" }
	for _, x := range []struct{ name, from string }{
		{"quotes", `"\"; DROP TABLE call; -- '\\\" <b onmouseover=alert(1)>" ` + uri("+49830")},
		{"functions", `"${SHELL(touch ` + bait + `)}$[1+1]${EVAL(${SHELL(id)})}" ` + uri("+49831")},
		{"functions in the number", `"x" ` + uri(`$%7BSHELL(touch%20`+escaped+`)%7D`)},
		{"functions of FreeSWITCH", `"${system(touch ` + bait + `)}${bgsystem(touch ` + bait + `)}${lua(x)}" ` + uri("+49831")},
		{"variables and the ends of lists", `"{api_on_answer=system touch ` + bait + `}[x=1]<y=2>:_:,|~^^;'\\'" ` + uri("+49831")},
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
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			ring, err := c.agents[1].WaitCall(ctx)
			if err != nil {
				t.Fatalf("no agent's phone rings: %v\nringmaster said:\n%s", err, c.log())
			}
			if err := ring.WaitAnswer(ctx); err != nil {
				t.Fatal(err)
			}
			c.eventually("they talk", 10*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentTalking })
			c.eventually("the caller hears", 10*time.Second, func() bool { return r.heard.Load() > 20 })
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
			c.eventually("the agent is ready", 10*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentReady })
		})
	}
	if _, err := os.Stat(bait); err == nil {
		t.Errorf("%s is there: a caller's name was executed", bait)
	}
	for _, path := range []string{"/v1/calls", "/v1/live"} {
		resp, text := c.send("GET", path, "application/json", strings.NewReader("")) //nolint:bodyclose // send closes it
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
func TestDigitStorm(t *testing.T) { onEach(t, digitStorm) }

func digitStorm(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c, talk := witnessedOn(t, kind, 2, nil)
	c.act(1, document{"action": "pause", "reason": "lunch"})
	storm := strings.Repeat("97*#0A8D", 25)
	t.Run("menu", func(t *testing.T) {
		r := c.rawCaller(t)
		if status := r.dial("500", `"Storm" <sip:+49840@127.0.0.2>`); status != 200 {
			t.Fatalf("status %d", status)
		}
		c.reaches("greeting", "+49840")
		r.storm(storm)
		c.reaches("menu", "+49840")
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
		before := r.heard.Load()
		c.eventually("the talk goes on", 10*time.Second, func() bool { return r.heard.Load() > before+100 })
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
	t.Run("early", func(t *testing.T) {
		c.eventually("the agent is ready", 10*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentReady })
		call := c.dial(c.caller(1), "500", "+49842")
		c.hears(call, greetingHz, time.Time{})
		if err := call.SendDTMF(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		c.hears(call, agentHz+100, time.Time{})
		if part := call.Ear().Heard(menuHz, call.Times().Answered, time.Now()); part > 0 {
			t.Errorf("who pressed ahead is asked all the same, %.0f %% of the call", 100*part)
		}
		c.hangsUp(t, call, "+49842", orchestrator.ReasonTalked)
	})
	talk.testified(t)
}

// reaches waits until the call of a number is at a node.
func (c *centre) reaches(node, number string) {
	c.t.Helper()
	c.eventually(number+" is at "+node, 15*time.Second, func() bool {
		for _, call := range c.live().Calls {
			if call.Caller.Number == number && call.Node == node {
				return true
			}
		}
		return false
	})
}
