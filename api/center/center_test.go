package center

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ringmaster/api/gen"
)

func TestTheExampleIsRead(t *testing.T) {
	f, err := Read("example.yaml", Example)
	if err != nil {
		t.Fatal(err)
	}
	c := f.Change
	if c.Settings == nil || len(*c.Agents) != 3 || len(*c.Queues) != 2 || (*c.Queues)[0].RingTimeoutMs != 15000 {
		t.Errorf("read %+v", c)
	}
}

func TestASectionThatIsNotThereIsNotAnEmptyOne(t *testing.T) {
	f, err := Read("c.yaml", []byte("phones: []\n"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Change.Phones == nil || len(*f.Change.Phones) != 0 || f.Change.Agents != nil || f.Change.Settings != nil {
		t.Errorf("read %+v", f.Change)
	}
}

func TestScalarsAreWhatTheSchemaSays(t *testing.T) {
	f, err := Read("c.yaml", []byte(`
numbers:
  - {dialled: +4930123456, flow: 1}
  - {dialled: 0049301, flow: main, name: yes}
agents: [{id: ana, number: 0042, name: "null"}]
hours: [{id: h, zone: UTC, weekly: [{days: [mon], from: 09:00, to: 17:30}], holidays: [{date: 2026-12-25}]}]
flows:
  - id: main
    start: "1"
    nodes:
      1:
        type: menu
        play:
          - say: |
              two
              lines
        on: {1: a, on: b}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint((*f.Change.Numbers), (*f.Change.Agents)[0].Number, (*f.Change.Hours)[0], (*f.Change.Flows)[0].Nodes["1"].On)
	for _, want := range []string{"+4930123456", "0049301", "yes", "0042", "09:00", "2026-12-25", "map[1:a on:b]"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestEveryFaultIsNamedWithItsLineAndWhatIsAllowed(t *testing.T) {
	for text, want := range map[string]string{
		"queues:\n  - id: sales\n    nam: Sales\n": `c.yaml:3:5: queues[0].nam: there is no such field; did you mean name?`,
		"qeues: []\n":  `c.yaml:1:1: qeues: there is no such field; did you mean queues?`,
		"zebras: []\n": `possible: agents, flows, hours, numbers, phones, queues, settings, switches`,
		"queues:\n  - id: a\n    name: A\n    ring_timeout_ms: 20s\n":              `c.yaml:4:22: queues[0].ring_timeout_ms: the unit is milliseconds: write 20000`,
		"queues:\n  - id: a\n    name: A\n    ring_timeout_ms: soon\n":             `want a whole number`,
		"queues:\n  - id: a\n    name: A\n    strategy: longest_ide\n":             `c.yaml:4:5: queues[0].strategy: "longest_ide" is not possible; did you mean longest_idle?`,
		"queues:\n  - id: A b\n    name: A\n":                                      `c.yaml:2:5: queues[0].id: does not have the form`,
		"queues:\n  - name: A\n":                                                   `c.yaml:2:5: queues[0].id: property "id" is missing`,
		"queues:\n  sales: {}\n":                                                   `c.yaml:2:3: queues: is a mapping: want a list`,
		"queues:\n  - sales\n":                                                     `c.yaml:2:5: queues[0]: want a mapping`,
		"queues:\n":                                                                `c.yaml:1:8: queues: a value is missing: want a list (- item), or [] for none`,
		"phones:\n  - {id: a, switch: p, endpoint: PJSIP/1, auto_answer: maybe}\n": `want true or false`,
		"agents: &a []\n":                                                          `anchors`,
		"agents: *a\n":                                                             `unknown anchor`,
		"a: &a []\nagents: *a\n":                                                   `anchors`,
		"agents: !!seq []\n":                                                       `anchors`,
		"settings:\n  <<: {zone: UTC}\n":                                           `c.yaml:2:3`,
		"settings: {zone: UTC}\nsettings: {zone: UTC}\n":                           `c.yaml:2:1`,
		"settings: {zone: UTC\n":                                                   `c.yaml:1:`,
		"settings:\n\t zone: UTC\n":                                                `c.yaml:2:`,
		"":                                                                         `the file is empty`,
		"# nothing\n":                                                              `the file is empty`,
		"--- {}\n--- {}\n":                                                         `several documents`,
		"just words\n":                                                             `want a mapping`,
		"\xff\xfe":                                                                 `not UTF-8`,
		strings.Repeat("[", 100_000):                                               `exceeded max depth`,
		strings.Repeat("{a: ", 100_000):                                            `exceeded max depth`,
		strings.Repeat("- ", 100_000):                                              `exceeded max depth`,
		"settings: {zone: \"" + strings.Repeat("x", 50<<20) + "\"}\n":                                   `too large`,
		"numbers:\n  - dialled: \"+49\"\n    flow: a\n    name: \"" + strings.Repeat("x", 101) + "\"\n": `c.yaml:4:5: numbers[0].name`,
	} {
		_, err := Read("c.yaml", []byte(text))
		faults, ok := errors.AsType[*Faults](err)
		if !ok || !strings.Contains(faults.Error(), want) {
			t.Errorf("%.60q: %v\nwant %s", text, err, want)
		}
	}
}

func TestAllFaultsComeAtOnceFromTopToBottom(t *testing.T) {
	_, err := Read("c.yaml", []byte("queues:\n  - {id: A, name: a}\n  - {id: b, name: b, wrap_up_ms: -1}\nagents:\n  - {id: ana, number: x, name: Ana}\n"))
	faults, ok := errors.AsType[*Faults](err)
	if !ok || len(faults.Faults) != 3 || faults.Faults[0].Line != 2 || faults.Faults[1].Line != 3 || faults.Faults[2].Line != 5 {
		t.Errorf("faults %v", err)
	}
}

// TestFaultsWithoutEndAreBounded: a few bytes make a fault, of which the
// schema's library keeps 1.3 KB each; 7 MB of them took 3.7 GB. This is a
// seventh of it.
func TestFaultsWithoutEndAreBounded(t *testing.T) {
	const most = 200 << 20 // what is left is the YAML tree of 340,000 nodes
	many := strings.Repeat("{},", 45_000)
	for name, text := range map[string]string{
		"queues":           "queues: [" + strings.Repeat("{},", 1<<20/3) + "]\n",
		"agents in queues": "queues: [" + strings.Repeat("{agents: ["+many+"]},", 8) + "]\n",
		"wrong words":      "queues: [" + strings.Repeat("{id: a, name: b, priority: x},", 1<<20/30) + "]\n",
		"fields":           "settings: {" + strings.Repeat("x: 1,", 1<<20/5) + "}\n",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read("c.yaml", []byte(text))
		runtime.ReadMemStats(&after)
		faults, ok := errors.AsType[*Faults](err)
		if !ok || len(faults.Faults) > maxFaults+1 {
			t.Errorf("%s: %.200v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("%s: took %d MB, at most %d", name, got>>20, most>>20)
		} else {
			t.Logf("%s: took %d MB", name, got>>20)
		}
	}
}

func TestABombIsRefusedQuickly(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	if _, err := Read("bomb.yaml", []byte(b.String())); err == nil {
		t.Error("a bomb of aliases was read")
	}
}

func TestServerFaultsGetTheirLines(t *testing.T) {
	f, err := Read("c.yaml", []byte("queues:\n  - id: sales\n    name: Sales\n    agents:\n      - agent: ana\n      - agent: nobody\nflows:\n  - id: main\n    start: a\n    nodes:\n      a:\n        type: menu\n        on: {1: gone}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := f.Locate([]gen.FieldError{
		{Field: "flows[0].nodes.a.on.1", Message: "no node"},
		{Field: "queues[0].agents[1].agent", Message: "no agent"},
		{Field: "queues[0].ring_timeout_ms", Message: "too short"},
		{Field: "numbers[+49].flow", Message: "no flow"},
	}).Error()
	want := "c.yaml: numbers[+49].flow: no flow\nc.yaml:2:5: queues[0].ring_timeout_ms: too short\n" +
		"c.yaml:6:9: queues[0].agents[1].agent: no agent\nc.yaml:13:14: flows[0].nodes.a.on.1: no node"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestWhatIsWrittenIsReadAsTheSame writes random configurations.
func TestWhatIsWrittenIsReadAsTheSame(t *testing.T) {
	text := rapid.OneOf(
		rapid.StringMatching(`[ -~]{1,20}`), rapid.StringMatching(`[\n\r\t "'#:{}\[\],&*!|>%@\\-]{1,8}`),
		rapid.SampledFrom([]string{"null", "~", "yes", "on", "0049", "+49", "1e3", ".inf", "0x1", "2026-12-25", "09:00", "- a", "a: b", " a", "a ", "é", "日本", "😀", "\u0085", "\u2028", "#", "'", "\"", "|", "a\nb", "\n", "a\n", "---", "..."}),
		rapid.StringN(1, 20, 60),
	)
	rapid.Check(t, func(t *rapid.T) {
		say := text.Draw(t, "say")
		slug := rapid.SampledFrom([]string{"a", "1", "0049", "null", "true", "on", "1e3", "-"[:0] + "x-y", "9_9"})
		c := gen.Configuration{
			Settings: gen.Settings{Zone: "UTC"}, Switches: []gen.Switch{}, Phones: []gen.Phone{}, Numbers: []gen.Number{},
			Agents: []gen.Agent{{ID: slug.Draw(t, "agent"), Number: rapid.StringMatching(`[0-9]{1,10}`).Draw(t, "number"), Name: text.Draw(t, "name")}},
			Hours:  []gen.Hours{{ID: slug.Draw(t, "hours"), Zone: "UTC", Weekly: []gen.Opening{{Days: []gen.OpeningDays{"mon"}, From: "09:00", To: "24:00"}}}},
			Queues: []gen.Queue{{ID: slug.Draw(t, "queue"), Name: text.Draw(t, "name"), Announce: gen.Announce{Play: []gen.Media{{Say: say}}}}},
			Flows: []gen.Flow{{ID: slug.Draw(t, "flow"), Start: "1", Nodes: map[string]gen.Node{
				slug.Draw(t, "node"): {Type: "menu", Play: []gen.Media{{Say: text.Draw(t, "question")}}, On: map[string]string{"1": "a", "*": "b", "#": "c", "timeout": "d"}},
			}}},
		}
		var out bytes.Buffer
		if err := Write(&out, c); err != nil {
			t.Fatal(err)
		}
		f, err := Read("out.yaml", out.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		want, _ := json.Marshal(c)
		got, _ := json.Marshal(f.Change)
		if !bytes.Equal(want, got) {
			t.Fatalf("wrote %s\n read %s\n  as:\n%s", want, got, out.String())
		}
	})
}

func TestAPlanIsPrintedForPeople(t *testing.T) {
	var b strings.Builder
	err := Print(&b, gen.Plan{
		Create: 1, Change: 1, Delete: 1, Unchanged: 3,
		Steps: []gen.PlanStep{
			{Action: "create", Kind: "agent", ID: "ben"},
			{Action: "change", Kind: "queue", ID: "sales", Fields: []gen.FieldChange{
				{Field: "name", Old: "\"Sales\"", New: "\"\x1b[31mSales\u009b\""}, {Field: "wrap_up_ms", New: "5000"}, {Field: "music", Old: strings.Repeat("x", 200)},
			}},
			{Action: "change", Kind: "settings"},
			{Action: "delete", Kind: "phone", ID: "desk-1"},
		},
		Warnings: []gen.FieldError{{Field: "queues[0]", Message: "nobody serves it"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `+ agent ben
~ queue sales
    name        "Sales" -> "[31mSales"
    wrap_up_ms  (none) -> 5000
    music       ` + strings.Repeat("x", 59) + `… -> (none)
~ settings
- phone desk-1
warning: queues[0]: nobody serves it
1 to create, 1 to change, 1 to delete, 3 as they are.
`
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(Example)
	f.Add([]byte("queues: [{id: a, name: b}]"))
	f.Add([]byte("a: &x [*x]\n? b\n: - c\n"))
	f.Add([]byte("settings: |\n  x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Read("fuzz.yaml", text)
		if err != nil {
			if _, ok := errors.AsType[*Faults](err); !ok {
				t.Errorf("%v is no list of faults", err)
			}
			return
		}
		again, err := json.Marshal(file.Change)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read("again.yaml", again); err != nil { // JSON is YAML
			t.Errorf("%q was read as %s, which is refused: %v", text, again, err)
		}
	})
}
