package e2e

import (
	"context"
	"testing"
	"time"

	"ringmaster/api/console/browsertest"
	"ringmaster/orchestrator"
)

// TestConsole looks at a real call as a supervisor would: on the wallboard, on
// the call's own page, and through a crash of Ringmaster in the middle.
func TestConsole(t *testing.T) {
	if err := browsertest.Available(); err != nil {
		t.Skipf("NO BROWSER TEST: %v", err)
	}
	c := open(t, 2, nil)
	browser, err := browsertest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(browser.Stop)
	p := browser.Page(t, browsertest.Laptop)
	p.Forgive("net::ERR_")                 // while Ringmaster is away
	p.Forgive("503 (Service Unavailable)") // until it leads again
	p.Open("http://" + c.address + "/#key=" + c.key)
	p.Has("No calls right now", 10*time.Second)
	p.Has("500 or 501", 5*time.Second)
	p.Has("Nobody is logged in", 5*time.Second)

	call := c.dial(c.caller(0), "501", "+493012345")
	soon(t, p, "the call waits", `document.querySelector("[data-phase=queued]")?.innerText.includes("+493012345")`)
	c.login(0)
	c.eventually("they talk", 10*time.Second, func() bool { return c.agent(0).State == orchestrator.AgentTalking })
	soon(t, p, "the call talks", `document.querySelector("[data-phase=talking]")`)
	soon(t, p, "the agent talks", `document.querySelector("[data-agent=agent1][data-state=talking]")`)

	p.Click("[data-phase=talking] a")
	p.Has("What happened", 5*time.Second)
	p.Has("Agent 1001 became free and this call was first in line", 5*time.Second)
	p.Wait("lanes of caller, queue and agent", `document.querySelectorAll(".picture svg text.lane").length >= 3`, 5*time.Second)
	for _, fault := range p.Audit() {
		t.Error(fault)
	}

	c.kill()
	p.Wait("the page tells that it is cut", `document.querySelector("[data-banner=cut]")`, 5*time.Second)
	c.start()
	p.Wait("the page is live again", `document.querySelector("[data-link=live]") && !document.querySelector("[data-banner]")`, 20*time.Second)
	if !call.Up() {
		t.Error("the call did not outlive the crash")
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := call.Hangup(ctx); err != nil {
		t.Fatal(err)
	}
	p.Wait("the call's page tells its end", `document.querySelector("article header .mark")?.innerText === "Talked"`, 5*time.Second)
	p.Click(".back a")
	p.Wait("it is among the recent calls", `document.querySelector(".recent a.whole")`, 5*time.Second)
}

// soon is the promise of a live page: one second.
func soon(t *testing.T, p *browsertest.Page, what, expression string) {
	t.Helper()
	if took := p.Wait(what, expression, 10*time.Second); took > time.Second {
		t.Errorf("%s: seen after %s, wanted within 1 s", what, took)
	}
}
