package calendar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// Bounds of one object of opening hours.
const (
	MaxOpenings = 100
	MaxHolidays = 1000
)

var days = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} //nolint:gochecknoglobals // a table nobody writes

// Validate finds every fault of opening hours. Path is where they stand in what
// the administrator wrote ("hours[0]") and begins every problem's field.
func Validate(path string, h orchestrator.Hours) orchestrator.Problems {
	var found orchestrator.Problems
	if h.Zone == "" {
		found.Add(join(path, "zone"), `a time zone is needed, for example "Europe/Berlin"`)
	} else if _, err := LoadZone(h.Zone); err != nil {
		found.Add(join(path, "zone"), "%s", err)
	}
	if len(h.Weekly) > MaxOpenings {
		found.Add(join(path, "weekly"), "%d openings are too many, at most %d", len(h.Weekly), MaxOpenings)
		return found
	}
	for i, o := range h.Weekly {
		at := join(path, fmt.Sprintf("weekly[%d]", i))
		validateDays(&found, at, o.Days)
		validateSpan(&found, at, o)
	}
	validateHolidays(&found, path, h.Holidays)
	return found
}

func validateHolidays(found *orchestrator.Problems, path string, holidays []orchestrator.Holiday) {
	if len(holidays) > MaxHolidays {
		found.Add(join(path, "holidays"), "%d holidays are too many, at most %d", len(holidays), MaxHolidays)
		return
	}
	first := map[string]int{}
	for i, d := range holidays {
		at := join(path, fmt.Sprintf("holidays[%d]", i))
		if _, err := time.Parse(time.DateOnly, d.Date); err != nil {
			found.Add(at+".date", `%q is no date; write year, month and day, for example "2026-12-25"`, d.Date)
		} else if before, twice := first[d.Date]; twice {
			found.Add(at+".date", "%s is a holiday already (holidays[%d])", d.Date, before)
		} else {
			first[d.Date] = i
		}
		orchestrator.ValidateText(found, at+".name", d.Name)
		if len(d.Open) > MaxOpenings {
			found.Add(at+".open", "%d openings are too many, at most %d", len(d.Open), MaxOpenings)
			continue
		}
		for j, o := range d.Open {
			validateSpan(found, fmt.Sprintf("%s.open[%d]", at, j), o)
		}
	}
}

func validateDays(found *orchestrator.Problems, at string, names []string) {
	if len(names) == 0 {
		found.Add(at+".days", "no days; write one or more of mon, tue, wed, thu, fri, sat, sun")
	}
	for i, name := range names {
		field := fmt.Sprintf("%s.days[%d]", at, i)
		if _, ok := weekday(name); !ok {
			found.Add(field, "%q is no day; the days are mon, tue, wed, thu, fri, sat, sun", name)
		} else if slices.Contains(names[:i], name) {
			found.Add(field, "%s is there twice", name)
		}
	}
}

func validateSpan(found *orchestrator.Problems, at string, o orchestrator.Opening) {
	from, fromOK := clock(o.From)
	if !fromOK || from == daySeconds {
		found.Add(at+".from", `%q is no time of day; write "00:00" to "23:59"`, o.From)
		fromOK = false
	}
	to, toOK := clock(o.To)
	if !toOK {
		found.Add(at+".to", `%q is no time of day; write "00:00" to "24:00"`, o.To)
	}
	if fromOK && toOK && from == to {
		found.Add(at+".to", `an opening from %s to %s is empty; for the whole day write "00:00" to "24:00"`, o.From, o.To)
	}
}

// spanOf reads an opening that validateSpan has nothing against.
func spanOf(o orchestrator.Opening) span {
	from, _ := clock(o.From)
	to, _ := clock(o.To)
	if to < from {
		to += daySeconds
	}
	return span{from, to}
}

// clock reads "00:00" to "24:00" as seconds of the day.
func clock(text string) (seconds int, ok bool) {
	hours, minutes, found := strings.Cut(text, ":")
	if !found || len(hours) != 2 || len(minutes) != 2 {
		return 0, false
	}
	h, hErr := strconv.ParseUint(hours, 10, 8)
	m, mErr := strconv.ParseUint(minutes, 10, 8)
	if hErr != nil || mErr != nil || m > 59 || h*60+m > 24*60 {
		return 0, false
	}
	return int(h*60+m) * 60, true
}

func weekday(name string) (day time.Weekday, ok bool) {
	i := slices.Index(days, name)
	return time.Weekday(i), i >= 0
}

// LoadZone resolves an IANA zone name; "" is UTC. "Local" is refused: what it
// means depends on the machine.
func LoadZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, fmt.Errorf(`zone "Local" differs from machine to machine; write, for example, "Europe/Berlin"`)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf(`%q is no time zone; write, for example, "Europe/Berlin" or "UTC"`, name)
	}
	return zone, nil
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}
