package ivr

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// Bounds of one flow.
const (
	MaxNodes  = 1000
	MaxChoice = 8 // digits of a menu's choice

	minTimeout    = orchestrator.Millis(500)
	maxTimeout    = orchestrator.Millis(time.Minute / time.Millisecond)
	maxRetries    = 10
	noRetries     = -1
	boundPriority = 100
	maxCause      = 127 // Q.850 has seven bits
)

// What reaches the switch's dialplan has a narrow alphabet (reliability.md 4,
// rows 1 and 2).
var (
	contextForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	extensionForm = regexp.MustCompile(`^\+?[A-Za-z0-9*#][A-Za-z0-9*#_-]{0,38}$`)
)

// Known is what a flow may refer to.
type Known struct {
	Queues map[orchestrator.QueueID]bool
	Hours  map[orchestrator.HoursID]bool
}

// Validate finds every fault of a flow: nodes whose fields, exits or references
// are wrong, nodes no call can reach, and loops a call would never leave nor
// wait in. Path is where the flow stands in what the administrator wrote
// ("flows[0]") and begins every problem's field: "flows[0].nodes.menu.on.3".
func Validate(path string, f orchestrator.Flow, known Known) orchestrator.Problems {
	var found orchestrator.Problems
	if len(f.Nodes) == 0 || len(f.Nodes) > MaxNodes {
		found.Add(join(path, "nodes"), "%d nodes; a flow has 1 to %d", len(f.Nodes), MaxNodes)
		return found
	}
	names := slices.Sorted(maps.Keys(f.Nodes))
	if _, ok := f.Nodes[f.Start]; !ok {
		found.Add(join(path, "start"), "no node %q (nodes are: %s)", f.Start, orchestrator.List(names))
	}
	for _, name := range names {
		v := nodeCheck{found: &found, path: join(path, "nodes."+name), flow: f, names: names, known: known}
		if !orchestrator.ValidSlug(name) {
			found.Add(v.path, "%s", orchestrator.SlugRule(name))
		}
		v.check(f.Nodes[name])
	}
	if len(found) == 0 { // what follows is about sound nodes only
		reachable(&found, path, f, names)
		noLoops(&found, path, f, names)
	}
	return found
}

// nodeCheck is the check of one node.
type nodeCheck struct {
	found *orchestrator.Problems
	path  string
	flow  orchestrator.Flow
	names []string // of the flow's nodes, sorted
	known Known
}

func (v nodeCheck) check(n orchestrator.Node) {
	rule, ok := rules[n.Type]
	if !ok {
		v.found.Add(v.path+".type", "no node type %q (types are: %s)", n.Type, orchestrator.List(slices.Sorted(maps.Keys(rules))))
		return
	}
	v.fields(n, rule)
	v.media(n)
	v.menu(n)
	v.references(n)
	v.transfer(n)
	if n.Cause < 0 || n.Cause > maxCause {
		v.found.Add(v.path+".cause", "%d is no Q.850 cause: 1 to %d", n.Cause, maxCause)
	}
	v.exits(n, rule)
}

// rule is what a node type has beside its type and exits.
type rule struct {
	fields   []string // that are read
	required []string // that must be set
	exits    []string // besides a menu's choices
	choices  bool
}

var rules = map[orchestrator.NodeType]rule{ //nolint:gochecknoglobals // a table nobody writes
	orchestrator.NodeAnswer: {exits: []string{orchestrator.ExitNext}},
	orchestrator.NodePlay: {
		fields: []string{"play"}, required: []string{"play"},
		exits: []string{orchestrator.ExitNext, orchestrator.ExitFailed},
	},
	orchestrator.NodeMenu: {
		fields:   []string{"play", "timeout_ms", "inter_digit_ms", "retries", "no_input", "wrong_input"},
		required: []string{"play"},
		exits:    []string{orchestrator.ExitTimeout, orchestrator.ExitInvalid}, choices: true,
	},
	orchestrator.NodeHours: {
		fields: []string{"hours"}, required: []string{"hours"},
		exits: []string{orchestrator.ExitOpen, orchestrator.ExitClosed, orchestrator.ExitHoliday},
	},
	orchestrator.NodeQueue: {
		fields: []string{"queue", "priority"}, required: []string{"queue"},
		exits: []string{orchestrator.ExitMaxWait, orchestrator.ExitNoAgents},
	},
	orchestrator.NodeTransfer: {
		fields: []string{"context", "extension"}, required: []string{"extension"},
		exits: []string{orchestrator.ExitFailed},
	},
	orchestrator.NodeHangup: {fields: []string{"cause"}},
}

// fields refuses fields the node's type does not read, because whoever wrote
// one expects it to do something, and misses those it needs.
func (v nodeCheck) fields(n orchestrator.Node, r rule) {
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"play", len(n.Play) > 0},
		{"timeout_ms", n.Timeout != 0},
		{"inter_digit_ms", n.InterDigit != 0},
		{"retries", n.Retries != 0},
		{"no_input", len(n.NoInput) > 0},
		{"wrong_input", len(n.WrongInput) > 0},
		{"hours", n.Hours != ""},
		{"queue", n.Queue != ""},
		{"priority", n.Priority != 0},
		{"context", n.Context != ""},
		{"extension", n.Extension != ""},
		{"cause", n.Cause != 0},
	} {
		switch {
		case field.set && !slices.Contains(r.fields, field.name):
			v.found.Add(v.path+"."+field.name, "a node of type %s has no such field (its fields are: %s)",
				n.Type, orchestrator.List(slices.Concat([]string{"type"}, r.fields, []string{"on"})))
		case !field.set && slices.Contains(r.required, field.name):
			v.found.Add(v.path+"."+field.name, "a node of type %s needs it", n.Type)
		}
	}
}

func (v nodeCheck) media(n orchestrator.Node) {
	orchestrator.ValidateMedia(v.found, v.path+".play", n.Play)
	orchestrator.ValidateMedia(v.found, v.path+".no_input", n.NoInput)
	orchestrator.ValidateMedia(v.found, v.path+".wrong_input", n.WrongInput)
}

func (v nodeCheck) menu(n orchestrator.Node) {
	for _, field := range []struct {
		name  string
		value orchestrator.Millis
	}{{"timeout_ms", n.Timeout}, {"inter_digit_ms", n.InterDigit}} {
		if field.value != 0 && (field.value < minTimeout || field.value > maxTimeout) {
			v.found.Add(v.path+"."+field.name, "%d is out of bounds: %d to %d, or 0 for the default",
				field.value, minTimeout, maxTimeout)
		}
	}
	if n.Retries < noRetries || n.Retries > maxRetries {
		v.found.Add(v.path+".retries", "%d is out of bounds: 1 to %d, 0 for the default, -1 for none", n.Retries, maxRetries)
	}
}

func (v nodeCheck) references(n orchestrator.Node) {
	if n.Queue != "" && !v.known.Queues[n.Queue] {
		v.found.Add(v.path+".queue", "no queue %q (queues are: %s)", n.Queue, orchestrator.List(slices.Sorted(maps.Keys(v.known.Queues))))
	}
	if n.Hours != "" && !v.known.Hours[n.Hours] {
		v.found.Add(v.path+".hours", "no hours %q (hours are: %s)", n.Hours, orchestrator.List(slices.Sorted(maps.Keys(v.known.Hours))))
	}
	if n.Priority < -boundPriority || n.Priority > boundPriority {
		v.found.Add(v.path+".priority", "%d is out of bounds: %d to %d", n.Priority, -boundPriority, boundPriority)
	}
}

func (v nodeCheck) transfer(n orchestrator.Node) {
	if n.Context != "" && !contextForm.MatchString(n.Context) {
		v.found.Add(v.path+".context", "%q is no dialplan context: at most 64 letters, digits, '_' and '-'", n.Context)
	}
	if n.Extension != "" && !extensionForm.MatchString(n.Extension) {
		v.found.Add(v.path+".extension", "%q is no extension: at most 40 letters, digits, '*', '#', '_' and '-', perhaps after a '+'", n.Extension)
	}
}

func (v nodeCheck) exits(n orchestrator.Node, r rule) {
	choices := 0
	for _, exit := range slices.Sorted(maps.Keys(n.On)) {
		field := v.path + ".on." + exit
		switch {
		case r.choices && isChoice(exit):
			choices++
			if len(exit) > MaxChoice {
				v.found.Add(field, "%d digits are too many, at most %d", len(exit), MaxChoice)
			}
		case !slices.Contains(r.exits, exit):
			v.found.Add(field, "a node of type %s has no exit %q (%s)", n.Type, exit, r.allowed())
		}
		if _, ok := v.flow.Nodes[n.On[exit]]; !ok {
			v.found.Add(field, "no node %q (nodes are: %s)", n.On[exit], orchestrator.List(v.names))
		}
	}
	if r.choices && choices == 0 {
		v.found.Add(v.path+".on", "a menu needs a choice: digits, '*' and '#', at most %d", MaxChoice)
	}
}

func (r rule) allowed() string {
	switch {
	case r.choices:
		return "exits are: digits 0-9*#, " + strings.Join(r.exits, ", ")
	case len(r.exits) == 0:
		return "it has none"
	}
	return "exits are: " + strings.Join(r.exits, ", ")
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return fmt.Sprintf("%s.%s", path, field)
}
