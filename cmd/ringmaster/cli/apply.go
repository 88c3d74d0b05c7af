package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ringmaster/api/center"
	"ringmaster/api/client"
	"ringmaster/api/gen"
)

func apply() *cobra.Command {
	var file string
	var yes, dry, example bool
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Bring the centre to what a file says, after showing what would change",
		Long: `Read a whole configuration from one YAML file, show what would change, and after
your word change it: all of it or nothing. A section that is in the file
replaces that section; one that is not is left alone. Secrets (pin, password)
that are left out stay as they are; a switch's may also come from the environment,
as for doctor: RINGMASTER_ARI_PASSWORD for Asterisk, RINGMASTER_ESL_PASSWORD for
FreeSWITCH. Calls in progress are not touched.`,
		Example: `  ringmaster apply --example > center.yaml
  ringmaster apply -f center.yaml --dry-run
  ringmaster apply -f center.yaml --yes`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVarP(&file, "file", "f", "", "the file; - reads standard input")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&dry, "dry-run", false, "only show what would change")
	c.Flags().BoolVar(&example, "example", false, "print a commented example file and end")
	r := remoteFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if example {
			_, err := c.OutOrStdout().Write(center.Example)
			return err
		}
		f, err := readCenter(c.InOrStdin(), file)
		if err != nil {
			return err
		}
		fillPasswords(&f.Change)
		server, err := r.client()
		if err != nil {
			return err
		}
		plan, tag, err := server.Plan(c.Context(), f.Change)
		if err != nil {
			return located(f, err)
		}
		if err := center.Print(c.OutOrStdout(), plan); err != nil {
			return err
		}
		if dry || plan.Create+plan.Change+plan.Delete == 0 {
			return nil
		}
		if !yes && !agreed(c) {
			return errors.New("nothing was changed")
		}
		return applyPlanned(c.Context(), c.OutOrStdout(), server, f, tag)
	}
	return c
}

func applyPlanned(ctx context.Context, out io.Writer, server client.Client, f *center.File, tag string) error {
	done, err := server.Apply(ctx, f.Change, tag)
	if err != nil {
		return located(f, err)
	}
	_, err = fmt.Fprintf(out, "Applied: %d created, %d changed, %d deleted.\n", done.Create, done.Change, done.Delete)
	return err
}

// readCenter reads the file within its bound: a mistaken 50 MB is one line of
// error, not 50 MB of memory.
func readCenter(stdin io.Reader, name string) (*center.File, error) {
	var r io.Reader
	switch name {
	case "":
		return nil, errors.New("name a file with -f, or print an example with --example")
	case "-":
		r, name = stdin, "standard input"
	default:
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		defer f.Close() //nolint:errcheck // it is only read
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(r, center.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return center.Read(name, text)
}

// fillPasswords gives the switches that have an address but no password that of
// the environment for their kind, so that the file can be kept where others
// read it.
func fillPasswords(change *gen.ConfigurationChange) {
	if change.Switches == nil {
		return
	}
	for i, s := range *change.Switches {
		if s.URL != "" {
			(*change.Switches)[i].Password = passwordOf(s)
		}
	}
}

// located gives the server's faults the lines of the file they are about.
func located(f *center.File, err error) error {
	var refused *client.Refusal
	if !errors.As(err, &refused) || len(refused.Problem.Errors) == 0 {
		return err
	}
	return f.Locate(refused.Problem.Errors)
}

func agreed(c *cobra.Command) bool {
	fmt.Fprint(c.OutOrStdout(), "Apply this? [y/N] ")
	line, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(c.OutOrStdout())
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

func export() *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Print the configuration as apply takes it, without secrets",
		Example: `  ringmaster export > center.yaml
  ringmaster export | diff - center.yaml`,
		Args: cobra.NoArgs,
	}
	r := remoteFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := r.client()
		if err != nil {
			return err
		}
		config, err := server.Export(c.Context())
		if err != nil {
			return err
		}
		return center.Write(c.OutOrStdout(), config)
	}
	return c
}
