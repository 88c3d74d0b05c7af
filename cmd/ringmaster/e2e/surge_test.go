package e2e

import (
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// A surge is ten times the calls there were, for a minute: as many as two
// cores bear of which the PBX, the phones and the database have their part. What
// comes after that is TestPastTheKnee's.
const (
	surgeTalk = 2 * time.Second
	surgeFor  = time.Minute
)

var usualPace = map[string]int{"asterisk": 2, "freeswitch": 1} // calls a second

// TestSurge: ten times as many callers for a minute. However few of them are
// served while it lasts, whoever is in the books is there once, and ten seconds
// after the last of them came a caller is served as before.
func TestSurge(t *testing.T) {
	needLong(t)
	onEach(t, surge)
}

func surge(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := staffed(t, kind, 60)
	usualPace := usualPace[kind]
	surgePace := 10 * usualPace
	usual := c.drive(rhythm{every: time.Second / time.Duration(usualPace), talk: surgeTalk, number: "501", prefix: "+4961"})
	time.Sleep(10 * time.Second)
	before := c.judge(t, usual.stop(), "+4961", 30*time.Second)
	many := c.drive(rhythm{every: time.Second / time.Duration(surgePace), talk: surgeTalk, number: "501", prefix: "+4962"})
	begun := time.Now()
	time.Sleep(surgeFor)
	many.cancel()
	over := time.Now()
	time.Sleep(10 * time.Second)
	call := c.dial(c.caller(0), "501", "+49630")
	heard := c.hears(call, agentHz, time.Time{})
	c.hangsUp(t, call, "+49630", orchestrator.ReasonTalked)
	trips := many.stop()
	v := c.judge(t, trips, "+4962", time.Minute)
	t.Logf("%s: before: %s", c.pbx.Version, before)
	t.Logf("surge of %d a second for %s: %s", surgePace, over.Sub(begun).Round(time.Second), v)
	served := make([]int, int(surgeFor/(10*time.Second))+1)
	for _, one := range trips {
		if i := int(one.talking.Sub(begun) / (10 * time.Second)); !one.talking.IsZero() && i >= 0 && i < len(served) {
			served[i]++
		}
	}
	ringing := c.dispatched(trips, "+4962")
	t.Logf("talks begun in each ten seconds: %v; from INVITE to INVITE p50 %s, p99 %s; a caller ten seconds later is heard after %s",
		served, at(ringing, 0.5), at(ringing, 0.99), heard.Sub(over.Add(10*time.Second)).Round(time.Millisecond))
	if v.lost > 0 || v.missing > 0 || v.duplicates > 0 || v.doubles > 0 {
		t.Errorf("the books of the surge: %s", v)
	}
	if wait := time.Since(over); wait > 10*time.Second+25*time.Second {
		t.Errorf("a caller ten seconds after the surge waited until %s after it", wait)
	}
}
