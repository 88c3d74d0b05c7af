package orchestrator_test

import (
	"fmt"
	"strings"
	"testing"

	"ringmaster/orchestrator"
)

// center is a sound configuration.
func center() orchestrator.Config {
	return orchestrator.Config{
		Settings: orchestrator.Settings{
			Language: "de-CH", Zone: "Europe/Zurich", Unknown: "main",
			PauseReasons: []orchestrator.PauseReason{{ID: "lunch", Name: "Lunch", Digit: "1"}, {ID: "training", Name: "Training", Digit: "2"}},
		},
		Switches: []orchestrator.PBX{{ID: "pbx", Type: "asterisk", Name: "Rack 1"}, {ID: "sim", Type: "simulated"}},
		Phones: []orchestrator.Phone{
			{ID: "desk-1", Switch: "pbx", Endpoint: "PJSIP/1001"},
			{ID: "desk-2", Switch: "pbx", Endpoint: "PJSIP/ana.b@x_y-z"},
			{ID: "desk-3", Switch: "sim", Endpoint: "PJSIP/1001"},
		},
		Agents: []orchestrator.Agent{
			{ID: "ana", Number: "1001", Name: "Ana", Skills: map[string]int{"german": 80}},
			{ID: "ben", Number: "1002", Name: "Ben"},
		},
		Hours: []orchestrator.Hours{{ID: "office", Zone: "Europe/Zurich"}},
		Queues: []orchestrator.Queue{{
			ID: "sales", Name: "Sales", Strategy: orchestrator.LongestIdle,
			Agents: []orchestrator.QueueAgent{{Agent: "ana"}, {Agent: "ben", Level: 1}},
			Skills: []orchestrator.SkillNeed{{Skill: "german", Level: 50}}, Priority: -100, RingTimeout: 3000, MaxWait: 60_000,
			Overflow: orchestrator.Target{Flow: "main"}, Music: "default",
			Announce: orchestrator.Announce{First: 1, Every: 30_000, Play: []orchestrator.Media{{Say: "Bitte warten"}}},
		}},
		Flows:   []orchestrator.Flow{{ID: "main", Name: "Main"}},
		Numbers: []orchestrator.Number{{Dialled: "+41311234567", Flow: "main", Name: "Main line"}},
	}
}

func TestSoundConfigHasNoProblems(t *testing.T) {
	if found := center().Validate(); len(found) > 0 {
		t.Errorf("%v", found)
	}
	if found := center().Warnings(); len(found) > 0 {
		t.Errorf("warnings: %v", found)
	}
	if found := (orchestrator.Config{}).Validate(); len(found) > 0 {
		t.Errorf("an empty one: %v", found)
	}
}

// Each case breaks one thing in a sound configuration and names the one
// problem.
func TestConfigProblemsAreNamed(t *testing.T) {
	type config = orchestrator.Config
	for _, c := range []struct {
		field, says string
		edit        func(c *config)
	}{
		{"settings.language", `"de_CH" is no language`, func(c *config) { c.Settings.Language = "de_CH" }},
		{"settings.unknown_number_flow", `no flow "x" (flows are: main)`, func(c *config) { c.Settings.Unknown = "x" }},
		{"settings.feature_codes.ready", "no code", func(c *config) { c.Settings.FeatureCodes.Ready = "r" }},
		{"settings.feature_codes.pause", "*2 and *21 (ready) cannot be told apart", func(c *config) { c.Settings.FeatureCodes.Pause = "*2" }},
		{"settings.pause_reasons[1].id", "another reason", func(c *config) { c.Settings.PauseReasons[1].ID = "lunch" }},
		{"settings.pause_reasons[1].id", "is no name", func(c *config) { c.Settings.PauseReasons[1].ID = "Übung" }},
		{"settings.pause_reasons[1].name", "needed", func(c *config) { c.Settings.PauseReasons[1].Name = " " }},
		{"settings.pause_reasons[1].digit", "1 to 4 digits", func(c *config) { c.Settings.PauseReasons[1].Digit = "#" }},
		{"settings.pause_reasons[1].digit", "12 and 1 (lunch)", func(c *config) { c.Settings.PauseReasons[1].Digit = "12" }},
		{"settings.pause_reasons", "too many", func(c *config) { c.Settings.PauseReasons = make([]orchestrator.PauseReason, 51) }},
		{"switches[1].id", `names another switch already (switches[0])`, func(c *config) { c.Switches[1].ID = "pbx"; c.Phones = nil }},
		{"switches[1].type", "types are: asterisk, freeswitch, simulated", func(c *config) { c.Switches[1].Type = "3cx" }},
		{"switches[0].name", "control", func(c *config) { c.Switches[0].Name = "a\nb" }},
		{"switches[0].links[0].to", `no switch "west" (switches are: pbx, sim)`, func(c *config) {
			c.Switches[0].Links = []orchestrator.Link{{To: "west", Trunk: "PJSIP/west"}}
		}},
		{"switches[0].links[0].to", "no link to itself", func(c *config) {
			c.Switches[0].Links = []orchestrator.Link{{To: "pbx", Trunk: "PJSIP/west"}}
		}},
		{"switches[0].links[1].to", `a link to "sim" already`, func(c *config) {
			c.Switches[0].Links = []orchestrator.Link{{To: "sim", Trunk: "PJSIP/a"}, {To: "sim", Trunk: "PJSIP/b"}}
		}},
		{"switches[0].links[0].trunk", `"Local" may not be dialled`, func(c *config) {
			c.Switches[0].Links = []orchestrator.Link{{To: "sim", Trunk: "Local/x"}}
		}},
		{"phones[0].id", "is no name", func(c *config) { c.Phones[0].ID = "-x" }},
		{"phones[0].switch", `no switch "pbz" (switches are: pbx, sim)`, func(c *config) { c.Phones[0].Switch = "pbz" }},
		{"phones[0].endpoint", "no endpoint", func(c *config) { c.Phones[0].Endpoint = "PJSIP/1001/n" }},
		{"phones[0].endpoint", "no endpoint", func(c *config) { c.Phones[0].Endpoint = "PJSIP/${X}" }},
		{"phones[0].endpoint", `"Local" may not be dialled`, func(c *config) { c.Phones[0].Endpoint = "Local/100@internal" }},
		{"phones[2].endpoint", `"PJSIP" may not be dialled on a switch of type freeswitch (allowed are: user)`, func(c *config) {
			c.Switches[1].Type = "freeswitch"
		}},
		{"phones[0].endpoint", `"user" may not be dialled on a switch of type asterisk`, func(c *config) { c.Phones[0].Endpoint = "user/1001" }},
		{"phones[1].endpoint", "a phone already (phones[0])", func(c *config) { c.Phones[1].Endpoint = "PJSIP/1001" }},
		{"agents[1].number", "another agent's number already (agents[0])", func(c *config) { c.Agents[1].Number = "1001" }},
		{"agents[1].number", "1 to 10 digits", func(c *config) { c.Agents[1].Number = "12345678901" }},
		{"agents[1].name", "needed", func(c *config) { c.Agents[1].Name = "" }},
		{"agents[1].name", "101 characters", func(c *config) { c.Agents[1].Name = strings.Repeat("ä", 101) }},
		{"agents[1].name", "UTF-8", func(c *config) { c.Agents[1].Name = "\xff" }},
		{"agents[1].skills.german", "1 to 100", func(c *config) { c.Agents[1].Skills = map[string]int{"german": 101} }},
		{"hours[0].id", "is no name", func(c *config) { c.Hours[0].ID = "" }},
		{"queues[0].name", "needed", func(c *config) { c.Queues[0].Name = "" }},
		{"queues[0].strategy", "strategies are: longest_idle", func(c *config) { c.Queues[0].Strategy = "ringall" }},
		{"queues[0].agents[0].agent", `no agent "anna" (agents are: ana, ben)`, func(c *config) { c.Queues[0].Agents[0].Agent = "anna" }},
		{"queues[0].agents[1].agent", "in this queue already (agents[0])", func(c *config) { c.Queues[0].Agents[1].Agent = "ana" }},
		{"queues[0].agents[1].level", "0 to 1000", func(c *config) { c.Queues[0].Agents[1].Level = -1 }},
		{"queues[0].skills.german", "1 to 100", func(c *config) { c.Queues[0].Skills[0].Level = 0 }},
		{"queues[0].skills[1].skill", "twice", func(c *config) { c.Queues[0].Skills = append(c.Queues[0].Skills, c.Queues[0].Skills[0]) }},
		{"queues[0].priority", "-100 to 100", func(c *config) { c.Queues[0].Priority = 101 }},
		{"queues[0].ring_timeout_ms", "3000 to 120000", func(c *config) { c.Queues[0].RingTimeout = 2999 }},
		{"queues[0].ring_timeout_ms", "3000 to 120000", func(c *config) { c.Queues[0].RingTimeout = 120_001 }},
		{"queues[0].wrap_up_ms", "0 to 86400000", func(c *config) { c.Queues[0].WrapUp = -1 }},
		{"queues[0].max_misses", "0 to 100", func(c *config) { c.Queues[0].MaxMisses = -1 }},
		{"queues[0].announce.every_ms", "1000 to", func(c *config) { c.Queues[0].Announce.Every = 1 }},
		{"queues[0].announce.play[0]", "exactly one", func(c *config) { c.Queues[0].Announce.Play[0].Sound = "x" }},
		{"queues[0].overflow", "one of them", func(c *config) { c.Queues[0].Overflow.Queue = "sales" }},
		{"queues[0].overflow.flow", "flows are: main", func(c *config) { c.Queues[0].Overflow.Flow = "menu" }},
		{"queues[0].overflow.queue", "queues are: sales", func(c *config) { c.Queues[0].Overflow = orchestrator.Target{Queue: "x"} }},
		{"queues[0].music", "no music class", func(c *config) { c.Queues[0].Music = "a&b" }},
		{"flows[0].name", "control", func(c *config) { c.Flows[0].Name = "\x1b" }},
		{"numbers[0].flow", `no flow "mian" (flows are: main)`, func(c *config) { c.Numbers[0].Flow = "mian" }},
		{"numbers[0].dialled", "no number", func(c *config) { c.Numbers[0].Dialled = "+41 31" }},
		{"numbers[1].dialled", `numbers[0], flow "main"`, func(c *config) { c.Numbers = append(c.Numbers, c.Numbers[0]) }},
		{"removed[0].kind", "kinds are: switch", func(c *config) { c.Removed = []orchestrator.Removal{{Kind: "x"}} }},
	} {
		edited := center()
		c.edit(&edited)
		found := edited.Validate()
		if len(found) != 1 || found[0].Field != c.field || !strings.Contains(found[0].Message, c.says) {
			t.Errorf("got %v, want %s: …%s…", found, c.field, c.says)
		}
	}
}

func TestWarnings(t *testing.T) {
	c := center()
	c.Queues = append(c.Queues, orchestrator.Queue{
		ID: "empty", Name: "Empty", Overflow: orchestrator.Target{Flow: "main"}, Announce: orchestrator.Announce{Every: 1000},
	})
	c.Agents = append(c.Agents, orchestrator.Agent{ID: "eve", Number: "9", Name: "Eve"})
	if found := c.Validate(); len(found) > 0 {
		t.Fatalf("warnings must be allowed: %v", found)
	}
	var fields []string
	for _, w := range c.Warnings() {
		fields = append(fields, w.Field)
	}
	if got := strings.Join(fields, " "); got != "queues[1].agents queues[1].announce queues[1].overflow agents[2]" {
		t.Errorf("got %s", got)
	}
}

// A hostile configuration is answered in bounded time and words.
func TestProblemsAreBounded(t *testing.T) {
	var c orchestrator.Config
	for i := range orchestrator.MaxObjects + 1 {
		c.Agents = append(c.Agents, orchestrator.Agent{ID: orchestrator.AgentID(fmt.Sprint(i)), Number: "x", Name: "n"})
		c.Queues = append(c.Queues, orchestrator.Queue{ID: orchestrator.QueueID(fmt.Sprint(i)), Agents: []orchestrator.QueueAgent{{Agent: "nobody"}}})
	}
	c.Settings.Language = strings.Repeat("ü", 1_000_000)
	found := c.Validate()
	if len(found) != orchestrator.MaxProblems {
		t.Errorf("%d problems", len(found))
	}
	for _, p := range found {
		if len(p.Error()) > 1100 {
			t.Fatalf("a problem of %d bytes: %.100s", len(p.Error()), p)
		}
	}
	if found[0].Field != "agents" || !strings.Contains(found[0].Message, "at most 50000") {
		t.Errorf("first: %v", found[0])
	}
}

func TestLongListsAreShortened(t *testing.T) {
	names := make([]string, 20)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	if got, want := orchestrator.List(names), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := orchestrator.List(names[:0]); got != "none" {
		t.Errorf("got %s", got)
	}
}

func TestDefaultsFillOnlyWhatIsMissing(t *testing.T) {
	q := orchestrator.Queue{RingTimeout: 5000, WrapUp: 0}.WithDefaults()
	if q.RingTimeout != 5000 || q.WrapUp != 0 || q.MaxWait != 0 {
		t.Errorf("changed what was set or means none: %+v", q)
	}
	if q.Strategy != orchestrator.LongestIdle || q.ServiceLevel != 20_000 || q.BusyDelay != 10_000 ||
		q.RejectDelay != 10_000 || q.NoAnswerDelay != 10_000 || q.UnreachableDelay != 5_000 {
		t.Errorf("not as documented: %+v", q)
	}
	if d := (orchestrator.Queue{}).WithDefaults(); d.RingTimeout != 20_000 {
		t.Errorf("ring timeout %d", d.RingTimeout)
	}
	s := orchestrator.Settings{FeatureCodes: orchestrator.FeatureCodes{Pause: "*99"}}.WithDefaults()
	want := orchestrator.FeatureCodes{Login: "*11", Logout: "*12", Ready: "*21", Pause: "*99", WrapUpDone: "*31"}
	if s.FeatureCodes != want || s.Language != "en" || s.Zone != "UTC" {
		t.Errorf("got %+v", s)
	}
	c := orchestrator.Config{Settings: s, Queues: []orchestrator.Queue{q}}
	c.Queues[0].ID, c.Queues[0].Name = "q", "Q"
	if found := c.Validate(); len(found) > 0 {
		t.Errorf("the defaults are invalid: %v", found)
	}
}
