// Demo is a whole call centre on one machine, to look at: a real Asterisk, a
// Ringmaster with its own database, five desk phones whose agents log in, pause
// and pick up the way people do, and a stream of callers. It is what "make demo"
// runs, and its own smoke test: it fails unless two parties heard each other.
//
// It refuses to be configured like a product, to keep anything when it ends,
// and to reach Ringmaster in any way a customer could not: it uses the program,
// the REST API and phones.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	// A terminal that goes away ends the demo like Ctrl-C does.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	// The first Ctrl-C closes the centre, a later one ends the program at once.
	// One that follows within moments is the same one: timeout(1) and make send
	// it to the process and to its group.
	context.AfterFunc(ctx, func() { time.AfterFunc(2*time.Second, stop) })
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	length time.Duration // 0 until Ctrl-C
	listen string
	every  time.Duration // between callers, on average
}

// Bounds of the stream of callers: five agents serve about one call in 4 s.
const (
	minEvery = time.Second
	maxEvery = 10 * time.Minute
)

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a call centre to look at: Asterisk, Ringmaster, desk phones and callers",
		Long: `Run a whole call centre on this machine until Ctrl-C: a real Asterisk on free
ports, Ringmaster with its console, five desk phones and a stream of callers.
Nothing is left behind. "make demo" installs and builds what it needs.

It ends with success only if a call was connected and both sides heard each other.`,
		Example: `  bin/demo
  bin/demo --for 60s
  bin/demo --listen 0.0.0.0:9000 --every 2s`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.Flags().DurationVar(&o.length, "for", 0, "end by itself after this time with calls (default: at Ctrl-C)")
	c.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "address of console and API; when the port is taken, the next free one")
	c.Flags().DurationVar(&o.every, "every", 5*time.Second, "time between two callers, on average")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.length < 0 {
			return errors.New("--for: a time of 0 or more, such as 60s")
		}
		if o.every < minEvery || o.every > maxEvery {
			return fmt.Errorf("--every: %s to %s", minEvery, maxEvery)
		}
		return run(c.Context(), o, newTerminal(os.Stdout))
	}
	return c
}
