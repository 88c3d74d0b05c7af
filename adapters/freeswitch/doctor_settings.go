package freeswitch

import (
	"context"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ringmaster/orchestrator"
)

// setting is a <param> or <variable> of a configuration file.
type setting struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// settings are the parameters of one <settings>.
type settings struct {
	Params []setting `xml:"param"`
}

// get returns the last value of a parameter: FreeSWITCH reads them in order.
func (s settings) get(name string) (value string, set bool) {
	for _, p := range s.Params {
		if strings.EqualFold(p.Name, name) {
			value, set = p.Value, true
		}
	}
	return value, set
}

// all returns every value of a parameter that may stand several times.
func (s settings) all(name string) (values []string) {
	for _, p := range s.Params {
		if strings.EqualFold(p.Name, name) {
			values = append(values, p.Value)
		}
	}
	return values
}

// on reports a parameter that FreeSWITCH reads as true.
func (s settings) on(name string) bool {
	v, _ := s.get(name)
	return isTrue(v)
}

// isTrue is switch_true of FreeSWITCH.
func isTrue(v string) bool {
	switch strings.ToLower(v) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	}
	n, err := strconv.Atoi(v)
	return err == nil && n != 0
}

type configuration struct {
	Settings settings `xml:"settings"`
	Profiles []struct {
		Name     string   `xml:"name,attr"`
		Settings settings `xml:"settings"`
	} `xml:"profiles>profile"`
}

// file reads a configuration file as the PBX itself has read it, so that
// includes and variables count as they do there. ok is false for one that is
// not there, or comes from elsewhere than from files.
func (x *examiner) file(ctx context.Context, name string) (c configuration, ok bool) {
	text := x.try(ctx, "xml_locate", "configuration", "configuration", "name", name)
	if !strings.HasPrefix(text, "<") {
		return c, false
	}
	return c, xml.Unmarshal([]byte(text), &c) == nil
}

// socket looks at where the event socket listens and whom it lets in.
func (x *examiner) socket(ctx context.Context) {
	const what = "where the event socket listens"
	const reload = "; then: reload mod_event_socket"
	c, ok := x.file(ctx, "event_socket.conf")
	if !ok {
		x.add(orchestrator.SeverityNote, what, "cannot be seen: event_socket.conf.xml is not among the files", "127.0.0.1", "look at it by hand")
		return
	}
	address, _ := c.Settings.get("listen-ip")
	lists := c.Settings.all("apply-inbound-acl")
	const safe = "event_socket.conf.xml: listen-ip = 127.0.0.1"
	switch {
	case isLoopback(address):
		x.ok(what, address)
	case len(lists) == 0:
		x.warn(what, orDefault(address, "every address")+"; only this machine is let in, by FreeSWITCH's default", "127.0.0.1", safe+reload)
	case !slices.ContainsFunc(lists, func(list string) bool { return !x.everybody(ctx, list) }): // Each of them has to let one in.
		x.fail(what, orDefault(address, "every address")+", and everybody is let in: whoever has the password owns the machine", "127.0.0.1",
			safe+", apply-inbound-acl = loopback.auto"+reload)
	default:
		x.warn(what, orDefault(address, "every address")+", for the list "+strings.Join(lists, ", ")+" only, in clear", "127.0.0.1 and a tunnel", safe+reload)
	}
}

// strangers are addresses that belong to nobody (RFC 5737), far apart.
var strangers = []string{"192.0.2.77", "198.51.100.77", "203.0.113.77"}

// everybody asks FreeSWITCH whether a list lets strangers in, however it is
// written: a list of acl.conf.xml, a network, or one of FreeSWITCH's own.
func (x *examiner) everybody(ctx context.Context, list string) bool {
	if !listPattern.MatchString(list) {
		return false // It is no name that could be asked about.
	}
	for _, s := range strangers {
		if x.try(ctx, "acl", s, list) != "true" {
			return false
		}
	}
	return true
}

var listPattern = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,80}$`)

var figurePattern = regexp.MustCompile(`\d+`)

// limit is a number that fsctl tells and that has to be at least so much.
type limit struct {
	what, command, param string
	least, want          int
	why                  string
}

var limits = []limit{
	{"new legs per second", "sps", "sessions-per-second", 100, 300, "FreeSWITCH refuses callers in a busy second"},
	{"legs at once", "max_sessions", "max-sessions", 500, 3000, "a call with an agent is two"},
}

// limits looks at what FreeSWITCH allows itself, and how often it gives a sign
// of life.
func (x *examiner) limits(ctx context.Context) {
	for _, l := range limits {
		text := x.try(ctx, "fsctl", l.command)
		n, err := strconv.Atoi(figurePattern.FindString(text))
		switch {
		case err != nil:
			x.add(orchestrator.SeverityNote, l.what, "cannot be seen", strconv.Itoa(l.want), "")
		case n < l.least:
			x.warn(l.what, fmt.Sprintf("%d: %s", n, l.why), strconv.Itoa(l.want),
				fmt.Sprintf("switch.conf.xml: %s = %d; and now: fsctl %s %d", l.param, l.want, l.command, l.want))
		default:
			x.ok(l.what, strconv.Itoa(n))
		}
	}
	c, ok := x.file(ctx, "switch.conf")
	if !ok {
		return
	}
	const beat = "signs of life"
	every, set := c.Settings.get("event-heartbeat-interval")
	if n, err := strconv.Atoi(every); !set || err != nil || n > 5 {
		x.warn(beat, "one every "+orDefault(every, "20")+" s: a switch that answers and tells nothing is noticed late", "2",
			"switch.conf.xml: event-heartbeat-interval = 2; then restart FreeSWITCH when convenient")
	} else {
		x.ok(beat, "one every "+every+" s")
	}
	if threads, set := c.Settings.get("initial-event-threads"); set && threads != "1" {
		x.warn("event threads", threads+": events overtake each other", "1", "switch.conf.xml: no initial-event-threads; then restart FreeSWITCH when convenient")
	}
}

// expansion looks whether texts may run functions.
func (x *examiner) expansion(ctx context.Context) {
	const what = "functions in texts"
	if x.unseen(what, "fsctl") {
		return
	}
	x.expands = !strings.Contains(x.try(ctx, "fsctl", "api_expansion"), "is off")
	if x.expands {
		x.warn(what, "api-expansion is on: a mistake in a dialplan lets callers' names run programs", "off",
			"switch.conf.xml: api-expansion = false, once your own dialplan and directory have no ${function(...)}; and now: fsctl api_expansion off")
		return
	}
	x.ok(what, "not run")
}

type dialplan struct {
	Extensions []struct {
		Conditions []struct {
			Expression string `xml:"expression,attr"`
			Actions    []struct {
				Application string `xml:"application,attr"`
				Data        string `xml:"data,attr"`
			} `xml:"action"`
		} `xml:"condition"`
	} `xml:"extension"`
}

// has reports an action of these applications with that in its data.
func (d dialplan) has(data string, applications ...string) bool {
	for _, e := range d.Extensions {
		for _, c := range e.Conditions {
			for _, a := range c.Actions {
				if slices.Contains(applications, a.Application) && strings.Contains(a.Data, data) {
					return true
				}
			}
		}
	}
	return false
}

// takes reports an extension for a number.
func (d dialplan) takes(number string) bool {
	for _, e := range d.Extensions {
		for _, c := range e.Conditions {
			if p, err := regexp.Compile(c.Expression); err == nil && p.MatchString(number) {
				return true
			}
		}
	}
	return false
}

// contexts looks whether the dialplan hands calls over, and catches them.
func (x *examiner) contexts(ctx context.Context) {
	const fix = "dialplan/ringmaster.xml: dialplans/freeswitch/dialplan.xml; then: reloadxml"
	if x.unseen("dialplan", "xml_locate") {
		return
	}
	for name, entry := range map[string]string{"rm-inbound": "rm_entry=in", "rm-agents": "rm_entry=agent"} {
		what := "context " + name
		switch d, ok := x.dialplan(ctx, name); {
		case !ok:
			x.fail(what, "is not there: no call reaches Ringmaster by it", "there", fix)
		case !d.has(entry, "set", "multiset") || !d.has("", "park"):
			x.fail(what, "does not hand calls over", "set "+entry+", then park", fix)
		case !d.has("", "sched_transfer"):
			x.warn(what, "has no guard: while Ringmaster is away, callers wait in silence", "sched_transfer before park", fix)
		default:
			x.ok(what, "hands calls over, with a guard")
		}
	}
	what := "context " + x.cfg.Care
	switch d, ok := x.dialplan(ctx, x.cfg.Care); {
	case !ok || !d.has("", "park"):
		x.fail(what, "is not there: callers are hung up on when a talk ends", "there", fix)
	case !d.has("", "sched_transfer"):
		x.warn(what, "has no guard: without Ringmaster, callers wait in silence", "sched_transfer before park", fix)
	default:
		x.ok(what, "guards and parks")
	}
	x.linked(ctx, fix)
	what = "context " + x.cfg.Fallback
	if d, ok := x.dialplan(ctx, x.cfg.Fallback); ok && d.takes(roleCaller) && d.takes(roleAgent) {
		x.ok(what, "takes callers and agents")
	} else {
		x.fail(what, "is not there, or not for "+roleCaller+" and "+roleAgent+": while Ringmaster is away, callers are hung up on", "there", fix)
	}
}

// linked looks for the context of calls from other switches, where there are
// some.
func (x *examiner) linked(ctx context.Context, fix string) {
	const what = "context rm-link"
	switch d, ok := x.dialplan(ctx, "rm-link"); {
	case !ok && !x.cfg.Linked:
		x.add(orchestrator.SeverityNote, what, "is not there: only needed with several switches", "", "")
	case !ok:
		x.fail(what, "is not there: calls that arrive on your other switches cannot reach phones here", "there", fix)
	case !d.has("rm_entry=link", "set", "multiset") || !d.has("", "park"):
		x.fail(what, "does not hand calls over", "set rm_entry=link, then park", fix)
	case !d.has("", "sched_hangup", "sched_transfer"):
		x.warn(what, "has no guard: while Ringmaster is away, callers wait in silence", "sched_hangup before park", fix)
	default:
		x.ok(what, "hands calls over, with a guard")
	}
}

func (x *examiner) dialplan(ctx context.Context, name string) (d dialplan, ok bool) {
	text := x.try(ctx, "xml_locate", "dialplan", "context", "name", name)
	if !strings.HasPrefix(text, "<") {
		return d, false
	}
	return d, xml.Unmarshal([]byte(text), &d) == nil
}

// music looks for the stream that callers hear when nobody said which.
func (x *examiner) music(ctx context.Context) {
	const what = "music"
	if x.unseen(what, "local_stream") {
		return
	}
	list := x.try(ctx, "local_stream", "show")
	for line := range strings.Lines(list) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), ","); name == defaultMusic || strings.HasPrefix(name, defaultMusic+"/") {
			x.ok(what, "local_stream://"+defaultMusic+" plays")
			return
		}
	}
	x.warn(what, "no stream "+defaultMusic+": callers wait in silence unless the queue names another", "a stream "+defaultMusic,
		"local_stream.conf.xml: <directory name=\""+defaultMusic+"\" path=…>; then: reload mod_local_stream")
}
