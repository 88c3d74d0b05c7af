package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	o "ringmaster/orchestrator"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// scene is a floor in which something of everything happens.
func scene() view {
	until := noon.Add(3 * time.Second)
	waiting := noon.Add(-12 * time.Second)
	v := view{now: noon, opened: noon.Add(-72 * time.Second), link: "http://localhost:8080/#key=" + strings.Repeat("k", 80)}
	v.floor = o.Live{
		Queues: []o.LiveQueue{
			{Queue: "sales", Name: "Sales", Waiting: 2, WaitingSince: &waiting, Talking: 1, Today: o.QueueDay{Offered: 4, Answered: 3, AnsweredInTime: 3, Abandoned: 1}},
			{Queue: "support", Name: "Support"},
		},
		Agents: []o.LiveAgent{
			{Agent: "ana", Name: "Ana Lindqvist", Phone: "desk-1", State: o.AgentTalking, Call: "c1", Since: noon.Add(-34 * time.Second)},
			{Agent: "ben", Name: "Ben Okafor", Phone: "desk-2", State: o.AgentReserved, Call: "c2", Since: noon},
			{Agent: "chloe", Name: "Chloé Martin", Phone: "desk-3", State: o.AgentWrapUp, Until: &until, Since: noon},
			{Agent: "deniz", Name: "Deniz Kaya", Phone: "desk-4", State: o.AgentPaused, Reason: "coffee", Since: noon.Add(-5 * time.Minute)},
			{Agent: "eva", Name: "Eva Novák", State: o.AgentLoggedOut, Since: noon},
		},
		Calls: []o.LiveCall{
			{Call: "c1", Caller: o.Party{Name: "Jonas Weber"}, Phase: o.PhaseTalking},
			{Call: "c2", Caller: o.Party{Number: "+4930"}, Phase: o.PhaseRinging},
		},
	}
	s := newStory()
	s.meet(v.floor)
	for _, deed := range deeds {
		s.tell(o.Fact{At: noon, What: deed})
	}
	v.calls, v.latest = s.calls, s.latest
	v.sound = sound{Both: 1, Deaf: 1}
	return v
}

// deeds are four calls: one talks, one gives up, one leaves the menu, one is
// still there.
var deeds = []o.Deed{
	o.AgentLoggedIn{Agent: "ana", Phone: "desk-1"},
	o.CallArrived{Call: "c1", Caller: o.Party{Name: "Jonas Weber", Number: "+49"}},
	o.MenuDecided{Call: "c1", Digits: "7", Exit: o.ExitInvalid, Again: true},
	o.MenuDecided{Call: "c1", Digits: "1", Exit: "1"},
	o.CallQueued{Call: "c1", Queue: "sales", Position: 1},
	o.OfferMade{Call: "c1", Agent: "ben", Decision: o.Decision{Free: 3}},
	o.OfferEnded{Call: "c1", Agent: "ben", Outcome: o.OfferRejected},
	o.OfferMade{Call: "c1", Agent: "ana", Decision: o.Decision{Free: 1, Trigger: "agent_free"}},
	o.OfferEnded{Call: "c1", Agent: "ana", Outcome: o.OfferAnswered},
	o.CallConnected{Call: "c1", Agent: "ana", Waited: 1234},
	o.CallEnded{Call: "c1", Outcome: o.Outcome{Reason: o.ReasonTalked}, Times: o.Times{Talk: 9000, Hold: 1000}},
	o.AgentChanged{Agent: "ana", State: o.AgentPaused, Reason: "coffee"},
	o.AgentChanged{Agent: "ana", State: o.AgentReady},
	o.AgentChanged{Agent: "ana", State: o.AgentReady},
	o.CallArrived{Call: "c2", Caller: o.Party{Number: "+4930"}},
	o.CallEnded{Call: "c2", Outcome: o.Outcome{Reason: o.ReasonAbandoned}, Times: o.Times{Queue: 31000}},
	o.CallArrived{Call: "c3"},
	o.CallEnded{Call: "c3", Outcome: o.Outcome{Reason: o.ReasonAbandonedIVR}},
	o.CallArrived{Call: "c4", Caller: o.Party{Name: "Mia Schulz"}},
	o.SwitchDetached{Switch: "pbx", Reason: "no heartbeat"},
}

const wantStory = `Ana Lindqvist logs in at desk-1
Jonas Weber calls and hears the menu
Jonas Weber presses 7, which is no choice, and hears the menu again
Jonas Weber waits in Sales, place 1
Ben Okafor's phone rings for Jonas Weber (longest idle of 3)
Ben Okafor declines; Jonas Weber keeps the place in line
Ana Lindqvist's phone rings for Jonas Weber (just became free)
Ana Lindqvist talks to Jonas Weber, who waited 1.2 s
Ana Lindqvist and Jonas Weber hang up after 10.0 s
Ana Lindqvist pauses (coffee)
Ana Lindqvist is back
+4930 calls and hears the menu
+4930 gives up after waiting 31.0 s
a caller calls and hears the menu
a caller hangs up in the menu
Mia Schulz calls and hears the menu
switch pbx is away: no heartbeat`

// TestStory: facts become sentences with people's names, and counts.
func TestStory(t *testing.T) {
	v := scene()
	var got []string
	for _, e := range v.latest {
		got = append(got, e.text)
	}
	if text := strings.Join(got, "\n"); text != wantStory {
		t.Errorf("got:\n%s\nwant:\n%s", text, wantStory)
	}
	if want := (tally{Came: 4, Talked: 1, GaveUp: 1, LeftMenu: 1, Last: "c1"}); v.calls != want {
		t.Errorf("counted %+v, want %+v", v.calls, want)
	}
	if last := v.latest[len(v.latest)-1]; !last.alarm {
		t.Error("a lost switch is no alarm")
	}
}

// TestPanel: what a person sees, on the smallest screen too.
func TestPanel(t *testing.T) {
	var got strings.Builder
	for _, r := range scene().rows(80, 24) {
		fmt.Fprintln(&got, strings.TrimRight(strings.TrimSuffix(r.in(80, false), "\x1b[K\r\n"), " "))
	}
	for _, want := range []string{
		"open for 72 s   Ctrl-C closes it",
		" Sales             2     12 s        1        0         3     75 %        1\n",
		" Support           0        -        0        0         0        -        0\n",
		" Ana Lindqvist   desk-1   talks to Jonas Weber                34 s\n",
		" Ben Okafor      desk-2   rings: +4930                         0 s\n",
		" Chloé Martin    desk-3   wrap-up, 3 s left                    0 s\n",
		" Deniz Kaya      desk-4   paused (coffee)                 5:00 min\n",
		" Eva Novák                logged out                           0 s\n",
		" Now     2 calls: 0 in the menu, 0 waiting, 1 ringing, 1 talking\n",
		" So far  3 calls: 1 talked, 1 gave up waiting, 1 hung up in the menu\n",
		" Sound   both sides heard each other in 1 of 2 conversations\n",
		"switch pbx is away: no heartbeat\n",
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("the panel lacks %q:\n%s", want, got.String())
		}
	}
	for height := 1; height < 60; height++ {
		rows := 0
		for _, r := range scene().rows(80, height) {
			rows += r.height(80)
		}
		if height >= 24 && rows >= height {
			t.Errorf("%d rows on a screen of %d", rows, height)
		}
	}
	one := scene().plain()
	if strings.Contains(one, "\n") || !strings.Contains(one, "Sales: 2 waiting, 3 answered") || !strings.Contains(one, "Latest: switch pbx") {
		t.Errorf("in one line: %q", one)
	}
}

// TestDraw: rows that stay as they are stay untouched, so that a person can
// mark the link; nothing is drawn beyond the screen.
func TestDraw(t *testing.T) {
	var out bytes.Buffer
	term := &terminal{out: &out}
	rows := []row{line("head"), {text: strings.Repeat("k", 250), whole: true}, line("one"), styled(red, "last")}
	term.draw(rows)
	if got := out.String(); strings.Count(got, "\r\n") != 4 || strings.Contains(got, "A\r") {
		t.Errorf("at first: %q", got)
	}
	if got, want := rows[1].height(100), 3; got != want {
		t.Errorf("a whole row of 250 takes %d rows of 100, not %d", got, want)
	}
	out.Reset()
	rows[2] = line("two")
	term.draw(rows)
	height := 1 + rows[1].height(plainWidth) + 2
	if got, want := out.String(), fmt.Sprintf("\x1b[%dA\r", height)+"\n"+"\n\n"+"two\x1b[K\r\n"+"\n"+"\x1b[J"; got != want {
		t.Errorf("then: %q, want %q", got, want)
	}
	for _, r := range []row{line("%s", strings.Repeat("é", 300)), styled(green, strings.Repeat("x", 300))} {
		if got := strings.TrimSuffix(r.in(80, false), "\x1b[K\r\n"); len([]rune(got)) != 79 || !strings.HasSuffix(got, "…") {
			t.Errorf("cut to %q", got)
		}
	}
}

// TestRoster: the file and the lab's phones fit each other, and every voice can
// be told from the others.
func TestRoster(t *testing.T) {
	r, err := readRoster()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.agents) != 5 || r.queues != 2 || r.dialled == "" {
		t.Errorf("%+v", r)
	}
	for i, p := range r.phones {
		if want := fmt.Sprintf("PJSIP/%d", 1001+i); p.Endpoint != want {
			t.Errorf("phone %s is %s, the lab has %s", p.ID, p.Endpoint, want)
		}
	}
	numbers := map[string]bool{}
	for _, p := range people {
		if numbers[p.number] {
			t.Errorf("%s twice", p.number)
		}
		numbers[p.number] = true
	}
	if err := phone.CheckTones(tones(len(r.agents))); err != nil {
		t.Error(err)
	}
}

// TestBook: nobody is on two lines, no two callers of the moment have one
// voice, and a conversation counts once both have heard each other.
func TestBook(t *testing.T) {
	b := newBook()
	var open []*visit
	hz, numbers := map[int]bool{}, map[string]bool{}
	for range voices {
		v := b.open()
		if v == nil || hz[v.hz] || numbers[v.number] {
			t.Fatalf("after %d: %+v", len(open), v)
		}
		hz[v.hz], numbers[v.number] = true, true
		open = append(open, v)
	}
	if v := b.open(); v != nil {
		t.Errorf("one too many: %+v", v)
	}
	v := open[3]
	if b.of(v.number) != v || b.of("+1") != nil {
		t.Error("callers are not found by their number")
	}
	v.pickedUp("Ana", agentHz)
	b.heard(v, func(v *visit) { v.agentHears = true })
	if got := b.sounds(); got.Both != 0 {
		t.Errorf("one side is enough: %+v", got)
	}
	for range 2 {
		b.heard(v, func(v *visit) { v.callerHears = true })
	}
	if first := <-b.first; first != v {
		t.Errorf("first heard: %+v", first)
	}
	b.close(v, time.Minute)
	b.close(open[4], soundMax+1)
	b.close(open[5], 0)
	if got, want := b.sounds(), (sound{Both: 1, Deaf: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if v := b.open(); v == nil {
		t.Error("a closed visit keeps its voice")
	}
}
