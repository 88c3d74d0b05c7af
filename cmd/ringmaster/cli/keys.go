package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringmaster/adapters/postgres"
	"ringmaster/api"
	"ringmaster/api/gen"
	"ringmaster/cmd/ringmaster/app"
	"ringmaster/orchestrator"
)

func keys() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "List, create and revoke API keys"}
	c.AddCommand(keysList(), keysCreate(), keysRevoke())
	return c
}

func keysList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the keys, never their secrets", Example: "  ringmaster keys list", Args: cobra.NoArgs}
	r := remoteFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var list gen.KeyList
		if err := r.do(c, "GET", "/v1/keys", nil, &list); err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "PREFIX\tNAME\tSCOPES\tCREATED\tLAST USED\tREVOKED")
		for _, k := range list.Items {
			fmt.Fprintf(w, "%s\t%s\t%v\t%s\t%s\t%s\n", k.Prefix, k.Name, k.Scopes, day(k.CreatedAt), day(k.UsedAt), day(k.RevokedAt))
		}
		return w.Flush()
	}
	return c
}

func keysCreate() *cobra.Command {
	var scopes []string
	var dsn, tenant string
	c := &cobra.Command{
		Use: "create NAME", Short: "Create a key and print it, this one time",
		Long: `Create a key and print it, this one time. With --database it is written into the
database itself, for who has no key (any more) but the database's password.`,
		Example: `  ringmaster keys create crm --scopes read,calls
  ringmaster keys create me --scopes admin --database "host=db dbname=ringmaster user=rm"`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringSliceVar(&scopes, "scopes", []string{"read"}, "read, agents, calls, config, admin")
	c.Flags().StringVar(&dsn, "database", "", "PostgreSQL DSN, to do without a key")
	c.Flags().StringVar(&tenant, "tenant", env("RINGMASTER_TENANT", app.Defaults().Tenant), "name of the centre, with --database (RINGMASTER_TENANT)")
	r := remoteFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if dsn != "" {
			secret, err := mintKey(c.Context(), dsn, orchestrator.APIKey{
				Tenant: orchestrator.TenantID(tenant), Name: args[0], Scopes: scopes, Created: time.Now(),
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), secret)
			return err
		}
		var made gen.NewKey
		wish := map[string]any{"name": args[0], "scopes": scopes}
		if err := r.do(c, "POST", "/v1/keys", wish, &made); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), made.Secret)
		return err
	}
	return c
}

// mintKey writes a key into a database that serve has set up.
func mintKey(ctx context.Context, dsn string, wish orchestrator.APIKey) (secret string, err error) {
	store, err := postgres.Open(postgres.Config{DSN: dsn, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	_, secret, err = api.MintKey(ctx, store, wish)
	return secret, err
}

func keysRevoke() *cobra.Command {
	c := &cobra.Command{
		Use: "revoke PREFIX", Short: "Revoke a key at once", Example: "  ringmaster keys revoke 3kq81xwz", Args: cobra.ExactArgs(1),
	}
	r := remoteFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return r.do(c, "DELETE", "/v1/keys/"+url.PathEscape(args[0]), nil, nil)
	}
	return c
}
