package lab

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// startFreeSWITCH starts a lab for one test, or skips when none can run here.
func startFreeSWITCH(t *testing.T, cfg FreeSWITCHConfig) *FreeSWITCH {
	t.Helper()
	if err := FreeSWITCHAvailable(); err != nil {
		t.Skipf("THE LIVE PART WAS NOT RUN: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f, err := StartFreeSWITCH(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *FreeSWITCH) complaints(t *testing.T) (found []string) {
	t.Helper()
	log, err := os.ReadFile(f.Logs())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "MSG Thread 0 Started") {
			continue // A sign of life that FreeSWITCH calls a warning.
		}
		if strings.Contains(line, " [ERR] ") || strings.Contains(line, " [WARNING] ") || strings.Contains(line, " [CRIT] ") {
			found = append(found, line)
		}
	}
	return found
}

func TestWithoutFreeSWITCHTheErrorSaysWhatToDo(t *testing.T) {
	t.Setenv(PrefixVariable, "")
	if _, err := StartFreeSWITCH(t.Context(), FreeSWITCHConfig{}); !errors.Is(err, ErrNoFreeSWITCH) {
		t.Errorf("no prefix: %v", err)
	}
	t.Setenv(PrefixVariable, t.TempDir())
	if _, err := StartFreeSWITCH(t.Context(), FreeSWITCHConfig{}); err == nil || errors.Is(err, ErrNoFreeSWITCH) {
		t.Errorf("an empty prefix: %v", err)
	}
}

// The files an admin pastes load without a complaint, and the module list is
// complete.
func TestShippedFilesOfFreeSWITCHLoadWithoutComplaint(t *testing.T) {
	start := time.Now()
	f := startFreeSWITCH(t, FreeSWITCHConfig{})
	t.Logf("up after %s: %s", time.Since(start), f.Version)
	for _, line := range f.complaints(t) {
		t.Error(line)
	}
	for _, addr := range sockets(t, f.PID()) {
		if !strings.HasPrefix(addr, "127.0.0.1:") && !strings.HasPrefix(addr, LinkIP+":") {
			t.Errorf("FreeSWITCH listens on %s", addr)
		}
	}
	out, err := f.CLI("sofia status")
	t.Log(out, err)
}
