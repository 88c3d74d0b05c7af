package metrics_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/metrics"
)

var queue = orchestrator.Queue{ServiceLevel: 20_000, ShortAbandon: 5_000}

func TestDayCountsEachCallOnce(t *testing.T) {
	var day orchestrator.QueueDay
	for range 6 {
		metrics.Offered(&day, "2026-11-23", queue)
	}
	left := func(ms orchestrator.Millis) metrics.Left { return metrics.Left{Date: "2026-11-23", Waited: ms} }
	metrics.Answered(&day, left(20_000), queue) // exactly at the threshold is in time
	metrics.Answered(&day, left(20_001), queue)
	metrics.Abandoned(&day, left(4_999), queue)
	metrics.Abandoned(&day, left(5_000), queue) // exactly at the threshold is not short
	metrics.Abandoned(&day, left(30_000), queue)
	metrics.Overflowed(&day, left(60_000), queue)

	want := orchestrator.QueueDay{
		Date: "2026-11-23", Offered: 6, Answered: 2, AnsweredInTime: 1,
		Abandoned: 3, AbandonedShort: 1, AbandonedInTime: 2, Overflowed: 1,
		AnsweredWaitMs: 40_001, AbandonedWaitMs: 39_999, LongestWaitMs: 60_000, ServiceLevelOver: 20_000,
	}
	if day != want {
		t.Errorf("got  %+v\nwant %+v", day, want)
	}
	for name, figure := range map[string]float64{
		"service_level": 1.0 / 4, "service_level_answered": 1.0 / 2, "service_level_handled": 3.0 / 5,
		"abandon_rate": 2.0 / 4, "average_speed_of_answer": 20_000.5, "average_wait": 16_000,
	} {
		if got, ok := byName(t, name).Of(day); !ok || got != figure {
			t.Errorf("%s = %v, %v, want %v", name, got, ok, figure)
		}
	}
}

func TestNewDateStartsAtZero(t *testing.T) {
	var day orchestrator.QueueDay
	metrics.Offered(&day, "2026-11-23", queue)
	metrics.Answered(&day, metrics.Left{Date: "2026-11-24", Waited: 1}, queue)
	want := orchestrator.QueueDay{
		Date: "2026-11-24", Answered: 1, AnsweredInTime: 1, AnsweredWaitMs: 1, LongestWaitMs: 1, ServiceLevelOver: 20_000,
	}
	if day != want {
		t.Errorf("got  %+v\nwant %+v", day, want)
	}
}

func TestThresholdDefaultsToThatOfTheQueue(t *testing.T) {
	var day orchestrator.QueueDay
	metrics.Answered(&day, metrics.Left{Date: "d", Waited: orchestrator.DefaultServiceLevel}, orchestrator.Queue{})
	if day.AnsweredInTime != 1 {
		t.Errorf("a queue that names no threshold counts with %d ms", day.ServiceLevelOver)
	}
}

func TestNoCallsNoRatio(t *testing.T) {
	for _, d := range metrics.Definitions() {
		if _, ok := d.Of(orchestrator.QueueDay{}); ok != (d.Unit == metrics.Calls || d.Name == "longest_wait") {
			t.Errorf("%s of an empty day: ok = %v", d.Name, ok)
		}
	}
}

// The published formula is the one that is computed.
func TestFormulasSayWhatIsComputed(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range metrics.Definitions() {
		if seen[d.Name] {
			t.Errorf("%s is defined twice", d.Name)
		}
		seen[d.Name] = true
		expression, err := parser.ParseExpr(d.Formula)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		rapid.Check(t, func(rt *rapid.T) {
			day := drawDay(rt)
			got, ok := d.Of(day)
			want := evaluate(rt, expression, fields(rt, day))
			if ok && got != want {
				rt.Errorf("%s of %+v is %v, its formula %s gives %v", d.Name, day, got, d.Formula, want)
			}
			if d.Unit == metrics.Ratio && (got < 0 || got > 1) {
				rt.Errorf("%s of %+v is %v, not a ratio", d.Name, day, got)
			}
		})
	}
}

// Any sequence of calls gives a day whose parts fit together.
func drawDay(rt *rapid.T) orchestrator.QueueDay {
	var day orchestrator.QueueDay
	for range rapid.IntRange(0, 20).Draw(rt, "calls") {
		metrics.Offered(&day, "d", queue)
		left := metrics.Left{Date: "d", Waited: orchestrator.Millis(rapid.Int64Range(0, 60_000).Draw(rt, "waited"))}
		count := rapid.SampledFrom([]func(*orchestrator.QueueDay, metrics.Left, orchestrator.Queue){
			metrics.Answered, metrics.Abandoned, metrics.Overflowed,
		}).Draw(rt, "end")
		count(&day, left, queue)
	}
	if day.Offered != day.Answered+day.Abandoned+day.Overflowed {
		rt.Fatalf("parts of %+v do not add up", day)
	}
	return day
}

func byName(t *testing.T, name string) metrics.Definition {
	t.Helper()
	for _, d := range metrics.Definitions() {
		if d.Name == name {
			return d
		}
	}
	t.Fatalf("no figure %s", name)
	return metrics.Definition{}
}

func fields(rt *rapid.T, day orchestrator.QueueDay) map[string]any {
	text, err := json.Marshal(day)
	values := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	if err != nil {
		rt.Fatal(err)
	}
	return values
}

func evaluate(rt *rapid.T, e ast.Expr, values map[string]any) float64 {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return evaluate(rt, e.X, values)
	case *ast.Ident:
		if v, ok := values[e.Name].(float64); ok {
			return v
		}
		rt.Fatalf("formula names %s, which is no field of QueueDay", e.Name)
	case *ast.BinaryExpr:
		x, y := evaluate(rt, e.X, values), evaluate(rt, e.Y, values)
		switch e.Op {
		case token.ADD:
			return x + y
		case token.SUB:
			return x - y
		case token.QUO:
			return x / y
		}
	}
	rt.Fatalf("formula holds a %v", reflect.TypeOf(e))
	return 0
}
