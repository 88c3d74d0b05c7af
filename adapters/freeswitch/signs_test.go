package freeswitch

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ringmaster/orchestrator"
)

// A switch that answers commands and hands out no events any more is lost, and
// read anew: nobody else would find out.
func TestSilenceOfEventsIsFound(t *testing.T) {
	f := newFake(t)
	o := f.open(func(c *Config) { c.deafAfter = 500 * time.Millisecond })
	beat := func() { f.send(eventText("HEARTBEAT", "Event-Sequence", "1")) }
	mark := o.mark()
	for range 8 {
		beat()
		time.Sleep(300 * time.Millisecond)
	}
	if n := count[orchestrator.SwitchLost](o, mark, nil); n != 0 {
		t.Fatalf("lost %d times while events came", n)
	}
	lost, _ := expect[orchestrator.SwitchLost](o, mark, nil)
	if lost.Reason != errDeaf.Error() {
		t.Errorf("lost because of %q", lost.Reason)
	}
	expect[orchestrator.SwitchSynced](o, mark, nil)
	// Where no sign of life ever came there is nothing to miss.
	mark = o.mark()
	time.Sleep((looksMissed + 2) * pulse)
	if n := count[orchestrator.SwitchLost](o, mark, nil); n != 0 {
		t.Errorf("lost again %d times", n)
	}
}

// How long a silence is too long follows from how often there was a sign, and
// a single look is not believed.
func TestSignsOfLife(t *testing.T) {
	sign := []byte("Event-Name: HEARTBEAT\nCore-UUID: x\n\n")
	for every, most := range map[time.Duration]time.Duration{2 * time.Second: deafAfter, 20 * time.Second: 100 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var s signs
			s.heard(sign, time.Now())
			time.Sleep(every)
			s.heard(sign, time.Now())
			s.heard([]byte("Event-Name: CHANNEL_ANSWER\n\n"), time.Now())
			began := time.Now()
			for {
				time.Sleep(pulse)
				if err := s.look(time.Now(), deafAfter); err != nil {
					if took := time.Since(began); !errors.Is(err, errDeaf) || took < most+looksMissed*pulse-pulse || took > most+looksMissed*pulse {
						t.Errorf("a sign every %v: after %v: %v", every, took, err)
					}
					return
				}
			}
		})
	}
}
