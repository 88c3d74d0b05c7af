// Phonebank is a room full of SIP phones: desk phones that register, ring, answer and hear, and callers that dial,
// press keys and talk. It tests and loads a PBX and says what the phones saw.
//
// It refuses to be a weapon: the number of phones, the rate and the length of a scenario are bounded, and every
// phone takes itself off the PBX when the program ends.
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

// errJudged ends the program with a failure that was already printed as its result.
var errJudged = errors.New("not all went well")

func main() {
	// The first Ctrl-C hangs up and unregisters; a later one ends the program at once. One that follows within
	// moments is the same one: shells and timeout(1) send it to the process and to its group.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { time.AfterFunc(2*time.Second, stop) })
	// A reader that goes away is an error to be told, not a reason to leave the phones on the PBX.
	signal.Ignore(syscall.SIGPIPE)
	err := newCommand().ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errJudged) {
		fmt.Fprintln(os.Stderr, "phonebank:", err)
	}
	if err != nil {
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "phonebank",
		Short: "SIP desk phones and callers that test and load a PBX",
		Long: `Phonebank registers SIP phones at a PBX and makes calls with sound: every phone sends a tone and
listens for the tones of the others, so the result says not only which calls were answered, but who
heard whom, when, and for how long there was nothing to hear.

Start with:
  phonebank example > scenario.yaml      a commented scenario to edit
  phonebank register-check scenario.yaml do all phones get on the PBX?
  phonebank run scenario.yaml            the load test and its result`,
		Example:       "  phonebank run scenario.yaml\n  phonebank call --pbx 192.0.2.1 --user 1001 --password s3cret 700",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRun(), newLive(), newRegisterCheck(), newCall(), newExample())
	return root
}
