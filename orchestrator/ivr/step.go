package ivr

import (
	"cmp"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// Budget is how many nodes a call may enter without waiting for anything (a
// play's end, digits, an agent) before the floor ends it with
// ReasonFlowBudget. Validation refuses loops of such nodes; this bound holds
// for whatever validation did not foresee.
const Budget = 100

// Defaults of a menu node.
const (
	DefaultQuestionTimeout   = 5 * time.Second
	DefaultInterDigitTimeout = 3 * time.Second
	DefaultRetries           = 2
)

// QuestionTimeout is how long a menu waits for the first digit after its
// question has been heard.
func QuestionTimeout(n orchestrator.Node) time.Duration {
	return cmp.Or(n.Timeout.Duration(), DefaultQuestionTimeout)
}

// InterDigitTimeout is how long a menu waits for each further digit.
func InterDigitTimeout(n orchestrator.Node) time.Duration {
	return cmp.Or(n.InterDigit.Duration(), DefaultInterDigitTimeout)
}

// Tries is how often a menu asks its question at most: once and its retries.
func Tries(n orchestrator.Node) int {
	return 1 + max(0, cmp.Or(n.Retries, DefaultRetries))
}

// Exit is the node an exit of n leads to. An exit that is not connected takes
// the node type's default exit: see the NodeType constants. ok is false if that
// is not connected either: then a queue node follows the queue's overflow and
// any other ends the call.
func Exit(n orchestrator.Node, exit string) (node string, ok bool) {
	if node, ok = n.On[exit]; ok {
		return node, true
	}
	switch {
	case n.Type == orchestrator.NodePlay && exit == orchestrator.ExitFailed:
		node, ok = n.On[orchestrator.ExitNext]
	case n.Type == orchestrator.NodeHours && exit == orchestrator.ExitHoliday:
		node, ok = n.On[orchestrator.ExitClosed]
	}
	return node, ok
}

// Match says what the digits dialled so far are at menu n.
func Match(n orchestrator.Node, digits string) Verdict {
	v := Wrong
	for choice := range n.On { // order-free: each choice only adds to the verdict
		switch {
		case !isChoice(choice):
		case choice == digits:
			v |= chosen
		case strings.HasPrefix(choice, digits):
			v |= growing
		}
	}
	return v
}

// Verdict is what digits are at a menu.
type Verdict uint8

const (
	chosen  Verdict = 1 << iota // the digits are a choice
	growing                     // the digits begin a longer choice
)

// The verdicts.
const (
	// Wrong digits are no choice and begin none.
	Wrong Verdict = 0
	// Complete digits are a choice and begin no longer one: take it at once.
	Complete = chosen
	// Pending digits begin a choice and are none: at the end of the
	// inter-digit time they are wrong.
	Pending = growing
	// PendingComplete digits are a choice and begin a longer one: at the end
	// of the inter-digit time the choice is taken.
	PendingComplete = chosen | growing
)

// isChoice tells a menu's choices from its other exits: digits, '*' and '#'.
func isChoice(exit string) bool {
	return exit != "" && strings.Trim(exit, "0123456789*#") == ""
}
