package simulation_test

import (
	"cmp"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var mutate = flag.Bool("sim.mutants", false, "plant bugs and see each of them caught; takes minutes")

// mutant is a bug planted into a copy of the code: old, which occurs once in
// the file, becomes fresh.
type mutant struct {
	name, file, old, fresh string
	seed                   string // the first one to try; "" is 0
}

// TestMutants plants one bug after another and holds that the simulation finds
// it: checkers that catch nothing are worse than none. Run it with
//
//	go test ./orchestrator/simulation -run TestMutants -sim.mutants -timeout 30m
func TestMutants(t *testing.T) {
	if !*mutate {
		t.Skip("takes minutes: -sim.mutants")
	}
	for _, m := range ofTheFloor {
		t.Run("floor/"+m.name, func(t *testing.T) {
			m.caught(t, "again: go test", "./orchestrator/simulation", "-run=TestSeeds", "-sim.seeds=500", "-sim.calls=40", "-sim.seed="+cmp.Or(m.seed, "0"))
		})
	}
	for _, m := range ofTheStories {
		t.Run("story/"+m.name, func(t *testing.T) {
			m.caught(t, "the story goes otherwise now", "./orchestrator/simulation", "-run=TestStories")
		})
	}
	for _, m := range ofTheSwitch {
		t.Run("switch/"+m.name, func(t *testing.T) {
			m.caught(t, "--- FAIL: TestConformance", "./orchestrator/simulation/adapter", "-run=TestConformance/plain")
		})
	}
}

// caught runs the tests over a copy with the bug in it. They must fail by
// themselves and not because the copy does not compile.
func (m mutant) caught(t *testing.T, sign string, args ...string) {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "orchestrator"), os.DirFS("..")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.plant(t, root)
	cmd := exec.Command("go", append([]string{"test", "-count=1"}, args...)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("nobody noticed:\n- %s\n+ %s", m.old, m.fresh)
	}
	if !strings.Contains(string(out), sign) {
		t.Fatalf("the tests failed for another reason:\n%s", out)
	}
	t.Log(strings.TrimSpace(strings.SplitN(string(out), "\n", 3)[1]))
}

func (m mutant) plant(t *testing.T, root string) {
	t.Helper()
	path := filepath.Join(root, "orchestrator", m.file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		t.Fatalf("the code has changed: %q occurs %d times in %s", m.old, n, m.file)
	}
	fresh := strings.Replace(string(text), m.old, m.fresh, 1)
	if err := os.WriteFile(path, []byte(fresh), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ofTheFloor are bugs of a call centre. The first four are those that a
// simulation with state checks alone once let pass, or that this one found.
var ofTheFloor = []mutant{
	{
		"a forgotten cancel: the phone goes on ringing", "floor/offer.go",
		"if f.Legs[of.Leg] != nil {\n\t\tf.order(", "if false {\n\t\tf.order(", "",
	},
	{
		"a stale ring timer: missed after answered", "floor/deadline.go",
		"case c.Offer.Answered:\n\t\treturn c.Offer.ConnectBy, true\n\t}", "}", "",
	},
	{
		"one round of matching: a call waits beside a free agent", "floor/match.go",
		"for c.Phase == o.PhaseQueued {\n\t\tchoice", "if c.Phase == o.PhaseQueued {\n\t\tchoice", "1329", // it takes a rush hour
	},
	{
		"a queue is left without leaving its phase", "floor/apply_call.go",
		"if d.Reason != o.ReasonConnected {\n\t\tf.phase(c, o.PhaseFlow)\n\t}", "", "",
	},
	{"an order that is chance", "floor/order.go", "slices.Sort(keys)", "_ = slices.Max(append(keys, *new(K)))", ""},
	{"an event that comes twice counts twice", "floor/arrival.go", "if f.Legs[e.Leg] != nil {\n\t\treturn", "if false {\n\t\treturn", ""},
	{"the youngest call first", "acd/order.go", "return t.arrived < o.arrived", "return t.arrived > o.arrived", ""},
	{"priority is not looked at", "acd/order.go", "return t.priority > o.priority", "return t.priority < o.priority", ""},
	{"levels the wrong way round", "acd/order.go", "return s.level < o.level", "return s.level > o.level", ""},
	{"the wrong agent of two", "acd/order.go", "return s.idleSince < o.idleSince", "return s.idleSince > o.idleSince", ""},
	{"a missed offer costs the caller the place", "floor/apply_call.go", "a.Misses, a.NotBefore = d.Misses, d.NotBefore", "a.Misses, a.NotBefore, c.Queued = d.Misses, d.NotBefore, f.At", ""},
	{"a wrap-up that nothing ends", "floor/deadline.go", "return earliest(a.WrapUntil, a.NotBefore)", "return earliest(a.NotBefore)", ""},
	{"a longest wait that is forgotten", "floor/deadline.go", "return earliest(c.NodeBy, c.MaxWaitAt, c.AnnounceAt)", "return earliest(c.NodeBy, c.AnnounceAt)", ""},
	{"no rest after a missed offer", "floor/apply_agent.go", "f.derive(a) == o.AgentReady && a.NotBefore.IsZero()", "f.derive(a) == o.AgentReady", ""},
	{"offers to phones nobody can reach", "floor/apply_agent.go", "ph == nil || !ph.Reachable || !f.attached(ph.Switch)", "ph == nil || !f.attached(ph.Switch)", ""},
	{"the agent is free before their leg is gone", "floor/apply_call.go", "c.Offer = nil\n\tswitch {", "c.Offer, a.Leg = nil, \"\"\n\tswitch {", ""},
	{"a pause takes hold during the call", "floor/apply_agent.go", "case a.Talking && a.Held:", "case a.Intent == o.IntentPause:\n\t\treturn o.AgentPaused\n\tcase a.Talking && a.Held:", ""},
	{"the agent stays on the line when the caller goes", "floor/leg.go", "if l := f.Legs[id]; l != nil && l.State == o.LegIsUp && !lk", "if l := f.Legs[id]; l != nil && l.State == o.LegIsDown && !lk", ""},
	{"the caller stays on the line when the agent goes", "floor/leg.go", "if l := f.Legs[id]; l.Role != o.RoleLink {", "if l := f.Legs[id]; l.Role == o.RoleLink {", ""},
	{"bridges are left behind", "floor/leg.go", "if len(c.Legs) == 0 && c.Bridge != \"\" {", "if false {", ""},
	{"legs that ended unheard stay", "floor/heal.go", "f.closeMissing(e.Switch, there, gap)\n", "", ""},
	{"who answered unheard is connected twice", "floor/resume.go", "if !f.connecting(c) {", "if true {", ""},
	{"an answer that was lost is not asked for again", "floor/resume.go", "f.order(c, o.Answer{Leg: c.Leg})\n\tcase o.NodePlay", "case o.NodePlay", ""},
	{"orders to a switch that is another's", "floor/floor.go", "if !f.attached(sw) {\n\t\treturn\n\t}", "", ""},
	{"calls of a switch that was away never wait again", "floor/apply.go", "if c.Adrift && c.Phase == o.PhaseQueued && c.Ending == nil {", "if false {", ""},
	{"an image without an agent's rest", "floor/state.go", "NotBefore time.Time // no offer before", "NotBefore time.Time `json:\"-\"` // no offer before", ""},
	{"an image without the time in the queue", "floor/state.go", "InFlow, InQueue, InTalk, OnHold time.Duration", "InFlow, InTalk, OnHold time.Duration\n\tInQueue time.Duration `json:\"-\"`", ""},
	{"state that changes without a fact", "floor/offer.go", "misses, notBefore := a.Misses, a.NotBefore", "a.Held = !a.Held\n\tmisses, notBefore := a.Misses, a.NotBefore", ""},
	{"hold counts as talk", "floor/apply_call.go", "c.OnHold += spent", "c.InTalk += spent", ""},
	{"two ids that are one", "floor/floor.go", "f.minted++", "f.minted = 1", ""},
	{"music that is told and not ordered", "floor/queue.go", "f.order(c, o.StartMusic{Leg: c.Leg, Class: musicOf(c)})\n}", "}", ""},
	{"a call connected before both are there", "floor/offer.go", "if f.hear(c, of.Leg, of.Bridge) {", "if f.inBridge(c.Leg, of.Bridge) {", ""},
	{"the callers of a removed queue wait for nobody", "floor/apply_config.go", "if old.ID == id {\n\t\t\treturn old", "if old.ID == id {\n\t\t\treturn nil", ""},
	{"an outage counts as talk", "floor/missed.go", "(missing(c.Leg) || missing(c.AgentLeg))", "missing(c.Leg)", ""},
	{"an agent talks on through an outage", "floor/apply_call.go", "a.LostAt = f.vanished(l, d)", "", ""},
	{"who transferred stays on the line", "floor/transfer.go", "f.order(t.call, o.Hangup{Leg: t.leg, Cause: o.CauseNormal})\n", "", ""},
	{"the phone never hears of its transfer", "floor/transfer.go", "if !t.done {\n\t\tf.order(", "if false {\n\t\tf.order(", ""},
	{"customers send calls where they like", "floor/transfer.go", "case t.leg == t.call.Leg && !t.call.Internal:", "case false:", ""},
	{"who is consulted stays in the consultation", "floor/apply_transfer.go", "f.Legs[d.Leg].Call = d.Call\n", "", ""},
	{"the consultation's bridge is closed under the customer", "floor/apply_transfer.go", "from.Agent, from.AgentLeg, from.Bridge = \"\", \"\", \"\"", "from.Agent, from.AgentLeg = \"\", \"\"", ""},
	{"the call still believes in the agent who left", "floor/apply_transfer.go", "c.Agent, c.AgentLeg, c.Bridge = \"\", \"\", \"\"", "c.Bridge = \"\"", ""},
	{"who holds while they are transferred to does not hold", "floor/apply_call.go", "c.Return, c.Held, c.NodeBy = nil, f.holds(c), zero", "c.Return, c.Held, c.NodeBy = nil, false, zero", ""},
	{"colleagues count in the service level", "floor/apply_call.go", "if !c.Internal {\n\t\tmetrics.Offered", "if true {\n\t\tmetrics.Offered", ""},
	{"a phone that dials is offered calls", "floor/apply_agent.go", " || len(ph.Dialled) > 0:", ":", ""},
	{"talking to a colleague is talking to a customer", "floor/apply_call.go", "a.Talking, a.Inside, a.Queue, a.Misses = !c.Internal, c.Internal,", "a.Talking, a.Inside, a.Queue, a.Misses = true, false,", ""},
	{"the lesser call for the better agent", "floor/match.go", "if next.Call == w.Call {", "if true {", ""},
}

// ofTheStories are bugs that break no rule but do not do what was decided.
var ofTheStories = []mutant{
	{"a transfer that fails does not come back to the agent", "floor/direct.go", "if c.Return != nil && f.barred(c, c.Return.Agent) == \"\" {", "if false {", ""},
	{"a transfer that fails loses the place in the queue", "floor/direct.go", "if c.Return != nil && f.Queues[c.Return.Queue] != nil {", "if false {", ""},
	{"the place in the queue is a new one", "floor/direct.go", "f.line(c, q, back.Priority, back.Arrived)", "f.line(c, q, back.Priority, f.At)", ""},
	{"nobody connects the customer with who was consulted", "floor/transfer.go", "f.unite(c, string(k.ID))", "_ = k", ""},
	{"a colleague's call ends a wrap-up", "floor/apply_agent.go", "if d.State != o.AgentReserved && d.State != o.AgentBusy {", "if true {", ""},
	{"a transfer while nobody listened is not found", "floor/heal.go", "f.missedTransfers(e.Switch, there)", "_ = there", ""},
	{"a switch that is away is asked again and again", "floor/deadline.go", "case c.Adrift || c.unheard:", "case c.Adrift:", ""},
	{"a busy agent is not refused", "floor/transfer.go", "code = string(f.barred(t.call, to.agent))", "code = \"\"", ""},
}

// ofTheSwitch are ways in which an adapter could break the contract.
var ofTheSwitch = []mutant{
	{"a superseded orchestrator goes on", "simulation/port.go", "case p.old:", "case false:", ""},
	{"the end of a leg is told twice", "simulation/switch.go", "l.far.ended(cause, sip)\n}", "s.emit(orchestrator.LegEnded{Leg: l.id, Cause: cause, SIP: sip, By: by})\n\tl.far.ended(cause, sip)\n}", ""},
	{"a cancelled dial rings later", "simulation/switch.go", "l.reply.Stop()\n", "", ""},
	{"a hangup before its dial is forgotten", "simulation/act.go", "s.spend(a.Leg) // should its dial still be on the way", "", ""},
	{"a dial given twice rings twice", "simulation/act.go", "if s.leg(a.Leg) != nil {\n\t\treturn orchestrator.ResultAlready, \"\"\n\t}\n\tif s.spent[a.Leg] {", "if false {", ""},
	{"connecting does not stop the prompt", "simulation/switch.go", "s.silence(l, true)\n\ts.leave(l, true)", "s.leave(l, true)", ""},
	{"a snapshot without stamps", "simulation/switch.go", "Leg: l.id, Stamp: l.stamp,", "Leg: l.id,", ""},
	{"control characters reach the floor", "simulation/encode.go", "if unicode.IsControl(r) || r == utf8.RuneError {", "if unicode.IsControl(r) && r > 0x7f || r == utf8.RuneError {", ""},
	{"anything is sent as digits", "simulation/encode.go", "`^[0-9*#A-D]{1,32}$`", "`.`", ""},
	{"the phone is told the wrong cause", "simulation/act.go", "s.end(l, a.Cause, 0, orchestrator.EndedByUs)", "s.end(l, orchestrator.CauseNormal, 0, orchestrator.EndedByUs)", ""},
	{"digits backwards", "simulation/far.go", "Digit: digits[i : i+1]", "Digit: digits[len(digits)-1-i : len(digits)-i]", ""},
}
