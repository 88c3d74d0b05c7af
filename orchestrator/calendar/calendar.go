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
	Holiday State = orchestrator.ExitHoliday
)

// Compiled is opening hours with the zone resolved. It is immutable and safe
// for concurrent use.
type Compiled struct{ zone *time.Location }

// Compile checks h and resolves its zone.
func Compile(h orchestrator.Hours) (*Compiled, error) { panic("") }

// At is the state at an instant, and the holiday's name on a holiday.
func (c *Compiled) At(at time.Time) (State, string) { panic("") }

// NextChange is the first instant after at when the state is another. ok is
// false if it stays the same for the coming year.
func (c *Compiled) NextChange(at time.Time) (time.Time, bool) { panic("") }

// Validate finds every fault of opening hours; path begins every field.
func Validate(path string, h orchestrator.Hours) orchestrator.Problems { panic("") }

// LoadZone resolves an IANA zone name; "" is UTC.
func LoadZone(name string) (*time.Location, error) { panic("") }

// Day is the local date at an instant, "2026-11-23".
func Day(zone *time.Location, at time.Time) string { return at.In(zone).Format(time.DateOnly) }
