package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ringmaster/api/gen"
)

// readyMax bounds what is read of the answer, and readyPatience how long it may
// take: what asks is a supervisor that asks again.
const (
	readyMax      = 1 << 20
	readyPatience = 5 * time.Second
)

func ready() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "ready",
		Short: "Say whether a running Ringmaster can take calls; fail when it cannot",
		Long: `Ask a running Ringmaster what /readyz says, print it, and end with status 1 when it
cannot take calls: for containers and supervisors. It needs no key.`,
		Example: "  ringmaster ready --url http://127.0.0.1:8080",
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVar(&address, "url", env("RINGMASTER_URL", "http://127.0.0.1:8080"), "address of Ringmaster (RINGMASTER_URL)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ask, err := http.NewRequestWithContext(c.Context(), http.MethodGet, strings.TrimSuffix(address, "/")+"/readyz", http.NoBody)
		if err != nil {
			return fmt.Errorf("ask %s: %w", address, err)
		}
		answer, err := (&http.Client{Timeout: readyPatience}).Do(ask)
		if err != nil {
			return fmt.Errorf("no answer from %s: %w", address, errors.Unwrap(err))
		}
		defer answer.Body.Close() //nolint:errcheck // it is only read
		var said gen.Readiness
		if err := json.NewDecoder(io.LimitReader(answer.Body, readyMax)).Decode(&said); err != nil {
			return fmt.Errorf("%s is no Ringmaster: %s", address, answer.Status)
		}
		for _, check := range said.Checks {
			if !check.Ok {
				fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", check.Name, check.Detail)
			}
		}
		if !said.Ready {
			return errors.New("not ready")
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), "ready")
		return err
	}
	return c
}
