package e2e

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// conversation is a caller and an agent who talk while something breaks.
type conversation struct {
	c      *centre
	call   *phone.Call
	ring   *phone.Call
	number string
	since  time.Time
}

func (c *centre) converse(t *testing.T, number string) conversation {
	t.Helper()
	call := c.dial(c.caller(0), "501", number)
	since := c.hears(call, agentHz, time.Time{})
	return conversation{c: c, call: call, ring: incoming(t, c.agents[0]), number: number, since: since.Add(200 * time.Millisecond)}
}

// unharmed checks that both heard each other all the time until now.
func (v conversation) unharmed(t *testing.T, gap time.Duration) {
	t.Helper()
	until := time.Now()
	if g := v.call.Ear().LongestWithout(agentHz, v.since, until); g > gap {
		t.Errorf("the caller was without the agent's voice for %s", g)
	}
	if g := v.ring.Ear().LongestWithout(callerHz, v.since, until); g > gap {
		t.Errorf("the agent was without the caller's voice for %s", g)
	}
}

// ends lets the caller hang up and checks the one CDR.
func (v conversation) ends(t *testing.T, reason orchestrator.Reason) {
	t.Helper()
	if err := v.call.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	s := v.c.story(t, v.number)
	if s.count("call_ended") != 1 || s.Call.Outcome.Reason != reason {
		t.Errorf("outcome %+v, want %s:\n%s", s.Call.Outcome, reason, s)
	}
}

// next checks that the centre takes calls again.
func (c *centre) next(t *testing.T, number string) {
	t.Helper()
	c.eventually("the agent is ready", 20*time.Second, func() bool { return c.agent(0).State == orchestrator.AgentReady })
	c.converse(t, number).ends(t, orchestrator.ReasonTalked)
}

// TestWebsocketCut: the connection to the PBX breaks in the middle of a talk
// and of a wait, twice; nobody on the phones notices.
func TestWebsocketCut(t *testing.T) {
	var proxy *toxiproxy.Proxy
	c := open(t, 1, func(doc document) {
		proxy = throughProxy(t, doc)
	})
	c.login(0)
	talk := c.converse(t, "+49700")
	wait := c.dial(c.caller(1), "501", "+49701")
	c.eventually("a second caller waits", 5*time.Second, func() bool { return waiting(c.live(), "sales") == 1 })
	before := places(c.live(), "sales")
	for range 2 {
		proxy.Stop()
		c.eventually("the cut is noticed", 12*time.Second, func() bool { return !c.live().Switches[0].Attached })
		time.Sleep(2 * time.Second)
		if err := proxy.Start(); err != nil {
			t.Fatal(err)
		}
		c.eventually("the switch is back", 20*time.Second, func() bool { return c.live().Switches[0].Attached })
		if now := places(c.live(), "sales"); now != before {
			t.Errorf("the waiting caller stood as %s and stands as %s", before, now)
		}
	}
	talk.unharmed(t, jitter)
	talk.ends(t, orchestrator.ReasonTalked)
	c.hears(wait, agentHz, time.Now())
	if err := wait.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	c.story(t, "+49701")
}

// throughProxy puts a proxy between ringmaster and ARI.
func throughProxy(t *testing.T, doc document) *toxiproxy.Proxy {
	t.Helper()
	pbx := doc["switches"].([]document)[0]
	u, err := url.Parse(pbx["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	logger := zerolog.Nop()
	proxy := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), logger), "ari", "127.0.0.1:0", u.Host)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	u.Host = proxy.Listen
	pbx["url"] = u.String()
	return proxy
}

// TestSwitchRestarts: the PBX dies in a talk. Its call is closed once, the
// agent is freed, and the next call works.
func TestSwitchRestarts(t *testing.T) { onEach(t, switchRestarts) }

func switchRestarts(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := openOn(t, kind, 1, nil)
	c.login(0)
	talk := c.converse(t, "+49710")
	time.Sleep(1500 * time.Millisecond) // the PBX writes its registrations down once a second
	c.pbx.Kill()
	killed := time.Now()
	c.eventually("the loss is noticed", 12*time.Second, func() bool { return !c.live().Switches[0].Attached })
	time.Sleep(3 * time.Second) // which are no talk
	if err := c.pbx.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.eventually("the switch is back", 30*time.Second, func() bool { return c.live().Switches[0].Attached })
	s := c.story(t, "+49710")
	if s.count("call_ended") != 1 || s.count("call_lost") != 1 {
		t.Errorf("the lost call:\n%s", s)
	}
	// The connection breaks with the PBX, so that is when it was known to live.
	if ended := s.Call.Ended; ended.Before(killed.Add(-time.Second)) || ended.After(killed.Add(2*time.Second)) {
		t.Errorf("killed at %s, the call ended at %s", killed.UTC(), ended)
	}
	if talked := time.Duration(s.Call.Times.Talk) * time.Millisecond; talked > killed.Add(2*time.Second).Sub(talk.since) {
		t.Errorf("the talk went on for %s, past the PBX:\n%s", talked, s)
	}
	// Both people notice that the line is dead and put the receiver down.
	for _, dead := range []*phone.Call{talk.call, talk.ring} {
		dead.Hangup(t.Context())
	}
	c.next(t, "+49711")
}

// TestSwitchFrozen: the PBX stands still for ten seconds and goes on. The
// call is still there, and still ours.
func TestSwitchFrozen(t *testing.T) { onEach(t, switchFrozen) }

func switchFrozen(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := openOn(t, kind, 1, nil)
	c.login(0)
	talk := c.converse(t, "+49720")
	if err := c.pbx.Freeze(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Second)
	if err := c.pbx.Thaw(); err != nil {
		t.Fatal(err)
	}
	c.eventually("the switch is heard", 30*time.Second, func() bool { return c.live().Switches[0].Attached })
	c.hears(talk.call, agentHz, time.Now())
	talk.since = time.Now()
	time.Sleep(time.Second)
	talk.unharmed(t, jitter)
	talk.ends(t, orchestrator.ReasonTalked)
	c.next(t, "+49721")
}

// databaseAway is how long PostgreSQL is stopped in TestDatabaseAway.
const databaseAway = 60 * time.Second

// TestDatabaseAway: the database stops for a minute. Calls come, talk and end
// as ever, configuration is refused with a word when to try again, and
// afterwards every call of that minute is in the books.
func TestDatabaseAway(t *testing.T) { onEach(t, databaseIsAway) }

func databaseIsAway(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := openOn(t, kind, 1, func(doc document) {
		doc["queues"].([]document)[0]["wrap_up_ms"] = 0
	})
	c.login(0)
	talk := c.converse(t, "+49730")
	postmaster(t, c.dir, syscall.SIGSTOP)
	begun := time.Now()
	talk.unharmed(t, jitter)
	if err := talk.call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	var numbers []string
	for n := 0; time.Since(begun) < databaseAway; n++ {
		number := fmt.Sprintf("+4974%03d", n)
		call := c.dial(c.caller(n), "501", number)
		c.hears(call, agentHz, time.Time{})
		numbers = append(numbers, number)
		time.Sleep(500 * time.Millisecond)
		if err := call.Hangup(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			status, text := c.ask("PUT", "/v1/numbers/777", document{"dialled": "777", "flow": "main"})
			if status != 503 {
				t.Errorf("a write without a database answers %d %s", status, text)
			}
		}
	}
	postmaster(t, c.dir, syscall.SIGCONT)
	for _, number := range append(numbers, "+49730") {
		if s := c.story(t, number); s.count("call_ended") != 1 {
			t.Errorf("after the outage:\n%s", s)
		}
	}
	t.Logf("%d calls without a database, all in the books afterwards", len(numbers)+1)
}

// postmaster signals the private cluster, all of it: backends go on answering
// without their postmaster.
func postmaster(t *testing.T, data string, sig syscall.Signal) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "postgres", "*", "postmaster.pid"))
	if err != nil || len(files) != 1 {
		t.Fatalf("no postmaster in %s: %v %v", data, files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(strings.SplitN(string(text), "\n", 2)[0])
	out, err := exec.Command("pgrep", "-P", pid).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range append(strings.Fields(string(out)), pid) {
		n, err := strconv.Atoi(process)
		if err != nil {
			t.Fatal(err)
		}
		syscall.Kill(n, sig)
		if sig == syscall.SIGSTOP {
			t.Cleanup(func() { syscall.Kill(n, syscall.SIGCONT) })
		}
	}
}

// TestUpgrade: ringmaster is told to end and started again, as in an upgrade.
// The talk goes on, and the books are whole.
func TestUpgrade(t *testing.T) {
	c := open(t, 1, nil)
	c.login(0)
	talk := c.converse(t, "+49740")
	c.stop()
	if code := c.process.ProcessState.ExitCode(); code != 0 {
		t.Errorf("SIGTERM ends ringmaster with %d:\n%s", code, c.log())
	}
	c.start()
	c.eventually("the switch is attached", 15*time.Second, func() bool { return c.live().Switches[0].Attached })
	talk.unharmed(t, jitter)
	talk.ends(t, orchestrator.ReasonTalked)
}
