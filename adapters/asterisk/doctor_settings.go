package asterisk

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/CyCoreSystems/ari/v5"

	"ringmaster/orchestrator"
)

// variable reads a dialplan function on the probe channel; ok is false when it
// has no value or its module is not loaded. Unlike GET /asterisk/variable, this
// evaluates functions.
func (x *examiner) variable(ctx context.Context, function string) (value string, ok bool) {
	if x.probe == "" {
		return "", false
	}
	var v struct{ Value string }
	r := request{
		name: "read_variable", method: http.MethodGet, path: at("channels", x.probe, "variable"),
		query: url.Values{"variable": {function}},
	}
	if err := x.rest.send(ctx, r, &v); err != nil {
		return "", false
	}
	return orchestrator.PlainText(v.Value, 200), true
}

// inFile reads one setting of a configuration file of the PBX.
func (x *examiner) inFile(ctx context.Context, file, section, name string) (string, bool) {
	return x.variable(ctx, "AST_CONFIG("+file+","+section+","+name+")")
}

// channelVars looks at what a snapshot of a channel shows: without our stamp in
// it a restarted Ringmaster cannot find its calls.
func (x *examiner) channelVars(vars map[string]string) {
	const what = "stamp in snapshots"
	if _, shown := vars[stampVariable]; shown {
		x.ok(what, "channelvars has "+stampVariable)
		return
	}
	x.add(SeverityError, what, "channelvars lacks "+stampVariable+": calls are not found again after a restart of Ringmaster",
		"channelvars="+stampVariable, "ari.conf, [general]: channelvars="+stampVariable+"; then: module reload res_ari.so")
}

// number is a setting that has to be at least so much.
type number struct {
	what, file, name string
	least, want      int
	otherwise        int // Asterisk's default
	why, reload      string
}

var numbers = []number{
	{
		"http sessions", "http.conf", "sessionlimit", 500, 1000, 100,
		"connections are refused under load", "module reload http",
	},
	{
		"http keep-alive", "http.conf", "session_keep_alive", 11000, 15000, 15000,
		"Asterisk closes connections that Ringmaster is about to use", "module reload http",
	},
	{
		"event socket patience", "ari.conf", "websocket_write_timeout", 1000, 2000, 100,
		"a hiccup of the network closes the event socket", "module reload res_ari.so",
	},
}

// settings reads the configuration files through the PBX itself, so that
// templates and includes count as they do there.
func (x *examiner) settings(ctx context.Context) {
	x.dialplan(ctx)
	if !x.running["func_config"] {
		var lines []string
		for _, n := range numbers {
			lines = append(lines, fmt.Sprintf("%s: %s=%d", n.file, n.name, n.want))
		}
		x.add(SeverityNote, "settings", "cannot be seen without func_config.so", strings.Join(lines, ", ")+", asterisk.conf: live_dangerously=no",
			"module load func_config.so, then run this again; or check the files by hand")
		return
	}
	for _, n := range numbers {
		x.number(ctx, n)
	}
	x.bound(ctx)
	x.dangerous(ctx)
	x.concealment(ctx)
}

// concealment looks for a setting that mends recordings on 22.10.1 and breaks
// talks.
func (x *examiner) concealment(ctx context.Context) {
	const what, name = "packet loss concealment", "genericplc_on_equal_codecs"
	if set, _ := x.inFile(ctx, "codecs.conf", "plc", name); set != "yes" && set != "true" {
		x.ok(what, "only where codecs differ")
		return
	}
	x.add(SeverityWarning, what, name+" is on: some talks of two phones with the same codec are silent", "no",
		"codecs.conf, [plc]: "+name+"=no; then: core restart when convenient")
}

func (x *examiner) number(ctx context.Context, n number) {
	text, set := x.inFile(ctx, n.file, "general", n.name)
	value, err := strconv.Atoi(text)
	if !set || err != nil {
		value, text = n.otherwise, fmt.Sprintf("not set, which means %d", n.otherwise)
	}
	if value >= n.least {
		x.ok(n.what, n.name+" is "+text)
		return
	}
	x.add(SeverityWarning, n.what, n.name+" is "+text+": "+n.why, fmt.Sprintf("%d", n.want),
		fmt.Sprintf("%s, [general]: %s=%d; then: %s", n.file, n.name, n.want, n.reload))
}

// bound looks at where ARI listens. Who reaches it can place calls.
func (x *examiner) bound(ctx context.Context) {
	const what = "where ARI listens"
	address, _ := x.inFile(ctx, "http.conf", "general", "bindaddr")
	tls, _ := x.inFile(ctx, "http.conf", "general", "tlsenable")
	switch {
	case isLoopback(address):
		x.ok(what, address)
	case tls == "yes" || tls == "true":
		x.add(SeverityWarning, what, address+" in clear, beside TLS", "clear text on 127.0.0.1 only",
			"http.conf, [general]: bindaddr=127.0.0.1; then: core restart when convenient")
	default:
		x.add(SeverityWarning, what, orDefault(address, "every address")+", in clear: whoever reaches it and has the password can place calls at your cost",
			"127.0.0.1, or TLS and a firewall", "http.conf, [general]: bindaddr=127.0.0.1; then: core restart when convenient")
	}
}

// dangerous tries whether values from outside may run functions that touch the
// machine. FILE is such a function; reading nothing of /dev/null harms nobody.
func (x *examiner) dangerous(ctx context.Context) {
	const what = "functions that touch the machine"
	set, _ := x.inFile(ctx, "asterisk.conf", "options", "live_dangerously")
	_, runs := x.variable(ctx, "FILE(/dev/null,0,0)")
	if runs || set == "yes" || set == "true" {
		x.add(SeverityError, what, "live_dangerously=yes: an ARI or AMI user can run commands on the PBX", "no",
			"asterisk.conf, [options]: live_dangerously=no; then: core restart when convenient")
		return
	}
	x.ok(what, "refused from outside")
}

// phoneSetting is a setting of an endpoint that breaks calls in a quiet way.
type phoneSetting struct {
	name, want string
	wrong      func(string) bool
	why        string
}

var phoneSettings = []phoneSetting{
	{"direct_media", "no", func(v string) bool { return v == "true" || v == "yes" }, "no music, prompts or digits while two phones talk to each other directly"},
	{"device_state_busy_at", "0", func(v string) bool { return v != "0" && v != "" }, "a ringing phone looks busy"},
}

// maxExamined bounds the phones looked into; a mistake is mostly in a template
// that all share.
const maxExamined = 200

// phones looks into the settings of the watched endpoints and reports each
// fault once, with the phones that have it.
func (x *examiner) phones(ctx context.Context) {
	if !x.running["func_pjsip_endpoint"] || len(x.cfg.Endpoints) == 0 {
		return
	}
	faults := map[string][]string{}
	for _, e := range x.cfg.Endpoints[:min(len(x.cfg.Endpoints), maxExamined)] {
		name := strings.TrimPrefix(e, "PJSIP/")
		aors, known := x.variable(ctx, "PJSIP_ENDPOINT("+name+",aors)")
		if !known {
			continue // Not on this PBX; endpoints says so.
		}
		for _, s := range phoneSettings {
			if v, ok := x.variable(ctx, "PJSIP_ENDPOINT("+name+","+s.name+")"); ok && s.wrong(v) {
				faults[s.name] = append(faults[s.name], name)
			}
		}
		first, _, _ := strings.Cut(aors, ",")
		if v, ok := x.variable(ctx, "PJSIP_AOR("+first+",qualify_frequency)"); ok && v == "0" {
			faults["qualify_frequency"] = append(faults["qualify_frequency"], name)
		}
		if x.running["func_config"] && !x.asksTransfers(ctx, name) {
			faults["set_var"] = append(faults["set_var"], name)
		}
	}
	const file = "pjsip.conf, endpoint of each: "
	const reload = "; then: module reload res_pjsip.so"
	for _, s := range phoneSettings {
		x.fault(faults[s.name], SeverityWarning, s.name, s.why, s.want, file+s.name+"="+s.want+reload)
	}
	x.fault(faults["qualify_frequency"], SeverityWarning, "qualify_frequency", "an unplugged phone rings into the void for ever", "15",
		"pjsip.conf, aor of each: qualify_frequency=15, qualify_timeout=2"+reload)
	x.fault(faults["set_var"], SeverityWarning, "transfer keys", "PJSIP_TRANSFER_HANDLING is not seen in pjsip.conf: Asterisk moves transferred calls behind Ringmaster's back",
		"ari-only", file+"set_var=PJSIP_TRANSFER_HANDLING()=ari-only"+reload)
}

// asksTransfers looks for the set_var line. Only pjsip.conf can be read, and
// only the first block of a name, so a phone configured elsewhere is reported
// although it may be right.
func (x *examiner) asksTransfers(ctx context.Context, name string) bool {
	const lines = 8
	for i := range lines {
		v, ok := x.variable(ctx, fmt.Sprintf("AST_CONFIG(pjsip.conf,%s,set_var,%d)", name, i))
		if !ok || v == "" {
			return false
		}
		if strings.ReplaceAll(v, " ", "") == "PJSIP_TRANSFER_HANDLING()=ari-only" {
			return true
		}
	}
	return false
}

func (x *examiner) fault(phones []string, s Severity, what, why, want, fix string) {
	if len(phones) == 0 {
		x.ok(what+" of phones", "right")
		return
	}
	x.add(s, what+" of phones", listOf(phones)+": "+why, want, fix)
}

// listOf names the first few of many.
func listOf(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}

// recording records the probe for a moment: the one way to know that the folder
// is there and writable.
func (x *examiner) recording(ctx context.Context) {
	const what = "recording folder"
	name := x.probe
	err := x.rest.send(ctx, request{
		name: "record", method: http.MethodPost, path: at("channels", x.probe, "record"),
		query: url.Values{"name": {name}, "format": {"wav"}, "maxDurationSeconds": {"1"}},
	}, nil)
	if err != nil {
		spool, _ := x.variable(ctx, "ASTSPOOLDIR")
		x.add(SeverityWarning, what, "a test recording was refused: "+err.Error(), "writable by Asterisk",
			"on the PBX: install -d -o asterisk -g asterisk "+orDefault(spool, "/var/spool/asterisk")+"/recording")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	_ = x.rest.send(ctx, request{name: "stop_recording", method: http.MethodDelete, path: at("recordings", "live", name)}, nil) // Discards it; it ends with the probe anyway.
	x.ok(what, "writable")
}

// endpoints compares the watched endpoints with those the PBX has.
func (x *examiner) endpoints(ctx context.Context) {
	const what = "phones"
	if len(x.cfg.Endpoints) == 0 {
		x.add(SeverityNote, what, "none are configured for this switch in Ringmaster", "", "")
		return
	}
	var found []ari.EndpointData
	if err := x.rest.send(ctx, encodeRead("endpoints"), &found); err != nil {
		x.add(SeverityWarning, what, "cannot be listed: "+err.Error(), "", "")
		return
	}
	state := map[string]string{}
	for _, e := range found {
		state[e.Technology+"/"+e.Resource] = e.State
	}
	var unknown, offline []string
	for _, e := range x.cfg.Endpoints {
		switch s, known := state[e]; {
		case !known:
			unknown = append(unknown, e)
		case s == "offline":
			offline = append(offline, e)
		}
	}
	if len(unknown) > 0 {
		x.add(SeverityError, what, "not on this PBX: "+listOf(unknown), "an endpoint for each",
			"pjsip.conf: one block per phone as in dialplans/asterisk/pjsip.conf, or correct the name in Ringmaster")
	}
	if len(offline) > 0 {
		x.add(SeverityWarning, what, "not registered: "+listOf(offline), "registered", "plug the phones in and check their account and password")
	}
	if len(unknown)+len(offline) == 0 {
		x.ok(what, fmt.Sprintf("%d known and registered", len(x.cfg.Endpoints)))
	}
}
