package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// phonebank runs the program in this process.
func phonebank(ctx context.Context, t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := newCommand()
	var out, errs bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	err = cmd.ExecuteContext(ctx)
	return out.String(), errs.String(), err
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, c := range append(newCommand().Commands(), newCommand()) {
		if c.Short == "" || c.Long == "" || !strings.Contains(c.Example, "phonebank ") {
			t.Errorf("%s: short %q, long %q, example %q", c.Name(), c.Short, c.Long, c.Example)
		}
	}
	out, _, err := phonebank(context.Background(), t, "example")
	if err != nil || out != example {
		t.Errorf("example: %v", err)
	}
	if _, _, err := phonebank(context.Background(), t, "rum"); err == nil || !strings.Contains(err.Error(), "unknown command") {
		t.Errorf("rum: %v", err)
	}
	if _, _, err := phonebank(context.Background(), t, "run", "/nowhere.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// answering is a phone in the place of a PBX: it answers every call, says a tone and hangs up.
func answering(t *testing.T, b phone.Behaviour) *phone.Phone {
	t.Helper()
	p, err := phone.New(phone.Config{User: "700", Registrar: "127.0.0.1:5060", Behaviour: b, CallWaiting: true, ToneHz: 440})
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

func runJSON(t *testing.T, scenario string, flags ...string) Summary {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, _, err := phonebank(ctx, t, append([]string{"run", "--json", file(t, scenario)}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	var s Summary
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCallersWithoutAgents(t *testing.T) {
	t.Parallel()
	pbx := answering(t, phone.AnswerAfter(20*time.Millisecond))
	s := runJSON(t, fmt.Sprintf(`
pbx: %s
duration: 10s
seed: 7
callers:
  - {dial: "700", rate_per_s: 20, arrivals: even, calls_max: 10, number: "+49{n}", talk: 200ms, script: [{dtmf: "1"}]}
`, pbx.Addr()))
	c := s.Callers
	if c.Placed != 10 || c.Reached != 10 || c.Answered != 10 || c.Codes["200"] != 10 || c.Answer.N != 10 || s.Seed != 7 {
		t.Errorf("callers %+v", c)
	}
	if c.Answer.P50Ms < 19 || c.Ring.P50Ms > c.Answer.P50Ms {
		t.Errorf("ring %+v answer %+v", c.Ring, c.Answer)
	}
	if s.Seconds > 5 {
		t.Errorf("ran %.1f s although all calls were made", s.Seconds)
	}
	numbers := map[string]bool{}
	for _, in := range pbx.Calls() {
		numbers[in.Peer()] = true
		if in.Ear().Digits() != "1" {
			t.Errorf("caller %s pressed %q", in.Peer(), in.Ear().Digits())
		}
	}
	if len(numbers) != 10 || !numbers["+490001"] {
		t.Errorf("callers %v", numbers)
	}
}

func TestImpatientCallersAndOverload(t *testing.T) {
	t.Parallel()
	pbx := answering(t, phone.RingForever())
	s := runJSON(t, fmt.Sprintf(`
pbx: %s
callers:
  - {dial: "700", rate_per_s: 20, arrivals: even, concurrent_max: 2, calls_max: 6, patience: 200ms}
`, pbx.Addr()))
	if c := s.Callers; c.Abandoned != c.Placed || c.Placed < 2 || c.Placed+c.NotPlaced != 6 || c.NotPlaced == 0 || c.Codes["487"] != c.Placed {
		t.Errorf("callers %+v", c)
	}
	busy := answering(t, phone.RejectWith(486))
	s = runJSON(t, fmt.Sprintf("pbx: %s\ncallers: [{dial: '700', rate_per_s: 50, calls_max: 3}]\n", busy.Addr()))
	if c := s.Callers; c.Rejected != 3 || c.Codes["486"] != 3 {
		t.Errorf("callers %+v", c)
	}
}

func TestLiveTellsEventsUntilStopped(t *testing.T) {
	t.Parallel()
	pbx := answering(t, phone.AnswerAfter(0))
	path := file(t, fmt.Sprintf("pbx: %s\nduration: 1s\ncallers: [{dial: '700', rate_per_s: 10, arrivals: even, talk: 100ms}]\n", pbx.Addr()))
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	out, _, err := phonebank(ctx, t, "live", path)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	var last map[string]any
	for line := range strings.Lines(out) {
		last = nil
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds[last["kind"].(string)]++
	}
	// The last call may have been cancelled by the end.
	if kinds["dialled"] < 10 || kinds["answered"] < kinds["dialled"]-1 || kinds["ended"] != kinds["dialled"] || last["kind"] != "summary" {
		t.Errorf("events %v", kinds)
	}
}

func TestCallCommandDrawsWhatWasHeard(t *testing.T) {
	t.Parallel()
	pbx := answering(t, phone.AnswerAfter(0))
	out, _, err := phonebank(context.Background(), t, "call", "--pbx", pbx.Addr(), "--talk", "700ms", "--dtmf", "5", "--dtmf-wait", "0s", "--trace", "700")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"dialled 700", "answered", "heard 440 Hz", "ended by local, status 200", "1 is 440 Hz", "--> INVITE sip:700@"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !regexp.MustCompile(`heard +\.*1[1.]+1`).MatchString(out) { // a dot is a late packet
		t.Errorf("the tone is not drawn in\n%s", out)
	}
	if got := pbx.Calls()[0].Ear().Digits(); got != "5" {
		t.Errorf("pressed %q", got)
	}
	if err := pbx.SetBehaviour(phone.RejectWith(486)); err != nil {
		t.Fatal(err)
	}
	out, _, err = phonebank(context.Background(), t, "call", "--pbx", pbx.Addr(), "--json", "700")
	if !errors.Is(err, errJudged) || !strings.Contains(out, `"code":486`) {
		t.Errorf("a busy number: %v\n%s", err, out)
	}
}

func TestPercentilesAreMeasuredValues(t *testing.T) {
	var all []time.Duration
	for i := range 200 {
		all = append(all, time.Duration(200-i)*time.Millisecond)
	}
	if got, want := percentiles(all), (Percentiles{200, 100, 190, 198, 200}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := percentiles(nil); got != (Percentiles{}) {
		t.Errorf("of nothing %+v", got)
	}
	for i := range maxSamples + 1 {
		keep(&all, time.Duration(i))
	}
	if len(all) > maxSamples || all[len(all)-1] != maxSamples {
		t.Errorf("kept %d", len(all))
	}
}

// slowReader never reads.
type slowReader chan struct{}

func (s slowReader) Write(b []byte) (int, error) {
	<-s
	return len(b), nil
}

func TestASlowReaderLosesEventsAndDelaysNobody(t *testing.T) {
	r := make(slowReader)
	w := newEventWriter(r, func() {})
	begun := time.Now()
	for range 2 * maxQueued {
		w.tell("agent", phone.Event{Kind: phone.Ringing})
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("telling took %s", took)
	}
	if w.lost.Load() == 0 {
		t.Error("nothing was lost")
	}
	close(r)
	if err := w.close(nil); err != nil {
		t.Error(err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestAReaderThatLeavesEndsTheRun(t *testing.T) {
	gone := make(chan struct{})
	w := newEventWriter(brokenPipe{}, func() { close(gone) })
	w.tell("agent", phone.Event{})
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("nobody was told")
	}
	if err := w.close(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("close: %v", err)
	}
}

// queue is a dialplan in which callers press 1 and then wait for an agent.
const queue = `[rm-agents]
exten => *11,1,Answer()
 same => n,Wait(0.2)
 same => n,Hangup()
[rm-inbound]
exten => 700,1,Answer()
 same => n,Read(D,,1,,,4)
 same => n,Queue(bench)
`

func TestRunThroughAsterisk(t *testing.T) {
	t.Parallel()
	if err := lab.Available(); err != nil {
		t.Skipf("SKIPPED, no Asterisk to test with: %v", err)
	}
	a := startQueue(t)
	agents := "pbx: " + a.SIPAddr + "\nduration: 6s\nagents:\n"
	for i, agent := range a.Agents {
		behave := "[{do: answer, after: 50ms..150ms, hang_up_after: 700ms, share: 9}, {do: reject, code: 486, share: 1}]"
		agents += fmt.Sprintf("  - {users: %q, password: %s, tones_hz: [%d], behave: %s, login: {dial: '*11'}}\n",
			agent.Number, agent.Password, 900+100*i, behave)
	}
	s := runJSON(t, agents+`
callers:
  - {dial: "700", rate_per_s: 2, arrivals: even, listen: 127.0.0.2, number: "+49555{n}", patience: 5s, talk: 3s, script: [{wait: 100ms}, {dtmf: "1"}]}
`)
	if s.Registered != 3 || s.Callers.Reached < 2 || s.Agents.Answered < 2 || s.Callers.Failed+s.Callers.Rejected+s.Agents.Failed != 0 {
		t.Errorf("summary %+v", s)
	}
	for _, side := range []SoundSummary{s.CallerSound, s.AgentSound} {
		if side.Good != side.Judged {
			t.Errorf("sound %+v", side)
		}
	}
	checkAccounts(t, a)
}

func startQueue(t *testing.T) *lab.Asterisk {
	t.Helper()
	dir, err := os.MkdirTemp("", "rmpb")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a, err := lab.Start(ctx, lab.Config{Agents: 3, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(a.Stop(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	modules := filepath.Join(dir, "etc", "modules.conf")
	old, err := os.ReadFile(modules)
	err = errors.Join(err,
		os.WriteFile(modules, append(old, "load=app_read.so\n"...), 0o600),
		os.WriteFile(filepath.Join(dir, "etc", "extensions.conf"), []byte(queue), 0o600),
		a.Restart(ctx))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func checkAccounts(t *testing.T, a *lab.Asterisk) {
	t.Helper()
	contacts, err := a.CLI("pjsip show contacts")
	if err != nil || strings.Contains(contacts, a.Agents[0].Number+"/sip:") {
		t.Errorf("phones are still registered after the run: %v\n%s", err, contacts)
	}
	out, _, err := phonebank(context.Background(), t, "register-check", "--pbx", a.SIPAddr, "--users", a.Agents[0].Number, "--password", a.Agents[0].Password)
	if err != nil || !regexp.MustCompile(a.Agents[0].Number+` +ok`).MatchString(out) {
		t.Errorf("register-check: %v\n%s", err, out)
	}
	out, _, err = phonebank(context.Background(), t, "register-check", "--pbx", a.SIPAddr, "--users", a.Agents[0].Number, "--password", "wrong", "--json")
	if !errors.Is(err, errJudged) || !strings.Contains(out, `"code": 401`) || !strings.Contains(out, "wrong password") {
		t.Errorf("register-check with a wrong password: %v\n%s", err, out)
	}
}
