package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// TestSameStory plays one file of calls with the same phones on each kind of
// switch. The facts must tell the same but for the differences above.
func TestSameStory(t *testing.T) {
	if err := lab.FreeSWITCHAvailable(); err != nil {
		t.Skipf("THE STORIES WERE NOT COMPARED: %v", err)
	}
	calls := readCalls(t, "testdata/outcomes.txt")
	told, met := map[string]map[string][]string{}, map[int]bool{}
	for _, kind := range []string{"asterisk", "freeswitch"} {
		t.Run(kind, func(t *testing.T) { told[kind] = playAll(t, kind, calls, met) })
	}
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			a, b := told["asterisk"][call.name], told["freeswitch"][call.name]
			if !slices.Equal(a, b) {
				t.Errorf("told differently:\n%s", sideBySide(a, b))
			}
		})
	}
	for i, d := range differences {
		if !met[i] && !d.moments {
			t.Errorf("nothing differs any more by this, and it must not hide what will: %s", d.why)
		}
	}
}

// scripted is one call of the file.
type scripted struct {
	name  string
	steps [][]string
}

func readCalls(t *testing.T, file string) (calls []scripted) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		switch words := strings.Fields(line); {
		case len(words) == 0 || words[0] == "#":
		case line[0] != ' ':
			calls = append(calls, scripted{name: strings.TrimSpace(line)})
		default:
			last := &calls[len(calls)-1]
			last.steps = append(last.steps, words)
		}
	}
	return calls
}

// playAll plays the calls on one kind of switch and returns what is told of each;
// met are the differences it came across.
func playAll(t *testing.T, kind string, calls []scripted, met map[int]bool) map[string][]string {
	t.Helper()
	p := &play{office: &office{centre: openOn(t, kind, 3, func(doc document) {
		sales := doc["queues"].([]document)[0]
		members := sales["agents"].([]document)
		sales["agents"] = []document{{"agent": agentID(0), "level": 1}, {"agent": agentID(1), "level": 2}}
		sales["ring_timeout_ms"], sales["wrap_up_ms"] = 3000, 0
		addQueue(doc, document{"id": "short", "name": "Short", "music": sales["music"], "agents": members[2:], "max_wait_ms": 3000}, "502")
	})}}
	for i := range 3 {
		p.login(i)
	}
	told := map[string][]string{}
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			p.begin(t)
			for _, step := range call.steps {
				p.step(step)
			}
			told[call.name] = append(p.notes, p.facts(call.name, met)...)
		})
	}
	return told
}

// play is one call of the file being played.
type play struct {
	*office
	call  map[string]*phone.Call // by who has it
	notes []string               // what was seen beside the facts
}

// begin pauses everybody and waits until they rest.
func (p *play) begin(t *testing.T) {
	t.Helper()
	p.turn++
	p.t, p.from, p.call, p.notes = t, fmt.Sprintf("+49307%02d", p.turn), map[string]*phone.Call{}, nil
	for i, desk := range p.agents {
		if err := desk.SetBehaviour(phone.AnswerAfter(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		p.act(i, document{"action": "pause", "reason": "lunch"})
		p.eventually(agentID(i)+" rests", 15*time.Second, func() bool { a := p.agent(i); return a.State == orchestrator.AgentPaused && a.Reachable })
	}
}

// step does one line: who does what, and with what.
func (p *play) step(words []string) {
	p.t.Helper()
	who, verb, with := words[0], words[1], ""
	if len(words) > 2 {
		with = words[2]
	}
	must := func(err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatalf("%s: %v", strings.Join(words, " "), err)
		}
	}
	i, _ := strconv.Atoi(strings.TrimPrefix(who, "agent"))
	i--
	switch verb {
	case "ready":
		p.act(i, document{"action": "ready"})
		p.eventually(who+" is ready", 10*time.Second, func() bool { return p.agent(i).State == orchestrator.AgentReady })
		time.Sleep(1200 * time.Millisecond) // the rest after a miss before
	case "rejects":
		code, _ := strconv.Atoi(with)
		must(p.agents[i].SetBehaviour(phone.RejectWith(code)))
	case "lets-ring":
		must(p.agents[i].SetBehaviour(phone.RingForever()))
	case "switched-off":
		must(p.agents[i].SetBehaviour(phone.Unresponsive()))
	case "dials":
		p.dials(who, i, with)
	case "presses":
		must(p.call[who].SendDTMF(p.within(5*time.Second), with))
	case "waits":
		time.Sleep(500 * time.Millisecond)
	case "rings":
		p.eventually(who+" is rung", 10*time.Second, func() bool { return p.agent(i).State == orchestrator.AgentReserved })
		p.eventually(who+" rings", 5*time.Second, func() bool { c := p.at(who); return c != nil && !c.Times().Ringing.IsZero() })
	case "hears":
		p.heard(who, with)
	case "is":
		p.eventually(who+" is "+with, 20*time.Second, func() bool { return string(p.agent(i).State) == with })
		p.notes = append(p.notes, who+" is "+with)
	default:
		p.onCall(who, verb, with)
	}
}

// onCall is what somebody does with the call they have.
func (p *play) onCall(who, verb, with string) {
	p.t.Helper()
	call, ctx := p.at(who), p.within(10*time.Second)
	var err error
	switch verb {
	case "hangs":
		err = call.Hangup(ctx)
	case "ended":
		_, err = call.WaitEnd(ctx)
	case "holds":
		p.call[who] = call
		err = call.Hold(ctx)
		p.eventually(who+" holds", 5*time.Second, func() bool { return p.agent(0).State == orchestrator.AgentHolding })
	case "resumes":
		err = call.Unhold(ctx)
	case "transfers":
		err = call.Transfer(ctx, with)
	case "fails-to-transfer":
		var refused *phone.StatusError
		if err = call.Transfer(ctx, with); errors.As(err, &refused) {
			err = nil
		}
	case "consults":
		p.call["consult"] = p.dial(p.agents[0], with, "")
	case "completes":
		err = call.TransferTo(ctx, p.call["consult"])
	default:
		p.t.Fatalf("nobody can %q", verb)
	}
	if err != nil {
		p.t.Fatalf("%s %s %s: %v", who, verb, with, err)
	}
}

// at is the call somebody has: the one they made, or the last at their phone.
func (p *play) at(who string) *phone.Call {
	if call := p.call[who]; call != nil {
		return call
	}
	i, _ := strconv.Atoi(strings.TrimPrefix(who, "agent"))
	for _, call := range slices.Backward(p.agents[i-1].Calls()) {
		if call.Direction() == phone.Incoming {
			return call
		}
	}
	return nil
}

func (p *play) dials(who string, i int, number string) {
	p.t.Helper()
	if who == "caller" {
		p.call[who] = p.dial(p.caller(0), number, p.from)
		return
	}
	call, err := p.agents[i].Dial(p.t.Context(), number, phone.DialOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := call.WaitEnd(p.within(30 * time.Second)); err != nil {
		p.t.Errorf("%s does not end by itself: %v", number, err)
	}
}

// heard waits until somebody hears something from now on.
func (p *play) heard(who, what string) {
	p.t.Helper()
	hz := map[string]int{
		"greeting": greetingHz, "menu": menuHz, "music": lab.MusicHz, "hold": lab.HoldHz, "caller": callerHz,
		"agent1": agentHz, "agent2": agentHz + 100, "agent3": agentHz + 200,
	}[what]
	since := time.Now()
	p.eventually(who+" hears "+what, 20*time.Second, func() bool {
		call := p.at(who)
		return call != nil && call.Ear().Heard(hz, since, time.Now()) > 0.1
	})
}

// facts is what is told of the call, thing by thing: the call itself, each leg
// and each offer, each in its own order. What is told of two things at the same
// moment may come in either order.
func (p *play) facts(name string, met map[int]bool) (lines []string) {
	p.t.Helper()
	if len(p.call) == 0 {
		return nil
	}
	s := p.story(p.t.(*testing.T), p.from)
	n := newNames()
	of := map[string][]string{}
	for _, entry := range s.Timeline {
		var what map[string]any
		if err := json.Unmarshal(entry.What, &what); err != nil {
			p.t.Fatal(err)
		}
		thing := n.thing(entry.Fact, what)
		for i, d := range differences {
			if d.drop != nil && d.holds(name) && d.drop(entry.Fact, what) {
				met[i] = true
			}
		}
		text, _ := json.Marshal(n.plain("", what)) // what came from JSON is JSON
		of[thing] = append(of[thing], thing+": "+entry.Fact+" "+string(text))
	}
	var things []string
	for thing := range of {
		things = append(things, thing)
		for i, d := range differences {
			if d.mend == nil || !d.holds(name) {
				continue
			}
			var some bool
			if of[thing], some = d.mend(of[thing]); some {
				met[i] = true
			}
		}
	}
	sort.Strings(things)
	for _, thing := range things {
		lines = append(lines, of[thing]...)
	}
	return lines
}

// names gives what has an id a name by its order.
type names struct {
	by    map[string]string
	count map[string]int
}

func newNames() *names { return &names{by: map[string]string{}, count: map[string]int{}} }

func (n *names) name(id, kind string) string {
	if id == "" {
		return ""
	}
	if n.by[id] == "" {
		n.count[kind]++
		n.by[id] = kind + strconv.Itoa(n.count[kind])
	}
	return n.by[id]
}

// thing is what a fact is about.
func (n *names) thing(fact string, what map[string]any) string {
	text := func(key string) string { s, _ := what[key].(string); return s }
	if fact == "leg_started" {
		n.name(text("leg"), strings.TrimSuffix(text("role")+" "+text("agent"), " ")+" leg ")
	}
	switch {
	case strings.HasPrefix(fact, "leg_"):
		return n.name(text("leg"), "leg ")
	case strings.HasPrefix(fact, "offer_"):
		return n.name(text("offer"), "offer ")
	case strings.HasPrefix(fact, "agent_"):
		return text("agent")
	}
	return "call"
}

// ids are the fields that hold an id; times those that hold an instant.
var (
	ids   = []string{"call", "leg", "bridge", "offer", "play", "consult", "party", "from"}
	times = []string{"arrived", "ring_until", "idle_since", "not_before", "until"}
)

// plain takes out of a value what differs from one run to the next.
func (n *names) plain(key string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		for k := range v {
			v[k] = n.plain(k, v[k])
		}
		return v
	case []any:
		for i := range v {
			v[i] = n.plain(key, v[i])
		}
		return v
	case float64:
		if strings.HasSuffix(key, "_ms") || key == "version" || strings.HasSuffix(key, "_version") {
			return v > 0
		}
	case string:
		switch {
		case slices.Contains(times, key):
			return "time"
		case slices.Contains(ids, key):
			return n.name(v, key)
		case key == "endpoint":
			return path.Base(v)
		case key == "file":
			return path.Base(v)
		}
	}
	return value
}

// sideBySide is the lines of which only one has.
func sideBySide(a, b []string) (text string) {
	for _, line := range a {
		if !slices.Contains(b, line) {
			text += "  asterisk only    " + line + "\n"
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			text += "  freeswitch only  " + line + "\n"
		}
	}
	if text == "" {
		text = "the same lines in another order:\n  " + strings.Join(a, "\n  ") + "\n--\n  " + strings.Join(b, "\n  ")
	}
	return text
}
