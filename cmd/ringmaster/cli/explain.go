package cli

import (
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringmaster/api/gen"
)

func explain() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain CALL",
		Short: "Say why a call went to that agent, or why it still waits",
		Long: `Say why a call went to that agent and not to another, or why it still waits
and what would change that. Works for calls of now and of last month.`,
		Example: "  ringmaster explain 01a20636-8254-772f-a832-71c11ca414df",
		Args:    cobra.ExactArgs(1),
	}
	r := remoteFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var e gen.Explanation
		if err := r.do(c, "GET", "/v1/calls/"+url.PathEscape(args[0])+"/explanation", nil, &e); err != nil {
			return err
		}
		out := c.OutOrStdout()
		fmt.Fprintln(out, e.Summary)
		for i, offer := range e.Offers {
			fmt.Fprintf(out, "\nOffer %d, %s, to %s: %s", i+1, offer.At.Format("15:04:05.000"), offer.Agent, offer.Why)
			if offer.Outcome != "" {
				fmt.Fprintf(out, " Ended: %s.", offer.Outcome)
			}
			fmt.Fprintln(out)
			printStandings(c, offer.Candidates)
		}
		if w := e.Waiting; w.Queue != "" {
			fmt.Fprintf(out, "\nWaiting in %s at place %d. %s\n", w.Queue, w.Position, w.WouldHelp)
			printStandings(c, w.Candidates)
		}
		return nil
	}
	return c
}

func printStandings(c *cobra.Command, standings []gen.AgentStanding) {
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, s := range standings {
		mark := " "
		if s.Chosen {
			mark = ">"
		}
		fmt.Fprintf(w, "  %s %s\tlevel %d\t%s\n", mark, s.Agent, s.Level, s.Verdict)
	}
	w.Flush() //nolint:errcheck // a terminal that is gone has no reader either
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}
