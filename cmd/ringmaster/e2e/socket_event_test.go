package e2e

import (
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// oddities are what no FreeSWITCH sends. LEG stands for a channel in a talk.
var oddities = []string{
	plain(""), plain("\n"), plain("Event-Name\n\n"), plain("Event-Name: \n\n"), plain("no header at all"), plain("\x00\xff\xfe\n\n"),
	plain("Event-Name: SOMETHING_NEW\nUnique-ID: LEG\n\n"),
	plain("Event-Name: CUSTOM\n\n"),
	plain("Event-Name: CUSTOM\nEvent-Subclass: some%3A%3Athing\n\n"),
	plain("Event-Name: CHANNEL_HANGUP\n\n"),
	plain("Event-Name: CHANNEL_HANGUP\nUnique-ID: nobodys\nHangup-Cause: NONSENSE\n\n"),
	plain("Event-Name: CHANNEL_HANGUP_COMPLETE\nUnique-ID: nobodys\nvariable_hangup_cause_q850: many\n\n"),
	plain("Event-Name: CHANNEL_HANGUP_COMPLETE\nUnique-ID: %zz%4\nHangup-Cause: %\n\n"),
	plain("Event-Name: CHANNEL_CREATE\nUnique-ID: \n\n"),
	plain("Event-Name: CHANNEL_PARK\nUnique-ID: nobodys\nvariable_rm_entry: what\nvariable_rm_stamp: v9;;;\n\n"),
	plain("Event-Name: CHANNEL_BRIDGE\nUnique-ID: LEG\nBridge-A-Unique-ID: LEG\nBridge-B-Unique-ID: LEG\n\n"),
	plain("Event-Name: CHANNEL_UNBRIDGE\nBridge-A-Unique-ID: nobodys\n\n"),
	plain("Event-Name: DTMF\nUnique-ID: LEG\nDTMF-Digit: 1111\n\n"),
	plain("Event-Name: DTMF\nUnique-ID: LEG\nDTMF-Digit: %F0%9F%92%A3\n\n"),
	plain("Event-Name: PLAYBACK_STOP\nUnique-ID: nobodys\nPlayback-Status: done\n\n"),
	plain("Event-Name: BACKGROUND_JOB\nJob-UUID: nobodys\n\n-ERR"),
	plain("Event-Name: RECORD_STOP\nUnique-ID: LEG\nRecord-File-Path: /etc/passwd\nvariable_record_ms: -1\n\n"),
	plain("Event-Name: CUSTOM\nEvent-Subclass: sofia%3A%3Aunregister\nfrom-user: %00\n\n"),
	plain("Event-Name: HEARTBEAT\nSession-Count: -5\nMax-Sessions: 1e99\nIdle-CPU: NaN\n\n"),
	plain("Event-Name: CUSTOM\nEvent-Subclass: " + strings.Repeat("z", 1<<20) + "\n\n"),
	plain("Event-Name: CHANNEL_STATE\nUnique-ID: " + strings.Repeat("y", 1<<20) + "\n\n"),
	plain(strings.Repeat("Event-Name: HEARTBEAT\n", 50000) + "\n"),
	"Content-Type: text/event-json\nContent-Length: 2\n\n{}", "Content-Type: log/data\nContent-Length: 3\n\nabc", "Content-Type: \n\n",
	"\n\n\n", "no header\nContent-Type: text/nothing\n\n",
}

// fatal is after what nothing on that connection can be understood any more.
var fatal = []string{
	"Content-Length: -1\nContent-Type: text/event-plain\n\n",
	"Content-Length: many\nContent-Type: text/event-plain\n\n",
	"Content-Length: 99999999\nContent-Type: text/event-plain\n\n",
	"Content-Type: " + strings.Repeat("x", 70000) + "\n\n",
	"Content-Type: command/reply\nReply-Text: +OK nobody asked\n\nContent-Type: command/reply\nReply-Text: +OK\n\n",
	"Content-Type: text/disconnect-notice\nContent-Length: 0\n\n",
}

// flooded is how many events come at once: most of what may wait for the floor
// before the switch counts as lost (Config of the adapter).
const flooded = 10000

// TestHostileSocketEvents: what no FreeSWITCH sends, and one event of ten twice,
// behind the next, with another byte or never. Who talks hears nothing of it,
// and calls come and go.
func TestHostileSocketEvents(t *testing.T) {
	var m *socketMeddler
	c, talk := witnessedOn(t, "freeswitch", 2, func(doc document) { m = meddleSocket(t, doc) })
	leg := m.leg()
	t.Run("oddities", func(t *testing.T) {
		for _, text := range oddities {
			if strings.Contains(text, "LEG") { // the length is of the whole
				_, body, _ := strings.Cut(text, "\n\n")
				text = plain(strings.ReplaceAll(body, "LEG", leg))
			}
			m.inject(text)
		}
		c.talkOnce(t, "+49920")
	})
	t.Run("fatal", func(t *testing.T) {
		for _, text := range fatal {
			before := m.opened.Load()
			m.inject(text)
			c.eventually("the connection is made anew", 15*time.Second, func() bool { return m.opened.Load() > before && c.attached() })
		}
		c.talkOnce(t, "+49921")
	})
	t.Run("flood", func(t *testing.T) {
		m.inject(strings.Repeat(plain("Event-Name: SOMETHING_NEW\n\n"), flooded))
		c.talkOnce(t, "+49922")
		if n := c.figure(t, "ringmaster_switch_unknown_events_total"); n < flooded {
			t.Errorf("only %.0f unknown events reached ringmaster", n)
		}
	})
	for i, x := range []struct {
		name string
		deed deed
		well bool // every call is served as ever
	}{
		{"twice", twice, true},
		{"swapped", swapped(1), false},
		{"garbled", nowAndThen(2, garbled), false},
		{"lost", nowAndThen(3, lost), false},
	} {
		t.Run(x.name, func(t *testing.T) {
			m.does(x.deed)
			c.suffers(t, "+4993"+string(rune('0'+i)), x.well)
			t.Logf("%d events were dealt with", m.dealt.Load())
			m.does(nil)
			c.quiet(t)
			c.talkOnce(t, "+4994"+string(rune('0'+i)))
		})
	}
	talk.testified(t)
}

// suffered is how many callers come while events are dealt with.
const suffered = 8

// suffers has callers come and go. Where every event arrives each of them is
// served; where not, each is told once at most.
func (c *centre) suffers(t *testing.T, prefix string, well bool) {
	t.Helper()
	served := 0
	for i := range suffered {
		number := prefix + string(rune('0'+i))
		if well {
			c.talkOnce(t, number)
			served++
			continue
		}
		call, err := c.caller(1).Dial(t.Context(), "501", phone.DialOptions{CallerNumber: number})
		if err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(4 * time.Second); time.Now().Before(until) && call.Ear().Heard(agentHz+100, time.Time{}, time.Now()) == 0; {
			time.Sleep(50 * time.Millisecond)
		}
		if call.Ear().Heard(agentHz+100, time.Time{}, time.Now()) > 0 {
			served++
		}
		call.Hangup(t.Context()) // it may be over
	}
	t.Logf("%d of %d callers were served", served, suffered)
	time.Sleep(5 * time.Second)
	for i := range suffered {
		number := prefix + string(rune('0'+i))
		if ids := c.calls(number); len(ids) > 1 {
			t.Errorf("%s has %d records", number, len(ids))
		} else if len(ids) == 1 {
			if s := c.story(t, number); s.count("call_ended") != 1 || s.count("call_connected") > 1 {
				t.Errorf("%s is not told once:\n%s", number, s)
			}
		}
	}
}

// quiet waits until nobody is there but the witnesses.
func (c *centre) quiet(t *testing.T) {
	t.Helper()
	c.eventually("only the witnesses are there", 5*time.Second, func() bool {
		return len(c.live().Calls) == 1 && c.agent(1).State == orchestrator.AgentReady
	})
}
