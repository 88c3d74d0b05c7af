package metrics

import "ringmaster/orchestrator"

// Left is how a call left a queue.
type Left struct {
	Date   string              // the tenant's local date at that instant: calendar.Day
	Waited orchestrator.Millis // since it first came to this queue
}

// Offered counts a call that joined a queue on the given local date. Like
// every count here it starts the day anew when the date is another: a call
// that waits past midnight is offered on one day and leaves on the next, so
// no figure divides by Offered.
func Offered(day *orchestrator.QueueDay, date string, q orchestrator.Queue) {
	begin(day, date, q)
	day.Offered++
}

// Answered counts a call that was connected to an agent. It is in time if it
// waited no longer than the queue's service level threshold.
func Answered(day *orchestrator.QueueDay, left Left, q orchestrator.Queue) {
	begin(day, left.Date, q)
	day.Answered++
	day.AnsweredWaitMs += int64(left.Waited)
	if left.Waited <= day.ServiceLevelOver {
		day.AnsweredInTime++
	}
	waited(day, left)
}

// Abandoned counts a caller who went while waiting: short if that was before
// the queue's short-abandon threshold, in time if within the service level's.
func Abandoned(day *orchestrator.QueueDay, left Left, q orchestrator.Queue) {
	begin(day, left.Date, q)
	day.Abandoned++
	day.AbandonedWaitMs += int64(left.Waited)
	if left.Waited < q.ShortAbandon {
		day.AbandonedShort++
	}
	if left.Waited <= day.ServiceLevelOver {
		day.AbandonedInTime++
	}
	waited(day, left)
}

// Overflowed counts a call that the queue's own rules sent elsewhere.
func Overflowed(day *orchestrator.QueueDay, left Left, q orchestrator.Queue) {
	begin(day, left.Date, q)
	day.Overflowed++
	waited(day, left)
}

// begin starts a new day if the date says so. The threshold is that of the
// queue's version the call entered with; a day during which it was changed
// keeps each call as it was counted and shows the last one.
func begin(day *orchestrator.QueueDay, date string, q orchestrator.Queue) {
	if day.Date != date {
		*day = orchestrator.QueueDay{Date: date}
	}
	day.ServiceLevelOver = q.WithDefaults().ServiceLevel
}

func waited(day *orchestrator.QueueDay, left Left) {
	day.LongestWaitMs = max(day.LongestWaitMs, int64(left.Waited))
}
