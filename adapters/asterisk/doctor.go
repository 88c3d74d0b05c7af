package asterisk

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/CyCoreSystems/ari/v5"
	"github.com/coder/websocket"

	"ringmaster/orchestrator"
)

// What a doctor says is the same for every kind of switch.
type (
	Severity = orchestrator.Severity
	Finding  = orchestrator.Finding
)

// The severities.
const (
	SeverityOK      = orchestrator.SeverityOK
	SeverityNote    = orchestrator.SeverityNote
	SeverityWarning = orchestrator.SeverityWarning
	SeverityError   = orchestrator.SeverityError
)

// Examine looks at an Asterisk from outside and says what to change on it. It
// may run beside a working orchestrator: it connects under an application name
// of its own, changes nothing, and makes one Local channel that is never
// dialled, through which it reads settings, and hangs it up. It takes a few
// seconds at most on a PBX that answers.
func Examine(ctx context.Context, cfg Config) []Finding {
	full, base, err := cfg.complete()
	if err != nil {
		return []Finding{{Severity: SeverityError, What: "configuration", Found: err.Error(), Fix: "correct this switch's settings in Ringmaster"}}
	}
	x := &examiner{cfg: full, rest: newClient(full, base, newCounters())}
	defer x.rest.close()
	x.door(base)
	if !x.reach(ctx) {
		return x.findings
	}
	x.rights(ctx)
	x.modules(ctx)
	x.hostName(ctx, base)
	x.pace(ctx)
	x.application(ctx)
	x.inside(ctx)
	x.endpoints(ctx)
	return x.findings
}

type examiner struct {
	cfg      Config
	rest     *client
	findings []Finding
	running  map[string]bool // modules
	probe    string          // id of the Local channel, "" when there is none
}

func (x *examiner) add(s Severity, what, found, want, fix string) {
	x.findings = append(x.findings, Finding{Severity: s, What: what, Found: found, Want: want, Fix: fix})
}

func (x *examiner) ok(what, found string) { x.add(SeverityOK, what, found, "", "") }

// door looks at the way to ARI, over which the password travels.
func (x *examiner) door(base *url.URL) {
	const what = "way to ARI"
	switch {
	case base.Scheme == "https":
		x.ok(what, "encrypted")
	case isLoopback(base.Hostname()):
		x.ok(what, "on this machine")
	default:
		x.add(SeverityWarning, what, "plain http to "+base.Hostname()+": the password can be read on the way",
			"https, or a tunnel that ends on the PBX",
			"http.conf, [general]: tlsenable=yes, tlsbindaddr=<address>:8089, tlscertfile=<pem>; then restart Asterisk and give Ringmaster the https address")
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// reach asks for the version; nothing else makes sense without an answer.
func (x *examiner) reach(ctx context.Context) bool {
	const what = "ARI"
	var info ari.AsteriskInfo
	err := x.rest.send(ctx, encodeRead("asterisk", "info"), &info)
	switch statusOf(err) {
	case http.StatusUnauthorized:
		x.add(SeverityError, what, "refuses user "+x.cfg.User+" or its password", "a user with that password",
			"ari.conf: ["+x.cfg.User+"] type=user, read_only=no, password=<the one Ringmaster has>; then: module reload res_ari.so")
		return false
	case http.StatusNotFound:
		x.add(SeverityError, what, "the server at "+x.cfg.URL+" has no ARI there", "ARI at that address",
			"ari.conf, [general]: enabled=yes; http.conf, [general]: no prefix, or the prefix in Ringmaster's address; then: module reload res_ari.so")
		return false
	}
	if err != nil {
		x.add(SeverityError, what, err.Error(), "an answer from "+x.cfg.URL,
			"http.conf, [general]: enabled=yes, bindaddr and bindport as in Ringmaster's address; then: module reload http")
		return false
	}
	x.ok(what, "answers and knows user "+x.cfg.User)
	x.version(orchestrator.PlainText(info.SystemInfo.Version, maxID))
	return true
}

var versionPattern = regexp.MustCompile(`^(?:certified[-/])?(\d+)\.(\d+)(?:\.(\d+))?`)

// version knows in which releases ARI is free of the deadlocks that were found
// under load (asterisk/asterisk issues 1962, 1907, 1928, 2078).
func (x *examiner) version(found string) {
	const what, want = "version", "20.21, 22.10.1, 23.5 or newer of these"
	const fix = "upgrade Asterisk"
	m := versionPattern.FindStringSubmatch(found)
	if m == nil {
		x.add(SeverityWarning, what, found+" is no version this program knows", want, fix)
		return
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // The pattern admits digits only; none is zero.
	}
	switch at := n[0]*1_000_000 + n[1]*1000 + n[2]; {
	case n[0] == 20 && at >= 20_021_000, n[0] == 22 && at >= 22_010_001, n[0] == 23 && at >= 23_005_000, n[0] > 23:
		x.ok(what, found)
	case n[0] == 20 && n[1] >= 18, n[0] == 22 && n[1] >= 8:
		x.add(SeverityError, what, found+" stalls or deadlocks under ARI load", want, fix)
	case n[0] == 20 && n[1] >= 13, n[0] == 22 && n[1] >= 3, n[0] >= 23:
		x.add(SeverityWarning, what, found+" is older than what Ringmaster is tested with", want, fix)
	default:
		x.add(SeverityError, what, found+" lacks what Ringmaster needs", want, fix)
	}
}

// rights sends a hang-up of a leg that cannot be: a user who may only read is
// refused before the leg is looked for.
func (x *examiner) rights(ctx context.Context) {
	const what = "rights of the user"
	switch err := x.rest.send(ctx, encodeHangup("ringmaster-doctor-no-such-leg", 16), nil); statusOf(err) {
	case http.StatusNotFound:
		x.ok(what, "may command")
	case http.StatusForbidden:
		x.add(SeverityError, what, "may only read", "may command",
			"ari.conf: ["+x.cfg.User+"] read_only=no; then: module reload res_ari.so")
	default:
		x.add(SeverityWarning, what, fmt.Sprintf("a test command was answered %v", err), "404", "")
	}
}

// needed are the modules without which calls fail; useful ones say for what.
var needed = []string{
	"app_stasis", "bridge_simple", "bridge_softmix", "chan_pjsip", "codec_ulaw", "format_wav", "func_callerid",
	"res_ari_applications", "res_ari_asterisk", "res_ari_bridges", "res_ari_channels", "res_ari_device_states",
	"res_ari_endpoints", "res_ari_events", "res_ari_playbacks", "res_ari_recordings", "res_http_websocket",
	"res_musiconhold", "res_pjsip_header_funcs", "res_pjsip_refer", "res_rtp_asterisk",
	"res_stasis_answer", "res_stasis_device_state", "res_stasis_playback", "res_stasis_recording", "res_stasis_snoop",
}

var useful = map[string]string{
	"app_amd":             "to tell answering machines from people",
	"chan_rtp":            "to send what is said to a server while it is said",
	"res_rtp_multicast":   "which chan_rtp needs",
	"func_config":         "to let this program see http.conf, ari.conf and asterisk.conf",
	"func_dialplan":       "to let this program see the dialplan",
	"func_pjsip_aor":      "to let this program see how phones are watched",
	"func_pjsip_endpoint": "to let this program see the settings of phones",
}

// maxModules bounds the list read from the PBX; a full build has about 300.
const maxModules = 5000

func (x *examiner) modules(ctx context.Context) {
	const what = "modules"
	var list []struct{ Name, Status string }
	if err := x.rest.send(ctx, encodeRead("asterisk", "modules"), &list); err != nil {
		x.add(SeverityNote, what, "cannot be listed: "+err.Error(), "", "")
		return
	}
	x.running = map[string]bool{}
	for _, m := range list[:min(len(list), maxModules)] {
		x.running[strings.TrimSuffix(m.Name, ".so")] = m.Status == "Running"
	}
	var missing []string
	for _, m := range needed {
		if !x.running[m] {
			missing = append(missing, m+".so")
		}
	}
	if len(missing) == 0 {
		x.ok(what, "all that are needed are running")
	} else {
		x.add(SeverityError, what, "not running: "+strings.Join(missing, ", "), "running", loadFix(missing))
	}
	var wanted []string
	for m, purpose := range useful {
		if !x.running[m] {
			wanted = append(wanted, m+".so, "+purpose)
		}
	}
	if len(wanted) > 0 {
		slices.Sort(wanted)
		var names []string
		for _, w := range wanted {
			name, _, _ := strings.Cut(w, ",")
			names = append(names, name)
		}
		x.add(SeverityNote, "useful modules", "not running: "+strings.Join(wanted, "; "), "running", loadFix(names))
	}
}

func loadFix(modules []string) string {
	var lines []string
	for _, m := range modules {
		lines = append(lines, "load="+m)
	}
	return "modules.conf, [modules]: " + strings.Join(lines, ", ") + "; then for each: module load <name>"
}

// slowName is how long the own name may take to resolve; Asterisk was seen to
// stop serving calls at 5 s, with the workers of PJSIP waiting for the answer.
const slowName = 100 * time.Millisecond

func (x *examiner) hostName(ctx context.Context, base *url.URL) {
	const what = "host name of the PBX"
	if !isLoopback(base.Hostname()) {
		x.add(SeverityNote, what, "cannot be tried from another machine", "resolves at once",
			"on the PBX: getent hosts $(hostname) must answer at once, else add the name to /etc/hosts")
		return
	}
	name, err := os.Hostname()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	began := time.Now()
	_, err = net.DefaultResolver.LookupHost(ctx, name)
	took := time.Since(began)
	switch {
	case err != nil && took > slowName:
		x.add(SeverityError, what, fmt.Sprintf("%s does not resolve, which takes %v to find out: calls pile up behind each look-up", name, took.Round(time.Millisecond)),
			"resolves at once", "/etc/hosts: 127.0.1.1 "+name)
	case err != nil || took > slowName:
		x.add(SeverityWarning, what, name+" resolves slowly or not at all", "resolves at once", "/etc/hosts: 127.0.1.1 "+name)
	default:
		x.ok(what, name+" resolves")
	}
}

// pace measures the way there and back.
func (x *examiner) pace(ctx context.Context) {
	const what, rounds = "time of a request", 20
	var took []time.Duration
	for range rounds {
		began := time.Now()
		if err := x.rest.send(ctx, encodeRead("asterisk", "ping"), nil); err != nil {
			x.add(SeverityWarning, what, "a ping failed: "+err.Error(), "every ping answered", "")
			return
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	found := fmt.Sprintf("%.1f ms, at worst %.1f ms", took[rounds/2].Seconds()*1000, took[rounds-1].Seconds()*1000)
	if took[rounds/2] > 50*time.Millisecond {
		x.add(SeverityWarning, what, found, "below 50 ms", "run Ringmaster near the PBX, or look for what keeps it busy")
		return
	}
	x.ok(what, found)
}

// application says whether somebody holds our application now.
func (x *examiner) application(ctx context.Context) {
	const what = "application"
	err := x.rest.send(ctx, encodeRead("applications", x.cfg.App), nil)
	switch {
	case err == nil:
		x.ok(what, x.cfg.App+" is known: Ringmaster is connected, or was and left subscriptions")
	case statusOf(err) == http.StatusNotFound:
		x.add(SeverityNote, what, x.cfg.App+" is not connected: calls take the fallback", "connected", "start ringmaster serve")
	default:
		x.add(SeverityWarning, what, err.Error(), "", "")
	}
}

// inside opens a websocket and makes the probe, then reads what only a channel
// can read.
func (x *examiner) inside(ctx context.Context) {
	const what = "event socket"
	app := x.cfg.App + "-doctor"
	quiet := x.cfg
	quiet.App = app
	sw := &Switch{cfg: quiet, rest: x.rest}
	conn, err := sw.open(ctx)
	if err != nil {
		x.add(SeverityError, what, err.Error(), "opens",
			"modules.conf: res_http_websocket.so and res_ari_events.so must load; a proxy in between must pass websockets")
		return
	}
	x.ok(what, "opens")
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(messageLimit)
	if !x.makeProbe(ctx, conn, app) {
		x.add(SeverityNote, "settings", "cannot be seen: no probe channel could be made",
			"", "check http.conf, ari.conf and pjsip.conf against dialplans/asterisk by hand")
		return
	}
	defer func() {
		_ = x.rest.send(context.WithoutCancel(ctx), encodeHangup(x.probe, 16), nil)
		x.probe = ""
	}()
	x.settings(ctx)
	x.phones(ctx)
	x.recording(ctx)
}

const probeTimeout = 3 * time.Second

// makeProbe makes a Local channel that is never dialled and waits until it is
// in the doctor's application.
func (x *examiner) makeProbe(ctx context.Context, conn *websocket.Conn, app string) bool {
	id := "ringmaster-doctor-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	var made struct {
		ChannelVars map[string]string `json:"channelvars"`
	}
	err := x.rest.send(ctx, request{
		name: "probe", method: http.MethodPost, path: at("channels", "create"),
		query: url.Values{"endpoint": {"Local/s@" + x.cfg.Fallback}, "app": {app}, "channelId": {id}},
	}, &made)
	if err != nil {
		return false
	}
	x.probe = id
	x.channelVars(made.ChannelVars)
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			return false
		}
		if m, err := decode(raw); err == nil && m.kind == "StasisStart" {
			return true
		}
	}
}
