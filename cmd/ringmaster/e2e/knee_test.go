//go:build storm

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// The burst: more callers a second than Asterisk bears on two cores together
// with everything else here, and more free agents than may be dialled at once.
const (
	burstCallers = 80
	burstRate    = 40 // a second
	burstAgents  = 30
	// dialsAtMost is what the adapter's cap lets out in any one second: 30, and
	// 10 saved up before (adapters/asterisk Config).
	dialsAtMost = 30 + 10
	// squeezed is the silence that a machine on which everything above runs,
	// phones included, may make by itself.
	squeezed = 2 * time.Second
)

// TestPastTheKnee: a burst of calls that Asterisk would collapse under if every
// agent were dialled at once. Dials are paced, nobody who talks is cut off,
// everybody is served in the end, and each call has one CDR.
func TestPastTheKnee(t *testing.T) {
	c, talk := witnessed(t, 1+burstAgents, nil)
	for _, p := range c.agents[1:] {
		if err := p.SetBehaviour(phone.Behaviour{Action: phone.Answer, HangUpAfter: 500 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	numbers := c.burst(t)
	c.eventually("everything has drained", 20*time.Second, func() bool {
		l := c.live()
		return len(l.Calls) == 1 && l.Switches[0].Attached
	})
	invites := c.invites()
	t.Logf("%d calls, %d offers at phones, at most %d in one second; %.0f dials turned away, %.0f losses of the switch, load %s",
		len(numbers), len(invites), busiest(invites), c.figure(t, "ringmaster_switch_overloads_total"),
		c.figure(t, "ringmaster_switch_losses_total"), load())
	if n := busiest(invites); n > dialsAtMost {
		t.Errorf("%d phones were dialled within one second", n)
	}
	talk.unharmed(t, squeezed)
	talk.ends(t, orchestrator.ReasonTalked)
	c.books(t, numbers)
	c.endsBy(t, "501", "+49899", orchestrator.ReasonTalked)
}

// burst lets the callers call and waits until the last of them is gone.
func (c *centre) burst(t *testing.T) (numbers []string) {
	t.Helper()
	var phones []*phone.Phone
	for i := range 8 {
		p, err := phone.New(phone.Config{
			User: fmt.Sprintf("burst%d", i), Registrar: c.pbx.SIPAddr, ListenHost: lab.CallerIP, CallWaiting: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		phones = append(phones, p)
	}
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / burstRate)
	defer tick.Stop()
	for i := range burstCallers {
		number := fmt.Sprintf("+4987%03d", i)
		numbers = append(numbers, number)
		wg.Go(func() { patient(t, phones[i%len(phones)], number) })
		<-tick.C
	}
	wg.Wait()
	return numbers
}

// patient calls and waits for 20 s to be served.
func patient(t *testing.T, p *phone.Phone, number string) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	call, err := p.Dial(ctx, "501", phone.DialOptions{CallerNumber: number})
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := call.WaitEnd(ctx); err == nil {
		return
	}
	end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancelEnd()
	if err := call.Hangup(end); err != nil {
		t.Logf("%s: %v", number, err)
	}
}

// invites are the moments at which a phone of the queue was called, in order.
func (c *centre) invites() (at []time.Time) {
	for _, p := range c.agents[1:] {
		for _, call := range p.Calls() {
			if call.Direction() == phone.Incoming {
				at = append(at, call.Times().Invite)
			}
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return at
}

// busiest is the most moments within any one second.
func busiest(at []time.Time) (most int) {
	for first, last := 0, 0; last < len(at); last++ {
		for at[last].Sub(at[first]) > time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// books checks that each number has one call, and that it ended.
func (c *centre) books(t *testing.T, numbers []string) {
	t.Helper()
	var page struct {
		Items []struct {
			Caller  orchestrator.Party   `json:"caller"`
			EndedAt *time.Time           `json:"ended_at"`
			Outcome orchestrator.Outcome `json:"outcome"`
		} `json:"items"`
	}
	reasons := map[orchestrator.Reason]int{}
	c.eventually("every call is closed in the database", 15*time.Second, func() bool {
		page.Items = nil
		c.do("GET", "/v1/calls?limit=200", nil, &page)
		clear(reasons)
		open := 0
		for _, call := range page.Items {
			if call.EndedAt == nil {
				open++
			}
			if slices.Contains(numbers, call.Caller.Number) {
				reasons[call.Outcome.Reason]++
			}
		}
		return open == 0
	})
	t.Logf("outcomes: %v", reasons)
	for _, number := range numbers {
		n := 0
		for _, call := range page.Items {
			if call.Caller.Number == number {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s has %d CDRs", number, n)
		}
	}
	if served := reasons[orchestrator.ReasonTalked]; served < len(numbers)*9/10 {
		t.Errorf("only %d of %d callers were served", served, len(numbers))
	}
}

// figure is one of ringmaster's own, summed up over its labels.
func (c *centre) figure(t *testing.T, name string) (sum float64) {
	t.Helper()
	_, text := c.send("GET", "/metrics", "text/plain", strings.NewReader(""))
	found := false
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") {
			continue
		}
		var value float64
		if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &value); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		sum, found = sum+value, true
	}
	if !found {
		t.Fatalf("no figure %s", name)
	}
	return sum
}
