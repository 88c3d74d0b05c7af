package lab

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// startLab starts a lab for one test, or skips when none can run here.
func startLab(t *testing.T, cfg Config) *Asterisk {
	t.Helper()
	if err := Available(); err != nil {
		t.Skipf("SKIPPED, no Asterisk to test with: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a, err := Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// The files an admin pastes must load without a single complaint.
func TestShippedFilesLoadWithoutComplaint(t *testing.T) {
	a := startLab(t, Config{})
	log, err := os.ReadFile(a.Logs())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, " ERROR[") || strings.Contains(line, " WARNING[") {
			t.Error(line)
		}
	}
}
