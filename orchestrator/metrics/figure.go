package metrics

import "ringmaster/orchestrator"

// Unit is what a figure counts in.
type Unit string

// The units.
const (
	Calls  Unit = "calls"
	Millis Unit = "ms"
	Ratio  Unit = "ratio" // 0 to 1
)

// Definition is a figure as the API publishes it beside the value. A formula
// is in names of QueueDay's JSON fields; a test computes it from this text and
// holds it against the function.
type Definition struct {
	Name    string `json:"name"`
	Unit    Unit   `json:"unit"`
	Formula string `json:"formula"`
	Source  string `json:"source"`

	of func(orchestrator.QueueDay) (float64, bool)
}

// Of is the figure of one day. ok is false while there is nothing to divide by:
// a queue without calls has no service level, neither 0 nor 1.
func (d Definition) Of(day orchestrator.QueueDay) (value float64, ok bool) { return d.of(day) }

// ServiceLevel is the share of callers served in time, the form of Genesys
// Cloud without short abandons: answered in time / (answered + abandoned -
// abandoned short). Those who gave up waiting count against it.
func ServiceLevel(day orchestrator.QueueDay) (level float64, ok bool) {
	return ratio(day.AnsweredInTime, day.Answered+day.Abandoned-day.AbandonedShort)
}

// ServiceLevelAnswered is answered in time / answered, ServicelevelPerf of
// Asterisk's app_queue. It ignores abandons altogether.
func ServiceLevelAnswered(day orchestrator.QueueDay) (level float64, ok bool) {
	return ratio(day.AnsweredInTime, day.Answered)
}

// ServiceLevelHandled is (answered in time + abandoned in time) / (answered +
// abandoned), ServicelevelPerf2 of Asterisk's app_queue. Who gives up early
// counts as served.
func ServiceLevelHandled(day orchestrator.QueueDay) (level float64, ok bool) {
	return ratio(day.AnsweredInTime+day.AbandonedInTime, day.Answered+day.Abandoned)
}

// AbandonRate is (abandoned - abandoned short) / (answered + abandoned -
// abandoned short).
func AbandonRate(day orchestrator.QueueDay) (rate float64, ok bool) {
	lost := day.Abandoned - day.AbandonedShort
	return ratio(lost, day.Answered+lost)
}

// AverageSpeedOfAnswer is the average wait of answered calls in milliseconds,
// ringing included.
func AverageSpeedOfAnswer(day orchestrator.QueueDay) (ms float64, ok bool) {
	return ratio(day.AnsweredWaitMs, int64(day.Answered))
}

// AverageWait is the average wait in milliseconds of the calls that were
// answered or abandoned.
func AverageWait(day orchestrator.QueueDay) (ms float64, ok bool) {
	return ratio(day.AnsweredWaitMs+day.AbandonedWaitMs, int64(day.Answered+day.Abandoned))
}

// Definitions is every figure of a queue's day.
func Definitions() []Definition {
	return []Definition{
		{
			"offered", Calls, "offered", "calls that joined the queue",
			count(func(d orchestrator.QueueDay) int { return d.Offered }),
		},
		{
			"answered", Calls, "answered", "calls connected to an agent",
			count(func(d orchestrator.QueueDay) int { return d.Answered }),
		},
		{
			"abandoned", Calls, "abandoned", "callers who went while waiting, short abandons included",
			count(func(d orchestrator.QueueDay) int { return d.Abandoned }),
		},
		{
			"overflowed", Calls, "overflowed", "calls sent on by the queue: maximum wait, no agents",
			count(func(d orchestrator.QueueDay) int { return d.Overflowed }),
		},
		{
			"longest_wait", Millis, "longest_wait_ms", "of the calls that left the queue",
			count(func(d orchestrator.QueueDay) int64 { return d.LongestWaitMs }),
		},
		{
			"service_level", Ratio, "answered_in_time / (answered + abandoned - abandoned_short)",
			"Genesys Cloud's form without short abandons", ServiceLevel,
		},
		{
			"service_level_answered", Ratio, "answered_in_time / answered",
			"Asterisk app_queue, ServicelevelPerf", ServiceLevelAnswered,
		},
		{
			"service_level_handled", Ratio, "(answered_in_time + abandoned_in_time) / (answered + abandoned)",
			"Asterisk app_queue, ServicelevelPerf2", ServiceLevelHandled,
		},
		{
			"abandon_rate", Ratio, "(abandoned - abandoned_short) / (answered + abandoned - abandoned_short)",
			"share of the callers of service_level who gave up", AbandonRate,
		},
		{
			"average_speed_of_answer", Millis, "answered_wait_ms / answered",
			"ASA; waiting and ringing", AverageSpeedOfAnswer,
		},
		{
			"average_wait", Millis, "(answered_wait_ms + abandoned_wait_ms) / (answered + abandoned)",
			"calls answered or abandoned", AverageWait,
		},
	}
}

func ratio[N int | int64](part, whole N) (float64, bool) {
	if whole <= 0 {
		return 0, false
	}
	return float64(part) / float64(whole), true
}

func count[N int | int64](field func(orchestrator.QueueDay) N) func(orchestrator.QueueDay) (float64, bool) {
	return func(d orchestrator.QueueDay) (float64, bool) { return float64(field(d)), true }
}
