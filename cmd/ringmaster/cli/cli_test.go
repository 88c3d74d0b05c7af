package cli

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"ringmaster/api/client"
)

// run is the program with these arguments.
func run(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	root := Root()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&b)
	root.SetErr(&b)
	err = root.ExecuteContext(t.Context())
	return b.String(), err
}

// Every command explains itself, with an example to copy.
func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Runnable() && c.Name() != "help" && c.Name() != "completion" && c.Parent() != nil && c.Parent().Name() != "completion" {
			if c.Short == "" || c.Example == "" {
				t.Errorf("%s has no short text or no example", c.CommandPath())
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(Root())
}

func TestSettingsFileEnvironmentFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rm.yaml")
	write(t, file, "tenant: from-file\nretention_days: 400\nlog_level: warn\ndata: /file\ntrusted_proxies: [10.0.0.0/8]\n")
	t.Setenv("RINGMASTER_TENANT", "from-env")
	c := serve()
	if err := c.ParseFlags([]string{"--data", "/flag"}); err != nil {
		t.Fatal(err)
	}
	cfg, err := settings(c, file)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.LogLevel != "warn" || cfg.RetentionDays != 400 || cfg.Tenant != "from-env" || cfg.Data != "/flag" || len(cfg.TrustedProxies) != 1 {
		t.Errorf("%+v", cfg)
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rm.yaml")
	for _, x := range []struct{ text, want string }{
		{"tennant: x\n", `no setting "tennant" (settings are: data, `},
		{"tenant: Not A Slug\n", "tenant:"},
		{"listen: nowhere\n", "listen:"},
		{"retention_days: 7\n", "at least 31"},
		{"log_level: loud\n", "log_level:"},
		{"trusted_proxies: [x]\n", "trusted_proxies:"},
		{"data: [\n", "rm.yaml"},
	} {
		write(t, file, x.text)
		if _, err := settings(serve(), file); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%q: %v", x.text, err)
		}
	}
}

func TestOneClearLineOfError(t *testing.T) {
	t.Setenv("RINGMASTER_KEY", "")
	huge := filepath.Join(t.TempDir(), "huge.yaml")
	write(t, huge, strings.Repeat("a", 9<<20))
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"explain", "x"}, "no API key"},
		{[]string{"explain", "x", "--key", "k", "--url", "http://127.0.0.1:1"}, "is ringmaster serve running there?"},
		{[]string{"apply"}, "name a file with -f"},
		{[]string{"apply", "-f", "/nowhere.yaml"}, "no such file"},
		{[]string{"apply", "-f", huge}, "too large"},
		{[]string{"migrate", "up"}, "name a database"},
		{[]string{"bogus"}, "unknown command"},
	} {
		_, err := run(t, "", x.args...)
		if err == nil || !strings.Contains(err.Error(), x.want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%v: %v", x.args, err)
		}
	}
}

func TestProblemsAreToldWithTheirFields(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer rm_x" {
			t.Errorf("key %q", r.Header.Get("Authorization"))
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		w.Write([]byte(`{"title":"no","detail":"cannot be","errors":[{"field":"scopes[0]","message":"no such scope"}]}`))
	}))
	defer server.Close()
	_, err := run(t, "", "keys", "create", "crm", "--scopes", "everything", "--url", server.URL, "--key", "rm_x")
	var refused *client.Refusal
	if !errors.As(err, &refused) || err.Error() != "cannot be\n  scopes[0]: no such scope" {
		t.Errorf("%v", err)
	}
}

func TestReadySaysWhatIsWrong(t *testing.T) {
	status, body := http.StatusOK, `{"ready":true,"checks":[{"name":"switch pbx","ok":false,"needed":false,"detail":"not connected"}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	}))
	defer server.Close()
	out, err := run(t, "", "ready", "--url", server.URL)
	if err != nil || out != "switch pbx: not connected\nready\n" {
		t.Errorf("%q, %v", out, err)
	}
	status, body = http.StatusServiceUnavailable, `{"ready":false,"checks":[{"name":"journal","ok":false,"needed":true,"detail":"full"}]}`
	if out, err = run(t, "", "ready", "--url", server.URL); err == nil || out != "journal: full\n" {
		t.Errorf("%q, %v", out, err)
	}
	body = "<html>"
	if _, err = run(t, "", "ready", "--url", server.URL); err == nil || !strings.Contains(err.Error(), "no Ringmaster") {
		t.Errorf("%v", err)
	}
}

func TestApplyPrintsItsExample(t *testing.T) {
	out, err := run(t, "", "apply", "--example")
	if err != nil || !strings.Contains(out, "queues:") {
		t.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "center.yaml")
	write(t, file, out)
	if _, err := readCenter(nil, file); err != nil {
		t.Errorf("the example cannot be read: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
