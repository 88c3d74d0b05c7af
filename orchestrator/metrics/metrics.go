package metrics

import "ringmaster/orchestrator"

// Offered counts a call that joined the queue, on the given local date
// (calendar.Day). A new date starts the day at zero.
func Offered(day *orchestrator.QueueDay, date string, q orchestrator.Queue) { panic("") }

// Left is how a call left the queue.
type Left struct {
	Date   string // local date of leaving
	Waited orchestrator.Millis
}

// Answered counts a call connected to an agent after waiting.
func Answered(day *orchestrator.QueueDay, left Left, q orchestrator.Queue) { panic("") }

// Abandoned counts a caller who hung up while waiting.
func Abandoned(day *orchestrator.QueueDay, left Left, q orchestrator.Queue) { panic("") }

// Overflowed counts a call that the queue's rules sent on (max wait, no agents).
func Overflowed(day *orchestrator.QueueDay, left Left, q orchestrator.Queue) { panic("") }

// ServiceLevel is answered within the threshold / answered. ok is false
// while there is nothing to divide by.
func ServiceLevel(day orchestrator.QueueDay) (level float64, ok bool) { panic("") }

// Definition is a figure as the API publishes it.
type Definition struct {
	Name    string `json:"name"`    // as in JSON
	Unit    string `json:"unit"`    // "ratio", "ms", "calls"
	Formula string `json:"formula"` // in names of QueueDay fields
	Source  string `json:"source"`
}

// Definitions is every figure.
func Definitions() []Definition { panic("") }
