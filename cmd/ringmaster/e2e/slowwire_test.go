package e2e

import (
	"fmt"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// meets is a talk with whoever of several agents takes the call.
func (c *centre) meets(t *testing.T, number string) conversation {
	t.Helper()
	call := c.dial(c.caller(0), "501", number)
	since := c.hears(call, agentHz, time.Time{})
	v := conversation{c: c, call: call, number: number, since: since.Add(200 * time.Millisecond)}
	for _, p := range c.agents {
		for _, ring := range p.Calls() {
			if ring.Direction() == phone.Incoming && ring.Peer() == number {
				v.ring = ring
			}
		}
	}
	if v.ring == nil {
		t.Fatal("nobody's phone knows the call")
	}
	return v
}

// served checks that everybody who came in a run was served by ringmaster.
func (v verdict) served(t *testing.T) {
	t.Helper()
	if v.unserved > 0 || v.fallback > 0 || v.established != v.placed || v.placed == 0 {
		t.Errorf("not everybody was served: %s", v)
	}
}

// slowFor is how long callers come over a slow wire, and crawlFor how long the
// switch is read slower than it speaks.
func slowFor() (slow, crawl time.Duration) {
	if *long {
		return time.Minute, time.Minute
	}
	return 6 * time.Second, 6 * time.Second
}

// TestSlowWire: first every message takes 100 to 300 ms each way. Calls are
// served as ever, no phone rings without an offer, and the connection holds.
// Then the switch says more than comes through: it does not stand still for
// that, whoever talks talks on, and when the wire is fast again calls are taken.
func TestSlowWire(t *testing.T) { onEach(t, slowWire) }

func slowWire(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := newCentre(t, kind, 6)
	pbx := document{"url": c.pbx.url}
	w := wired(t, document{"switches": []document{pbx}})
	c.pbx.url = pbx["url"].(string)
	attend(t, c, 6)
	slow, crawl := slowFor()

	w.ail("latency", `"latency": 200, "jitter": 100`, toSwitch, fromSwitch)
	begun := time.Now()
	tr := c.drive(rhythm{every: time.Second, talk: 2 * time.Second, number: "501", prefix: "+4977"})
	time.Sleep(slow)
	trips := tr.stop()
	v := c.judge(t, trips, "+4977", 30*time.Second)
	v.served(t)
	ringing := c.dispatched(trips, "+4977")
	if lost := c.losses(t, begun); len(lost) > 0 {
		t.Errorf("over a slow wire the switch was lost: %+v", lost)
	}
	t.Logf("%s, 200 ms ± 100 each way: %s; from a caller's INVITE to that at a phone p50 %s, most %s", c.pbx.Version, v, at(ringing, 0.5), at(ringing, 1))
	w.heal()

	talk := c.meets(t, "+49780")
	w.ail("bandwidth", `"rate": 2`, fromSwitch)
	begun = time.Now()
	c.crawls(t, begun.Add(crawl))
	w.heal()
	c.eventually("the switch is heard", 20*time.Second, c.attached)
	lost := c.losses(t, begun)
	if most := 1 + int(time.Since(begun)/(4*time.Second)); len(lost) > most {
		t.Errorf("the connection was lost %d times in %s: %+v", len(lost), time.Since(begun), lost)
	}
	t.Logf("2 kB/s for %s: lost %d times", crawl, len(lost))
	talk.unharmed(t, squeezed)
	talk.ends(t, orchestrator.ReasonTalked)
	c.meets(t, "+49781").ends(t, orchestrator.ReasonTalked)
}

// crawls keeps a switch talking that is heard too slowly, and checks that it
// lives: its own console answers, and a caller is answered by somebody or, where
// nothing does that without ringmaster, is at least being looked after.
func (c *centre) crawls(t *testing.T, until time.Time) {
	t.Helper()
	console := c.pbx.machine.(interface {
		CLI(command string) (string, error)
	})
	command := map[string]string{"asterisk": "core show uptime", "freeswitch": "status"}[c.pbx.kind]
	var slowest time.Duration
	for i := 0; time.Now().Before(until); i++ {
		call := c.comes(t, 20+i%8, fmt.Sprintf("+4978%02d", 10+i))
		asked := time.Now()
		if out, err := console.CLI(command); err != nil || out == "" {
			t.Errorf("the console does not answer: %q %v", out, err)
		}
		slowest = max(slowest, time.Since(asked))
		time.Sleep(300 * time.Millisecond)
		if err := call.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if slowest > 3*time.Second {
		t.Errorf("the switch stood still for %s", slowest)
	}
	t.Logf("the console of a switch that is heard too slowly answered within %s", slowest)
}
