package e2e

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// story is a call as the API tells it.
type story struct {
	kind string // of the PBX it was told on
	Call struct {
		ID      string               `json:"id"`
		Ended   time.Time            `json:"ended_at"`
		Outcome orchestrator.Outcome `json:"outcome"`
		Times   orchestrator.Times   `json:"times"`
	} `json:"call"`
	Offers []struct {
		Agent   string `json:"agent"`
		Outcome string `json:"outcome"`
	} `json:"offers"`
	Timeline []struct {
		At   time.Time       `json:"at"`
		Fact string          `json:"fact"`
		Text string          `json:"text"`
		What json.RawMessage `json:"what"`
	} `json:"timeline"`
}

// calls lists the calls of a caller, newest first.
func (c *centre) calls(number string) (ids []string) {
	c.t.Helper()
	var page struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	c.do("GET", "/v1/calls?number="+url.QueryEscape(number), nil, &page)
	for _, item := range page.Items {
		ids = append(ids, item.ID)
	}
	return ids
}

// story waits until the one call of that number is over in the database and
// returns it.
func (c *centre) story(t *testing.T, number string) (s story) {
	t.Helper()
	c.eventually("the story of "+number+" is in the database", 10*time.Second, func() bool {
		ids := c.calls(number)
		if len(ids) == 0 {
			return false
		}
		if len(ids) > 1 {
			t.Fatalf("%d calls of %s: %v", len(ids), number, ids)
		}
		s = story{kind: c.pbx.kind}
		c.do("GET", "/v1/calls/"+ids[0], nil, &s)
		return s.Call.Outcome.Reason != ""
	})
	return s
}

// has checks that the facts are there, in this order.
func (s story) has(t *testing.T, facts ...string) {
	t.Helper()
	i := 0
	for _, entry := range s.Timeline {
		if i < len(facts) && entry.Fact == facts[i] {
			i++
		}
	}
	if i < len(facts) {
		t.Errorf("the story lacks %q (after %v):\n%s", facts[i], facts[:i], s)
	}
}

// count is how often a fact is told.
func (s story) count(fact string) (n int) {
	for _, entry := range s.Timeline {
		if entry.Fact == fact {
			n++
		}
	}
	return n
}

// tolerance is how far facts and phones may be apart. FreeSWITCH notices a
// phone's BYE at the next frame of sound and sends events every 20 ms: 40 ms
// at most are its own.
var tolerance = map[string]time.Duration{"asterisk": 50 * time.Millisecond, "freeswitch": 90 * time.Millisecond}

// agrees checks a fact's time against what a phone saw.
func (s story) agrees(t *testing.T, fact string, seen time.Time) {
	t.Helper()
	for _, entry := range s.Timeline {
		if entry.Fact != fact {
			continue
		}
		if d := entry.At.Sub(seen).Abs(); d > tolerance[s.kind] {
			t.Errorf("%s is told at %s, the phone saw it at %s: %s apart", fact, entry.At.Format(time.StampMicro), seen.UTC().Format(time.StampMicro), d)
		}
		return
	}
	t.Errorf("the story lacks %q:\n%s", fact, s)
}

func (s story) String() (text string) {
	for _, entry := range s.Timeline {
		text += entry.At.Format("15:04:05.000 ") + entry.Fact + ": " + entry.Text + "\n"
	}
	return text
}

// incoming is the last call a phone was offered.
func incoming(t *testing.T, p *phone.Phone) *phone.Call {
	t.Helper()
	for _, call := range slices.Backward(p.Calls()) {
		if call.Direction() == phone.Incoming {
			return call
		}
	}
	t.Fatal("the phone was never called")
	return nil
}
