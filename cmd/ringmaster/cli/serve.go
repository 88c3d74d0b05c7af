package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"

	"ringmaster/cmd/ringmaster/app"
)

// envPrefix begins every environment variable that is a setting.
const envPrefix = "RINGMASTER_"

func serve() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run Ringmaster: floor, API, console and, unless told otherwise, its own database",
		Long: `Run Ringmaster until it is told to stop (Ctrl-C, SIGTERM).

With no database configured a private PostgreSQL cluster is started in the data
folder from the installed binaries (Debian package postgresql). The first start
prints an API key, once.

Two can share a PostgreSQL of yours, each with a data folder of its own: one
leads, the other, started with --standby, takes over seconds after the first
dies and at once when it is told to stop (SIGTERM), as in an upgrade. Calls go
on at the switch meanwhile. One that finds another leading waits as well.
Without a standby a database that goes away does not stop calls, nor a start;
with one, whoever cannot reach it stands still when its lease runs out.

Settings come from the file, then the environment (RINGMASTER_LISTEN and so
on), then the flags; later ones win.`,
		Example: `  ringmaster serve
  ringmaster serve --data /var/lib/ringmaster --listen 0.0.0.0:8080
  RINGMASTER_DATABASE="host=db dbname=ringmaster user=rm" ringmaster serve --config /etc/ringmaster.yaml
  RINGMASTER_DATABASE="host=db dbname=ringmaster user=rm" ringmaster serve --standby`,
		Args: cobra.NoArgs,
	}
	def := app.Defaults()
	f := c.Flags()
	f.StringVar(&file, "config", "", "settings file (YAML)")
	f.String("data", def.Data, "folder for journal, private database and prompts")
	f.String("listen", def.Listen, "address of API and console")
	f.String("database", "", "PostgreSQL DSN; empty runs a private cluster in the data folder")
	f.String("tenant", def.Tenant, "name of the centre")
	f.StringSlice("tenants", nil, "further centres in this process, each with its own numbers, agents and keys; they may share switches")
	f.String("prompts", "", "folder of spoken prompts, readable by the switch under the same path (default DATA/prompts)")
	f.Int64("journal-bytes", 0, "bound of the journal on disk (default 4 GiB)")
	f.Int("retention-days", 0, "how long facts and calls are kept, by whole months (default for ever)")
	f.String("log-level", def.LogLevel, "debug, info, warn or error")
	f.Bool("standby", false, "wait until nobody else leads (needs --database)")
	f.Duration("lease", def.Lease, "how long leading lasts without word from the database when another stands by")
	f.Bool("take-over", false, "lead even if the last leader was not seen to stop: only when it is gone for good")
	f.StringSlice("trusted-proxies", nil, "addresses or prefixes whose X-Forwarded-For counts")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := settings(c, file)
		if err != nil {
			return err
		}
		cfg.Version = Version()
		cfg.Log = logger(c.ErrOrStderr(), cfg.LogLevel)
		cfg.Announce = func(address string, keys []app.FirstKey) { announce(c.OutOrStdout(), cfg.Tenant, address, keys) }
		cfg.StandsBy = func(address, leader string) {
			fmt.Fprintf(c.OutOrStdout(), "Ringmaster stands by: http://%s (%s leads)\n", address, leader)
		}
		a, err := app.New(c.Context(), cfg)
		if err != nil {
			return err
		}
		return a.Run(c.Context())
	}
	return c
}

// announce tells a person where to look, and the first keys this one time.
func announce(w io.Writer, tenant, address string, keys []app.FirstKey) {
	fmt.Fprintf(w, "Ringmaster is up: http://%s\n", address)
	for _, k := range keys {
		if string(k.Tenant) != tenant {
			fmt.Fprintf(w, "The first API key of %s, shown only now: %s\n", k.Tenant, k.Key)
			continue
		}
		fmt.Fprintf(w, "Your first API key, shown only now: %s\n", k.Key)
		fmt.Fprintf(w, "Use it in the console, or: export RINGMASTER_URL=http://%s RINGMASTER_KEY=%s\n", address, k.Key)
	}
}

// settings joins file, environment and flags over the defaults. A setting
// nobody knows is an error: a typo must not pass for a default.
func settings(c *cobra.Command, file string) (app.Config, error) {
	cfg := app.Defaults()
	k := koanf.New(".")
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return cfg, fmt.Errorf("read settings: %w", err)
		}
		values := map[string]any{}
		if err := yaml.Unmarshal(text, &values); err != nil {
			return cfg, fmt.Errorf("read settings %s: %w", file, err)
		}
		if err := known(values, file); err != nil {
			return cfg, err
		}
		if err := k.Load(settingsMap(values), nil); err != nil {
			return cfg, fmt.Errorf("read settings %s: %w", file, err)
		}
	}
	values := map[string]any{}
	for _, name := range settingNames {
		if v, ok := os.LookupEnv(envPrefix + strings.ToUpper(name)); ok {
			values[name] = v
		}
		if flag := c.Flags().Lookup(strings.ReplaceAll(name, "_", "-")); flag != nil && flag.Changed {
			values[name] = flag.Value.String()
		}
	}
	for _, list := range []string{"tenants", "trusted_proxies"} {
		if v, ok := values[list].(string); ok {
			values[list] = strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune("[], ", r) })
		}
	}
	if err := k.Load(settingsMap(values), nil); err != nil {
		return cfg, fmt.Errorf("read settings: %w", err)
	}
	if err := k.Unmarshal("", &cfg); err != nil {
		return cfg, fmt.Errorf("read settings: %w", err)
	}
	return cfg, cfg.Validate()
}

var settingNames = []string{
	"data", "listen", "database", "tenant", "tenants", "prompts", "journal_bytes", "retention_days", "log_level", "standby", "lease", "take_over",
	"trusted_proxies",
}

func known(values map[string]any, file string) error {
	for name := range values {
		found := false
		for _, n := range settingNames {
			found = found || n == name
		}
		if !found {
			return fmt.Errorf("%s: no setting %q (settings are: %s)", file, name, strings.Join(settingNames, ", "))
		}
	}
	return nil
}

// settingsMap is a map as koanf wants to be given one.
type settingsMap map[string]any

// ReadBytes is not offered.
func (settingsMap) ReadBytes() ([]byte, error) { return nil, fmt.Errorf("not offered") }

// Read returns the map.
func (m settingsMap) Read() (map[string]any, error) { return m, nil }

func logger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}
