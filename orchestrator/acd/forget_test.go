package acd

import (
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// A floor lives for years: what is over must leave nothing behind.
func TestMatcherForgets(t *testing.T) {
	m := NewMatcher()
	sales, support := Bucket{Queue: "sales"}, Bucket{Queue: "support"}
	for range 3 {
		m.SetFree("cy", time.Unix(1, 0))
		m.SetBucket(sales, orchestrator.LongestIdle, []Place{{Agent: "ana"}, {Agent: "ben"}})
		m.SetBucket(support, orchestrator.LongestIdle, []Place{{Agent: "ana"}, {Agent: "cy"}})
		m.SetFree("ana", time.Unix(1, 0))
		m.Wait(sales, Waiting{Call: "call"})
		m.SetBucket(sales, orchestrator.LongestIdle, []Place{{Agent: "ana"}})
		m.Unwait("call")
		m.DropBucket(sales)
		m.DropBucket(support)
		m.DropBucket(support)
		m.SetBusy("cy")
		m.SetBusy("ana")
	}
	if len(m.buckets)+len(m.queues)+len(m.agents)+len(m.calls) > 0 {
		t.Errorf("left behind: %+v", m)
	}
}
