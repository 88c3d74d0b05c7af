package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"ringmaster/cmd/phonebank/phone"
)

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeTable prints a summary for people.
func writeTable(w io.Writer, s *Summary) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	c, a := s.Callers, s.Agents
	fmt.Fprintf(t, "\nRan %.0f s from %s with seed %d, %d phones registered.\n\n",
		s.Seconds, s.StartedAt.Format(time.DateTime), s.Seed, s.Registered)
	if c.Placed+c.NotPlaced > 0 {
		fmt.Fprintf(t, "CALLERS\t%d calls placed\t%d answered by the PBX\t%d not placed (concurrent_max)\n", c.Placed, c.Answered, c.NotPlaced)
		for _, o := range []struct {
			name string
			n    int
			what string
		}{
			{"reached", c.Reached, "heard an agent"},
			{"abandoned", c.Abandoned, "lost patience before"},
			{"rejected", c.Rejected, statuses(c.Codes)},
			{"dropped", c.Dropped, "hung up by the PBX before"},
			{"failed", c.Failed, "no answer, or no media"},
			{"stopped", c.Stopped, "still waiting at the end of the run"},
		} {
			fmt.Fprintf(t, "  %s\t%d\t%s\t%s\n", o.name, o.n, share(o.n, c.Placed), o.what)
		}
		fmt.Fprintln(t)
	}
	if s.Registered > 0 {
		fmt.Fprintf(t, "AGENTS\t%d calls rung\t%d answered\t%d rejected, %d missed, %d failed, %d stopped, %d datagrams ignored\n\n",
			a.Rung, a.Answered, a.Rejected, a.Missed, a.Failed, a.Stopped, a.Ignored)
	}
	writeTimes(t, s)
	fmt.Fprint(t, "\nSOUND\tjudged\tgood\theard nothing\theard own side\tlongest gap p50 / p99 / max ms\n")
	for _, side := range []struct {
		name string
		SoundSummary
	}{{"callers hear agents", s.CallerSound}, {"agents hear callers", s.AgentSound}} {
		fmt.Fprintf(t, "  %s\t%d\t%d\t%d\t%d\t%.0f / %.0f / %.0f\n", side.name, side.Judged, side.Good, side.Nothing, side.Own,
			side.Gap.P50Ms, side.Gap.P99Ms, side.Gap.MaxMs)
	}
	for _, e := range s.Errors {
		fmt.Fprintf(t, "\nerror: %s", e)
	}
	if len(s.Errors) > 0 {
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func writeTimes(w io.Writer, s *Summary) {
	fmt.Fprint(w, "TIMES in ms\tp50\tp95\tp99\tmax\tn\n")
	for _, row := range []struct {
		name string
		Percentiles
	}{
		{"INVITE to 180 ringing", s.Callers.Ring},
		{"INVITE to 200 answered", s.Callers.Answer},
		{"INVITE to agent heard", s.Callers.Reach},
		{"agent heard to end", s.Callers.Talk},
		{"agent's end to next INVITE", s.Agents.Idle},
	} {
		if row.N > 0 {
			fmt.Fprintf(w, "  %s\t%.1f\t%.1f\t%.1f\t%.1f\t%d\n", row.name, row.P50Ms, row.P95Ms, row.P99Ms, row.MaxMs, row.N)
		}
	}
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(of))
}

// statuses lists the final SIP statuses other than 200, the most telling part of a rejection.
func statuses(codes map[string]int) string {
	var out []string
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if code != "200" && code != "0" {
			out = append(out, fmt.Sprintf("%s: %d", code, codes[code]))
		}
	}
	if len(out) == 0 {
		return "by a final status"
	}
	return "final statuses " + strings.Join(out, ", ")
}

// teller is told every event with the role of the phone.
type teller = func(role string, e phone.Event)

// maxQueued bounds the events waiting for a slow reader.
const maxQueued = 10_000

// liveEvent is a line of the live output.
type liveEvent struct {
	Role string `json:"role"`
	phone.Event
}

// lastLine ends the live output.
type lastLine struct {
	Kind       string    `json:"kind"`
	At         time.Time `json:"at"`
	EventsLost int64     `json:"events_lost"`
	Summary    *Summary  `json:"summary,omitempty"`
}

// eventWriter writes events as JSON lines on one goroutine, so that a phone never waits for a reader.
type eventWriter struct {
	out   *bufio.Writer
	queue chan liveEvent
	done  chan error
	lost  atomic.Int64
	gone  func() // called when the reader went away
}

func newEventWriter(w io.Writer, gone func()) *eventWriter {
	e := &eventWriter{out: bufio.NewWriter(w), queue: make(chan liveEvent, maxQueued), done: make(chan error, 1), gone: gone}
	go e.write()
	return e
}

func (w *eventWriter) tell(role string, e phone.Event) {
	select {
	case w.queue <- liveEvent{role, e}:
	default:
		w.lost.Add(1)
	}
}

func (w *eventWriter) write() {
	encode := json.NewEncoder(w.out)
	var failed error
	for e := range w.queue {
		if failed != nil {
			continue
		}
		if failed = encode.Encode(e); failed == nil && len(w.queue) == 0 {
			failed = w.out.Flush()
		}
		if failed != nil {
			w.gone()
		}
	}
	w.done <- failed
}

// close ends the output with the result. No event may be told after it.
func (w *eventWriter) close(s *Summary) error {
	close(w.queue)
	if err := <-w.done; err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if err := json.NewEncoder(w.out).Encode(lastLine{"summary", time.Now(), w.lost.Load(), s}); err != nil {
		return err
	}
	return w.out.Flush()
}
