package freeswitch

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"ringmaster/orchestrator"
)

// callsFunction finds ${function(...)} in a text.
var callsFunction = regexp.MustCompile(`\$\{[A-Za-z_]+\(`)

// maxExamined bounds the phones looked into; a mistake is mostly in what all
// share.
const maxExamined = 200

// phones looks at the users behind the watched endpoints.
func (x *examiner) phones(ctx context.Context) {
	const what = "phones"
	if x.unseen(what, "user_exists", "user_data") {
		return
	}
	if len(x.cfg.Endpoints) == 0 {
		x.add(orchestrator.SeverityNote, what, "none are configured for this switch in Ringmaster", "", "")
		return
	}
	here, err := readPhones(x.try(ctx, "sofia", "xmlstatus", "profile", x.cfg.Profile, "reg"))
	var unknown, elsewhere, open, mute, absent []string
	for _, e := range x.cfg.Endpoints[:min(len(x.cfg.Endpoints), maxExamined)] {
		name := strings.TrimPrefix(e, "user/")
		at := name + "@" + x.cfg.Domain
		if x.try(ctx, "user_exists", "id", name, x.cfg.Domain) != "true" {
			unknown = append(unknown, e)
			continue
		}
		if x.try(ctx, "user_data", at, "var", "user_context") != "rm-agents" {
			elsewhere = append(elsewhere, e)
		}
		if v := x.try(ctx, "user_data", at, "param", "allow-empty-password"); v == "" || isTrue(v) || strings.HasPrefix(v, "-ERR") {
			open = append(open, e)
		}
		if v := x.try(ctx, "user_data", at, "param", "dial-string"); !x.expands && callsFunction.MatchString(v) {
			mute = append(mute, e)
		}
		if err == nil && !here[name] {
			absent = append(absent, e)
		}
	}
	const reload = "; then: reloadxml"
	x.each(orchestrator.SeverityError, unknown, "not in the directory of "+x.cfg.Domain, "a user for each",
		"directory: one block per phone as in dialplans/freeswitch/directory.xml, or correct the name or the domain in Ringmaster"+reload)
	x.each(orchestrator.SeverityError, mute, "cannot be rung: the dial-string calls a function and api-expansion is off", "one without",
		"directory, params of the domain: the dial-string of dialplans/freeswitch/directory.xml"+reload)
	x.each(orchestrator.SeverityWarning, elsewhere, "what they dial does not reach Ringmaster", "user_context = rm-agents",
		"directory, variables of each user: user_context = rm-agents"+reload)
	x.each(orchestrator.SeverityWarning, open, "without a password anybody could register as they", "refused",
		"directory, params of the domain: allow-empty-password = false"+reload)
	x.each(orchestrator.SeverityWarning, absent, "not registered", "registered", "plug the phones in and check their account and password")
	if len(unknown)+len(mute)+len(elsewhere)+len(open)+len(absent) == 0 {
		x.ok(what, fmt.Sprintf("%d known and registered", len(x.cfg.Endpoints)))
	}
}

// each reports one fault of several phones.
func (x *examiner) each(s orchestrator.Severity, phones []string, found, want, fix string) {
	if len(phones) > 0 {
		x.add(s, "phones", listOf(phones)+": "+found, want, fix)
	}
}
