package runner_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	o "ringmaster/orchestrator"
)

// reachable is an event whose facts nothing waits for.
func reachable(is bool) o.Event {
	return o.EndpointChanged{Switch: "pbx", Endpoint: "PJSIP/1001", Reachable: is}
}

func TestFactsNothingWaitsForShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &paper{})
		defer h.stop()
		h.furnish("Hello.")
		h.diary.lines = nil
		h.sw.events <- reachable(false)
		time.Sleep(time.Millisecond)
		h.sw.events <- reachable(true)
		synctest.Wait()
		if got := h.diary.text(); got != "" {
			t.Errorf("happened at once: %s", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := h.diary.text(); got != "durable" {
			t.Errorf("happened: %q, want one commit after 2 ms", got)
		}
	})
}

func TestCommandsDoNotWaitForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, &paper{})
		defer h.stop()
		h.furnish("Hello.")
		h.diary.lines = nil
		h.sw.events <- reachable(false)
		time.Sleep(time.Millisecond)
		h.sw.events <- o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"}
		synctest.Wait() // no time passes here
		if got := h.diary.text(); !strings.HasPrefix(got, "durable\norchestrator.Claim") {
			t.Errorf("happened: %q", got)
		}
	})
}

// TestAnswersOfOneBatchGoToTheirAskers: whoever asks while others do gets the
// facts of their own wish.
func TestAnswersOfOneBatchGoToTheirAskers(t *testing.T) {
	h := build(t, &paper{})
	h.furnish("Hello.")
	h.paper.lock.Lock() // the floor waits for its disk, and what comes gathers
	goOn := sync.OnceFunc(h.paper.lock.Unlock)
	defer goOn()
	h.sw.events <- o.LegOffered{Switch: "pbx", Leg: "pbx/1", Entry: o.EntryIn, Dialled: "500"}
	var askers sync.WaitGroup
	for _, leg := range []o.LegID{"pbx/2", "pbx/3"} {
		askers.Go(func() {
			facts, err := h.r.Submit(t.Context(), o.LegOffered{Switch: "pbx", Leg: leg, Entry: o.EntryIn, Dialled: "500"})
			if err != nil {
				t.Error(err)
				return
			}
			if arrived, ok := facts[0].What.(o.CallArrived); !ok || arrived.Leg != leg {
				t.Errorf("asked about %s, answered about %+v", leg, facts[0].What)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // both ask
	h.sw.events <- reachable(false)   // the last of the batch is one whom nobody waits for
	time.Sleep(20 * time.Millisecond)
	goOn()
	askers.Wait()
}
