package lab_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/dialplans"
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

// Nobody takes the call: the guard sends it to the fallback, which rings the
// desk phone. With rm_alive=no it goes there at once.
func TestFreeSWITCHFallsBackByItself(t *testing.T) {
	f := openFreeSWITCH(t, lab.FreeSWITCHConfig{Agents: 1})
	agent := desk(t, f, 0, 800)
	caller := plug(t, phone.Config{User: "caller", Registrar: f.SIPAddr, ListenHost: lab.CallerIP, ToneHz: 1200})
	for name, c := range map[string]struct {
		alive    string
		min, max time.Duration
	}{
		"unknown": {"", 6 * time.Second, 10 * time.Second},
		"gone":    {"no", 0, time.Second},
		"alive":   {"yes", 6 * time.Second, 10 * time.Second},
	} {
		ask(t, f, "global_setvar rm_alive=%s", c.alive)
		start := time.Now()
		out, err := caller.Dial(t.Context(), "500", phone.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		in, err := agent.WaitCall(within(t, 15*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < c.min || took > c.max {
			t.Errorf("%s: the desk phone rang after %s, want %s to %s", name, took, c.min, c.max)
		}
		if _, err := out.Ear().WaitTone(within(t, 5*time.Second), 800, start); err != nil {
			t.Fatal(err)
		}
		if err := in.Hangup(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := out.WaitEnd(within(t, 5*time.Second)); err != nil {
			t.Errorf("%s: the caller is kept after the talk: %v", name, err)
		}
	}
}

// A desk phone is known by its password alone, and what it dials is the agent's.
func TestFreeSWITCHKnowsDeskPhones(t *testing.T) {
	f := openFreeSWITCH(t, lab.FreeSWITCHConfig{Agents: 2, Edit: func(name, text string) string {
		if name == "directory/default.xml" { // 1002's password was forgotten.
			at := strings.Index(text, `id="1002"`)
			end := at + strings.Index(text[at:], "</params>")
			text = text[:at] + `id="1002"><params><param name="password" value=""/>` + text[end:]
		}
		return text
	}})
	agent := desk(t, f, 0, 800)
	if _, err := agent.Dial(t.Context(), "*11", phone.DialOptions{}); err != nil {
		t.Fatal(err)
	}
	leg := parked(t, f, "rm-agents")
	for variable, want := range map[string]string{
		"rm_entry": "agent", "rm_number": "*11", "sip_auth_username": "1001", "sip_authorized": "true", "sip_auth_realm": f.Domain,
	} {
		if got := ask(t, f, "uuid_getvar %s %s", leg, variable); got != want {
			t.Errorf("%s is %q, want %q", variable, got, want)
		}
	}
	for user, password := range map[string]string{"1001": "wrong", "1002": "", "1003": ""} {
		p := plug(t, phone.Config{User: user, Password: password, Registrar: f.SIPAddr, ListenHost: "127.0.0.1"})
		if err := p.Register(within(t, 3*time.Second)); err == nil {
			t.Errorf("%s registers with password %q", user, password)
		}
		c, err := p.Dial(t.Context(), "500", phone.DialOptions{})
		if err == nil {
			err = c.WaitAnswer(within(t, 2*time.Second))
		}
		if err == nil {
			t.Errorf("%s may call with password %q", user, password)
		}
		if n := ask(t, f, "show channels count"); !strings.HasPrefix(n, "1 total") {
			t.Errorf("%s made a leg with password %q: %s", user, password, n)
		}
	}
}

// Pasted without setting a password, nothing lets anybody in.
func TestShippedEventSocketRefusesEverybody(t *testing.T) {
	f := openFreeSWITCH(t, lab.FreeSWITCHConfig{Agents: 1})
	path := filepath.Join(f.Dir, "etc", "autoload_configs", "event_socket.conf.xml")
	text, err := dialplans.FreeSWITCH.ReadFile("freeswitch/event_socket.conf.xml")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(f.ESLAddr)
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "8021", port, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(t, f, "bgapi reload mod_event_socket") // Drops the connection it comes by.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		conn, err := net.Dial("tcp", f.ESLAddr)
		if err == nil {
			greeting := make([]byte, 200)
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			n, _ := conn.Read(greeting)
			_ = conn.Close()
			if strings.Contains(string(greeting[:n]), "rude-rejection") {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the event socket as shipped still lets in")
		}
	}
}

// The queue to measure beside Ringmaster: the known music, then the desk phone.
func TestFreeSWITCHBenchQueuePlaysTheKnownToneAndRings(t *testing.T) {
	f := openFreeSWITCH(t, lab.FreeSWITCHConfig{Agents: 1, Bench: true})
	caller := plug(t, phone.Config{User: "caller", Registrar: f.SIPAddr, ListenHost: lab.CallerIP, ToneHz: 1200})
	out, err := caller.Dial(t.Context(), lab.BenchExtension, phone.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Ear().WaitTone(within(t, 10*time.Second), lab.MusicHz, time.Time{}); err != nil {
		t.Fatal(err)
	}
	agent := desk(t, f, 0, 800)
	if _, err := agent.WaitCall(within(t, 15*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Ear().WaitTone(within(t, 5*time.Second), 800, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// What a test does to a switch: stand still, die, come back with the same
// ports and registrations.
func TestFreeSWITCHFreezesDiesAndComesBack(t *testing.T) {
	f := openFreeSWITCH(t, lab.FreeSWITCHConfig{Agents: 1})
	agent := desk(t, f, 0, 800)
	if err := f.Freeze(); err != nil {
		t.Fatal(err)
	}
	if out, err := f.CLI("status"); err == nil {
		t.Errorf("frozen, and it answers %q", out)
	}
	if err := f.Thaw(); err != nil {
		t.Fatal(err)
	}
	before, pid := ask(t, f, "global_getvar core_uuid"), f.PID()
	f.Kill()
	if f.PID() != 0 {
		t.Error("killed, and it runs")
	}
	if err := f.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.PID() == pid || ask(t, f, "global_getvar core_uuid") == before {
		t.Error("the same process is back")
	}
	if got := ask(t, f, "originate {origination_uuid=b1}user/1001@%s &park()", f.Domain); !strings.HasPrefix(got, "+OK") {
		t.Errorf("the phone that had registered before cannot be rung: %s", got)
	}
	if _, err := agent.WaitCall(within(t, 5*time.Second)); err != nil {
		t.Error(err)
	}
}
