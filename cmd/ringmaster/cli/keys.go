package cli

import (
	"fmt"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ringmaster/api/gen"
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
	c := &cobra.Command{
		Use: "create NAME", Short: "Create a key and print it, this one time",
		Example: "  ringmaster keys create crm --scopes read,calls", Args: cobra.ExactArgs(1),
	}
	c.Flags().StringSliceVar(&scopes, "scopes", []string{"read"}, "read, agents, calls, config, admin")
	r := remoteFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var made gen.NewKey
		wish := map[string]any{"name": args[0], "scopes": scopes}
		if err := r.do(c, "POST", "/v1/keys", wish, &made); err != nil {
			return err
		}
		c.Println(made.Secret)
		return nil
	}
	return c
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
