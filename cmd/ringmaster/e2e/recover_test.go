package e2e

import (
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// tracking has FreeSWITCH write down its calls, so that `sofia recover` can bring
// them back after a crash. What is shipped does not.
func tracking(name, text string) string {
	if !strings.HasPrefix(name, "sip_profiles/") {
		return text
	}
	return strings.Replace(text, "</settings>", `<param name="track-calls" value="true"/></settings>`, 1)
}

// TestSofiaRecover: FreeSWITCH dies and is started again, its calls are closed,
// and then its admin brings them back. Two who talked hear each other again, or
// both are sent off; who waited is with the fallback or comes anew: nobody is
// left with silence, and the agent is free afterwards.
func TestSofiaRecover(t *testing.T) {
	c := centreAt(t, runFreeSWITCH(t, lab.FreeSWITCHConfig{Agents: 2, Qualify: 4 * time.Second, Edit: tracking}))
	c.start()
	t.Cleanup(c.stop)
	doc := c.document(2)
	doc["queues"].([]document)[0]["wrap_up_ms"] = 0
	c.apply(doc)
	for i := range 2 {
		c.agents = append(c.agents, c.register(i, phone.AnswerAfter(300*time.Millisecond)))
	}
	c.eventually("the switch is attached", 15*time.Second, c.attached)
	c.login(0)
	talk := c.converse(t, "+49950")
	wait := c.dial(c.caller(1), "501", "+49951")
	c.eventually("a second caller waits", 5*time.Second, func() bool { return waiting(c.live(), "sales") == 1 })
	time.Sleep(2 * time.Second) // calls and registrations are written down once a second
	c.pbx.Kill()
	c.eventually("the loss is noticed", 12*time.Second, func() bool { return !c.attached() })
	if err := c.pbx.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.eventually("the switch is back", 30*time.Second, c.attached)
	c.toldOnce(t, "+49950", "+49951")
	time.Sleep(3 * time.Second)

	console := c.pbx.machine.(interface {
		CLI(command string) (string, error)
	})
	out, err := console.CLI("sofia recover")
	if err != nil || !strings.Contains(out, "Recovered 3") {
		t.Fatalf("FreeSWITCH recovers nothing: %q %v", out, err)
	}
	recovered := time.Now()
	time.Sleep(6 * time.Second)
	t.Logf("talk: caller %t, agent %t; who waited %t; %+v", talk.call.Up(), talk.ring.Up(), wait.Up(), c.live().Calls)
	if talk.call.Up() != talk.ring.Up() {
		t.Errorf("one of two who talked is left: caller %t, agent %t", talk.call.Up(), talk.ring.Up())
	}
	if talk.call.Up() {
		c.hears(talk.call, agentHz, recovered.Add(3*time.Second))
		c.hears(talk.ring, callerHz, recovered.Add(3*time.Second))
		// Who stays when the other has hung up is in care for eight seconds more.
		for _, over := range []*phone.Call{talk.call, talk.ring} {
			over.Hangup(t.Context()) // the switch may have been quicker
		}
	}
	t.Logf("who waited is with ringmaster: %t", c.taken(t, "+49951", dialplanMost+promptly))
	wait.Hangup(t.Context()) // the fallback's one phone may have been busy
	c.eventually("nobody is there", 10*time.Second, func() bool { return len(c.live().Calls) == 0 })
	c.eventually("the agent is ready", 10*time.Second, func() bool { return c.agent(0).State == orchestrator.AgentReady })
	c.eventually("FreeSWITCH has no channel left", 15*time.Second, func() bool {
		out, err := console.CLI("show channels count")
		return err == nil && strings.Contains(out, "0 total")
	})
	c.next(t, "+49952")
}
