package console_test

import (
	"flag"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"ringmaster/api/console/browsertest"
	"ringmaster/api/gen"
)

// browser is one for all tests; nil when there is none on this machine.
var browser *browsertest.Browser

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if browsertest.Available() == nil && !testing.Short() {
		var err error
		if browser, err = browsertest.Start(); err != nil {
			log.Print(err)
			return 1
		}
		defer browser.Stop()
	}
	return m.Run()
}

// visit opens a page on the stage with the key in the link.
func visit(t *testing.T, s *stage, size browsertest.Size) *browsertest.Page {
	t.Helper()
	p := look(t, size)
	p.Open(s.URL + "/#key=" + goodKey)
	return p
}

func look(t *testing.T, size browsertest.Size) *browsertest.Page {
	t.Helper()
	if testing.Short() {
		t.Skip("browser tests take seconds")
	}
	if err := browsertest.Available(); err != nil {
		t.Skipf("NO BROWSER TEST: %v", err)
	}
	return browser.Page(t, size)
}

const soon = 5 * time.Second

const eval = "document.querySelector"

// TestKey: nobody looks in without a key, and a key goes where the person said.
func TestKey(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := look(t, browsertest.Laptop)
	p.Forgive("401")
	p.Open(s.URL)
	p.Has("Paste an API key", soon)
	p.Press("nonsense", kb.Enter)
	p.Has("This is no API key", soon)
	if s.count("/v1/") != 0 {
		t.Errorf("the server was asked: %q", s.asked)
	}
	p.Press("rm_abcdefgh_wrong", kb.Enter) // over what was selected
	p.Has("This key opens nothing here", soon)
	p.Wait("the field has the focus", `document.activeElement.id === "key"`, soon)
	p.Press("  "+goodKey+" ", kb.Enter)
	p.Has("Karin Ek", soon)
	p.Open(s.URL + "/?again")
	p.Has("Karin Ek", soon)
	kept := func(where string) bool { return browsertest.Eval[bool](p, where+`.getItem("ringmaster.key") !== null`) }
	if !kept("sessionStorage") || kept("localStorage") {
		t.Error("the key is not kept in the tab alone")
	}
	p.Click(`[aria-label^="Forget the key"]`)
	p.Has("Paste an API key", soon)
	if kept("sessionStorage") || kept("localStorage") {
		t.Error("the key is not forgotten")
	}
	p.Click(`label:has(input[type=checkbox]):nth-of-type(2)`)
	p.Click("#key")
	p.Press(goodKey, kb.Enter)
	p.Has("Karin Ek", soon)
	if !kept("localStorage") {
		t.Error("the device does not remember the key")
	}
}

// TestKeyInLink: a link may bring the key, which then stays in no address.
func TestKeyInLink(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := visit(t, s, browsertest.Laptop)
	p.Has("Karin Ek", soon)
	if at := browsertest.Eval[string](p, "location.href + history.length"); strings.Contains(at, "rm_") {
		t.Errorf("the address is %s", at)
	}
	p.Forgive("401")
	p.Open(s.URL + "/?other#key=rm_abcdefgh_revoked")
	p.Has("This key opens nothing here", soon)
	if at := browsertest.Eval[string](p, "location.href"); strings.Contains(at, "rm_") {
		t.Errorf("the address is %s", at)
	}
}

// TestLiveCall follows one call over the wallboard.
func TestLiveCall(t *testing.T) {
	s := newStage(t)
	s.busy()
	s.live.Calls = []gen.LiveCall{}
	p := visit(t, s, browsertest.Laptop)
	p.Has("No calls right now", soon)
	p.Has("500 or 501", soon)
	p.Has("Lunch break", soon)
	id := callID(50)
	call := waiting(50, "Ada", "+441632960000", "sales", 1, 0)
	within(t, time.Second, "a call appears", func() {
		s.step("call_queued", map[string]any{"call": id}, func(l *gen.Live) { l.Calls = []gen.LiveCall{call} })
	}, func() { p.Wait("a row", eval+`("[data-call=\""+`+"`"+id+"`"+`+"\"][data-phase=queued]")`, soon) })
	within(t, time.Second, "its phase changes", func() {
		s.step("call_connected", map[string]any{"call": id}, func(l *gen.Live) {
			l.Calls[0].Phase, l.Calls[0].Agent, l.Calls[0].Position = "talking", "emeka", 0
			l.Agents[4].State, l.Agents[4].Call, l.Agents[4].Since = "talking", id, time.Now()
		})
	}, func() {
		p.Wait("the row talks", eval+`("[data-call][data-phase=talking]")?.innerText.includes("Emeka Obi")`, soon)
		p.Wait("the agent talks", eval+`("[data-agent=emeka][data-state=talking]")?.innerText.includes("Ada")`, soon)
	})
	lists := s.count("/v1/calls?")
	s.step("call_ended", map[string]any{"call": id}, func(l *gen.Live) { l.Calls = []gen.LiveCall{} })
	p.Has("No calls right now", soon)
	p.Wait("recent calls are read again", "true", soon)
	for end := time.Now().Add(soon); s.count("/v1/calls?") == lists; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the list of recent calls is not read again")
		}
	}
}

func within(t *testing.T, limit time.Duration, what string, do, seen func()) {
	t.Helper()
	begun := time.Now()
	do()
	seen()
	if took := time.Since(begun); took > limit {
		t.Errorf("%s after %s, wanted within %s", what, took, limit)
	}
}

// TestCut: what cannot be known is not shown as if it were.
func TestCut(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := visit(t, s, browsertest.Laptop)
	p.Forgive("503")
	p.Has("Karin Ek", soon)
	p.Wait("it is live", eval+`("[data-link=live]")`, soon)
	s.cut(true)
	p.Wait("the indicator tells", eval+`("[data-link=cut]")`, soon)
	p.Wait("a banner tells", eval+`("[data-banner=cut]")`, soon)
	since := browsertest.Eval[string](p, eval+`("[data-agent=karin] .since").textContent`)
	time.Sleep(1500 * time.Millisecond)
	if now := browsertest.Eval[string](p, eval+`("[data-agent=karin] .since").textContent`); now != since {
		t.Errorf("a clock goes on from %s to %s while nothing is heard", since, now)
	}
	s.lock.Lock()
	s.down = false
	s.live.Switches[0].Attached, s.live.Switches[0].Reason = false, "connection refused"
	s.lock.Unlock()
	p.Wait("it is live again", eval+`("[data-link=live]") && !document.querySelector("[data-banner=cut]")`, 10*time.Second)
	p.Wait("a banner tells of the switch", eval+`("[data-banner=switch]")?.innerText.includes("connection refused")`, soon)
	s.step("switch_attached", map[string]any{}, func(l *gen.Live) { l.Switches[0].Attached = true })
	p.Wait("the banner goes", "!"+eval+`("[data-banner]")`, soon)
	s.step("overload_noted", map[string]any{}, func(l *gen.Live) { l.Switches[0].Overloaded = true })
	p.Wait("a banner tells of the load", eval+`("[data-banner=overload]")?.innerText.includes("pbx-berlin")`, soon)
	s.step("overload_noted", map[string]any{}, func(l *gen.Live) { l.Switches[0].Overloaded = false })
	p.Wait("this banner goes too", "!"+eval+`("[data-banner]")`, soon)
}

// TestRecentCalls filters, pages, opens a call and comes back.
func TestRecentCalls(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := visit(t, s, browsertest.Laptop)
	rows := func(n string) { p.Wait(n+" rows", eval+`All(".recent [role=row]").length === 1 + `+n, soon) }
	rows("25")
	p.Click(".recent .more button")
	rows("50")
	browsertest.Eval[any](p, `(() => { const e = document.querySelector(".recent select"); e.value = "billing"; e.dispatchEvent(new Event("change", { bubbles: true })) })()`)
	p.Has("No call fits", soon)
	p.Click(".recent .empty button")
	rows("25")
	p.Click(".recent input[type=search]")
	p.Press(s.ended[3].Caller.Number, kb.Enter)
	rows("1")
	p.Forgive("404") // the stage tells no story of it
	p.Click(`.recent a.whole`)
	p.Has("There is no such call", soon)
}

// TestCallPage opens a call's story with the keyboard alone and comes back to
// where it was.
func TestCallPage(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := visit(t, s, browsertest.Laptop)
	p.Wait("recent calls", eval+`(".recent a.whole")`, soon)
	p.Press(kb.Tab)
	p.Wait("the first stop skips to the content", `document.activeElement.textContent.includes("Skip")`, soon)
	p.Press(kb.Enter)
	p.Wait("the content has the focus", `document.activeElement.tagName === "MAIN"`, soon)
	in := func(selector string) string { return "document.activeElement.matches(`" + selector + "`)" }
	for n := 0; !browsertest.Eval[bool](p, in(".recent a.whole")); n++ {
		if n > 120 {
			t.Fatal("the list is not reached by Tab")
		}
		p.Press(kb.Tab)
		if !browsertest.Eval[bool](p, `(() => { const e = document.activeElement, row = e.closest("[role=row]");
			return e === document.body || [e, row].some((x) => x && getComputedStyle(x).outlineStyle !== "none") })()`) {
			t.Errorf("no focus is seen at %s", browsertest.Eval[string](p, "document.activeElement.outerHTML.slice(0, 200)"))
		}
	}
	p.Press(kb.ArrowDown, kb.ArrowDown, kb.ArrowUp, kb.ArrowUp)
	p.Press(kb.Enter)
	p.Has("What happened", soon)
	p.Wait("the heading has the focus", in("h1"), soon)
	p.Has("became free and this call was first in line", soon)
	p.Has("Hana Kobayashi", soon)
	p.Wait("six lanes are drawn", eval+`All(".picture svg text.lane").length === 6`, soon)
	p.Wait("the table tells the same", eval+`All(".picture tbody tr").length >= 10`, soon)
	p.Press(kb.Escape)
	p.Wait("the row has the focus again", in(`.recent a.whole`)+" && document.activeElement.hash === `#/call/"+callID(100)+"`", soon)
}

// TestWaitingCall: a call that waits says what would help, and its page grows
// with it.
func TestWaitingCall(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := visit(t, s, browsertest.Laptop)
	p.Has("Jo Bergström", soon)
	p.Click(`[data-call="` + callID(1) + `"] a`)
	p.Has("What would help: No agent of this queue is free", soon)
	s.lock.Lock()
	story := s.stories[callID(1)]
	story.Timeline = append(story.Timeline, gen.TimelineEntry{Seq: 9, Fact: "offer_made", Text: "offered to agent karin", OffsetMs: 57_000, What: []byte("{}")})
	s.stories[callID(1)] = story
	s.lock.Unlock()
	s.step("offer_made", map[string]any{"call": callID(1)}, nil)
	p.Has("offered to agent karin", time.Second)
}

// TestForeignText: what a stranger wrote is text.
func TestForeignText(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := visit(t, s, browsertest.Laptop)
	p.Has("<img src=x onerror=alert(1)>\uFFFD${jndi}", soon)
	if browsertest.Eval[bool](p, `Boolean(document.querySelector("img[src=x]"))`) {
		t.Error("a caller's name became an element")
	}
}

// TestSteady: figures change, nothing moves.
func TestSteady(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := visit(t, s, browsertest.Laptop)
	p.Has("Karin Ek", soon)
	p.Wait("recent calls", eval+`(".recent a.whole")`, soon)
	boxes := `JSON.stringify([...document.querySelectorAll(".totals dd, .queues .row > *, [data-agent], .calls .row > *")].map((e) => {
		const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height].map(Math.round) }))`
	before := browsertest.Eval[string](p, boxes)
	s.step("call_queued", map[string]any{}, func(l *gen.Live) {
		l.Queues[0].Waiting, l.Queues[0].Today.Answered, l.Queues[1].Talking = 7, 119, 5
		for i := range l.Agents {
			if l.Agents[i].State != "logged_out" {
				l.Agents[i].State, l.Agents[i].Since = "ready", time.Now()
			}
		}
	})
	p.Wait("it changed", eval+`(".totals dd").textContent === "9"`, soon)
	if after := browsertest.Eval[string](p, boxes); after != before {
		t.Errorf("things moved:\n%s\n%s", before, after)
	}
}

// TestMeaning: a figure tells what it means to those who ask.
func TestMeaning(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := visit(t, s, browsertest.Laptop)
	p.Has("Karin Ek", soon)
	browsertest.Eval[any](p, eval+`("[data-queue=sales] .level button").focus()`)
	p.Has("answered_in_time / (answered + abandoned - abandoned_short)", soon)
	p.Has("101 in time; 118 answered, 9 abandoned (3 of these at once)", soon)
	p.Press(kb.Escape)
	p.Wait("it is gone", "!"+eval+`("[role=tooltip]")`, soon)
}

// TestForEveryone holds each page, on each screen and in both themes, against
// what a program can tell of accessibility.
func TestForEveryone(t *testing.T) {
	s := newStage(t)
	s.busy()
	s.live.Switches = append(s.live.Switches, gen.LiveSwitch{Switch: "pbx-oslo", Since: time.Now(), Reason: "connection refused"})
	bare := newStage(t)
	for _, size := range []browsertest.Size{browsertest.Handy, browsertest.Laptop, browsertest.Wall} {
		p := look(t, size)
		check := func(what string) {
			for _, theme := range []string{"light", "dark"} {
				p.Prefer("prefers-color-scheme", theme, "prefers-reduced-motion", "reduce")
				for _, fault := range p.Audit() {
					t.Errorf("%s at %d px, %s: %s", what, size.Width, theme, fault)
				}
			}
		}
		p.Open(s.URL)
		p.Has("Paste an API key", soon)
		check("the door")
		p.Open(s.URL + "/?1#key=" + goodKey)
		p.Has("Karin Ek", soon)
		p.Wait("recent calls", eval+`(".recent a.whole")`, soon)
		check("the wallboard")
		p.Open(s.URL + "/#/call/" + callID(100))
		p.Has("What happened", soon)
		browsertest.Eval[any](p, `document.querySelectorAll("details").forEach((d) => (d.open = true))`)
		check("a call")
		p.Open(s.URL + "/#/call/" + callID(1))
		p.Has("What would help", soon)
		check("a waiting call")
		p.Open(bare.URL + "/#key=" + goodKey)
		p.Has("No queues yet", soon)
		check("an empty centre")
	}
}

// TestEveryWidth: from the smallest phone to a wall of screens nothing runs
// out of the page or of its card.
func TestEveryWidth(t *testing.T) {
	s := newStage(t)
	s.busy()
	p := visit(t, s, browsertest.Laptop)
	p.Has("Karin Ek", soon)
	p.Wait("recent calls", eval+`(".recent a.whole")`, soon)
	for _, wall := range []bool{false, true} {
		for _, width := range []int64{320, 480, 700, 801, 899, 1024, 1247, 1249, 1366, 1599, 1600, 2560, 3840} {
			p.Resize(browsertest.Size{Width: width, Height: 900})
			for _, fault := range p.Reflow() {
				t.Errorf("the wallboard at %d px (wall %t): %s", width, wall, fault)
			}
		}
		p.Resize(browsertest.Laptop)
		p.Click(`[aria-label="Wall view"]`)
	}
}
