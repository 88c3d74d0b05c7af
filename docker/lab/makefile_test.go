package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// make test says at both ends, also when a test failed, whether it was tried
// with a real FreeSWITCH.
func TestMakeSaysWhetherFreeSWITCHWasThere(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("SKIPPED, no make here")
	}
	prefix := t.TempDir()
	if err := os.MkdirAll(filepath.Join(prefix, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(prefix, "bin/freeswitch"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for set, want := range map[string]string{
		"": "NOT run, because RINGMASTER_FREESWITCH is not set", t.TempDir(): "NOT run, because there is no ", prefix: "the live part is run, with " + prefix,
	} {
		for _, failing := range []bool{false, true} {
			lines := strings.Split(strings.TrimSpace(makesTest(t, set, failing)), "\n")
			if len(lines) < 3 || !strings.Contains(lines[0], want) || !strings.Contains(strings.Join(lines[len(lines)-2:], "\n"), want) {
				t.Errorf("with %q, tests that fail %v: make says %q, want %q at both ends", set, failing, lines, want)
			}
		}
	}
}

// makesTest is what make test prints where the tests do nothing but succeed or
// fail: its recipe alone is what counts here.
func makesTest(t *testing.T, prefix string, failing bool) string {
	t.Helper()
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	result := "true"
	if failing {
		result = "false"
	}
	file := filepath.Join(t.TempDir(), "Makefile")
	recipe := strings.NewReplacer("@docker/install.sh test", "@echo installed", "@$(MAKE) --no-print-directory", "@echo", "$(GO) test", result).Replace(string(text))
	if err := os.WriteFile(file, []byte(recipe), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("make", "-f", file, "--no-print-directory", "test", "GO=true")
	c.Env = append(os.Environ(), PrefixVariable+"="+prefix, "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=")
	out, err := c.CombinedOutput()
	if failed := err != nil; failed != failing {
		t.Errorf("make ended with %v", err)
	}
	return string(out)
}

// The folders that the Makefile names exist: go would only warn of one that does
// not, and test the rest.
func TestMakefileNamesFoldersThatExist(t *testing.T) {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\./([a-z0-9/]+)(?:/\.\.\.)?`).FindAllStringSubmatch(string(text), -1)
	for _, m := range named {
		if _, err := os.Stat("../../" + m[1]); err != nil {
			t.Errorf("%s: %v", m[0], err)
		}
	}
	if len(named) < 8 {
		t.Errorf("it names only %s", named)
	}
}
