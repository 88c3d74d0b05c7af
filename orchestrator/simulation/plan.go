package simulation

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// Plan is everything a run is made of. NewPlan draws one from a seed.
type Plan struct {
	Seed   uint64
	Calls  int
	Every  time.Duration // mean time between two calls
	Faults Faults
	Config orchestrator.Config
	PINs   map[orchestrator.AgentID]string
	Quirks Quirks

	// Transfers is how many of a hundred talks somebody means to send on. Such
	// agents call each other too.
	Transfers int
	// Sleepy agents let every other call ring.
	Sleepy bool
	// Coarse, unless zero, is what every span is rounded to, so that much happens
	// at one instant.
	Coarse time.Duration
	// Exact has every passage take a millisecond and nothing happen by itself,
	// as stories need it.
	Exact bool
}

// Faults is what goes wrong in a run. A seed switches each on or off by itself
// (swarm testing): all at once would hide what only shows when the rest works.
type Faults struct {
	Slow       bool // commands and events take up to a second, else milliseconds
	Reorder    bool // events of different legs overtake each other
	Duplicates bool // events come twice
	Late       bool // events from before a snapshot come after it
	Cuts       bool // the connection breaks and comes back
	Restarts   bool // the switch restarts
	Crashes    bool // the floor dies, between facts and commands too, and is restored
	Takeovers  bool // another orchestrator takes the switch over for a while
	Refusals   bool // the switch rejects commands
	Silence    bool // the answer to a command is lost, with or without its effect
	Panics     bool // a step panics: its input is lost and the floor made anew
	Phones     bool // phones go, come back, are busy with foreign calls
	Moods      bool // agents reject, ignore, hang up at once, hold, pause, log out
	Changes    bool // the configuration changes while calls are there
}

func (f Faults) String() string {
	var on []string
	for _, x := range []struct {
		is   bool
		name string
	}{
		{f.Slow, "slow"},
		{f.Reorder, "reorder"},
		{f.Duplicates, "duplicates"},
		{f.Late, "late"},
		{f.Cuts, "cuts"},
		{f.Restarts, "restarts"},
		{f.Crashes, "crashes"},
		{f.Takeovers, "takeovers"},
		{f.Refusals, "refusals"},
		{f.Silence, "silence"},
		{f.Panics, "panics"},
		{f.Phones, "phones"},
		{f.Moods, "moods"},
		{f.Changes, "changes"},
	} {
		if x.is {
			on = append(on, x.name)
		}
	}
	if len(on) == 0 {
		return "none"
	}
	return strings.Join(on, " ")
}

// NewPlan draws a plan: the same seed and number of calls, the same plan.
func NewPlan(seed uint64, calls int) Plan {
	d := newDice(seed, 1)
	p := Plan{Seed: seed, Calls: calls, PINs: map[orchestrator.AgentID]string{}}
	p.Every = pick(d, 3*time.Second, 8*time.Second, 20*time.Second)
	for _, on := range []*bool{
		&p.Faults.Slow, &p.Faults.Reorder, &p.Faults.Duplicates, &p.Faults.Late, &p.Faults.Cuts, &p.Faults.Restarts,
		&p.Faults.Crashes, &p.Faults.Takeovers, &p.Faults.Refusals, &p.Faults.Silence, &p.Faults.Panics,
		&p.Faults.Phones, &p.Faults.Moods, &p.Faults.Changes,
	} {
		*on = d.chance(35)
	}
	if seed%8 == 0 {
		p.Faults = Faults{} // a day on which all goes well must go well
	}
	p.Quirks = Quirks{
		LeftAtEnd: d.chance(50), PlayDoneAtEnd: d.chance(50), EndsAtRestart: d.chance(50), AlreadyNever: d.chance(50),
		React: d.between(time.Millisecond, 80*time.Millisecond),
	}
	p.Coarse, p.Sleepy = pick(d, 0, 0, 0, time.Second), d.chance(30)
	if seed%5 == 4 { // rush hour: everybody at once, hardly anybody awake
		p.Coarse, p.Sleepy, p.Every = 5*time.Second, true, 4*time.Second
	}
	p.draw(d)
	t := newDice(seed, 3)
	p.Transfers = pick(t, 0, 20, 60, 100)
	if p.Transfers == 100 { // hands free to take what is sent
		p.Every = max(p.Every, 12*time.Second)
	}
	p.spread(newDice(seed, 4))
	p.Quirks.DoesAttended, p.Quirks.PartsWhileAsked, p.Quirks.StaysTransferred = t.chance(50), t.chance(50), t.chance(50)
	return p
}

// spread puts some of the phones on a second switch, mostly with links both
// ways.
func (p *Plan) spread(d dice) {
	if !d.chance(40) {
		return
	}
	c := &p.Config
	c.Switches = append(c.Switches, orchestrator.PBX{ID: "west", Type: "simulated"})
	for i := range c.Phones {
		if d.chance(50) {
			c.Phones[i].Switch = "west"
		}
	}
	if d.chance(90) {
		c.Switches[0].Links = []orchestrator.Link{{To: "west", Trunk: "SIM/west"}}
	}
	if d.chance(90) {
		c.Switches[1].Links = []orchestrator.Link{{To: "pbx", Trunk: "SIM/pbx"}}
	}
}

// draw makes the call centre.
func (p *Plan) draw(d dice) {
	c := &p.Config
	c.Switches = []orchestrator.PBX{{ID: "pbx", Type: "simulated"}}
	if d.chance(50) {
		c.Settings.PauseReasons = []orchestrator.PauseReason{{ID: "lunch", Name: "Lunch", Digit: "1"}, {ID: "desk", Name: "Desk work", Digit: "2"}}
	}
	agents, queues := 2+d.IntN(5), 1+d.IntN(3)
	for i := range agents {
		id := orchestrator.AgentID("agent" + strconv.Itoa(i+1))
		a := orchestrator.Agent{ID: id, Number: strconv.Itoa(101 + i), Name: "Agent " + strconv.Itoa(i+1)}
		if d.chance(60) {
			a.Skills = map[string]int{"german": 1 + d.IntN(100)}
		}
		p.PINs[id] = fmt.Sprintf("%04d", d.IntN(10000))
		c.Agents = append(c.Agents, a)
		c.Phones = append(c.Phones, orchestrator.Phone{
			ID: orchestrator.PhoneID("phone" + strconv.Itoa(i+1)), Switch: "pbx", Endpoint: "SIM/" + strconv.Itoa(1001+i),
		})
	}
	for i := range queues {
		q := drawQueue(d, i, queues, c.Agents)
		if p.Coarse > 0 { // so that much ends at one instant
			q.RingTimeout, q.NoAnswerDelay, q.WrapUp, q.MaxWait = 5000, 5000, 5000, min(q.MaxWait, 25000)
		}
		c.Queues = append(c.Queues, q)
	}
	c.Flows = []orchestrator.Flow{drawFlow(d, queues), closing(1)}
	c.Hours = []orchestrator.Hours{{
		ID: "office", Zone: "UTC", Weekly: []orchestrator.Opening{{Days: []string{"mon"}, From: "07:30", To: "08:03"}},
	}}
	c.Numbers = []orchestrator.Number{{Dialled: "100", Flow: "main"}}
	for i := range queues {
		id := orchestrator.FlowID("direct" + strconv.Itoa(i+1))
		c.Flows = append(c.Flows, orchestrator.Flow{ID: id, Version: 1, Start: "wait", Nodes: map[string]orchestrator.Node{
			"wait": {Type: orchestrator.NodeQueue, Queue: queueID(i)},
		}})
		c.Numbers = append(c.Numbers, orchestrator.Number{Dialled: strconv.Itoa(201 + i), Flow: id})
	}
	if d.chance(50) {
		c.Settings.Unknown = "closing"
	}
}

// closing is the flow of calls nobody took.
func closing(version uint64) orchestrator.Flow {
	return orchestrator.Flow{ID: "closing", Version: version, Start: "sorry", Nodes: map[string]orchestrator.Node{
		"sorry": {Type: orchestrator.NodePlay, Play: say("We are sorry."), On: map[string]string{"next": "bye"}},
		"bye":   {Type: orchestrator.NodeHangup},
	}}
}

func say(words string) []orchestrator.Media { return []orchestrator.Media{{Say: words}} }

func queueID(i int) orchestrator.QueueID { return orchestrator.QueueID("queue" + strconv.Itoa(i+1)) }

func drawQueue(d dice, i, queues int, agents []orchestrator.Agent) orchestrator.Queue {
	q := orchestrator.Queue{
		ID: queueID(i), Name: "Queue " + strconv.Itoa(i+1), Version: 1,
		Priority: d.IntN(3), RingTimeout: pick[orchestrator.Millis](d, 5000, 12000, 20000),
		WrapUp: pick[orchestrator.Millis](d, 0, 4000, 15000), MaxWait: pick[orchestrator.Millis](d, 0, 25000, 60000),
		MaxMisses: pick(d, 0, 0, 2), BusyDelay: pick[orchestrator.Millis](d, 0, 3000), Music: pick(d, "", "jazz"),
	}
	switch {
	case q.MaxWait == 0 && d.chance(50):
	case i+1 < queues: // overflow leads to later queues only, so that it ends
		q.Overflow.Queue = queueID(i + 1)
	default:
		q.Overflow.Flow = "closing"
	}
	if d.chance(50) {
		q.Announce = orchestrator.Announce{First: 2000, Every: pick[orchestrator.Millis](d, 0, 8000), Play: say("Please hold the line.")}
	}
	if d.chance(30) {
		q.Skills = []orchestrator.SkillNeed{{Skill: "german", Level: 1 + d.IntN(60)}}
	}
	for _, a := range agents {
		if d.chance(70) {
			q.Agents = append(q.Agents, orchestrator.QueueAgent{Agent: a.ID, Level: d.IntN(3)})
		}
	}
	return q
}

// drawFlow makes a reception: some answer first, some play before they answer,
// some ask, each queue can be reached.
func drawFlow(d dice, queues int) orchestrator.Flow {
	f := orchestrator.Flow{ID: "main", Version: 1, Start: "answer", Nodes: map[string]orchestrator.Node{
		"answer":  {Type: orchestrator.NodeAnswer, On: map[string]string{"next": "welcome"}},
		"welcome": {Type: orchestrator.NodePlay, Play: say("Welcome to the simulation."), On: map[string]string{"next": "menu"}},
		"bye":     {Type: orchestrator.NodeHangup, Cause: pick(d, 0, orchestrator.CauseBusy)},
		"away":    {Type: orchestrator.NodeTransfer, Context: "fallback", Extension: "s", On: map[string]string{"failed": "bye"}},
	}}
	menu := orchestrator.Node{
		Type: orchestrator.NodeMenu, Play: say("Press one or two or nine."), Timeout: 3000, InterDigit: 1500, Retries: pick(d, -1, 0, 1),
		On: map[string]string{"9": "away", "timeout": "wait1", "invalid": pick(d, "bye", "wait1")},
	}
	if d.chance(50) {
		menu.WrongInput, menu.NoInput = say("That was no choice."), say("You chose nothing.")
	}
	for i := range queues {
		name := "wait" + strconv.Itoa(i+1)
		menu.On[strconv.Itoa(i+1)] = name
		node := orchestrator.Node{Type: orchestrator.NodeQueue, Queue: queueID(i), Priority: d.IntN(3)}
		if d.chance(40) {
			node.On = map[string]string{"max_wait": "bye"}
		}
		f.Nodes[name] = node
	}
	if d.chance(30) {
		menu.On["44"] = "wait1"
	}
	if d.chance(20) {
		delete(menu.On, "timeout") // not connected: the call ends
	}
	f.Nodes["menu"] = menu
	if d.chance(20) {
		f.Nodes["welcome"] = orchestrator.Node{
			Type: orchestrator.NodePlay, Play: []orchestrator.Media{{Sound: "missing"}},
			On: map[string]string{"next": "menu", "failed": pick(d, "menu", "bye")},
		}
	}
	switch d.IntN(8) {
	case 0, 1:
		f.Start = "welcome" // heard before the answer; the queue answers
	case 2, 3:
		f.Start = "wait1"
	case 4: // the office closes after three minutes
		f.Start = "hours"
		f.Nodes["hours"] = orchestrator.Node{
			Type: orchestrator.NodeHours, Hours: "office", On: map[string]string{"open": "answer", "closed": pick(d, "bye", "wait1")},
		}
	}
	return f
}
