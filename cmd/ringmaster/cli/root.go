// Package cli is ringmaster's commands: flags in, one clear line of error out.
// It refuses to do any work itself; the app and the REST API do it.
package cli

import (
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Root is the whole command tree.
func Root() *cobra.Command {
	root := &cobra.Command{
		Use:   "ringmaster",
		Short: "The control plane of a call centre, for the Asterisk you already run",
		Long: `Ringmaster decides who answers which call. Your PBX carries signalling and
sound, and goes on doing so if Ringmaster stops.

First steps:
  ringmaster serve                      run it (embedded database, console on :8080)
  ringmaster doctor                     check the PBX and this configuration
  ringmaster apply -f center.yaml       configure it from one file`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serve(), doctor(), apply(), export(), explain(), keys(), migrate(), ready(), version())
	return root
}

// Version is the module's version as the build stamped it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

func version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs, Example: "  ringmaster version",
		Run: func(c *cobra.Command, _ []string) { c.Println("ringmaster " + Version()) },
	}
}
