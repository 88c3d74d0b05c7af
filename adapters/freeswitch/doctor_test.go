package freeswitch

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

func found(findings []orchestrator.Finding, what string) (out []orchestrator.Finding) {
	for _, f := range findings {
		if strings.Contains(f.What, what) {
			out = append(out, f)
		}
	}
	return out
}

func report(findings []orchestrator.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "\n%-8s %s: %s\n         want %s; %s", f.Severity, f.What, f.Found, f.Want, f.Fix)
	}
	return b.String()
}

// The shipped files pass, and nothing is left behind.
func TestDoctorIsContentWithTheShippedFiles(t *testing.T) {
	p := atPlace(t)
	cfg := p.config(t)
	cfg.Links, cfg.Linked = []string{"gateway/link"}, true
	findings := Examine(t.Context(), cfg)
	for _, f := range findings {
		if f.Severity == orchestrator.SeverityError || f.Severity == orchestrator.SeverityWarning {
			t.Errorf("%s: %s: %s", f.Severity, f.What, f.Found)
		}
	}
	for _, what := range []string{
		"way to the event socket", "event socket", "version", "where the event socket listens", "rights", "modules", "new legs per second",
		"legs at once", "signs of life", "functions in texts", "context rm-inbound", "context rm-agents", "context rm-care", "context rm-fallback",
		"context rm-link", "SIP profile internal", "link gateway/link", "phones", "music", "other call distributors", "recording folder", "ringmaster", "time of a command",
	} {
		if len(found(findings, what)) == 0 {
			t.Errorf("nothing was said about %q", what)
		}
	}
	if left, err := os.ReadDir(cfg.Recordings); err != nil || slices.ContainsFunc(left, func(f os.DirEntry) bool { return strings.Contains(f.Name(), "doctor") }) {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		out, err := p.pbx.CLI("show channels")
		if err == nil && !strings.Contains(out, "ringmaster-doctor") {
			break
		}
		if time.Since(began) > patience {
			t.Fatalf("left behind: %s (%v)", out, err)
		}
	}
}

// spoilt is a PBX of its own with one thing after another wrong: what stands
// left of it in a file, by the file's name.
func spoilt(t *testing.T, spoil map[string][][2]string) (*lab.FreeSWITCH, Config) {
	t.Helper()
	if err := lab.FreeSWITCHAvailable(); err != nil || testing.Short() {
		t.Skipf("SKIPPED, no FreeSWITCH to test with: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pbx, err := lab.StartFreeSWITCH(ctx, lab.FreeSWITCHConfig{Agents: 3, Edit: func(name, text string) string {
		for _, change := range spoil[name] {
			if !strings.Contains(text, change[0]) {
				t.Errorf("%s has no %q", name, change[0])
			}
			text = strings.ReplaceAll(text, change[0], change[1])
		}
		return text
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pbx.Stop() })
	return pbx, Config{
		ID: "pbx", Address: pbx.ESLAddr, Password: pbx.ESLPassword, Domain: pbx.Domain, Recordings: pbx.RecordingDir,
		Endpoints: []string{"user/1001", "user/1002", "user/9999"},
	}
}

func TestDoctorNamesEveryFault(t *testing.T) {
	_, cfg := spoilt(t, map[string][][2]string{
		"autoload_configs/event_socket.conf.xml": {{`name="listen-ip" value="127.0.0.1"`, `name="listen-ip" value="0.0.0.0"`}, {"loopback.auto", "everyone"}},
		"autoload_configs/acl.conf.xml":          {{"<network-lists>", `<network-lists><list name="everyone" default="allow"/>`}},
		"autoload_configs/switch.conf.xml": {
			{`name="max-sessions" value="3000"`, `name="max-sessions" value="100"`},
			{`name="sessions-per-second" value="300"`, `name="sessions-per-second" value="30"`},
			{`<param name="event-heartbeat-interval" value="2"/>`, `<param name="initial-event-threads" value="4"/>`},
		},
		"autoload_configs/modules.conf.xml":      {{`<load module="mod_conference"/>`, `<load module="mod_callcenter"/>`}},
		"autoload_configs/local_stream.conf.xml": {{`name="moh"`, `name="quiet"`}},
		"autoload_configs/conference.conf.xml":   {{`name="ringmaster"`, `name="default"`}},
		"sip_profiles/internal.xml": {
			{`name="fire-transfer-events" value="true"`, `name="fire-transfer-events" value="false"`},
			{`<param name="all-reg-options-ping" value="true"/>`, `<param name="unregister-on-options-fail" value="true"/>`},
			{`name="auth-calls" value="true"`, `name="auth-calls" value="false"`},
			{`<param name="hold-music" value="local_stream://moh"/>`, ""},
			{`name="inbound-bypass-media" value="false"`, `name="inbound-bypass-media" value="true"`},
			{`name="apply-inbound-acl" value="rm-trunk"`, `name="apply-inbound-acl" value="everyone"`},
			{`<param name="force-register-domain" value="$${domain}"/>`, ""},
			{`<param name="force-register-db-domain" value="$${domain}"/>`, ""},
			{`name="challenge-realm" value="$${domain}"`, `name="challenge-realm" value="auto_from"`},
			{`<param name="ping-mean-interval" value="15"/>`, `<param name="ping-mean-interval" value="3600"/>`},
			{`<param name="sip-user-ping-max" value="1"/>`, ""},
		},
		"directory/default.xml": {
			{`sofia/internal/${dialed_user}%${dialed_domain}`, `${sofia_contact(${dialed_user}@${dialed_domain})}`},
			{`name="user_context" value="rm-agents"`, `name="user_context" value="default"`},
			{`<param name="allow-empty-password" value="false"/>`, ""},
		},
		"dialplan/ringmaster.xml": {
			{`<context name="rm-inbound">`, `<context name="somewhere">`},
			{`<context name="rm-link">`, `<context name="unlinked">`},
			{`rm_entry=agent`, `x=y`},
			{`<context name="rm-fallback">`, `<context name="nowhere">`},
			{`sched_transfer`, `log`},
		},
	})
	cfg.Recordings, cfg.Links, cfg.Linked = "/dev/null/recordings", []string{"gateway/link", "gateway/nowhere", "PJSIP/x"}, true
	findings := Examine(t.Context(), cfg)
	errors, warnings := orchestrator.SeverityError, orchestrator.SeverityWarning
	for _, want := range []struct {
		severity         orchestrator.Severity
		what, found, fix string
	}{
		{errors, "where the event socket listens", "everybody is let in", "apply-inbound-acl = loopback.auto"},
		{warnings, "legs at once", "100", "max-sessions = 3000; and now: fsctl max_sessions 3000"},
		{warnings, "new legs per second", "30", "sessions-per-second = 300; and now: fsctl sps 300"},
		{warnings, "signs of life", "every 20 s", "event-heartbeat-interval = 2"},
		{warnings, "event threads", "4", "switch.conf.xml"},
		{errors, "modules", "mod_conference", "load mod_conference"},
		{warnings, "talks of three", "no profile ringmaster", "conference.conf.xml"},
		{warnings, "music", "no stream moh", "local_stream.conf.xml"},
		{errors, "SIP profile internal", "fire-transfer-events is false", `<param name="fire-transfer-events" value="true"/>; then: sofia profile internal restart`},
		{warnings, "SIP profile internal", "all-reg-options-ping is not set", "sip_profiles/internal.xml"},
		{warnings, "SIP profile internal", "unregister-on-options-fail is true", "sip_profiles/internal.xml"},
		{errors, "SIP profile internal", "auth-calls is false", "sip_profiles/internal.xml"},
		{warnings, "SIP profile internal", "hold-music is not set", "sip_profiles/internal.xml"},
		{errors, "SIP profile internal", "inbound-bypass-media is true", "sip_profiles/internal.xml"},
		{errors, "SIP profile internal", "apply-inbound-acl is everyone, which lets everybody in", "a list rm-trunk"},
		{warnings, "SIP profile internal", "force-register-domain is not set", `value="rm.lab"/>`},
		{warnings, "SIP profile internal", "force-register-db-domain is not set", `value="rm.lab"/>`},
		{warnings, "SIP profile internal", "challenge-realm is auto_from", `value="rm.lab"/>`},
		{warnings, "SIP profile internal", "ping-mean-interval is 3600", `value="15"/>`},
		{warnings, "SIP profile internal", "sip-user-ping-max is not set", `value="1"/>`},
		{errors, "link gateway/nowhere", "there is no such gateway", "link.xml"},
		{errors, "link PJSIP/x", "not of the form gateway/name", "trunk in Ringmaster"},
		{errors, "context rm-link", "is not there", "dialplan/ringmaster.xml"},
		{errors, "phones", "user/9999: not in the directory of rm.lab", "directory"},
		{errors, "phones", "user/1001, user/1002: cannot be rung", "dial-string"},
		{warnings, "phones", "user/1001, user/1002: what they dial", "user_context = rm-agents"},
		{warnings, "phones", "anybody could register", "allow-empty-password = false"},
		{warnings, "phones", "user/1001, user/1002: not registered", "plug the phones in"},
		{errors, "context rm-inbound", "is not there", "dialplan/ringmaster.xml"},
		{errors, "context rm-agents", "does not hand calls over", "reloadxml"},
		{warnings, "context rm-care", "no guard", "reloadxml"},
		{errors, "context rm-fallback", "is not there", "reloadxml"},
		{errors, "recording folder", "/dev/null/recordings cannot be written", "install -d"},
	} {
		if !slices.ContainsFunc(findings, func(f orchestrator.Finding) bool {
			return f.What == want.what && f.Severity == want.severity && strings.Contains(f.Found, want.found) && strings.Contains(f.Fix, want.fix)
		}) {
			t.Errorf("not found: %s %s: %s", want.severity, want.what, want.found)
		}
	}
	if t.Failed() {
		t.Log(report(findings))
	}
}

// What can be changed while FreeSWITCH runs: expansion, and who dials the same
// phones.
func TestDoctorSeesTheRunningSwitch(t *testing.T) {
	pbx, cfg := spoilt(t, map[string][][2]string{
		"autoload_configs/modules.conf.xml": {{`<load module="mod_loopback"/>`, `<load module="mod_callcenter"/>`}},
	})
	for _, command := range []string{
		"fsctl api_expansion on", "callcenter_config agent add bench callback", "callcenter_config agent set contact bench user/1001@rm.lab",
	} {
		if out, err := pbx.CLI(command); err != nil || strings.HasPrefix(out, "-") {
			t.Fatal(command, out, err)
		}
	}
	findings := Examine(t.Context(), cfg)
	for what, severity := range map[string]orchestrator.Severity{
		"functions in texts": orchestrator.SeverityWarning, "other call distributors": orchestrator.SeverityError,
	} {
		if f := found(findings, what); len(f) != 1 || f[0].Severity != severity {
			t.Errorf("%s: %+v", what, f)
		}
	}
	if f := found(findings, "distributors"); len(f) == 1 && (!strings.Contains(f[0].Found, "user/1001 ") || strings.Contains(f[0].Found, "1002")) {
		t.Errorf("%+v", f)
	}
}

// What FreeSWITCH says of a trunk to another switch.
func TestDoctorLooksAtLinks(t *testing.T) {
	for status, want := range map[string]orchestrator.Severity{
		"<state>NOREG</state><status>UP</status>": orchestrator.SeverityOK, "<state>REGED</state><status>UP</status>": orchestrator.SeverityOK,
		"<state>NOREG</state><status>DOWN</status>": orchestrator.SeverityWarning, "<state>FAIL_WAIT</state><status>UP</status>": orchestrator.SeverityWarning,
		"</gateway>": orchestrator.SeverityNote,
	} {
		f := newFake(t)
		f.on("sofia", func(args string) string {
			if args != "xmlstatus gateway to-west" {
				return noPhones
			}
			return `<?xml version="1.0" encoding="ISO-8859-1"?>` + "\n  <gateway>\n<name>to-west</name>" + status + "</gateway>"
		})
		cfg := f.config()
		cfg.Links = []string{"gateway/to-west"}
		if links := found(Examine(t.Context(), cfg), "link gateway/to-west"); len(links) != 1 || links[0].Severity != want {
			t.Errorf("%s: %+v, want %s", status, links, want)
		}
	}
}

func TestDoctorAtTheDoor(t *testing.T) {
	p := atPlace(t)
	good := p.config(t)
	good.Address = p.pbx.ESLAddr
	for name, c := range map[string]struct {
		change func(*Config)
		words  string
	}{
		"nobody there":   {func(c *Config) { c.Address = "127.0.0.1:1" }, "connection refused"},
		"wrong password": {func(c *Config) { c.Password = "x" }, "refuses the password"},
		"not a socket":   {func(c *Config) { c.Address = "127.0.0.1" }, "host:port"},
	} {
		cfg := good
		c.change(&cfg)
		findings := Examine(t.Context(), cfg)
		last := findings[len(findings)-1]
		if last.Severity != orchestrator.SeverityError || !strings.Contains(last.Found, c.words) || last.Fix == "" {
			t.Errorf("%s: %+v", name, last)
		}
	}
	f := newFake(t) // In FreeSWITCH's own words.
	f.greet("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")
	if findings := Examine(t.Context(), f.config()); len(findings) == 0 || !strings.Contains(findings[len(findings)-1].Found, "refuses this address") ||
		!strings.Contains(findings[len(findings)-1].Fix, "apply-inbound-acl = loopback.auto, or a list of acl.conf.xml") {
		t.Errorf("not on the list: %s", report(findings))
	}
	cfg := good
	cfg.Password, cfg.Address = "ClueCon", "192.0.2.1:8021"
	x := &examiner{cfg: cfg}
	x.way()
	if len(x.findings) != 2 || x.findings[0].Severity != orchestrator.SeverityWarning || x.findings[1].Severity != orchestrator.SeverityError {
		t.Errorf("the known password in clear: %+v", x.findings)
	}
	for password, want := range map[string]int{"eleven-long": 2, "twelve-longer": 1, "äöüäöüäöüäöü": 1} {
		cfg.Password = password
		x = &examiner{cfg: cfg}
		x.way()
		if len(x.findings) != want {
			t.Errorf("%q: %+v", password, x.findings)
		}
	}
}

// A user of the directory who may not do everything is told what he lacks.
func TestDoctorOnALimitedUser(t *testing.T) {
	pbx, cfg := spoilt(t, map[string][][2]string{
		"directory/default.xml": {{`        <user id="link">`, `        <user id="rm"><params>
			<param name="esl-password" value="limited"/><param name="esl-allowed-events" value="HEARTBEAT"/>
			<param name="esl-allowed-api" value="version status show sofia xml_locate module_exists fsctl"/></params></user>
		<user id="link">`}},
	})
	cfg.User, cfg.Password = "rm@"+pbx.Domain, "limited"
	findings := Examine(t.Context(), cfg)
	rights := found(findings, "rights")
	if len(rights) != 2 || rights[0].Severity != orchestrator.SeverityError || rights[1].Severity != orchestrator.SeverityWarning {
		t.Fatal(report(findings))
	}
	for _, word := range []string{"uuid_kill", "events", "sched_api", "originate"} {
		if !strings.Contains(rights[0].Found, word) {
			t.Errorf("%s is not missed in %s", word, rights[0].Found)
		}
	}
	if strings.Contains(rights[0].Found, "version") || !strings.Contains(rights[1].Found, "user_exists, ") {
		t.Errorf("%+v", rights)
	}
	for _, what := range []string{"phones", "music"} {
		if f := found(findings, what); len(f) != 1 || f[0].Severity != orchestrator.SeverityNote || !strings.Contains(f[0].Found, "is refused") {
			t.Errorf("what cannot be seen is called a fault: %+v", f)
		}
	}
}

func TestDoctorKnowsVersions(t *testing.T) {
	for version, want := range map[string]orchestrator.Severity{
		"1.11.1-release": orchestrator.SeverityOK, "1.11.2": orchestrator.SeverityOK, "1.12.0-dev": orchestrator.SeverityOK, "2.0.0": orchestrator.SeverityOK,
		"1.10.12-release": orchestrator.SeverityWarning, "1.11.0": orchestrator.SeverityWarning, "git-master": orchestrator.SeverityWarning, "": orchestrator.SeverityWarning,
		"1.10.11": orchestrator.SeverityError, "1.10.7-dev": orchestrator.SeverityError, "1.8.5": orchestrator.SeverityError,
	} {
		x := &examiner{}
		x.judge(version)
		if got := x.findings[0].Severity; got != want {
			t.Errorf("%q is %s, want %s", version, got, want)
		}
	}
}

// The pages name the version that doctor wants.
func TestPagesNameTheVersion(t *testing.T) {
	for name, words := range map[string]string{
		"doc.go": "version " + testedVersion + " and its successors", "../../dialplans/freeswitch/README.md": "FreeSWITCH " + testedVersion + " or newer",
		"../../dialplans/dialplans.go": "FreeSWITCH " + testedVersion + " or newer", "../../README.md": "the prefix of " + testedVersion,
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if plain := strings.Join(strings.Fields(strings.ReplaceAll(string(text), "//", "")), " "); !strings.Contains(plain, words) {
			t.Errorf("%s does not say %q", name, words)
		}
	}
}
