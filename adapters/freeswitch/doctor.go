package freeswitch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ringmaster/orchestrator"
)

// Examine looks at a FreeSWITCH from outside and says what to change on it. It
// may run beside a working orchestrator: it has a connection of its own and
// changes nothing, but for a leg to nowhere that it makes, records for a moment
// and hangs up, and a file ringmaster-doctor.wav in the folder of recordings,
// which it removes when that is on this machine. It takes a few seconds at most
// on a PBX that answers.
func Examine(ctx context.Context, cfg Config) []orchestrator.Finding {
	full, err := cfg.complete()
	if err != nil {
		return []orchestrator.Finding{{
			Severity: orchestrator.SeverityError, What: "configuration", Found: err.Error(), Fix: "correct this switch's settings in Ringmaster",
		}}
	}
	x := &examiner{cfg: full, running: map[string]bool{}}
	x.way()
	if !x.reach(ctx) {
		return x.findings
	}
	defer x.close()
	x.version(ctx)
	x.socket(ctx)
	x.rights(ctx)
	x.modules(ctx)
	x.limits(ctx)
	x.expansion(ctx)
	x.contexts(ctx)
	x.profile(ctx)
	x.links(ctx)
	x.phones(ctx)
	x.music(ctx)
	x.rivals(ctx)
	x.recording(ctx)
	x.conference(ctx)
	x.alive(ctx)
	x.pace(ctx)
	return x.findings
}

type examiner struct {
	cfg      Config
	wire     *wire
	ended    chan struct{} // closed when the wire's reader is gone
	findings []orchestrator.Finding
	running  map[string]bool // modules
	refused  []string        // commands this user may not use
	expands  bool            // api-expansion is on
}

func (x *examiner) add(s orchestrator.Severity, what, found, want, fix string) {
	x.findings = append(x.findings, orchestrator.Finding{Severity: s, What: what, Found: found, Want: want, Fix: fix})
}

func (x *examiner) ok(what, found string) { x.add(orchestrator.SeverityOK, what, found, "", "") }

func (x *examiner) warn(what, found, want, fix string) {
	x.add(orchestrator.SeverityWarning, what, found, want, fix)
}

func (x *examiner) fail(what, found, want, fix string) {
	x.add(orchestrator.SeverityError, what, found, want, fix)
}

// ask runs one command of the console; its words are ours or validated. What
// FreeSWITCH refuses is an answer, not an error.
func (x *examiner) ask(ctx context.Context, words ...string) (string, error) {
	answers, err := x.wire.send(ctx, api(words[0], words...))
	var f *failure
	if errors.As(err, &f) && !f.silent {
		err = nil
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(answers[0]), nil
}

// try is ask for what only informs: no answer reads as an empty one.
func (x *examiner) try(ctx context.Context, words ...string) string {
	answer, err := x.ask(ctx, words...)
	if err != nil {
		return ""
	}
	return answer
}

func (x *examiner) close() {
	_ = x.wire.fail(errClosed)
	<-x.ended
}

// way looks at the road to the socket, over which the password travels.
func (x *examiner) way() {
	const what = "way to the event socket"
	host, _, _ := net.SplitHostPort(x.cfg.Address)
	if isLoopback(host) {
		x.ok(what, "on this machine")
	} else {
		x.warn(what, "in clear to "+host+": the password can be read on the way, and who has it owns the machine",
			"a VPN, or a tunnel that ends on the PBX", "ssh -N -L 8021:127.0.0.1:8021 "+host+", and give Ringmaster esl://127.0.0.1:8021")
	}
	switch n := utf8.RuneCountInString(x.cfg.Password); {
	case x.cfg.Password == "ClueCon":
		x.fail("password", "it is ClueCon, which the whole world knows", "a secret", newPassword)
	case n < shortPassword:
		x.warn("password", fmt.Sprintf("it has %d characters: FreeSWITCH lets one guess as fast as one can send", n), "a long random one", newPassword)
	}
}

const (
	shortPassword = 12
	newPassword   = "event_socket.conf.xml: password = the output of openssl rand -hex 32; then: reload mod_event_socket"
)

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// reach connects; nothing else makes sense without.
func (x *examiner) reach(ctx context.Context) bool {
	const what = "event socket"
	w, err := open(ctx, x.cfg, nil)
	if err != nil {
		fix := "event_socket.conf.xml: listen-ip and listen-port as in Ringmaster's address; then: load mod_event_socket"
		switch text := err.Error(); {
		case strings.Contains(text, "refuses this address"):
			fix = "event_socket.conf.xml: apply-inbound-acl = loopback.auto, or a list of acl.conf.xml with Ringmaster's address; then: reload mod_event_socket"
		case strings.Contains(text, "refuses the password"):
			fix = "event_socket.conf.xml: password = the one Ringmaster has; then: reload mod_event_socket"
		}
		x.fail(what, err.Error(), "an answer from "+x.cfg.Address, fix)
		return false
	}
	x.wire, x.ended = w, make(chan struct{})
	go func() {
		defer close(x.ended)
		_ = w.run() // Whoever waits for an answer is told why it ended.
	}()
	x.ok(what, "answers and takes the password")
	return true
}

// testedVersion is the FreeSWITCH that the adapter was made and is tested with.
const testedVersion = "1.11.1"

var versionPattern = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)`)

// version knows what the adapter was tried with.
func (x *examiner) version(ctx context.Context) {
	text, err := x.ask(ctx, "version", "short")
	if err != nil {
		x.fail("version", err.Error(), "an answer", "")
		return
	}
	x.judge(orchestrator.PlainText(text, maxID))
}

func (x *examiner) judge(found string) {
	const what, want, fix = "version", testedVersion + " or newer", "upgrade FreeSWITCH"
	m := versionPattern.FindStringSubmatch(found)
	if m == nil {
		x.warn(what, found+" is no version this program knows", want, fix)
		return
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // The pattern admits digits only.
	}
	switch at := n[0]*1_000_000 + n[1]*1000 + n[2]; {
	case at >= 1_011_001:
		x.ok(what, found)
	case at >= 1_010_012:
		x.warn(what, found+" is older than what Ringmaster is tested with", want, fix)
	default:
		x.fail(what, found+" has known holes and lacks what Ringmaster needs", want, fix)
	}
}

// needed are the modules without which calls fail.
var needed = []string{
	"mod_commands", "mod_conference", "mod_dialplan_xml", "mod_dptools", "mod_event_socket", "mod_local_stream", "mod_native_file",
	"mod_sndfile", "mod_sofia", "mod_tone_stream",
}

func (x *examiner) modules(ctx context.Context) {
	const what = "modules"
	if x.unseen(what, "module_exists") {
		return
	}
	var missing []string
	for _, m := range append(slices.Clone(needed), "mod_callcenter", "mod_fifo") {
		x.running[m] = x.try(ctx, "module_exists", m) == "true"
		if !x.running[m] && slices.Contains(needed, m) {
			missing = append(missing, m)
		}
	}
	if len(missing) == 0 {
		x.ok(what, "all that are needed are loaded")
		return
	}
	x.fail(what, "not loaded: "+strings.Join(missing, ", "), "loaded", "modules.conf.xml: a line <load module=…/> for each; then: load "+missing[0])
}

// rivals looks for others who ring the same phones.
func (x *examiner) rivals(ctx context.Context) {
	const what = "other call distributors"
	if x.unseen(what, "module_exists", "callcenter_config", "fifo") {
		return
	}
	if !x.running["mod_callcenter"] && !x.running["mod_fifo"] {
		x.ok(what, "none is loaded")
		return
	}
	list := x.try(ctx, "callcenter_config", "agent", "list") + x.try(ctx, "fifo", "list")
	var both []string
	for _, e := range x.cfg.Endpoints {
		if regexp.MustCompile(regexp.QuoteMeta(e) + `([^A-Za-z0-9_.-]|$)`).MatchString(list) {
			both = append(both, e)
		}
	}
	if len(both) > 0 {
		x.fail(what, "mod_callcenter or mod_fifo dials "+listOf(both)+" too: the phone would ring twice", "each phone with one of the two",
			"callcenter.conf.xml or fifo.conf.xml: take these agents out; then: reload mod_callcenter")
		return
	}
	x.add(orchestrator.SeverityNote, what, "mod_callcenter or mod_fifo is loaded, and dials none of our phones", "", "")
}

// listOf names the first few of many.
func listOf(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}

// recording records a leg to nowhere for a moment. FreeSWITCH says +OK to
// every path, so only the file proves anything.
func (x *examiner) recording(ctx context.Context) {
	const what = "recording folder"
	path := filepath.Join(x.cfg.Recordings, "ringmaster-doctor.wav")
	id := "ringmaster-doctor-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if answer := x.try(ctx, "originate", "{origination_uuid="+id+"}null/ringmaster-doctor", "&park()"); !strings.HasPrefix(answer, "+OK") {
		x.add(orchestrator.SeverityNote, what, "cannot be tried without mod_loopback: "+said(answer), "writable by FreeSWITCH", "load mod_loopback, then run this again")
		return
	}
	x.try(ctx, "uuid_record", id, "start", path)
	there := x.try(ctx, "file_exists", path) == "true"
	x.try(ctx, "uuid_kill", id)
	if host, _, _ := net.SplitHostPort(x.cfg.Address); isLoopback(host) {
		_ = os.Remove(path) // In a container it is another machine's, and stays.
	}
	if !there {
		x.fail(what, x.cfg.Recordings+" cannot be written to; FreeSWITCH tells nobody and records nothing", "writable by FreeSWITCH",
			"on the PBX: install -d -o freeswitch -g freeswitch "+x.cfg.Recordings)
		return
	}
	x.ok(what, x.cfg.Recordings+" is writable")
}

// conference looks for the profile of talks of three.
func (x *examiner) conference(ctx context.Context) {
	const what = "talks of three"
	c, ok := x.file(ctx, "conference.conf")
	if !ok {
		x.add(orchestrator.SeverityNote, what, "conference.conf.xml cannot be seen", "a profile "+x.cfg.Conference, "look for it by hand")
		return
	}
	for _, p := range c.Profiles {
		if p.Name == x.cfg.Conference {
			x.ok(what, "profile "+x.cfg.Conference+" is there")
			return
		}
	}
	x.warn(what, "no profile "+x.cfg.Conference+": nobody can join two who talk, or listen to them", "there",
		"conference.conf.xml: dialplans/freeswitch/conference.conf.xml; then: reload mod_conference")
}

// alive says whether somebody looks after calls now.
func (x *examiner) alive(ctx context.Context) {
	const what = "ringmaster"
	if x.try(ctx, "global_getvar", aliveVariable) == "yes" {
		x.ok(what, "is connected")
		return
	}
	x.add(orchestrator.SeverityNote, what, "is not connected: calls take the fallback", "connected", "start ringmaster serve")
}

// pace measures the way there and back.
func (x *examiner) pace(ctx context.Context) {
	const what, rounds = "time of a command", 20
	var took []time.Duration
	for range rounds {
		began := time.Now()
		if _, err := x.ask(ctx, "uuid_exists", "ringmaster-doctor"); err != nil {
			x.warn(what, "a command failed: "+err.Error(), "every command answered", "")
			return
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	found := fmt.Sprintf("%.1f ms, at worst %.1f ms", took[rounds/2].Seconds()*1000, took[rounds-1].Seconds()*1000)
	if took[rounds/2] > 50*time.Millisecond {
		x.warn(what, found, "below 50 ms", "run Ringmaster near the PBX, or look for what keeps it busy")
		return
	}
	x.ok(what, found)
}
