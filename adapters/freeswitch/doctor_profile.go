package freeswitch

import (
	"context"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"ringmaster/orchestrator"
)

// profileSetting is a parameter of the SIP profile that breaks calls in a
// quiet way.
type profileSetting struct {
	name, want string
	severity   orchestrator.Severity
	right      func(settings) bool
	why        string
}

func on(name string) func(settings) bool { return func(s settings) bool { return s.on(name) } }

func off(name string) func(settings) bool { return func(s settings) bool { return !s.on(name) } }

func reads(name, want string) func(settings) bool {
	return func(s settings) bool { v, _ := s.get(name); return v == want }
}

// upTo is right for a number from 1 to most.
func upTo(name string, most int) func(settings) bool {
	return func(s settings) bool {
		v, _ := s.get(name)
		n, err := strconv.Atoi(v)
		return err == nil && n >= 1 && n <= most
	}
}

// profileSettings are those of a profile for the phones of a domain.
func profileSettings(domain string) []profileSetting {
	const severe, warning = orchestrator.SeverityError, orchestrator.SeverityWarning
	const elsewhere = "a phone that spells the server's name in another way is not found"
	return []profileSetting{
		{"auth-calls", "true", severe, func(s settings) bool { v, set := s.get("auth-calls"); return !set || isTrue(v) }, "whoever reaches the port can call"},
		{"force-register-domain", domain, warning, reads("force-register-domain", domain), elsewhere},
		{"force-register-db-domain", domain, warning, reads("force-register-db-domain", domain), elsewhere},
		{"challenge-realm", domain, warning, reads("challenge-realm", domain), "a phone that spells the server's name in another way may be refused"},
		{"fire-transfer-events", "true", severe, on("fire-transfer-events"), "transfers by a phone's own keys go unnoticed"},
		{"all-reg-options-ping", "true", warning, on("all-reg-options-ping"), "an unplugged phone counts as present until its registration ends"},
		{"ping-mean-interval", "15", warning, upTo("ping-mean-interval", 30), "an unplugged phone counts as present for long"},
		{"sip-user-ping-max", "1", warning, reads("sip-user-ping-max", "1"), "a phone has to miss several questions before it counts as gone, each for half a minute"},
		{"unregister-on-options-fail", "false", warning, off("unregister-on-options-fail"), "a phone that comes back stays away until it registers again"},
		{"hold-music", "local_stream://moh", warning, func(s settings) bool { v, _ := s.get("hold-music"); return v != "" }, "whom an agent puts on hold hears nothing"},
		{"inbound-bypass-media", "false", severe, off("inbound-bypass-media"), "no music, prompts, digits or recordings"},
		{"inbound-proxy-media", "false", severe, off("inbound-proxy-media"), "no music, prompts, digits or recordings"},
		{"disable-transfer", "false", warning, off("disable-transfer"), "the transfer keys of phones do nothing"},
	}
}

// profile looks at the SIP profile of the phones.
func (x *examiner) profile(ctx context.Context) {
	what := "SIP profile " + x.cfg.Profile
	if text := x.try(ctx, "sofia", "status", "profile", x.cfg.Profile); !strings.Contains(text, x.cfg.Profile) {
		x.fail(what, "is not running", "running", "sofia profile "+x.cfg.Profile+" start, or name the right one in Ringmaster's address (profile=)")
		return
	}
	c, _ := x.file(ctx, "sofia.conf")
	for _, p := range c.Profiles {
		if p.Name != x.cfg.Profile {
			continue
		}
		wrong := 0
		for _, s := range profileSettings(x.cfg.Domain) {
			if !s.right(p.Settings) {
				wrong++
				x.wrong(what, s, p.Settings)
			}
		}
		if x.carriers(ctx, what, p.Settings) && wrong == 0 {
			x.ok(what, "runs, every setting that was looked at is right")
		}
		return
	}
	x.add(orchestrator.SeverityNote, what, "its settings cannot be seen: it is not among the files", "", "compare it with dialplans/freeswitch/sip_profile.xml")
}

func (x *examiner) wrong(what string, s profileSetting, has settings) {
	value, set := has.get(s.name)
	if !set {
		value = "not set"
	}
	x.add(s.severity, what, s.name+" is "+value+": "+s.why, s.want, fmt.Sprintf("sip_profiles/%s.xml: <param name=%q value=%q/>; then: sofia profile %s restart",
		x.cfg.Profile, s.name, s.want, x.cfg.Profile))
}

// carriers looks at whose calls need no password: one list that lets somebody in
// is enough. None is right where the carrier's trunk has a profile of its own.
func (x *examiner) carriers(ctx context.Context, what string, s settings) (right bool) {
	right = true
	for _, list := range s.all("apply-inbound-acl") {
		name, _, _ := strings.Cut(list, ":") // What follows are tokens for headers.
		if x.everybody(ctx, name) {
			right = false
			x.fail(what, "apply-inbound-acl is "+list+", which lets everybody in: whoever reaches the port calls without a password", "the addresses of your carrier",
				"acl.conf.xml: a list rm-trunk with them and default = deny; sip_profiles/"+x.cfg.Profile+".xml: apply-inbound-acl = rm-trunk; then: reloadacl, sofia profile "+
					x.cfg.Profile+" restart")
		}
	}
	return right
}

// gateway is what FreeSWITCH says of a trunk.
type gateway struct {
	State  string `xml:"state"`
	Status string `xml:"status"`
}

// links looks at the trunks to other switches.
func (x *examiner) links(ctx context.Context) {
	for _, trunk := range x.cfg.Links {
		what := "link " + trunk
		name, is := strings.CutPrefix(trunk, "gateway/")
		if !is || !gatewayPattern.MatchString(trunk) {
			x.fail(what, "is not of the form gateway/name: no call can be sent over it", "gateway/link", "correct the link's trunk in Ringmaster")
			continue
		}
		const file = "sip_profiles/internal/link.xml: as dialplans/freeswitch/link.xml"
		text := x.try(ctx, "sofia", "xmlstatus", "gateway", name)
		var g gateway
		dec := xml.NewDecoder(strings.NewReader(text))
		dec.CharsetReader = plainCharset
		switch err := dec.Decode(&g); {
		case strings.Contains(text, "Invalid Gateway"):
			x.fail(what, "there is no such gateway: callers here cannot reach phones of the other switch", "there", file+"; then: sofia profile "+x.cfg.Profile+" rescan")
		case err != nil || g.Status == "":
			x.add(orchestrator.SeverityNote, what, "cannot be seen", "UP", "sofia status gateway "+name)
		case g.Status != "UP" || g.State != "REGED" && g.State != "NOREG":
			x.warn(what, "is "+g.Status+", "+g.State+": the other switch does not answer, or refuses us", "UP, NOREG or REGED", "look at the other switch, and at "+file)
		default:
			x.ok(what, "is "+g.Status+", "+g.State)
		}
	}
}
