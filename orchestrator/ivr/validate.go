package ivr

import "ringmaster/orchestrator"

// Known is what a flow may refer to.
type Known struct {
	Queues map[orchestrator.QueueID]bool
	Hours  map[orchestrator.HoursID]bool
}

// Validate finds every fault of a flow. Path is where the flow stands in what
// the administrator wrote ("flows[0]") and begins every problem's field.
func Validate(path string, f orchestrator.Flow, known Known) orchestrator.Problems {
	return nil
}
