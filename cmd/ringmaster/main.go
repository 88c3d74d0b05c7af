// Command ringmaster is the control plane of a call centre: it takes control
// of the Asterisk a company already runs and decides who answers which call.
//
// See README.md for the first steps and ringmaster --help for the commands.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones must not depend on what the machine has installed

	"ringmaster/cmd/ringmaster/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := cli.Root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "ringmaster:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}
