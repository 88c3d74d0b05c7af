package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// freeswitchHealth is the check of the FreeSWITCH in containers, as its shell is
// told it.
func freeswitchHealth(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../compose.freeswitch.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Healthcheck struct{ Test []string }
		}
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	check := compose.Services["freeswitch"].Healthcheck.Test
	if len(check) != 2 || check[0] != "CMD-SHELL" {
		t.Fatalf("the service has no check of its health: %q", check)
	}
	return strings.ReplaceAll(check[1], "$$", "$") // compose takes one for its own.
}

// The check of compose.freeswitch.yaml tells a FreeSWITCH that answers from one
// that does not, and puts the password on no command line.
func TestHealthOfFreeSWITCHInContainers(t *testing.T) {
	check := freeswitchHealth(t)
	if strings.Contains(check, "-p ") || !strings.Contains(check, "umask 077") {
		t.Errorf("the password could be read: %s", check)
	}
	if err := FreeSWITCHAvailable(); err != nil || testing.Short() {
		t.Skipf("SKIPPED, no FreeSWITCH to test with: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pbx, err := StartFreeSWITCH(ctx, FreeSWITCHConfig{Agents: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pbx.Stop() // it is stopped below
	_, port, _ := strings.Cut(pbx.ESLAddr, ":")
	script := strings.ReplaceAll(check, "/tmp", t.TempDir())
	healthy := func(password string) bool {
		c := exec.CommandContext(ctx, "sh", "-c", script)
		c.Env = []string{"ESL_PASSWORD=" + password, "ESL_PORT=" + port, "PATH=" + filepath.Join(os.Getenv(PrefixVariable), "bin") + ":/usr/bin:/bin"}
		return c.Run() == nil
	}
	if !healthy(pbx.ESLPassword) {
		t.Error("a FreeSWITCH that works is called ill")
	}
	if healthy("another") {
		t.Error("one that does not take the password is called well")
	}
	if err := pbx.Stop(); err != nil {
		t.Fatal(err)
	}
	if healthy(pbx.ESLPassword) {
		t.Error("one that is gone is called well")
	}
}
