package cli

import (
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ringmaster/api/client"
)

// remote is how a command reaches a running Ringmaster.
type remote struct{ url, key string }

// remoteFlags adds the flags every command that speaks to a server has.
func remoteFlags(c *cobra.Command) *remote {
	r := &remote{}
	c.Flags().StringVar(&r.url, "url", env("RINGMASTER_URL", "http://127.0.0.1:8080"), "address of Ringmaster (RINGMASTER_URL)")
	c.Flags().StringVar(&r.key, "key", "", "API key (RINGMASTER_KEY)")
	return r
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// client is the server with a key, which is not shown as a flag's default.
func (r *remote) client() (client.Client, error) {
	key := r.key
	if key == "" {
		key = os.Getenv("RINGMASTER_KEY")
	}
	if key == "" {
		return client.Client{}, errors.New("no API key: pass --key or set RINGMASTER_KEY (the first start of ringmaster serve printed one)")
	}
	return client.Client{URL: r.url, Key: key, HTTP: &http.Client{Timeout: 10 * time.Minute}}, nil
}

// do sends one request and decodes the answer into out, unless out is nil.
func (r *remote) do(c *cobra.Command, method, path string, in, out any) error {
	to, err := r.client()
	if err != nil {
		return err
	}
	_, err = to.Do(c.Context(), client.Exchange{Method: method, Path: path, In: in, Out: out})
	return err
}
