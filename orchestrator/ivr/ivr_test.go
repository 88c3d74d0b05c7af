package ivr_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/ivr"
)

var known = ivr.Known{
	Queues: map[orchestrator.QueueID]bool{"sales": true, "support": true},
	Hours:  map[orchestrator.HoursID]bool{"office": true},
}

func say(text string) []orchestrator.Media { return []orchestrator.Media{{Say: text}} }

func reception() orchestrator.Flow {
	return orchestrator.Flow{ID: "reception", Start: "answer", Nodes: map[string]orchestrator.Node{
		"answer": {Type: orchestrator.NodeAnswer, On: map[string]string{"next": "open"}},
		"open": {Type: orchestrator.NodeHours, Hours: "office", On: map[string]string{
			"open": "menu", "closed": "sorry",
		}},
		"menu": {Type: orchestrator.NodeMenu, Play: say("one or two"), Retries: 1, On: map[string]string{
			"1": "sales", "2": "support", "0": "desk", "timeout": "sales", "invalid": "sorry",
		}},
		"sales":   {Type: orchestrator.NodeQueue, Queue: "sales", On: map[string]string{"max_wait": "sorry"}},
		"support": {Type: orchestrator.NodeQueue, Queue: "support", Priority: 5},
		"desk":    {Type: orchestrator.NodeTransfer, Context: "internal", Extension: "100", On: map[string]string{"failed": "sorry"}},
		"sorry":   {Type: orchestrator.NodePlay, Play: []orchestrator.Media{{Sound: "custom/closed"}}, On: map[string]string{"next": "bye"}},
		"bye":     {Type: orchestrator.NodeHangup, Cause: 17},
	}}
}

func TestSoundFlowHasNoProblems(t *testing.T) {
	if found := ivr.Validate("flows[0]", reception(), known); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// Each case breaks one thing in a sound flow and names the one problem.
func TestProblemsAreNamed(t *testing.T) {
	long := strings.Repeat("a", orchestrator.MaxSay+1)
	for _, c := range []struct {
		name  string
		edit  func(f *orchestrator.Flow)
		field string
		says  string
	}{
		{"no nodes", func(f *orchestrator.Flow) { f.Nodes = nil }, "nodes", "1 to 1000"},
		{"start", func(f *orchestrator.Flow) { f.Start = "begin" }, "start", `no node "begin" (nodes are: answer, bye,`},
		{"node name", rename("bye", "Bye!"), "nodes.Bye!", "is no name"},
		{
			"type", set("bye", func(n *orchestrator.Node) { n.Type = "stop" }), "nodes.bye.type",
			"types are: answer, hangup, hours, menu, play, queue, transfer",
		},
		{
			"foreign field", set("bye", func(n *orchestrator.Node) { n.Queue = "sales" }), "nodes.bye.queue",
			"its fields are: type, cause, on",
		},
		{"missing field", set("sales", func(n *orchestrator.Node) { n.Queue = "" }), "nodes.sales.queue", "needs it"},
		{
			"unknown queue", set("sales", func(n *orchestrator.Node) { n.Queue = "sails" }), "nodes.sales.queue",
			`no queue "sails" (queues are: sales, support)`,
		},
		{"unknown hours", set("open", func(n *orchestrator.Node) { n.Hours = "shop" }), "nodes.open.hours", "hours are: office"},
		{"priority", set("support", func(n *orchestrator.Node) { n.Priority = 101 }), "nodes.support.priority", "-100 to 100"},
		{"no such exit", connect("answer", "open", "menu"), "nodes.answer.on.open", "exits are: next"},
		{"exit of a hang-up", connect("bye", "next", "answer"), "nodes.bye.on.next", "it has none"},
		{"exit to nowhere", connect("menu", "3", "cellar"), "nodes.menu.on.3", `no node "cellar"`},
		{"letter as choice", connect("menu", "a", "sorry"), "nodes.menu.on.a", "digits 0-9*#, timeout, invalid"},
		{"long choice", connect("menu", "123456789", "sorry"), "nodes.menu.on.123456789", "at most 8"},
		{"menu without choice", set("menu", func(n *orchestrator.Node) {
			n.On = map[string]string{"timeout": "sales"}
		}), "nodes.menu.on", "needs a choice"},
		{"menu timeout", set("menu", func(n *orchestrator.Node) { n.Timeout = 60_001 }), "nodes.menu.timeout_ms", "500 to 60000"},
		{"menu digit time", set("menu", func(n *orchestrator.Node) { n.InterDigit = -1 }), "nodes.menu.inter_digit_ms", "500 to 60000"},
		{"menu retries", set("menu", func(n *orchestrator.Node) { n.Retries = -2 }), "nodes.menu.retries", "-1 for none"},
		{"media two", set("sorry", func(n *orchestrator.Node) { n.Play[0].Say = "x" }), "nodes.sorry.play[0]", "2 are set"},
		{"media none", set("sorry", func(n *orchestrator.Node) { n.Play = []orchestrator.Media{{}} }), "nodes.sorry.play[0]", "0 are set"},
		{"long words", set("menu", func(n *orchestrator.Node) { n.Play = say(long) }), "nodes.menu.play[0].say", "at most 1000"},
		{"control character", set("menu", func(n *orchestrator.Node) { n.NoInput = say("a\rb") }), "nodes.menu.no_input[0].say", "control"},
		{"blank words", set("menu", func(n *orchestrator.Node) { n.WrongInput = say(" ") }), "nodes.menu.wrong_input[0].say", "nothing"},
		{"sound injection", media(orchestrator.Media{Sound: "a&b"}), "nodes.sorry.play[0].sound", "no sound's name"},
		{"sound of nothing", media(orchestrator.Media{Sound: "a//b"}), "nodes.sorry.play[0].sound", "no sound's name"},
		{"long sound", media(orchestrator.Media{Sound: strings.Repeat("a", 129)}), "nodes.sorry.play[0].sound", "at most 128"},
		{"long file", media(orchestrator.Media{File: "/" + strings.Repeat("a", 250)}), "nodes.sorry.play[0].file", "at most 250"},
		{"relative file", media(orchestrator.Media{File: "a/b"}), "nodes.sorry.play[0].file", "no absolute path"},
		{"climbing file", media(orchestrator.Media{File: "/a/../b"}), "nodes.sorry.play[0].file", "no absolute path"},
		{"language of a sound", media(orchestrator.Media{Sound: "a", Language: "de"}), "nodes.sorry.play[0].language", "only words"},
		{"language", media(orchestrator.Media{Say: "a", Language: "de_DE"}), "nodes.sorry.play[0].language", "no language"},
		{"too much media", set("sorry", func(n *orchestrator.Node) {
			n.Play = make([]orchestrator.Media, orchestrator.MaxMedia+1)
		}), "nodes.sorry.play", "too many"},
		{"context", set("desk", func(n *orchestrator.Node) { n.Context = "a b" }), "nodes.desk.context", "no dialplan context"},
		{"extension", set("desk", func(n *orchestrator.Node) { n.Extension = "${X}" }), "nodes.desk.extension", "no extension"},
		{"cause", set("bye", func(n *orchestrator.Node) { n.Cause = 128 }), "nodes.bye.cause", "1 to 127"},
		{
			"unreachable", func(f *orchestrator.Flow) { f.Nodes["attic"] = orchestrator.Node{Type: orchestrator.NodeHangup} },
			"nodes.attic", `from "answer"`,
		},
		{"loop", connect("open", "closed", "answer"), "nodes.answer", "answer -> open -> answer"},
		{"loop of queues without agents", func(f *orchestrator.Flow) {
			connect("sales", "no_agents", "support")(f)
			connect("support", "no_agents", "sales")(f)
		}, "nodes.sales", "sales -> support -> sales"},
	} {
		f := reception()
		c.edit(&f)
		found := ivr.Validate("", f, known)
		if len(found) != 1 || found[0].Field != c.field || !strings.Contains(found[0].Message, c.says) {
			t.Errorf("%s: got %v, want %s: …%s…", c.name, found, c.field, c.says)
		}
	}
}

func set(node string, edit func(*orchestrator.Node)) func(*orchestrator.Flow) {
	return func(f *orchestrator.Flow) {
		n := f.Nodes[node]
		edit(&n)
		f.Nodes[node] = n
	}
}

func connect(node, exit, to string) func(*orchestrator.Flow) {
	return set(node, func(n *orchestrator.Node) {
		n.On = maps.Clone(n.On)
		if n.On == nil {
			n.On = map[string]string{}
		}
		n.On[exit] = to
	})
}

func media(m orchestrator.Media) func(*orchestrator.Flow) {
	return set("sorry", func(n *orchestrator.Node) { n.Play = []orchestrator.Media{m} })
}

func rename(from, to string) func(*orchestrator.Flow) {
	return func(f *orchestrator.Flow) {
		f.Nodes[to] = f.Nodes[from]
		delete(f.Nodes, from)
		for _, n := range f.Nodes {
			for exit, next := range n.On {
				if next == from {
					n.On[exit] = to
				}
			}
		}
	}
}

func TestExitTakesTheDefault(t *testing.T) {
	f := reception()
	for _, c := range []struct {
		node, exit, want string
		why              string
	}{
		{"sorry", "failed", "bye", "a sound that is missing must not end the call"},
		{"open", "holiday", "sorry", "a holiday is closed unless drawn otherwise"},
		{"sales", "max_wait", "sorry", "connected"},
		{"sales", "no_agents", "", "the queue's overflow decides"},
		{"menu", "3", "", "not a choice"},
		{"open", "failed", "", "not its exit"},
	} {
		got, ok := ivr.Exit(f.Nodes[c.node], c.exit)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s of %s leads to %q, %v, want %q: %s", c.exit, c.node, got, ok, c.want, c.why)
		}
	}
}

func TestMenuDefaults(t *testing.T) {
	if ivr.QuestionTimeout(orchestrator.Node{}) != 5*time.Second || ivr.InterDigitTimeout(orchestrator.Node{}) != 3*time.Second {
		t.Error("default times")
	}
	n := orchestrator.Node{Timeout: 700, InterDigit: 900}
	if ivr.QuestionTimeout(n) != 700*time.Millisecond || ivr.InterDigitTimeout(n) != 900*time.Millisecond {
		t.Error("set times")
	}
	for retries, tries := range map[int]int{0: 3, 1: 2, -1: 1, 10: 11} {
		if got := ivr.Tries(orchestrator.Node{Retries: retries}); got != tries {
			t.Errorf("%d retries are %d tries, want %d", retries, got, tries)
		}
	}
}

func TestMatch(t *testing.T) {
	n := orchestrator.Node{Type: orchestrator.NodeMenu, On: map[string]string{
		"1": "a", "12": "b", "20": "c", "*#": "d", "timeout": "e",
	}}
	for digits, want := range map[string]ivr.Verdict{
		"": ivr.Pending, "1": ivr.PendingComplete, "12": ivr.Complete, "13": ivr.Wrong, "2": ivr.Pending,
		"20": ivr.Complete, "3": ivr.Wrong, "*": ivr.Pending, "*#": ivr.Complete, "t": ivr.Wrong, "timeout": ivr.Wrong,
	} {
		if got := ivr.Match(n, digits); got != want {
			t.Errorf("%q is %v, want %v", digits, got, want)
		}
	}
}

// A caller who goes on dialling always comes to a verdict that ends the menu,
// after no more digits than the longest choice and one.
func TestDiallingEnds(t *testing.T) {
	digit := rapid.StringMatching(`[0-9*#]`)
	rapid.Check(t, func(rt *rapid.T) {
		n := orchestrator.Node{Type: orchestrator.NodeMenu, On: map[string]string{}}
		for _, choice := range rapid.SliceOfN(rapid.StringMatching(`[0-3*#]{1,8}`), 1, 9).Draw(rt, "choices") {
			n.On[choice] = "x"
		}
		digits := ""
		for {
			digits += digit.Draw(rt, "digit")
			v := ivr.Match(n, digits)
			_, isChoice := n.On[digits]
			if (v == ivr.Complete || v == ivr.PendingComplete) != isChoice {
				rt.Fatalf("%q is %v, choice: %v", digits, v, isChoice)
			}
			if v == ivr.Complete || v == ivr.Wrong {
				return
			}
			if len(digits) > ivr.MaxChoice {
				rt.Fatalf("%q is still %v", digits, v)
			}
		}
	})
}

// Whatever way a call goes through a sound flow, it waits or leaves within as
// many nodes as the flow has, and never finds an exit that leads nowhere.
func TestSoundFlowMakesProgress(t *testing.T) {
	sound := 0
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFlow(rt)
		found := ivr.Validate("", f, known)
		mustNameFields(rt, found)
		if len(found) == 0 {
			sound++
			walk(rt, f)
		}
	})
	if sound < 10 && !testing.Short() { // a short run draws too few
		t.Errorf("only %d of the drawn flows were sound: the property says little", sound)
	}
}

func walk(rt *rapid.T, f orchestrator.Flow) {
	at, sinceWait := f.Start, 0
	for range 50 {
		n, ok := f.Nodes[at]
		if !ok {
			rt.Fatalf("at %q, which is no node", at)
		}
		exit := rapid.SampledFrom(exitsOf(n)).Draw(rt, "exit")
		if slices.Contains(ivr.AtOnce(n), n.On[exit]) && n.On[exit] != "" {
			sinceWait++
		} else {
			sinceWait = 0
		}
		if sinceWait > len(f.Nodes) {
			rt.Fatalf("%d nodes without waiting, at %q", sinceWait, at)
		}
		next, ok := ivr.Exit(n, exit)
		if !ok {
			return
		}
		at = next
	}
}

func exitsOf(n orchestrator.Node) []string {
	all := []string{"next", "failed", "timeout", "invalid", "open", "closed", "holiday", "max_wait", "no_agents"}
	return append(all, slices.Sorted(maps.Keys(n.On))...)
}

// drawFlow draws nodes that are sound one by one and connects them at random.
func drawFlow(rt *rapid.T) orchestrator.Flow {
	size := rapid.IntRange(1, 6).Draw(rt, "nodes")
	f := orchestrator.Flow{ID: "f", Start: "n0", Nodes: map[string]orchestrator.Node{}}
	for i := range size {
		n := rapid.SampledFrom(templates).Draw(rt, "node")
		n.On = map[string]string{}
		exits := exitsByType[n.Type]
		for j, exit := range exits {
			if n.Type == orchestrator.NodeMenu && j == 0 || rapid.IntRange(0, 3).Draw(rt, "connect") > 0 {
				n.On[exit] = fmt.Sprintf("n%d", rapid.IntRange(0, size-1).Draw(rt, "to"))
			}
		}
		f.Nodes[fmt.Sprintf("n%d", i)] = n
	}
	return f
}

var templates = []orchestrator.Node{
	{Type: orchestrator.NodeAnswer},
	{Type: orchestrator.NodePlay, Play: say("hello")},
	{Type: orchestrator.NodeMenu, Play: say("choose")},
	{Type: orchestrator.NodeHours, Hours: "office"},
	{Type: orchestrator.NodeQueue, Queue: "sales"},
	{Type: orchestrator.NodeTransfer, Extension: "100"},
	{Type: orchestrator.NodeHangup},
}

var exitsByType = map[orchestrator.NodeType][]string{
	orchestrator.NodeAnswer:   {"next"},
	orchestrator.NodePlay:     {"next", "failed"},
	orchestrator.NodeMenu:     {"1", "22", "timeout", "invalid"},
	orchestrator.NodeHours:    {"open", "closed", "holiday"},
	orchestrator.NodeQueue:    {"max_wait", "no_agents"},
	orchestrator.NodeTransfer: {"failed"},
}

type fataler interface {
	Fatalf(format string, args ...any)
}

func mustNameFields(t fataler, found orchestrator.Problems) {
	for _, p := range found {
		if p.Field == "" || p.Message == "" || p.Code != orchestrator.CodeInvalid {
			t.Fatalf("problem without a name: %+v", p)
		}
	}
}

func FuzzValidate(f *testing.F) {
	sound, err := json.Marshal(reception())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Add([]byte(`{"start":"a","nodes":{"a":{"type":"answer","on":{"next":"a"}}}}`))
	f.Add([]byte(`{"start":"","nodes":{"":{"type":"menu","play":[{"say":"\u0000"}],"on":{"":""}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var flow orchestrator.Flow
		if json.Unmarshal(text, &flow) != nil {
			return
		}
		found := ivr.Validate("flows[0]", flow, known)
		mustNameFields(t, found)
		if len(found) > 0 {
			return
		}
		again, err := json.Marshal(flow)
		if err != nil {
			t.Fatalf("a sound flow does not encode: %v", err)
		}
		var back orchestrator.Flow
		if err := json.Unmarshal(again, &back); err != nil || len(ivr.Validate("", back, known)) > 0 {
			t.Fatalf("a sound flow is not after a round trip: %v", err)
		}
	})
}

func TestHugeFlowIsBounded(t *testing.T) {
	f := orchestrator.Flow{Start: "n0", Nodes: map[string]orchestrator.Node{}}
	for i := range ivr.MaxNodes {
		f.Nodes[fmt.Sprintf("n%d", i)] = orchestrator.Node{Type: orchestrator.NodeHours, Hours: "office", On: map[string]string{
			"open": fmt.Sprintf("n%d", (i+1)%ivr.MaxNodes), "closed": "n0", "holiday": fmt.Sprintf("n%d", i/2),
		}}
	}
	found := ivr.Validate("", f, known)
	if len(found) == 0 || len(found) > 100 {
		t.Errorf("%d problems", len(found))
	}
	f.Nodes["more"] = orchestrator.Node{}
	if found := ivr.Validate("", f, known); len(found) != 1 {
		t.Errorf("beyond the bound: %v", found)
	}
}
