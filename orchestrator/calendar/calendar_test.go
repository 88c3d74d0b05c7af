package calendar_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/calendar"
)

func weekly(days, from, to string) orchestrator.Opening {
	return orchestrator.Opening{Days: strings.Fields(days), From: from, To: to}
}

var office = orchestrator.Hours{
	ID: "office", Zone: "Europe/Berlin",
	Weekly: []orchestrator.Opening{
		weekly("mon tue wed thu", "09:00", "12:30"),
		weekly("mon tue wed thu", "13:30", "17:30"),
		weekly("fri", "20:00", "02:00"), // past midnight
		weekly("sun", "00:00", "24:00"),
	},
	Holidays: []orchestrator.Holiday{
		{Date: "2026-12-25", Name: "Christmas"}, // a Friday
		{Date: "2026-12-24", Name: "Christmas Eve", Open: []orchestrator.Opening{{From: "09:00", To: "12:00"}}},
		{Date: "2026-12-31", Name: "New Year's Eve", Open: []orchestrator.Opening{{From: "22:00", To: "03:00"}}},
		{Date: "2027-01-01", Name: "New Year"},
	},
}

func TestOfficeHours(t *testing.T) {
	for _, c := range []struct {
		at, want, why string
	}{
		{"2026-11-23 08:59:59", "closed", "Monday, a second before"},
		{"2026-11-23 09:00:00", "open", "from is inclusive"},
		{"2026-11-23 12:29:59", "open", "the last second"},
		{"2026-11-23 12:30:00", "closed", "to is exclusive"},
		{"2026-11-23 13:30:00", "open", "the second span of the day"},
		{"2026-11-27 23:59:59", "open", "Friday night"},
		{"2026-11-28 01:59:59", "open", "a span belongs to the day it begins on"},
		{"2026-11-28 02:00:00", "closed", "Saturday has none of its own"},
		{"2026-11-29 00:00:00", "open", "Sunday, all day"},
		{"2026-11-29 23:59:59", "open", "24:00 is the end of the day"},
		{"2026-11-30 00:00:00", "closed", "Monday"},
		{"2026-12-24 10:00:00", "open", "a holiday's own hours"},
		{"2026-12-24 14:00:00", "holiday Christmas Eve", "they replace Thursday's"},
		{"2026-12-25 21:00:00", "holiday Christmas", "no Friday night"},
		{"2026-12-26 01:00:00", "closed", "nor its end on Saturday"},
		{"2026-12-31 23:00:00", "open", "a holiday's span"},
		{"2027-01-01 02:59:59", "open", "runs past midnight, even into a holiday"},
		{"2027-01-01 03:00:00", "holiday New Year", "and then it is one"},
	} {
		if got := stateAt(t, office, c.at); got != c.want {
			t.Errorf("%s is %s, want %s: %s", c.at, got, c.want, c.why)
		}
	}
}

func TestClocksGoForward(t *testing.T) {
	// Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
	night := orchestrator.Hours{Zone: "Europe/Berlin", Weekly: []orchestrator.Opening{weekly("sun", "02:30", "10:00")}}
	skipped := orchestrator.Hours{Zone: "Europe/Berlin", Weekly: []orchestrator.Opening{weekly("sun", "02:15", "02:45")}}
	before, skip := utc("2026-03-29 00:59:59"), utc("2026-03-29 01:00:00")
	if s, _ := compile(t, night).At(before); s != calendar.Closed {
		t.Errorf("at 01:59:59 it is %s", s)
	}
	if s, _ := compile(t, night).At(skip); s != calendar.Open {
		t.Errorf("at 03:00, an opening from 02:30 is %s", s)
	}
	if next, ok := compile(t, night).NextChange(before); !ok || !next.Equal(skip) {
		t.Errorf("opens at %v, want the instant of the skip", next)
	}
	next, ok := compile(t, skipped).NextChange(utc("2026-03-28 12:00:00"))
	if want := utc("2026-04-05 00:15:00"); !ok || !next.Equal(want) { // 02:15 in summer time
		t.Errorf("an opening that is skipped whole is next at %v, want a week later, %v", next.UTC(), want)
	}
}

func TestClocksGoBack(t *testing.T) {
	// Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
	h := compile(t, orchestrator.Hours{Zone: "Europe/Berlin", Weekly: []orchestrator.Opening{weekly("sun", "02:00", "02:30")}})
	at := utc("2026-10-24 12:00:00")
	for i, want := range []string{
		"2026-10-25 00:00:00", "2026-10-25 00:30:00", // 02:00 to 02:30 in summer time
		"2026-10-25 01:00:00", "2026-10-25 01:30:00", // and again in winter time
		"2026-11-01 01:00:00",
	} {
		next, ok := h.NextChange(at)
		if !ok || !next.Equal(utc(want)) {
			t.Fatalf("change %d is at %v, want %s", i, next.UTC(), want)
		}
		at = next
	}
}

func TestChangeComesAtTheFullSecond(t *testing.T) {
	at := utc("2026-11-23 07:59:59").Add(999_999_999)
	if next, ok := compile(t, office).NextChange(at); !ok || !next.Equal(utc("2026-11-23 08:00:00")) {
		t.Errorf("from %v it changes at %v", at, next)
	}
}

func TestNeverChanges(t *testing.T) {
	for name, h := range map[string]orchestrator.Hours{
		"always": {Zone: "UTC", Weekly: []orchestrator.Opening{weekly("mon tue wed thu fri sat sun", "00:00", "24:00")}},
		"never":  {Zone: "UTC"},
	} {
		if next, ok := compile(t, h).NextChange(utc("2026-01-01 00:00:00")); ok {
			t.Errorf("%s changes at %v", name, next)
		}
	}
}

func TestDayIsLocal(t *testing.T) {
	auckland, err := calendar.LoadZone("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	if got := calendar.Day(auckland, utc("2026-11-23 12:00:00")); got != "2026-11-24" {
		t.Errorf("got %s", got)
	}
	if zone, err := calendar.LoadZone(""); err != nil || zone != time.UTC {
		t.Errorf("no zone is %v, %v, want UTC", zone, err)
	}
}

// Every answer agrees with one that compares wall-clock texts, and the next
// change is the first minute at which that answer differs.
func TestAgreesWithWallClock(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHours(rt)
		c, err := calendar.Compile(h)
		if err != nil {
			rt.Fatalf("drawn hours are invalid: %v", err)
		}
		zone, _ := calendar.LoadZone(h.Zone)
		// Around the changes of the clocks of 2026, in either hemisphere.
		start := rapid.SampledFrom([]string{
			"2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2026-06-01",
		}).Draw(rt, "start")
		at := utc(start + " 00:00:00").Add(time.Duration(rapid.IntRange(0, 48*60).Draw(rt, "minute")) * time.Minute)
		state := wallClock(h, at.In(zone))
		if got, _ := c.At(at); string(got) != state {
			rt.Fatalf("at %v it is %s, by the wall clock %s", at.In(zone), got, state)
		}
		const horizon = 9 * 24 * 60
		next, ok := c.NextChange(at)
		for m := 1; m <= horizon; m++ {
			then := at.Add(time.Duration(m) * time.Minute)
			if wallClock(h, then.In(zone)) == state {
				continue
			}
			if !ok || !next.Equal(then) {
				rt.Fatalf("from %v the next change is %v, by the wall clock %v", at.In(zone), next.In(zone), then.In(zone))
			}
			return
		}
		if ok && !next.After(at.Add(horizon*time.Minute)) {
			rt.Fatalf("from %v a change at %v, by the wall clock there is none", at.In(zone), next.In(zone))
		}
	})
}

// wallClock compares texts, minute by minute: slow, and plain to see.
func wallClock(h orchestrator.Hours, local time.Time) string {
	clock, date := local.Format("15:04"), local.Format(time.DateOnly)
	yesterday := time.Date(local.Year(), local.Month(), local.Day()-1, 12, 0, 0, 0, time.UTC)
	for _, o := range openings(h, date, local.Weekday()) {
		if o.From <= clock && (clock < o.To || o.To < o.From) {
			return "open"
		}
	}
	for _, o := range openings(h, yesterday.Format(time.DateOnly), yesterday.Weekday()) {
		if o.To < o.From && clock < o.To {
			return "open"
		}
	}
	for _, d := range h.Holidays {
		if d.Date == date {
			return "holiday"
		}
	}
	return "closed"
}

func openings(h orchestrator.Hours, date string, day time.Weekday) (found []orchestrator.Opening) {
	for _, d := range h.Holidays {
		if d.Date == date {
			return d.Open
		}
	}
	name := strings.ToLower(day.String()[:3])
	for _, o := range h.Weekly {
		if strings.Contains(strings.Join(o.Days, " "), name) {
			found = append(found, o)
		}
	}
	return found
}

func drawHours(rt *rapid.T) orchestrator.Hours {
	h := orchestrator.Hours{Zone: rapid.SampledFrom([]string{
		"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana", "UTC",
	}).Draw(rt, "zone")}
	opening := rapid.Custom(func(rt *rapid.T) orchestrator.Opening {
		from := rapid.IntRange(0, 24*4-1).Draw(rt, "from") * 15
		to := rapid.IntRange(0, 24*4).Filter(func(v int) bool { return v*15 != from }).Draw(rt, "to") * 15
		return orchestrator.Opening{From: hhmm(from), To: hhmm(to)}
	})
	for range rapid.IntRange(0, 3).Draw(rt, "openings") {
		o := opening.Draw(rt, "opening")
		o.Days = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}),
			1, 7, rapid.ID[string]).Draw(rt, "days")
		h.Weekly = append(h.Weekly, o)
	}
	for _, date := range []string{"2026-03-29", "2026-10-25", "2026-11-01"} {
		if rapid.Bool().Draw(rt, "holiday") {
			h.Holidays = append(h.Holidays, orchestrator.Holiday{
				Date: date, Open: rapid.SliceOfN(opening, 0, 2).Draw(rt, "holiday hours"),
			})
		}
	}
	return h
}

func hhmm(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

func TestProblemsAreNamed(t *testing.T) {
	h := orchestrator.Hours{
		Zone: "Europe/Berlni",
		Weekly: []orchestrator.Opening{
			{From: "9:00", To: "17:30"},
			weekly("mon mon monday", "24:00", "25:00"),
			weekly("tue", "08:00", "08:00"),
		},
		Holidays: []orchestrator.Holiday{
			{Date: "2026-02-30"},
			{Date: "2026-12-25", Name: "a\x00"},
			{Date: "2026-12-25", Open: []orchestrator.Opening{{From: "x", To: "10:60"}, {From: "20:00", To: "24:01"}}},
		},
	}
	var fields []string
	for _, p := range calendar.Validate("hours[3]", h) {
		fields = append(fields, strings.TrimPrefix(p.Field, "hours[3]."))
	}
	want := "zone weekly[0].days weekly[0].from weekly[1].days[1] weekly[1].days[2] weekly[1].from weekly[1].to " +
		"weekly[2].to holidays[0].date holidays[1].name holidays[2].date holidays[2].open[0].from holidays[2].open[0].to " +
		"holidays[2].open[1].to"
	if got := strings.Join(fields, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_, err := calendar.Compile(h)
	if problems, ok := errors.AsType[orchestrator.Problems](err); !ok || len(problems) != len(fields) {
		t.Errorf("Compile answers %v", err)
	}
	for _, zone := range []string{"", "Local", "../etc/passwd", "Nowhere/Land"} {
		if len(calendar.Validate("", orchestrator.Hours{Zone: zone})) != 1 {
			t.Errorf("zone %q is accepted", zone)
		}
	}
	for _, h := range []orchestrator.Hours{
		{Zone: "UTC", Weekly: make([]orchestrator.Opening, calendar.MaxOpenings+1)},
		{Zone: "UTC", Holidays: make([]orchestrator.Holiday, calendar.MaxHolidays+1)},
	} {
		if found := calendar.Validate("", h); len(found) != 1 || !strings.Contains(found[0].Message, "too many") {
			t.Errorf("beyond the bounds: %v", found)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("Europe/Berlin", "mon", "09:00", "17:30", "2026-12-25")
	f.Add("UTC", "sun", "00:00", "24:00", "")
	f.Fuzz(func(t *testing.T, zone, day, from, to, date string) {
		h := orchestrator.Hours{Zone: zone, Weekly: []orchestrator.Opening{{Days: []string{day}, From: from, To: to}}}
		h.Holidays = []orchestrator.Holiday{{Date: date, Open: h.Weekly}}
		c, err := calendar.Compile(h)
		if err != nil {
			return
		}
		at := utc("2026-11-23 12:00:00")
		state, _ := c.At(at)
		next, ok := c.NextChange(at)
		if other, _ := c.At(next); ok && (other == state || !next.After(at)) {
			t.Errorf("%+v: %s at %v, then %s at %v", h, state, at, other, next)
		}
	})
}

func BenchmarkAt(b *testing.B) {
	c, err := calendar.Compile(office)
	if err != nil {
		b.Fatal(err)
	}
	at := utc("2026-11-28 01:00:00")
	b.ReportAllocs()
	for b.Loop() {
		c.At(at)
	}
}

func compile(t *testing.T, h orchestrator.Hours) *calendar.Compiled {
	t.Helper()
	c, err := calendar.Compile(h)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stateAt(t *testing.T, h orchestrator.Hours, local string) string {
	t.Helper()
	zone, err := calendar.LoadZone(h.Zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation(time.DateTime, local, zone)
	if err != nil {
		t.Fatal(err)
	}
	state, name := compile(t, h).At(at)
	return strings.TrimSpace(string(state) + " " + name)
}

func utc(text string) time.Time {
	at, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	return at
}
