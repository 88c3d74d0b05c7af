package main

import (
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
)

func TestExampleIsAScenario(t *testing.T) {
	p, err := parseScenario("example.yaml", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.agents) != 1 || len(p.agents[0].phones) != 5 || len(p.agents[0].shares) != 4 || len(p.callers) != 1 {
		t.Fatalf("plan %+v", p)
	}
	first := p.agents[0].phones[0]
	if first.User != "1001" || first.Password != "secret-1001" || first.ToneHz != 900 {
		t.Errorf("first phone %+v", first)
	}
	if p.duration != time.Minute || p.callers[0].dial != "700" || len(p.callers[0].steps) != 2 {
		t.Errorf("plan %+v", p)
	}
}

// The commented fields of the example must be right too, or who removes the # meets an error.
func TestCommentedFieldsOfTheExampleExist(t *testing.T) {
	text := example
	for _, field := range []string{"listen: 192.0.2.20", "record: /tmp", "seed: 1", "login:", "logout:", "users: 3001", "password: secret-{user}\n    # listen", "listen: 127.0.0.2"} {
		if !strings.Contains(text, "# "+field) {
			t.Errorf("the example has no comment %q", field)
		}
		text = strings.Replace(text, "# "+field, field, 1)
	}
	if _, err := parseScenario("example.yaml", []byte(text)); err != nil {
		t.Error(err)
	}
}

const good = "pbx: 127.0.0.1\nagents:\n  - users: 1-2\n    password: x\n"

func TestFaultsAreNamedWithLineAndChoice(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "want exactly one YAML document",
		"a: [":                                   "f.yaml:1:",
		"pbx: a\npbx: b":                         `f.yaml:2: mapping key "pbx" already defined`,
		good + "durration: 5s\n":                 `f.yaml:5: unknown field "durration"; allowed here: agents, callers, duration, listen, pbx, record, rtp_ports, seed`,
		good + "    behave: [{due: answer}]\n":   `f.yaml:5: unknown field "due"; allowed here: after, code, do, hang_up_after, share`,
		good + "    behave: [{do: answr}]\n":     `f.yaml:5: do "answr": want answer, reject, ring (never answer) or silent`,
		good + "    behave: [{do: reject}]\n":    "f.yaml:5: reject needs a code from 300 to 699",
		good + "    tones_hz: [600, 610]\n":      "600 and 610 Hz are closer than 60 Hz",
		good + "    tones_hz: high\n":            `f.yaml:5: `,
		good + "duration: 5\n":                   `f.yaml:5: "5": want a time such as 2s`,
		good + "duration: 9s..1s\n":              `f.yaml:5: "9s..1s": want a time`,
		good + "seed: -1\n":                      "f.yaml:5:",
		good + "rtp_ports: 70000-80000\n":        "f.yaml:5: \"70000-80000\": want two ports",
		good + "listen: home\n":                  "f.yaml:5: \"home\": want an IP address",
		good + "callers: [{dial: 7}]\n":          "f.yaml:5: rate_per_s 0: want more than 0",
		good + "callers: [{rate_per_s: fast}]\n": `f.yaml:5: "fast": want a number`,
		good + "callers: [{dial: 7, rate_per_s: 1, arrivals: x}]\n":           "f.yaml:5: \"x\": want even or poisson",
		good + "callers: [{dial: 7, rate_per_s: 1, script: [{}]}]\n":          "f.yaml:5: want either wait",
		good + "callers: [{dial: 7, rate_per_s: 1, script: [{dtmf: x}]}]\n":   "only 0-9 * # A-D",
		good + "callers: [{dial: 7, rate_per_s: 1, users: 1, password: y}]\n": "user 1 is in more than one group",
		good + "callers: [{dial: 7, rate_per_s: 1, users: 8}]\n":              "users need a password",
		"pbx: a\nagents:\n  - users: 9-1\n    password: x\n":                  "f.yaml:3: \"9-1\": want a rising range",
		"pbx: a\nagents:\n  - password: x\n":                                  "f.yaml:3: users is required",
		"agents:\n  - users: 1\n":                                             "pbx is required",
		"pbx: a\n":                                                            "nothing to do",
		"pbx: a\nagents: 5\n":                                                 "f.yaml:2:",
		"- 1\n":                                                               "f.yaml:1:",
		"pbx: a\nagents:\n  - users: 1-2000\n    password: x\n  - users: 3000-3001\n    password: x\n": "2002 phones, at most 2000",
	} {
		_, err := parseScenario("f.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q\n  gave %v\n  want %s", text, err, want)
		}
	}
	if _, err := parseScenario("f.yaml", []byte(good)); err != nil {
		t.Errorf("a good scenario was refused: %v", err)
	}
}

func FuzzScenario(f *testing.F) {
	f.Add(example)
	f.Add(good)
	f.Add("pbx: &a [*a]\nagents: *a\n")
	f.Add("? {a: b}\n: c\n--- d\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseScenario("f.yaml", []byte(text))
		if err != nil {
			return
		}
		phones := 0
		for _, a := range p.agents {
			phones += len(a.phones)
			if len(a.shares) == 0 {
				t.Error("agents without a behaviour")
			}
		}
		for _, c := range p.callers {
			phones += len(c.phones)
			if c.rate <= 0 || c.rate > maxRatePerS || c.concurrent < 1 || c.concurrent > maxConcurrent || len(c.tones) == 0 {
				t.Errorf("callers out of bounds: %+v", c)
			}
		}
		if phones == 0 || phones > maxPhones {
			t.Errorf("%d phones", phones)
		}
	})
}

func TestBehavioursFollowTheirShares(t *testing.T) {
	p, err := parseScenario("f.yaml", []byte(good+"    behave:\n      - {do: answer, after: 1s..2s, share: 3}\n      - {do: ring, share: 1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{plan: &p.agents[0], dice: newDice(1, 1)}
	n := map[phone.Action]int{}
	for range 1000 {
		b := d.draw()
		n[b.Action]++
		if b.Action == phone.Answer && (b.After < time.Second || b.After > 2*time.Second) {
			t.Fatalf("rings %s", b.After)
		}
	}
	if n[phone.Answer] < 700 || n[phone.Answer] > 800 || n[phone.Answer]+n[phone.Ring] != 1000 {
		t.Errorf("drew %v, want 3 to 1", n)
	}
}
