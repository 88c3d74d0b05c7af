package app

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const hungEnv = "RINGMASTER_TEST_HUNG"

// TestAHungProcessEndsWithItsReasons runs this test binary again, as a process
// that hangs: what is judged is what its supervisor and its log get.
func TestAHungProcessEndsWithItsReasons(t *testing.T) {
	if os.Getenv(hungEnv) != "" {
		hang()
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), hungEnv+"=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	ended, is := errors.AsType[*exec.ExitError](err)
	if !is || ended.ExitCode() != exitStalled {
		t.Errorf("ended with %v, want exit status %d", err, exitStalled)
	}
	for _, want := range []string{"the floor hangs", "goroutine ", "app.hang"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("its last words lack %q:\n%s", want, said.String())
		}
	}
}

// hang is a process whose one goroutine of importance waits for ever.
func hang() {
	a := &App{log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	go a.stalled()
	select {}
}
