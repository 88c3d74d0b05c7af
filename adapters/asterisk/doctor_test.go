package asterisk

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmaster/docker/lab"
)

func found(findings []Finding, what string) (out []Finding) {
	for _, f := range findings {
		if strings.Contains(f.What, what) {
			out = append(out, f)
		}
	}
	return out
}

func report(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "\n%-8s %s: %s\n         want %s; %s", f.Severity, f.What, f.Found, f.Want, f.Fix)
	}
	return b.String()
}

// The shipped files pass, also beside a working orchestrator, which notices
// nothing.
func TestDoctorIsContentWithTheShippedFiles(t *testing.T) {
	o := atWork(t, nil)
	mark := o.mark()
	findings := Examine(t.Context(), o.config(t))
	for _, f := range findings {
		if f.Severity == SeverityError || f.Severity == SeverityWarning || strings.Contains(f.Found, "cannot be seen") {
			t.Errorf("%s: %s: %s", f.Severity, f.What, f.Found)
		}
	}
	for _, what := range []string{
		"ARI", "version", "rights", "modules", "event socket", "stamp", "fallback", "person or machine", "calls from other switches", "packet loss", "http sessions", "event socket patience",
		"where ARI listens", "functions that touch", "direct_media", "transfer keys", "recording folder", "phones", "host name", "application",
	} {
		if len(found(findings, what)) == 0 {
			t.Errorf("nothing was said about %q", what)
		}
	}
	if n := o.mark(); n != mark {
		t.Errorf("the orchestrator noticed: %+v", o.seen[mark:])
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		out, err := o.pbx.CLI("core show channels count")
		if err == nil && strings.Contains(out, "0 active channels") {
			break
		}
		if time.Since(began) > patience {
			t.Fatalf("left behind: %s (%v)", out, err)
		}
	}
}

// spoilt is a PBX of its own with one thing after another wrong.
func spoilt(t *testing.T, spoil map[string][2]string) (*lab.Asterisk, Config) {
	t.Helper()
	if err := lab.Available(); err != nil || testing.Short() {
		t.Skipf("SKIPPED, no Asterisk to test with: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pbx, err := lab.Start(ctx, lab.Config{Agents: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pbx.Stop() })
	for file, change := range spoil {
		path := filepath.Join(pbx.Dir, "etc", file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), change[0]) {
			t.Fatalf("%s has no %q", file, change[0])
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), change[0], change[1])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := pbx.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	return pbx, Config{
		ID: "pbx", URL: pbx.ARIURL, User: pbx.ARIUser, Password: pbx.ARIPassword,
		Endpoints: []string{"PJSIP/1001", "PJSIP/1002", "PJSIP/9999"},
	}
}

func TestDoctorNamesEveryFault(t *testing.T) {
	pbx, cfg := spoilt(t, map[string][2]string{
		"http.conf":       {"sessionlimit=1000", "sessionlimit=100"},
		"ari.conf":        {"websocket_write_timeout=2000\n", "\n;"},
		"asterisk.conf":   {"live_dangerously=no", "live_dangerously=yes"},
		"pjsip.conf":      {"set_var=PJSIP_TRANSFER_HANDLING()=ari-only", "device_state_busy_at=1"},
		"extensions.conf": {"[rm-", "[somewhere-"},
	})
	ari := filepath.Join(pbx.Dir, "etc", "ari.conf")
	text, err := os.ReadFile(ari)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ari, []byte(strings.ReplaceAll(string(text), "channelvars=RM", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pbx.CLI("module reload res_ari.so"); err != nil {
		t.Fatal(err)
	}
	plc := "[plc]\ngenericplc_on_equal_codecs=true\n"
	if err := os.WriteFile(filepath.Join(pbx.Dir, "etc", "codecs.conf"), []byte(plc), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(pbx.RecordingDir); err != nil {
		t.Fatal(err)
	}
	findings := Examine(t.Context(), cfg)
	for _, want := range []struct {
		what     string
		severity Severity
		fix      string
	}{
		{"http sessions", SeverityWarning, "http.conf, [general]: sessionlimit=1000"},
		{"event socket patience", SeverityWarning, "ari.conf, [general]: websocket_write_timeout=2000"},
		{"stamp in snapshots", SeverityError, "ari.conf, [general]: channelvars=RM"},
		{"functions that touch the machine", SeverityError, "asterisk.conf, [options]: live_dangerously=no"},
		{"transfer keys of phones", SeverityWarning, "set_var=PJSIP_TRANSFER_HANDLING()=ari-only"},
		{"device_state_busy_at of phones", SeverityWarning, "device_state_busy_at=0"},
		{"fallback", SeverityError, "[rm-fallback]"},
		{"person or machine", SeverityNote, "[rm-amd]"},
		{"calls from other switches", SeverityNote, "[rm-link]"},
		{"packet loss concealment", SeverityWarning, "codecs.conf, [plc]: genericplc_on_equal_codecs=no"},
		{"recording folder", SeverityWarning, "recording"},
		{"phones", SeverityError, "pjsip.conf"},
		{"phones", SeverityWarning, "plug the phones in"},
	} {
		if !slices.ContainsFunc(findings, func(f Finding) bool {
			return f.What == want.what && f.Severity == want.severity && strings.Contains(f.Fix, want.fix)
		}) {
			t.Errorf("not found: %s %s", want.severity, want.what)
		}
	}
	if t.Failed() {
		t.Log(report(findings))
	}
}

func TestDoctorAtTheDoor(t *testing.T) {
	p := atPlace(t)
	good := p.config(t)
	for name, c := range map[string]struct {
		change func(*Config)
		words  string
	}{
		"nobody there":   {func(c *Config) { c.URL = "http://127.0.0.1:1/ari" }, "connection refused"},
		"wrong password": {func(c *Config) { c.Password = "x" }, "refuses user"},
		"wrong path":     {func(c *Config) { c.URL = strings.TrimSuffix(c.URL, "/ari") + "/other" }, "has no ARI"},
		"no address":     {func(c *Config) { c.URL = "nonsense" }, "not an http"},
	} {
		cfg := good
		c.change(&cfg)
		findings := Examine(t.Context(), cfg)
		last := findings[len(findings)-1]
		if last.Severity != SeverityError || !strings.Contains(last.Found, c.words) || last.Fix == "" {
			t.Errorf("%s: %+v", name, last)
		}
	}
}

func TestDoctorOnAReadOnlyUser(t *testing.T) {
	f := newFake(t)
	f.fail("DELETE /channels/ringmaster-doctor-no-such-leg", http.StatusForbidden, "Write access denied")
	f.say("GET /asterisk/modules", "[]")
	f.say("GET /applications/rm", "{}")
	findings := Examine(t.Context(), Config{ID: "pbx", URL: f.server.URL + "/ari", User: "rm", Password: "x"})
	if r := found(findings, "rights"); len(r) != 1 || r[0].Severity != SeverityError {
		t.Errorf("%+v", r)
	}
	if m := found(findings, "modules"); len(m) != 2 || m[0].Severity != SeverityError || !strings.Contains(m[0].Found, "app_stasis.so") {
		t.Errorf("%+v", m)
	}
}

func TestDoctorKnowsVersions(t *testing.T) {
	for version, want := range map[string]Severity{
		"22.10.1+dfsg+~cs6.17": SeverityOK, "22.11.0": SeverityOK, "20.21.0": SeverityOK, "23.5.0": SeverityOK, "24.0.0": SeverityOK,
		"certified-22.11-cert1": SeverityOK,
		"22.10.0":               SeverityError, "22.9.0": SeverityError, "22.8.2": SeverityError, "20.18.0": SeverityError, "20.20.0": SeverityError,
		"22.7.0": SeverityWarning, "20.17.1": SeverityWarning, "23.4.0": SeverityWarning, "GIT-master-abc": SeverityWarning,
		"18.9.0": SeverityError, "22.2.0": SeverityError, "21.10.0": SeverityError, "": SeverityWarning,
	} {
		x := &examiner{}
		x.version(version)
		if got := x.findings[0].Severity; got != want {
			t.Errorf("%q is %s, want %s", version, got, want)
		}
	}
}
