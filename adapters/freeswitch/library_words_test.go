package freeswitch

import (
	"fmt"
	"net/textproto"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/percipia/eslgo"
	"github.com/percipia/eslgo/command"

	"ringmaster/orchestrator"
)

// The defects of what the library reads, writes and keeps.

func TestDefect10NothingIsKeptOfWhoIsGone(t *testing.T) {
	const channels = 200
	f := newFake(t)
	lib := dialLibrary(t, f, nil)
	for i := range channels {
		id := fmt.Sprint(i)
		lib.RemoveEventListener(id, lib.RegisterEventListener(id, func(*eslgo.Event) {}))
	}
	if n := reflect.ValueOf(lib).Elem().FieldByName("eventListeners").Len(); n < channels {
		t.Errorf("the library keeps %d of %d now", n, channels)
	}

	g := newFake(t)
	o := g.open(nil)
	for i := range channels {
		text := strings.NewReplacer("1111", fmt.Sprint(1000+i))
		mark := o.mark()
		g.send(text.Replace(arrivalText()))
		g.send(text.Replace(endText()))
		expect[orchestrator.LegEnded](o, mark, nil)
	}
	o.sw.book.mu.Lock()
	defer o.sw.book.mu.Unlock()
	if n := len(o.sw.book.live); n != 0 {
		t.Errorf("%d of %d legs that ended are kept", n, channels)
	}
}

func TestDefect12NamesWithBracketsLoseNothing(t *testing.T) {
	odd := []string{"variable_a[0]", "1", "variable_x(y)", "2", "variable_sp ace", "3", "VARIABLE_RM_ENTRY", "agent", "variable_\xff", "4"}
	f := newFake(t)
	lib := dialLibrary(t, f, nil)
	var heard atomic.Int64
	lib.RegisterEventListener(eslgo.EventListenAll, func(*eslgo.Event) { heard.Add(1) })
	if err := lib.EnableEvents(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.send(arrivalText(odd...))
	time.Sleep(200 * time.Millisecond)
	if heard.Load() != 0 {
		t.Error("the library reads such an event now")
	}
	g := newFake(t)
	o := g.open(nil)
	g.send(arrivalText(odd...))
	e, _ := expect[orchestrator.LegOffered](o, 0, nil)
	if e.Entry != orchestrator.EntryIn || e.Caller.Name != "Clara C" {
		t.Errorf("offered %+v", e)
	}
}

func TestDefect13PercentInAnswersStays(t *testing.T) {
	f := newFake(t)
	f.on("sendmsg", func(string) string { return "+OK 50% done" })
	lib := dialLibrary(t, f, nil)
	r, err := lib.SendCommand(t.Context(), &command.SendMessage{UUID: "x"})
	if err == nil && r.IsOk() {
		t.Error("the library reads percent signs now")
	}
	w := bareWire(t, f, nil)
	answers, err := w.send(t.Context(), encodeAnswer("x"))
	if err != nil || answers[0] != "+OK 50% done" {
		t.Errorf("%q %v", answers, err)
	}
}

func TestDefect14LineEndsInValues(t *testing.T) {
	evil := "1\r\nexecute-app-name: system\r\n\r\napi shutdown"
	m := command.SendMessage{UUID: "x", Headers: textproto.MIMEHeader{"Execute-App-Arg": {evil}}}
	if !strings.Contains(m.BuildMessage(), "\n\r\napi shutdown") {
		t.Error("the library keeps line ends out of headers now")
	}
	if _, err := encodeDigits("x", evil); err == nil {
		t.Error("digits with line ends were encoded")
	}
}

func TestDefect15VariablesOfOriginate(t *testing.T) {
	evil := "O'Brien,api_on_answer=system"
	if got := eslgo.BuildVars("{%s}", map[string]string{"origination_caller_id_name": evil}); strings.Count(got, ",") == 0 {
		t.Errorf("the library quotes variables now: %s", got)
	}
	d := ourDial
	d.Display.Name = evil
	words := separate(strings.TrimPrefix(one(t, must(encodeDial(testConfig, d))).line, "bgapi originate "), ' ', 10)
	variables, _, err := brackets(words[0])
	if err != nil {
		t.Fatal(err)
	}
	checkVariables(t, variables, d)
}

// ourDial is what the builders of ours are tried with.
var ourDial = orchestrator.Dial{
	Leg: "01a206e0-7f6f-76a3-a66a-5173f187d0aa", Endpoint: "user/1001", Timeout: 20_000, Display: orchestrator.Party{Number: "+4930"},
	Stamp: orchestrator.Stamp{Tenant: "t", Call: "c", Leg: "01a206e0-7f6f-76a3-a66a-5173f187d0aa", Role: orchestrator.RoleAgent, Epoch: 7},
}

func TestDefect16JobsAreNamed(t *testing.T) {
	if text := (command.API{Command: "originate", Arguments: "x &park()", Background: true}).BuildMessage(); strings.Contains(text, "Job-UUID") {
		t.Error("the library names jobs now")
	}
	if got := one(t, must(encodeDial(testConfig, ourDial))).headers["job-uuid"]; len(got) != 1 || got[0] != string(ourDial.Leg) {
		t.Errorf("ours has the job %q", got)
	}
}

func TestDefect17Linger(t *testing.T) {
	if text := (command.Linger{Enabled: true, Seconds: 10 * time.Second}).BuildMessage(); text != "linger 10000000000" {
		t.Errorf("the library lingers right now: %s", text)
	}
}

func TestDefect19AnEventIsCheap(t *testing.T) {
	const events = 200
	raw := bigEvent()
	f := newFake(t)
	lib := dialLibrary(t, f, nil)
	var heard atomic.Int64
	lib.RegisterEventListener(eslgo.EventListenAll, func(*eslgo.Event) { heard.Add(1) })
	if err := lib.EnableEvents(t.Context()); err != nil {
		t.Fatal(err)
	}
	frame := fmt.Sprintf("Content-Type: text/event-plain\nContent-Length: %d\n\n%s", len(raw), raw)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range events {
		f.send(frame)
	}
	for late := time.Now().Add(10 * time.Second); heard.Load() < events && time.Now().Before(late); {
		time.Sleep(time.Millisecond)
	}
	runtime.ReadMemStats(&after)
	library := float64(after.Mallocs-before.Mallocs) / events
	ours := testing.AllocsPerRun(events, func() { parseEvent(raw) })
	t.Logf("allocations for one event of %d bytes: the library %.0f, ours %.0f", len(raw), library, ours)
	if library < 200 || ours > library/10 {
		t.Errorf("allocations for one event: the library %.0f, ours %.0f", library, ours)
	}
}
