package lab_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
)

var tones = []int{lab.MusicHz, lab.HoldHz, 800, 900, 1200}

func openFreeSWITCH(t *testing.T, cfg lab.FreeSWITCHConfig) *lab.FreeSWITCH {
	t.Helper()
	if err := lab.FreeSWITCHAvailable(); err != nil {
		t.Skipf("THE LIVE PART WAS NOT RUN: %v", err)
	}
	f, err := lab.StartFreeSWITCH(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func plug(t *testing.T, cfg phone.Config) *phone.Phone {
	t.Helper()
	cfg.Tones = tones
	p, err := phone.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func desk(t *testing.T, f *lab.FreeSWITCH, i, hz int) *phone.Phone {
	t.Helper()
	a := f.Agents[i]
	p := plug(t, phone.Config{
		User: a.Number, Password: a.Password, Registrar: f.SIPAddr, ListenHost: "127.0.0.1", ToneHz: hz,
		Behaviour: phone.AnswerAfter(50 * time.Millisecond),
	})
	if err := p.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// parked waits for a parked leg in a context and returns its id.
func parked(t *testing.T, f *lab.FreeSWITCH, dialplan string) string {
	t.Helper()
	for range 100 {
		out, err := f.CLI("show channels as delim |")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, "|park|") && strings.Contains(line, "|"+dialplan+"|") {
				return line[:strings.Index(line, "|")]
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no leg parked in %s", dialplan)
	return ""
}

func ask(t *testing.T, f *lab.FreeSWITCH, format string, args ...any) string {
	t.Helper()
	out, err := f.CLI(fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// A caller is parked, hears music and then an agent whose phone was rung; both
// hear each other without a gap.
func TestFreeSWITCHJoinsACallerAndADeskPhone(t *testing.T) {
	f := openFreeSWITCH(t, lab.FreeSWITCHConfig{Agents: 2})
	agent := desk(t, f, 0, 800)
	caller := plug(t, phone.Config{User: "caller", Registrar: f.SIPAddr, ListenHost: lab.CallerIP, ToneHz: 1200})
	out, err := caller.Dial(t.Context(), "500", phone.DialOptions{CallerNumber: "1001"}) // An agent's number in From: still the trunk.
	if err != nil {
		t.Fatal(err)
	}
	a := parked(t, f, "rm-inbound")
	if got := ask(t, f, "uuid_getvar %s rm_entry", a); got != "in" {
		t.Errorf("rm_entry %q", got)
	}
	t.Log(ask(t, f, "sched_del %s", a), ask(t, f, "uuid_answer %s", a), ask(t, f, "uuid_broadcast %s local_stream://%s aleg", a, lab.FreeSWITCHMusic))
	start := time.Now()
	if _, err := out.Ear().WaitTone(within(t, 5*time.Second), lab.MusicHz, start); err != nil {
		t.Fatal(err)
	}
	t.Log(ask(t, f, "originate {origination_uuid=b1,park_after_bridge=true}user/1001@%s &park()", f.Domain))
	in, err := agent.WaitCall(within(t, 5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(ask(t, f, "uuid_break %s all", a), ask(t, f, "uuid_bridge %s b1", a))
	start = time.Now()
	if _, err := out.Ear().WaitTone(within(t, 5*time.Second), 800, start); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Ear().WaitTone(within(t, 5*time.Second), 1200, start); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	t.Logf("%+v", out.Ear().Tones())
}
