package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// soundDocument has every field of a configuration that has a limit.
const soundDocument = `{
"settings": {"language": "en", "zone": "UTC", "unknown_number_flow": "main",
	"feature_codes": {"login": "*11", "logout": "*12", "ready": "*21", "pause": "*22", "wrap_up_done": "*31"},
	"pause_reasons": [{"id": "lunch", "name": "Lunch", "digit": "1"}]},
"switches": [{"id": "pbx", "type": "asterisk", "name": "Rack 1", "links": [{"to": "west", "trunk": "PJSIP/west"}]},
	{"id": "west", "type": "simulated"}],
"phones": [{"id": "desk", "switch": "pbx", "endpoint": "PJSIP/1001", "auto_answer": true}],
"agents": [{"id": "ana", "number": "1001", "name": "Ana", "skills": {"german": 50}}],
"hours": [{"id": "office", "zone": "UTC", "weekly": [{"days": ["mon"], "from": "09:00", "to": "17:30"}],
	"holidays": [{"date": "2026-12-25", "name": "Christmas", "open": [{"from": "09:00", "to": "17:30"}]}]}],
"queues": [{"id": "sales", "name": "Sales", "strategy": "longest_idle", "agents": [{"agent": "ana", "level": 1}],
	"skills": [{"skill": "german", "level": 50}], "priority": 1, "ring_timeout_ms": 20000, "wrap_up_ms": 1, "max_wait_ms": 60000,
	"overflow": {"flow": "main"}, "music": "default", "service_level_ms": 1, "short_abandon_ms": 1, "busy_delay_ms": 1,
	"reject_delay_ms": 1, "no_answer_delay_ms": 1, "unreachable_delay_ms": 1, "max_misses": 1,
	"announce": {"first_ms": 1, "every_ms": 30000, "play": [{"say": "wait", "language": "en"}]}}],
"flows": [{"id": "main", "name": "Main", "start": "ask", "nodes": {
	"ask": {"type": "menu", "play": [{"sound": "hello"}], "timeout_ms": 5000, "inter_digit_ms": 3000, "retries": 1,
		"no_input": [{"file": "/a/b"}], "wrong_input": [{"say": "no"}], "on": {"1": "when"}},
	"when": {"type": "hours", "hours": "office", "on": {"open": "wait", "closed": "away"}},
	"wait": {"type": "queue", "queue": "sales", "priority": 1, "on": {"no_agents": "end"}},
	"away": {"type": "transfer", "context": "ctx", "extension": "2000", "on": {"failed": "end"}},
	"end": {"type": "hangup", "cause": 16}}}],
"numbers": [{"dialled": "+4930123456", "flow": "main", "name": "Main line"}]
}`

// elsewhere is the fields whose limits only one side can say, and why.
var elsewhere = map[string]string{
	`settings\.zone|hours\[0\]\.zone`:        "the zones there are come from a database",
	`.*\.date`:                               "a form cannot tell that February has no 30th",
	`.*\.(from|to)`:                          "an opening may not be empty, which is about both",
	`.*\.(switch|agent|queue|flow|hours|to)`: "names something, which must be there",
	`.*\.(start|unknown_number_flow)`:        "names something, which must be there",
	`.*\.on\..*`:                             "names a node, which must be there",
	`(agents|flows|queues|hours)\[0\]\.id`:   "is named by others",
	`switches\[[01]\]\.(id|type)`:            "is named by phones, and says which endpoints may be dialled",
	`flows\[0\]\.nodes\..*\.type`:            "says which fields there are",
	`settings\.feature_codes\..*`:            "may not begin with one another",
	`queues\[0\]\.overflow\.flow`:            "names a flow, which must be there",
	`hours\[0\]\.weekly\[0\]\.days\[0\]`:     "is a word of a list on both sides",
	`queues\[0\]\.(agents\[0\]\.)?strategy`:  "is a word of a list on both sides",
}

// TestTheDocumentAllowsWhatTheFloorAllows puts probes into each field of a sound
// document: openapi.yaml and the floor must agree about each. An empty value is
// an absent one to the floor, so that it is no probe.
func TestTheDocumentAllowsWhatTheFloorAllows(t *testing.T) {
	spec, err := Spec()
	if err != nil {
		t.Fatal(err)
	}
	schema := spec.Components.Schemas["Configuration"].Value
	var root any
	if err := json.Unmarshal([]byte(soundDocument), &root); err != nil {
		t.Fatal(err)
	}
	probed := 0
	visitLeaves(root, "", func(field string, value any, set func(any)) {
		if excepted(field) {
			return
		}
		for _, probe := range probes(field, value) {
			set(probe)
			byDocument, byFloor := documentSays(schema, root), floorSays(t, root)
			if (byDocument == "") != (byFloor == "") {
				t.Errorf("%s = %.80q\n  document: %s\n  floor: %s", field, probe, verdict(byDocument), verdict(byFloor))
			}
			probed++
		}
		set(value)
	})
	if says := documentSays(schema, root) + floorSays(t, root); says != "" {
		t.Errorf("the sound document: %s", says)
	}
	t.Logf("%d probes", probed)
}

// TestEveryFieldIsProbed keeps the sound document complete.
func TestEveryFieldIsProbed(t *testing.T) {
	spec, err := Spec()
	if err != nil {
		t.Fatal(err)
	}
	secret := map[string]bool{"url": true, "username": true, "password": true, "pin": true, "version": true} // not the floor's
	for _, name := range []string{
		"Settings", "FeatureCodes", "PauseReason", "Switch", "Link", "Phone", "Agent", "Hours", "Opening", "Holiday", "Number", "Queue",
		"QueueAgent", "SkillNeed", "Announce", "Media", "Flow", "Node",
	} {
		for _, field := range slices.Sorted(maps.Keys(spec.Components.Schemas[name].Value.Properties)) {
			if !secret[field] && !strings.Contains(soundDocument, `"`+field+`":`) {
				t.Errorf("%s.%s is not in the document", name, field)
			}
		}
	}
}

func verdict(says string) string {
	if says == "" {
		return "fine"
	}
	return says
}

func excepted(field string) bool {
	for form := range elsewhere {
		if regexp.MustCompile("^(" + form + ")$").MatchString(field) {
			return true
		}
	}
	return false
}

// visitLeaves calls visit for each number and text inside value.
func visitLeaves(value any, path string, visit func(field string, value any, set func(any))) {
	one := func(at string, v any, set func(any)) {
		switch v.(type) {
		case string, float64:
			visit(at, v, set)
		default:
			visitLeaves(v, at, visit)
		}
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			one(strings.TrimPrefix(path+"."+key, "."), v[key], func(x any) { v[key] = x })
		}
	case []any:
		for i := range v {
			one(path+"["+strconv.Itoa(i)+"]", v[i], func(x any) { v[i] = x })
		}
	}
}

// probes are values about the bounds that fields have.
func probes(field string, value any) (list []any) {
	if _, number := value.(float64); number {
		for _, bound := range []float64{
			-1000, -100, -10, -1, 1, 2, 3, 9, 10, 50, 99, 100, 127, 499, 500, 999, 1000, 2999, 3000, 60_000, 120_000, 3_600_000, 86_400_000, 1e12,
		} {
			for _, probe := range []float64{bound - 1, bound, bound + 1} {
				if probe != 0 {
					list = append(list, probe)
				}
			}
		}
		return list
	}
	before := ""
	if strings.HasSuffix(field, ".endpoint") || strings.HasSuffix(field, ".trunk") {
		before = "PJSIP/"
		list = append(list, "PJSIP", "PJ SIP/1", "/1")
	}
	for _, unit := range []string{"1", "a", "Z", "+1", "1a"} {
		for _, length := range []int{1, 2, 3, 4, 5, 8, 9, 10, 11, 16, 17, 35, 36, 39, 40, 41, 63, 64, 65, 100, 101, 128, 129, 250, 251, 1000, 1001} {
			list = append(list, before+strings.Repeat(unit, length)[:length])
		}
	}
	for _, odd := range []string{"_", "-", ".", "@", "+", "*", "#", "/", ":", "~", " ", "é", "\\", "\"", "\n", "\x00"} {
		if strings.HasSuffix(field, "name") && strings.ContainsAny(odd, " \n\x00") || strings.HasSuffix(field, "say") && strings.ContainsAny(odd, " \n\x00") {
			continue // "holds a control character" tells people more than a form would
		}
		list = append(list, before+odd, before+"a"+odd, before+odd+"a", before+"a"+odd+"a", before+"1"+odd+"1", before+"a"+odd+odd+"a", before+"/a"+odd+"b")
	}
	if before != "" { // what stands before the '/' depends on the switch
		return list
	}
	return append(list, "/..", "/.", "/a/.", "/.a", "/a./b", "/a..b", "/a/", "//a", "de-CH", "de-", "e", "de-CH-x-y-z", "de-C-D-E-F-G", "a/b", "a//b", "-a", "+*")
}

func documentSays(schema *openapi3.Schema, doc any) string {
	if err := schema.VisitJSON(doc, openapi3.VisitAsRequest()); err != nil {
		return strings.SplitN(err.Error(), "\n", 2)[0]
	}
	return ""
}

func floorSays(t *testing.T, doc any) string {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var c gen.Configuration
	if err := json.Unmarshal(text, &c); err != nil {
		return err.Error()
	}
	found := floor.Validate(orchestrator.Config{
		Settings: settingsFromAPI(c.Settings), Switches: each(c.Switches, switchFromAPI), Phones: each(c.Phones, phoneFromAPI),
		Agents: each(c.Agents, agentFromAPI), Hours: each(c.Hours, hoursFromAPI), Queues: each(c.Queues, queueFromAPI),
		Flows: each(c.Flows, flowFromAPI), Numbers: each(c.Numbers, numberFromAPI),
	})
	if len(found) > 0 {
		return fmt.Sprint(found[0])
	}
	return ""
}
