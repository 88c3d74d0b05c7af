package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"ringmaster/adapters/postgres"
	"ringmaster/adapters/postgres/cluster"
	"ringmaster/adapters/speech"
	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

func doctor() *cobra.Command {
	var file, ari, user, esl string
	var asJSON bool
	var endpoints []string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check a PBX, this machine and a configuration, and say what to change",
		Long: `Check an Asterisk or a FreeSWITCH from outside (version, control interface
and its limits, security, dialplan, the phones), what this machine needs, and
the configuration file, and say line by line what to change. Nothing is changed.

The PBX is the one named with --ari or --esl, or every switch of the file that
has a url and a password. The password comes from the file or from
RINGMASTER_ARI_PASSWORD or RINGMASTER_ESL_PASSWORD, never from the command line.`,
		Example: `  ringmaster doctor -f center.yaml
  RINGMASTER_ARI_PASSWORD=… ringmaster doctor --ari http://127.0.0.1:8088/ari --ari-user ringmaster
  RINGMASTER_ESL_PASSWORD=… ringmaster doctor --esl 'esl://127.0.0.1:8021?domain=pbx.example'`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVarP(&file, "file", "f", "", "configuration file, as for apply")
	c.Flags().StringVar(&ari, "ari", "", "URL of ARI")
	c.Flags().StringVar(&user, "ari-user", "ringmaster", "user of ARI")
	c.Flags().StringVar(&esl, "esl", "", "URL of FreeSWITCH's event socket: esl://host:port?domain=the phones' domain")
	c.Flags().StringSliceVar(&endpoints, "endpoint", nil, "endpoints to look at (PJSIP/1001, user/1001)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		found := local(c.Context())
		pbxs, more, err := patients(c.InOrStdin(), file, []patient{
			{id: "asterisk", kind: gen.SwitchTypeAsterisk, url: ari, user: user, endpoints: endpoints},
			{id: "freeswitch", kind: gen.SwitchTypeFreeswitch, url: esl, endpoints: endpoints},
		})
		if err != nil {
			return err
		}
		found = append(found, more...)
		for _, p := range pbxs {
			for _, f := range p.examine(c.Context()) {
				f.What = p.id + ": " + f.What
				found = append(found, f)
			}
		}
		return report(c.OutOrStdout(), found, asJSON)
	}
	return c
}

// local is what this machine needs.
func local(ctx context.Context) (found []orchestrator.Finding) {
	found = append(found, database(ctx, os.Getenv("RINGMASTER_DATABASE")))
	f := orchestrator.Finding{Severity: orchestrator.SeverityOK, What: "speech", Found: "a speech engine is installed"}
	if err := speaks(); err != nil {
		f = orchestrator.Finding{
			Severity: orchestrator.SeverityWarning, What: "speech", Found: err.Error(),
			Want: "a speech engine for spoken prompts", Fix: "apt-get install espeak-ng",
		}
	}
	return append(found, f)
}

// database is the one that is configured, or else whether there can be a
// private one.
func database(ctx context.Context, dsn string) orchestrator.Finding {
	if dsn != "" {
		if err := ping(ctx, dsn); err != nil {
			return orchestrator.Finding{
				Severity: orchestrator.SeverityError, What: "database", Found: err.Error(), Want: "an answer", Fix: "correct RINGMASTER_DATABASE, or start it",
			}
		}
		return orchestrator.Finding{Severity: orchestrator.SeverityOK, What: "database", Found: "the one of RINGMASTER_DATABASE answers"}
	}
	version, err := cluster.Installed()
	if err != nil {
		return orchestrator.Finding{
			Severity: orchestrator.SeverityWarning, What: "embedded database", Found: err.Error(),
			Want: "PostgreSQL's programs", Fix: "apt-get install postgresql, or serve with --database",
		}
	}
	return orchestrator.Finding{Severity: orchestrator.SeverityOK, What: "embedded database", Found: "PostgreSQL " + version}
}

func ping(ctx context.Context, dsn string) (err error) {
	store, err := postgres.Open(postgres.Config{DSN: dsn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Ping(ctx)
}

// speaks tries whether words can be spoken here.
func speaks() error {
	dir, err := os.MkdirTemp("", "ringmaster-doctor-")
	if err != nil {
		return fmt.Errorf("make a folder to try speech in: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an empty folder left behind harms nobody
	voice, err := speech.New(speech.Config{Dir: dir})
	if err != nil {
		return err
	}
	return voice.Ready(orchestrator.DefaultLanguage)
}

// report prints the findings, the bad ones with what to do, and fails when
// something must be changed.
func report(w io.Writer, found []orchestrator.Finding, asJSON bool) error {
	bad := 0
	for _, f := range found {
		if f.Severity == orchestrator.SeverityError {
			bad++
		}
	}
	if asJSON {
		if err := json.NewEncoder(w).Encode(found); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			fmt.Fprintf(w, "%-8s %s: %s\n", f.Severity, f.What, f.Found)
			if f.Want != "" && f.Severity != orchestrator.SeverityOK {
				fmt.Fprintf(w, "         wanted: %s\n", f.Want)
			}
			if f.Fix != "" {
				fmt.Fprintf(w, "         do: %s\n", f.Fix)
			}
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d things must be changed", bad)
	}
	return nil
}
