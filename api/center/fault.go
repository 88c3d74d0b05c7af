package center

import (
	"fmt"
	"slices"
	"strings"
)

// maxFaults bounds how many faults of one file are told.
const maxFaults = 100

// Fault is one thing that is wrong with a file. Line and Column count from 1;
// 0 is no particular place.
type Fault struct {
	Line, Column int
	Field        string // its path, "queues[0].ring_timeout_ms"
	Message      string
}

// Faults is everything that is wrong with a file, from top to bottom.
type Faults struct {
	File   string
	Faults []Fault
}

// Error writes one line per fault in the form editors know:
// "center.yaml:12:5: queues[0].nam: there is no such field".
func (f *Faults) Error() string {
	var b strings.Builder
	for i, fault := range f.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.File)
		if fault.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", fault.Line, fault.Column)
		}
		b.WriteString(": ")
		if fault.Field != "" {
			b.WriteString(fault.Field + ": ")
		}
		b.WriteString(fault.Message)
	}
	return b.String()
}

// faultsOf sorts and bounds.
func faultsOf(file string, faults []Fault) *Faults {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if len(faults) > maxFaults {
		faults = append(faults[:maxFaults], Fault{Message: "and more"})
	}
	return &Faults{File: file, Faults: faults}
}
