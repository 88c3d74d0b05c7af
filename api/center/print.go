package center

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"ringmaster/api/gen"
)

// maxShown bounds a value in a printed plan, in characters.
const maxShown = 60

// signs stand before what is made, changed and deleted.
var signs = map[gen.PlanStepAction]string{
	gen.PlanStepActionCreate: "+", gen.PlanStepActionChange: "~", gen.PlanStepActionDelete: "-",
}

// Print shows a plan to a person. It never holds a secret: the server sends
// none.
func Print(w io.Writer, p gen.Plan) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range p.Steps {
		fmt.Fprintf(table, "%s %s\n", signs[s.Action], strings.TrimSpace(string(s.Kind)+" "+shown(s.ID)))
		for _, f := range s.Fields {
			fmt.Fprintf(table, "    %s\t%s -> %s\n", shown(f.Field), orNone(f.Old), orNone(f.New))
		}
	}
	for _, f := range p.Warnings {
		fmt.Fprintf(table, "warning: %s\n", shown(strings.TrimPrefix(f.Field+": "+f.Message, ": ")))
	}
	if p.Create+p.Change+p.Delete == 0 {
		fmt.Fprintf(table, "Nothing to do: all %d objects are as they should be.\n", p.Unchanged)
	} else {
		fmt.Fprintf(table, "%d to create, %d to change, %d to delete, %d as they are.\n", p.Create, p.Change, p.Delete, p.Unchanged)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print plan: %w", err)
	}
	return nil
}

func orNone(value string) string {
	if value == "" {
		return "(none)"
	}
	runes := []rune(shown(value))
	if len(runes) > maxShown {
		return string(runes[:maxShown-1]) + "…"
	}
	return string(runes)
}

// shown leaves out what would move a terminal's cursor.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
