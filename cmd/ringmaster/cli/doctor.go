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

	"ringmaster/adapters/asterisk"
	"ringmaster/adapters/postgres"
	"ringmaster/adapters/postgres/cluster"
	"ringmaster/adapters/speech"
	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

func doctor() *cobra.Command {
	var file, ari, user string
	var asJSON bool
	var endpoints []string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check a PBX, this machine and a configuration, and say what to change",
		Long: `Check an Asterisk from outside (version, ARI and its limits, websocket,
security, the phones' endpoints), what this machine needs, and the
configuration file, and say line by line what to change. Nothing is changed.

The Asterisk is the one named with --ari, or every switch of the file that has
url, username and password. The password comes from the file or from
RINGMASTER_ARI_PASSWORD, never from the command line.`,
		Example: `  ringmaster doctor -f center.yaml
  RINGMASTER_ARI_PASSWORD=… ringmaster doctor --ari http://127.0.0.1:8088/ari --ari-user ringmaster`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVarP(&file, "file", "f", "", "configuration file, as for apply")
	c.Flags().StringVar(&ari, "ari", "", "URL of ARI")
	c.Flags().StringVar(&user, "ari-user", "ringmaster", "user of ARI")
	c.Flags().StringSliceVar(&endpoints, "endpoint", nil, "endpoints to look at (PJSIP/1001)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		found := local(c.Context())
		pbxs, more, err := patients(c, file, ari, user, endpoints)
		if err != nil {
			return err
		}
		found = append(found, more...)
		for _, cfg := range pbxs {
			for _, f := range asterisk.Examine(c.Context(), cfg) {
				f.What = string(cfg.ID) + ": " + f.What
				found = append(found, f)
			}
		}
		return report(c.OutOrStdout(), found, asJSON)
	}
	return c
}

// local is what this machine needs.
func local(ctx context.Context) (found []asterisk.Finding) {
	found = append(found, database(ctx, os.Getenv("RINGMASTER_DATABASE")))
	f := asterisk.Finding{Severity: asterisk.SeverityOK, What: "speech", Found: "a speech engine is installed"}
	if err := speaks(); err != nil {
		f = asterisk.Finding{
			Severity: asterisk.SeverityWarning, What: "speech", Found: err.Error(),
			Want: "a speech engine for spoken prompts", Fix: "apt-get install espeak-ng",
		}
	}
	return append(found, f)
}

// database is the one that is configured, or else whether there can be a
// private one.
func database(ctx context.Context, dsn string) asterisk.Finding {
	if dsn != "" {
		if err := ping(ctx, dsn); err != nil {
			return asterisk.Finding{
				Severity: asterisk.SeverityError, What: "database", Found: err.Error(), Want: "an answer", Fix: "correct RINGMASTER_DATABASE, or start it",
			}
		}
		return asterisk.Finding{Severity: asterisk.SeverityOK, What: "database", Found: "the one of RINGMASTER_DATABASE answers"}
	}
	version, err := cluster.Installed()
	if err != nil {
		return asterisk.Finding{
			Severity: asterisk.SeverityWarning, What: "embedded database", Found: err.Error(),
			Want: "PostgreSQL's programs", Fix: "apt-get install postgresql, or serve with --database",
		}
	}
	return asterisk.Finding{Severity: asterisk.SeverityOK, What: "embedded database", Found: "PostgreSQL " + version}
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

// patients lists the PBXs to look at, and what is wrong with the file.
func patients(c *cobra.Command, file, ari, user string, endpoints []string) (pbxs []asterisk.Config, found []asterisk.Finding, err error) {
	password := os.Getenv("RINGMASTER_ARI_PASSWORD")
	if ari != "" {
		if password == "" {
			return nil, nil, errors.New("set RINGMASTER_ARI_PASSWORD to ARI's password")
		}
		return []asterisk.Config{{ID: "asterisk", URL: ari, User: user, Password: password, Endpoints: endpoints}}, nil, nil
	}
	if file == "" {
		return nil, []asterisk.Finding{{
			Severity: asterisk.SeverityWarning, What: "PBX", Found: "none was named", Fix: "say doctor -f center.yaml, or doctor --ari URL",
		}}, nil
	}
	f, err := readCenter(c.InOrStdin(), file)
	if err != nil {
		return nil, nil, err
	}
	found = append(found, asterisk.Finding{Severity: asterisk.SeverityOK, What: "configuration file", Found: file + " can be read"})
	if f.Change.Switches == nil {
		return nil, found, nil
	}
	for _, s := range *f.Change.Switches {
		cfg := asterisk.Config{ID: orchestrator.SwitchID(s.ID), URL: s.URL, User: s.Username, Password: s.Password}
		if cfg.Password == "" {
			cfg.Password = password
		}
		if cfg.URL == "" || cfg.Password == "" {
			found = append(found, asterisk.Finding{
				Severity: asterisk.SeverityWarning, What: s.ID, Found: "no url, username and password in the file",
				Fix: "add them, or set RINGMASTER_ARI_PASSWORD",
			})
			continue
		}
		cfg.Endpoints = endpointsOf(f.Change, s.ID)
		pbxs = append(pbxs, cfg)
	}
	return pbxs, found, nil
}

func endpointsOf(c gen.ConfigurationChange, sw string) (endpoints []string) {
	if c.Phones == nil {
		return nil
	}
	for _, p := range *c.Phones {
		if p.Switch == sw {
			endpoints = append(endpoints, p.Endpoint)
		}
	}
	return endpoints
}

// report prints the findings, the bad ones with what to do, and fails when
// something must be changed.
func report(w io.Writer, found []asterisk.Finding, asJSON bool) error {
	bad := 0
	for _, f := range found {
		if f.Severity == asterisk.SeverityError {
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
			if f.Want != "" && f.Severity != asterisk.SeverityOK {
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
