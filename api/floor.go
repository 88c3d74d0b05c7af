package api

import (
	"context"

	"ringmaster/orchestrator"
)

// Floor is how the API reads and moves a floor; orchestrator/runner implements
// it. Every method is safe for concurrent use.
type Floor interface {
	// Submit puts an event in line and returns the facts it caused, once they
	// are durable. An orchestrator.Error with CodeUnavailable means that the
	// floor could not take it and nothing happened.
	Submit(ctx context.Context, e orchestrator.Event) ([]orchestrator.Fact, error)
	// Live is the floor at this instant.
	Live(ctx context.Context) (orchestrator.Live, error)
	// Explain speaks of a call that is here now; false for any other.
	Explain(ctx context.Context, call orchestrator.CallID) (orchestrator.Explanation, bool, error)
	// Subscribe sends the facts with a Seq above after, in order. It is not
	// complete when the past no longer reaches back that far: then it begins
	// with the oldest fact there is, or with the next. The channel is closed
	// when its reader is too slow or the floor stops. cancel may be repeated.
	Subscribe(after uint64) (facts <-chan orchestrator.Fact, complete bool, cancel func())
}
