package orchestrator

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// MaxObjects bounds how many things of one kind a configuration has.
const MaxObjects = 50_000

const (
	maxPauseReasons = 50
	maxSkills       = 100 // of one agent, and of one queue
	maxSkillLevel   = 100
)

var (
	codeForm     = regexp.MustCompile(`^[0-9*#]{1,16}$`)
	digitsForm   = regexp.MustCompile(`^[0-9]{1,4}$`)
	agentForm    = regexp.MustCompile(`^[0-9]{1,10}$`)
	dialledForm  = regexp.MustCompile(`^[A-Za-z0-9+*#._-]{1,64}$`)
	endpointForm = regexp.MustCompile(`^([A-Za-z0-9]+)/[A-Za-z0-9_.@-]{1,64}$`)
)

// switchTypes is the switches there are adapters for, and the technologies
// whose endpoints may be dialled there. It is a list of what is allowed because
// others (Local/) reach into any part of a dialplan (reliability.md 4, row 2).
var switchTypes = technologies{ //nolint:gochecknoglobals // a table nobody writes
	"asterisk":   {"PJSIP"}, // chan_sip is gone since Asterisk 21
	"freeswitch": {"user"},
	"simulated":  {"PJSIP"},
}

// trunkTypes is the same for trunks that links dial through.
var trunkTypes = technologies{ //nolint:gochecknoglobals // a table nobody writes
	"asterisk":   {"PJSIP"},
	"freeswitch": {"gateway"},
	"simulated":  {"PJSIP"},
}

// technologies are what may stand before the '/' of an endpoint, by the type of
// the switch.
type technologies map[string][]string

// Validate finds the faults of a whole configuration, each with its path
// ("queues[1].agents[0].agent"), except those inside opening hours and flows:
// those are known to the packages that understand them, and floor.Validate
// finds all.
func (c Config) Validate() Problems {
	var found Problems
	n := c.names(&found)
	validateSettings(&found, c.Settings, n)
	for i, s := range c.Switches {
		validateSwitch(&found, fmt.Sprintf("switches[%d]", i), s, n)
	}
	c.validatePhones(&found, n)
	c.validateAgents(&found)
	for i, q := range c.Queues {
		validateQueue(&found, fmt.Sprintf("queues[%d]", i), q, n)
	}
	for i, f := range c.Flows {
		ValidateText(&found, fmt.Sprintf("flows[%d].name", i), f.Name)
	}
	c.validateNumbers(&found, n)
	validateRemovals(&found, c.Removed)
	return found
}

// names is the objects that others refer to, by name.
type names struct {
	switches catalogue[SwitchID]
	agents   catalogue[AgentID]
	queues   catalogue[QueueID]
	flows    catalogue[FlowID]
	types    map[SwitchID]string // of switches
}

// names collects them, and refuses names that are malformed or there twice.
func (c Config) names(found *Problems) names {
	n := names{types: map[SwitchID]string{}}
	n.switches = collect(found, catalogue[SwitchID]{section: "switches", kind: "switch"}, c.Switches, func(s PBX) SwitchID { return s.ID })
	collect(found, catalogue[PhoneID]{section: "phones", kind: "phone"}, c.Phones, func(p Phone) PhoneID { return p.ID })
	n.agents = collect(found, catalogue[AgentID]{section: "agents", kind: "agent"}, c.Agents, func(a Agent) AgentID { return a.ID })
	collect(found, catalogue[HoursID]{section: "hours", kind: "hours"}, c.Hours, func(h Hours) HoursID { return h.ID })
	n.queues = collect(found, catalogue[QueueID]{section: "queues", kind: "queue"}, c.Queues, func(q Queue) QueueID { return q.ID })
	n.flows = collect(found, catalogue[FlowID]{section: "flows", kind: "flow"}, c.Flows, func(f Flow) FlowID { return f.ID })
	for _, s := range c.Switches {
		n.types[s.ID] = s.Type
	}
	return n
}

// catalogue is the objects of one kind by name. Section and kind are what
// problems call them.
type catalogue[ID ~string] struct {
	section, kind string
	place         map[ID]int // in its list
	sorted        []ID
}

func collect[ID ~string, T any](found *Problems, c catalogue[ID], list []T, id func(T) ID) catalogue[ID] {
	c.place = make(map[ID]int, len(list))
	if len(list) > MaxObjects {
		found.Add(c.section, "%d are too many, at most %d", len(list), MaxObjects)
	}
	for i, object := range list {
		name := id(object)
		field := fmt.Sprintf("%s[%d].id", c.section, i)
		if !ValidSlug(string(name)) {
			found.Add(field, "%s", SlugRule(string(name)))
		}
		if first, twice := c.place[name]; twice {
			found.Add(field, "%q names another %s already (%s[%d])", name, c.kind, c.section, first)
			continue
		}
		c.place[name] = i
		c.sorted = append(c.sorted, name)
	}
	slices.Sort(c.sorted)
	return c
}

// need refuses a name that nothing has.
func (c catalogue[ID]) need(found *Problems, field string, name ID) {
	if _, ok := c.place[name]; !ok {
		found.Add(field, "no %s %q (%s are: %s)", c.kind, name, c.section, List(c.sorted))
	}
}

func validateSettings(found *Problems, s Settings, n names) {
	validateLanguage(found, "settings.language", s.Language)
	if s.Unknown != "" {
		n.flows.need(found, "settings.unknown_number_flow", s.Unknown)
	}
	validateCodes(found, s.FeatureCodes.WithDefaults())
	validatePauseReasons(found, s.PauseReasons)
}

// validateCodes refuses a code that begins another: a switch that collects
// digits one by one could never tell the longer one.
func validateCodes(found *Problems, c FeatureCodes) {
	codes := []struct{ name, code string }{
		{"login", c.Login}, {"logout", c.Logout}, {"ready", c.Ready}, {"pause", c.Pause}, {"wrap_up_done", c.WrapUpDone},
	}
	for i, code := range codes {
		field := "settings.feature_codes." + code.name
		if !codeForm.MatchString(code.code) {
			found.Add(field, "%q is no code: 1 to 16 digits, '*' and '#'", code.code)
			continue
		}
		for _, other := range codes[:i] {
			if strings.HasPrefix(code.code, other.code) || strings.HasPrefix(other.code, code.code) {
				found.Add(field, "%s and %s (%s) cannot be told apart: one begins with the other", code.code, other.code, other.name)
			}
		}
	}
}

func validatePauseReasons(found *Problems, reasons []PauseReason) {
	if len(reasons) > maxPauseReasons {
		found.Add("settings.pause_reasons", "%d are too many, at most %d", len(reasons), maxPauseReasons)
		return
	}
	for i, r := range reasons {
		field := fmt.Sprintf("settings.pause_reasons[%d]", i)
		if !ValidSlug(r.ID) {
			found.Add(field+".id", "%s", SlugRule(r.ID))
		}
		validateName(found, field+".name", r.Name)
		if !digitsForm.MatchString(r.Digit) {
			found.Add(field+".digit", "%q is not 1 to 4 digits", r.Digit)
			continue
		}
		for _, other := range reasons[:i] {
			if other.ID == r.ID {
				found.Add(field+".id", "%q names another reason already", r.ID)
			}
			if other.Digit != "" && (strings.HasPrefix(r.Digit, other.Digit) || strings.HasPrefix(other.Digit, r.Digit)) {
				found.Add(field+".digit", "%s and %s (%s) cannot be told apart: one begins with the other", r.Digit, other.Digit, other.ID)
			}
		}
	}
}

func validateSwitch(found *Problems, field string, s PBX, n names) {
	if _, ok := switchTypes[s.Type]; !ok {
		found.Add(field+".type", "no switch type %q (types are: %s)", s.Type, List(slices.Sorted(maps.Keys(switchTypes))))
	}
	ValidateText(found, field+".name", s.Name)
	linked := map[SwitchID]bool{}
	for i, l := range s.Links {
		link := fmt.Sprintf("%s.links[%d]", field, i)
		n.switches.need(found, link+".to", l.To)
		trunkTypes.validate(found, link+".trunk", l.Trunk, s.Type)
		switch {
		case l.To == s.ID:
			found.Add(link+".to", "a switch needs no link to itself")
		case linked[l.To]:
			found.Add(link+".to", "there is a link to %q already", l.To)
		}
		linked[l.To] = true
	}
}

func (c Config) validatePhones(found *Problems, n names) {
	type device struct {
		on       SwitchID
		endpoint string
	}
	first := map[device]int{}
	for i, p := range c.Phones {
		field := fmt.Sprintf("phones[%d]", i)
		n.switches.need(found, field+".switch", p.Switch)
		switchTypes.validate(found, field+".endpoint", p.Endpoint, n.types[p.Switch])
		d := device{p.Switch, p.Endpoint}
		if before, twice := first[d]; twice {
			found.Add(field+".endpoint", "%q on switch %q is a phone already (phones[%d])", p.Endpoint, p.Switch, before)
			continue
		}
		first[d] = i
	}
}

// validate checks an endpoint, its technology only where the switch's type is
// known: an unknown switch is one fault, not two.
func (t technologies) validate(found *Problems, field, endpoint, switchType string) {
	match := endpointForm.FindStringSubmatch(endpoint)
	if match == nil {
		found.Add(field, `%q is no endpoint: a technology, '/' and at most 64 letters, digits, '_', '.', '@' and '-', for example "PJSIP/1001"`, endpoint)
		return
	}
	if allowed, known := t[switchType]; known && !slices.Contains(allowed, match[1]) {
		found.Add(field, "technology %q may not be dialled on a switch of type %s (allowed are: %s)", match[1], switchType, List(allowed))
	}
}

func (c Config) validateAgents(found *Problems) {
	first := map[string]int{}
	for i, a := range c.Agents {
		field := fmt.Sprintf("agents[%d]", i)
		validateName(found, field+".name", a.Name)
		validateSkillLevels(found, field+".skills", a.Skills)
		if !agentForm.MatchString(a.Number) {
			found.Add(field+".number", "%q is no agent number: 1 to 10 digits", a.Number)
			continue
		}
		if before, twice := first[a.Number]; twice {
			found.Add(field+".number", "%s is another agent's number already (agents[%d])", a.Number, before)
			continue
		}
		first[a.Number] = i
	}
}

func (c Config) validateNumbers(found *Problems, n names) {
	if len(c.Numbers) > MaxObjects {
		found.Add("numbers", "%d are too many, at most %d", len(c.Numbers), MaxObjects)
	}
	first := map[string]int{}
	for i, number := range c.Numbers {
		field := fmt.Sprintf("numbers[%d]", i)
		n.flows.need(found, field+".flow", number.Flow)
		ValidateText(found, field+".name", number.Name)
		if !dialledForm.MatchString(number.Dialled) {
			found.Add(field+".dialled", "%q is no number: at most 64 letters, digits, '+', '*', '#', '.', '_' and '-'", number.Dialled)
			continue
		}
		if before, twice := first[number.Dialled]; twice {
			found.Add(field+".dialled", "%s is there already (numbers[%d], flow %q)", number.Dialled, before, c.Numbers[before].Flow)
			continue
		}
		first[number.Dialled] = i
	}
}

func validateRemovals(found *Problems, removed []Removal) {
	kinds := []Kind{KindSwitch, KindPhone, KindAgent, KindHours, KindQueue, KindFlow, KindNumber}
	for i, r := range removed {
		if !slices.Contains(kinds, r.Kind) {
			found.Add(fmt.Sprintf("removed[%d].kind", i), "no kind %q (kinds are: %s)", r.Kind, List(kinds))
		}
	}
}
