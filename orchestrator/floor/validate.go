package floor

import "ringmaster/orchestrator"

// Validate finds every fault of a whole configuration, flows and hours
// included.
func Validate(c orchestrator.Config) orchestrator.Problems { return c.Validate() }
