package cli

import (
	"errors"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"ringmaster/adapters/postgres"
)

func migrate() *cobra.Command {
	var dsn string
	c := &cobra.Command{
		Use:   "migrate up|down [VERSION]",
		Short: "Bring a database to the schema of this version, or back",
		Long: `Bring a PostgreSQL database to the schema of this version, or take it down to
a version (0 removes everything). serve migrates up by itself; this is for
databases whose administrator wants to be there when it happens.`,
		Example: `  ringmaster migrate up --database "host=db dbname=ringmaster user=rm"
  ringmaster migrate down 2 --database "host=db dbname=ringmaster user=rm"`,
		Args: cobra.RangeArgs(1, 2),
	}
	c.Flags().StringVar(&dsn, "database", os.Getenv("RINGMASTER_DATABASE"), "PostgreSQL DSN (RINGMASTER_DATABASE)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if dsn == "" {
			return errors.New("name a database with --database")
		}
		store, err := postgres.Open(postgres.Config{DSN: dsn, Log: logger(c.ErrOrStderr(), "info")})
		if err != nil {
			return err
		}
		defer store.Close() //nolint:errcheck // the migration is done, or has failed, by then
		switch {
		case args[0] == "up" && len(args) == 1:
			return store.Migrate(c.Context())
		case args[0] == "down" && len(args) == 2:
			version, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || version < 0 {
				return errors.New("the version to go down to is a number, 0 or more")
			}
			return store.MigrateDown(c.Context(), version)
		}
		return errors.New("say: migrate up, or: migrate down VERSION")
	}
	return c
}
