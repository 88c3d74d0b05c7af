package e2e

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

const (
	// stalledMost is within what a ringmaster whose floor hangs must have ended:
	// 10 s are a hang, and it is looked twice, every two.
	stalledMost = 20 * time.Second
	// stalledStatus is what it ends with, for a supervisor to see.
	stalledStatus = 70
)

// TestStalledFloor: the floor hangs in the write of its journal, as on a disk
// that does not answer. A process that lived on like that would leave every
// caller alone, and could stop a FreeSWITCH. It says what it was doing and ends;
// meanwhile those who talk talk on and the switch lives, afterwards callers
// reach the fallback, and the next start takes the talk over.
func TestStalledFloor(t *testing.T) { onEach(t, stalledFloor) }

func stalledFloor(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	q := talkAndWait(t, kind)
	const during, after, next = "+49900", "+49901", "+49902"
	h := hangJournal(t, q.process.Process.Pid)
	first := q.comes(t, 2, during) // whose arrival is what is to be written
	if err := <-h.at; errors.Is(err, syscall.EPERM) {
		t.Skipf("NOT SHOWN: no process may be traced here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	hung := time.Now()
	q.ends(t, hung)
	<-h.gone
	q.talk.unharmed(t, squeezed)

	came := time.Now()
	second := q.comes(t, 3, after)
	for !q.pbx.fallen(t)[after] {
		if time.Since(came) > dialplanMost+promptly {
			t.Fatalf("%s is stranded: nobody drives the switch and the dialplan does nothing", after)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("who came afterwards was in the fallback after %s", time.Since(came).Round(time.Millisecond))

	q.start()
	q.eventually("the switch is attached", 20*time.Second, q.attached)
	ours := q.taken(t, during, 15*time.Second)
	t.Logf("who came as it began to hang is with somebody after the restart (with ringmaster: %t)", ours)
	if err := first.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	if err := second.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	q.talk.unharmed(t, squeezed)
	q.talk.ends(t, orchestrator.ReasonTalked)
	q.toldOnce(t, talks)
}

// ends waits until ringmaster has ended by itself. The switch's console answers
// all the while.
func (q *pairAndQueue) ends(t *testing.T, hung time.Time) {
	t.Helper()
	var slowest time.Duration
	for {
		asked := time.Now()
		q.console(t)
		slowest = max(slowest, time.Since(asked))
		select {
		case <-q.exited:
			took, code := time.Since(hung), q.process.ProcessState.ExitCode()
			if took > stalledMost || took < 10*time.Second || code != stalledStatus {
				t.Errorf("it ended after %s with %d:\n%s", took, code, q.log())
			}
			if said := q.log(); !strings.Contains(said, "the floor hangs") || !strings.Contains(said, "journal.(*Journal).Commit") {
				t.Errorf("it does not say what hung:\n%s", said)
			}
			t.Logf("%s: it ended with %d, %s after it began to hang; the console answered within %s",
				q.pbx.Version, code, took.Round(time.Millisecond), slowest.Round(time.Millisecond))
			if slowest > 3*time.Second {
				t.Errorf("the switch stood still for %s", slowest)
			}
			return
		case <-time.After(200 * time.Millisecond):
		}
		if time.Since(hung) > 2*stalledMost {
			q.kill()
			t.Fatalf("a ringmaster whose floor hangs does not end:\n%s", q.log())
		}
	}
}

// console has the switch answer at its own.
func (c *centre) console(t *testing.T) {
	t.Helper()
	console := c.pbx.machine.(interface {
		CLI(command string) (string, error)
	})
	command := map[string]string{"asterisk": "core show uptime", "freeswitch": "status"}[c.pbx.kind]
	if out, err := console.CLI(command); err != nil || out == "" {
		t.Errorf("the console does not answer: %q %v", out, err)
	}
}
