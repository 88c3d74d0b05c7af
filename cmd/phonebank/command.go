package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"
)

//go:embed example.yaml
var example string

// leaveTime bounds taking all phones off the PBX.
const leaveTime = 30 * time.Second

func newExample() *cobra.Command {
	return &cobra.Command{
		Use:     "example",
		Short:   "Print a commented scenario file",
		Long:    "Print a scenario with every field explained. Edit it: at least pbx, users, password and dial.",
		Example: "  phonebank example > scenario.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), example)
			return err
		},
	}
}

// runFlags change a scenario from the command line.
type runFlags struct {
	pbx      string
	duration time.Duration
	seed     uint64
	json     bool
}

func (f *runFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.pbx, "pbx", "", "SIP address of the PBX instead of the scenario's")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed of the random choices instead of the scenario's")
}

// load reads the scenario and applies the flags.
func (f *runFlags) load(cmd *cobra.Command, path string) (*plan, error) {
	p, err := loadScenario(path)
	if err != nil {
		return nil, err
	}
	if cmd.Flags().Changed("duration") {
		p.duration = f.duration
	}
	if f.seed != 0 {
		p.seed = f.seed
	}
	if p.seed == 0 {
		p.seed = rand.Uint64()
	}
	if f.pbx != "" {
		p.setPBX(f.pbx)
	}
	return p, nil
}

// setPBX sends all phones to another PBX.
func (p *plan) setPBX(addr string) {
	for i := range p.agents {
		for j := range p.agents[i].phones {
			p.agents[i].phones[j].Registrar = addr
		}
	}
	for i := range p.callers {
		for j := range p.callers[i].phones {
			p.callers[i].phones[j].Registrar = addr
		}
	}
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run scenario.yaml",
		Short: "Run a scenario and print the result",
		Long: `Register the agents' phones, let the callers call for the scenario's duration, hang up, unregister, and
print what happened: set-up times, outcomes, and what each side heard. Progress goes to standard error.

Ctrl-C ends the run early and still prints the result. The exit status is 1 when a phone could not be
registered; outcomes of calls do not change it.`,
		Example: "  phonebank run scenario.yaml\n  phonebank run --duration 5m --json scenario.yaml > result.json\n  phonebank example | phonebank run --pbx 192.0.2.1 -",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.load(cmd, args[0])
			if err != nil {
				return err
			}
			s, err := perform(cmd.Context(), p, nil, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(cmd.OutOrStdout(), s)
			}
			return writeTable(cmd.OutOrStdout(), s)
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&f.duration, "duration", 0, "how long to make new calls instead of the scenario's; 0s is until Ctrl-C")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the result as JSON")
	return cmd
}

func newLive() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "live scenario.yaml",
		Short: "Stay up and print one JSON line per event",
		Long: `Like run, but until Ctrl-C (or SIGTERM) whatever the scenario's duration, with one JSON object per line on
standard output for everything the phones see: registered, dialled, ringing, answered, heard_tone,
heard_digit, ended, registration_lost, unregistered. The last line has kind "summary" and holds the result.
A reader that is too slow loses events, which the summary counts; the phones never wait for it. When the
reader goes away, the run ends.`,
		Example: "  phonebank live scenario.yaml | jq -r 'select(.kind==\"ended\") | [.role,.phone,.code,.by] | @tsv'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.load(cmd, args[0])
			if err != nil {
				return err
			}
			p.duration, p.stay = 0, true
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			out := newEventWriter(cmd.OutOrStdout(), cancel)
			s, err := perform(ctx, p, out.tell, nil)
			return errors.Join(err, out.close(s))
		},
	}
	f.add(cmd)
	return cmd
}

// perform runs a plan from the first REGISTER to the last. Progress is written when there is somewhere to.
func perform(ctx context.Context, p *plan, tell teller, progress io.Writer) (*Summary, error) {
	b, err := open(p, tell)
	if err != nil {
		return nil, err
	}
	defer b.close()
	show := newProgress(progress, b)
	defer show.close()
	show.registering()
	err = b.start(ctx, show.step)
	if err == nil {
		show.running(p.duration)
		b.run(ctx)
	}
	show.leaving()
	// A new context: this part is what Ctrl-C asks for.
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if e := b.leave(bye); e != nil && err == nil {
		// The result of the run is worth more than a PBX that was not told goodbye.
		fmt.Fprintln(os.Stderr, "phonebank:", e)
	}
	if err != nil {
		return nil, err
	}
	s := b.summary()
	return &s, nil
}
