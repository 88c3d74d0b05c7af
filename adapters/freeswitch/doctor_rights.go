package freeswitch

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// commands are those of the console that the adapter sends.
var commands = []string{
	"file_exists", "global_getvar", "global_setvar", "originate", "sched_api", "sched_del", "show", "sofia", "status",
	"uuid_audio", "uuid_break", "uuid_bridge", "uuid_display", "uuid_dump", "uuid_getvar", "uuid_kill", "uuid_record", "uuid_recv_dtmf",
	"uuid_send_dtmf", "uuid_setvar", "uuid_setvar_multi", "uuid_transfer", "version",
}

// looks are those that only the doctor sends. Those of rivalModules are there
// only if their module is.
var (
	looks        = []string{"acl", "fsctl", "local_stream", "module_exists", "user_data", "user_exists", "uuid_exists", "xml_locate"}
	rivalModules = map[string]string{"callcenter_config": "mod_callcenter", "fifo": "mod_fifo"}
)

// modulesOf have a command that is not mod_commands'.
var modulesOf = map[string]string{"local_stream": "mod_local_stream", "sofia": "mod_sofia"}

// allowed is what esl-allowed-api must name for a user of the directory:
// nothing that is sent may be missing. sched_api is not enough there.
// mod_event_socket looks whether what it schedules is allowed too, but takes the
// time, which comes first, for its name.
func allowed(cfg Config) []string {
	out := slices.Concat(commands, looks, delays(cfg))
	for name := range rivalModules {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// delays are the times after which something is scheduled, as they are sent.
func delays(cfg Config) []string {
	return []string{delay(beatFor), delay(cfg.guardFor)}
}

// delay is a time from now, in the whole seconds in which FreeSWITCH schedules.
func delay(d time.Duration) string { return "+" + strconv.Itoa(int(d/time.Second)) }

// rights sends what cannot be carried out: a user of the directory who may not
// use a command is refused before its words are looked at, and what FreeSWITCH
// has not got it says.
func (x *examiner) rights(ctx context.Context) {
	const what = "rights on the event socket"
	unscheduled := slices.DeleteFunc(slices.Clone(commands), func(name string) bool { return name == "sched_api" })
	refused, missing := x.probe(ctx, unscheduled)
	for _, d := range delays(x.cfg) {
		if denied(x.try(ctx, "sched_api", d)) { // Without a third word it schedules nothing.
			refused = append(refused, "sched_api "+d)
		}
	}
	if answers, err := x.wire.send(ctx, encodeSubscribe()); err != nil && len(answers) > 0 && denied(answers[0]) {
		refused = append(refused, "events")
	}
	// Not "all": that is all but those of CUSTOM.
	all := "directory, user " + x.cfg.User + ": esl-allowed-events = " + strings.Join(subscribed, " ") +
		", esl-allowed-api = " + strings.Join(allowed(x.cfg), " ")
	if len(refused) > 0 {
		x.fail(what, "refused: "+strings.Join(refused, ", "), "allowed", all)
	}
	blind, unseen := x.probe(ctx, x.looks(ctx))
	x.refused = append(refused, blind...)
	if len(blind) > 0 {
		x.warn(what, "refused: "+strings.Join(blind, ", ")+"; doctor cannot see what they tell", "allowed", all)
	}
	if missing = append(missing, unseen...); len(missing) > 0 {
		x.fail(what, "FreeSWITCH has no command "+strings.Join(missing, ", "), "there",
			"modules.conf.xml: a line <load module=…/> for "+strings.Join(modulesFor(missing), ", ")+"; then: load "+modulesFor(missing)[0])
	}
	if len(refused)+len(blind)+len(missing) == 0 {
		x.ok(what, "every command and event that is needed")
	}
}

// looks are the doctor's own commands that can be there.
func (x *examiner) looks(ctx context.Context) []string {
	out := slices.Clone(looks)
	for name, module := range rivalModules {
		if x.try(ctx, "module_exists", module) == "true" {
			out = append(out, name)
		}
	}
	return out
}

// probe sends each command in a form that harms nobody, about a leg that does
// not exist.
func (x *examiner) probe(ctx context.Context, names []string) (refused, missing []string) {
	for _, name := range names {
		switch answer := x.try(ctx, name, "ringmaster-doctor-no-such-leg"); {
		case denied(answer):
			refused = append(refused, name)
		case strings.Contains(answer, "Command not found!"):
			missing = append(missing, name)
		}
	}
	return refused, missing
}

// unseen says of what a refused command would have told that it cannot be seen:
// a refusal must not pass for a fault there.
func (x *examiner) unseen(what string, names ...string) bool {
	for _, name := range names {
		if slices.Contains(x.refused, name) {
			x.add(orchestrator.SeverityNote, what, "cannot be seen: "+name+" is refused", "", "")
			return true
		}
	}
	return false
}

func denied(answer string) bool { return strings.Contains(answer, "permission denied") }

// modulesFor are the modules that bring these commands.
func modulesFor(names []string) (modules []string) {
	for _, name := range names {
		modules = append(modules, orDefault(modulesOf[name], "mod_commands"))
	}
	slices.Sort(modules)
	return slices.Compact(modules)
}
