package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringmaster/api"
	"ringmaster/orchestrator"
)

func TestPrometheusSeesTheFloor(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := newSite(t, func(c *api.Config) { c.Registry = registry })
	since := s.floor.live.At.Add(-30 * time.Second)
	s.floor.live.Queues = []orchestrator.LiveQueue{{
		Queue: "sales", Waiting: 2, WaitingSince: &since, AgentsReady: 1, Today: orchestrator.QueueDay{Offered: 9, Abandoned: 1},
	}}
	s.floor.live.Agents = []orchestrator.LiveAgent{{Agent: "ana", State: orchestrator.AgentReady}, {Agent: "ben", State: orchestrator.AgentReady}}
	s.floor.live.Calls = []orchestrator.LiveCall{{Call: aCall, Phase: orchestrator.PhaseQueued}}
	s.must(registry.Register(api.NewFloorCollector("t", s.floor)))
	text := string(s.call("GET", "/metrics", nil).body)
	for _, want := range []string{
		`ringmaster_queue_waiting{queue="sales",tenant="t"} 2`, `ringmaster_queue_longest_wait_seconds{queue="sales",tenant="t"} 30`,
		`ringmaster_queue_agents_ready{queue="sales",tenant="t"} 1`, `ringmaster_queue_calls_today{count="offered",queue="sales",tenant="t"} 9`,
		`ringmaster_agents{state="ready",tenant="t"} 2`, `ringmaster_calls{phase="queued",tenant="t"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("/metrics does not say %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, aCall) {
		t.Error("a call's id is a label")
	}
}
