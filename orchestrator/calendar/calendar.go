package calendar

import (
	"time"

	"ringmaster/orchestrator"
)

// State is what opening hours say of an instant.
type State string

// The states. They are also the exits of an hours node.
const (
	Open    State = orchestrator.ExitOpen
	Closed  State = orchestrator.ExitClosed
	Holiday State = orchestrator.ExitHoliday // closed, and the date is a holiday
)

const daySeconds = 24 * 60 * 60

// horizonDays is how far NextChange looks: hours and holidays repeat or are
// known for about a year.
const horizonDays = 370

// Compiled is opening hours with their zone resolved. It is immutable and safe
// for concurrent use.
//
// The clock on the wall decides: a span is open at every instant whose local
// time lies in it. When clocks go back, the hour that comes twice is open twice;
// an opening inside the hour that is skipped takes place from the skip on, or
// not at all if it also ends there. A span belongs to the date on which it
// begins, so one that runs past midnight runs into a holiday, and a holiday's
// own span runs into the day after.
type Compiled struct {
	zone     *time.Location
	weekly   [7][]span // by time.Weekday
	holidays map[string]holiday
}

// span is seconds of the local day, from inclusive, to exclusive. to is more
// than a day for a span that ends on the day after.
type span struct{ from, to int }

type holiday struct {
	name  string
	spans []span
}

// Compile checks h and resolves its zone, which may read zone files: do it when
// the configuration changes and keep the result. The error is of type
// orchestrator.Problems.
func Compile(h orchestrator.Hours) (*Compiled, error) {
	if problems := Validate("", h); len(problems) > 0 {
		return nil, problems
	}
	zone, err := LoadZone(h.Zone)
	if err != nil {
		return nil, err
	}
	c := &Compiled{zone: zone, holidays: map[string]holiday{}}
	for _, o := range h.Weekly {
		for _, name := range o.Days {
			day, _ := weekday(name)
			c.weekly[day] = append(c.weekly[day], spanOf(o))
		}
	}
	for _, d := range h.Holidays {
		entry := holiday{name: d.Name}
		for _, o := range d.Open {
			entry.spans = append(entry.spans, spanOf(o))
		}
		c.holidays[d.Date] = entry
	}
	return c, nil
}

// At is the state at an instant, and the holiday's name if the state is
// Holiday.
func (c *Compiled) At(at time.Time) (state State, name string) {
	local := at.In(c.zone)
	second := secondOfDay(local)
	if openAt(c.spansOf(local), second) || openAt(c.spansOf(dayBefore(local)), second+daySeconds) {
		return Open, ""
	}
	if entry, ok := c.holidays[local.Format(time.DateOnly)]; ok {
		return Holiday, entry.name
	}
	return Closed, ""
}

// NextChange is the first instant after at whose state is another. ok is false
// if there is none within a year.
func (c *Compiled) NextChange(at time.Time) (next time.Time, ok bool) {
	state, _ := c.At(at)
	end := at.AddDate(0, 0, horizonDays)
	for next = c.nextBoundary(at); next.Before(end); next = c.nextBoundary(next) {
		if other, _ := c.At(next); other != state {
			return next, true
		}
	}
	return time.Time{}, false
}

// nextBoundary is the first instant after t at which the state may change: a
// span's end or begin, midnight, or a change of the clocks. Up to a change of
// the clocks, wall clock and time pass alike, which makes the sum below exact.
func (c *Compiled) nextBoundary(t time.Time) time.Time {
	local := t.In(c.zone)
	now := secondOfDay(local)
	first := daySeconds
	consider := func(second int) {
		if second > now && second < first {
			first = second
		}
	}
	for _, s := range c.spansOf(local) {
		consider(s.from)
		consider(s.to)
	}
	for _, s := range c.spansOf(dayBefore(local)) {
		consider(s.to - daySeconds)
	}
	next := t.Truncate(time.Second).Add(time.Duration(first-now) * time.Second)
	if _, clocksChange := local.ZoneBounds(); !clocksChange.IsZero() && clocksChange.Before(next) {
		return clocksChange
	}
	return next
}

// spansOf is the spans that begin on the local date of day.
func (c *Compiled) spansOf(day time.Time) []span {
	if entry, ok := c.holidays[day.Format(time.DateOnly)]; ok {
		return entry.spans
	}
	return c.weekly[day.Weekday()]
}

func openAt(spans []span, second int) bool {
	for _, s := range spans {
		if s.from <= second && second < s.to {
			return true
		}
	}
	return false
}

// dayBefore is some instant of the local date before t's. It is made in UTC,
// where every date has a noon.
func dayBefore(t time.Time) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day-1, 12, 0, 0, 0, time.UTC)
}

func secondOfDay(t time.Time) int {
	hour, minute, second := t.Clock()
	return (hour*60+minute)*60 + second
}

// Day is the local date at an instant, "2026-11-23".
func Day(zone *time.Location, at time.Time) string { return at.In(zone).Format(time.DateOnly) }
