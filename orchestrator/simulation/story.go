package simulation

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// Tell plays a story and returns it with what happened written under each of
// its scenes. The text is scenes divided by empty lines; a scene is what people
// do, a line of dashes, and what follows from it:
//
//	ana logs in at 1001
//	c1 calls 100
//	----
//	00:00  ana is ready
//	00:00  c1 arrives for 100
//	00:00  > answer c1
//
// Lines before the first action describe the centre (see setUp). Lines that
// begin with # are kept. What follows is what the floor told and, after >, what
// it ordered; the checkers watch every step as they do in any simulation.
func Tell(text string) (string, error) {
	s := newStory()
	var out strings.Builder
	for _, scene := range scenes(text) {
		told, err := s.play(scene)
		if err != nil {
			return "", err
		}
		for _, l := range scene {
			out.WriteString(l + "\n")
		}
		out.WriteString("----\n" + told + "\n")
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// scenes are the lines of each scene without what was written under it.
func scenes(text string) (all [][]string) {
	var scene []string
	told := false
	for in := bufio.NewScanner(strings.NewReader(text)); in.Scan(); {
		line := strings.TrimRight(in.Text(), " \t")
		switch {
		case line == "----":
			all, scene, told = append(all, scene), nil, true
		case line == "" && !told && len(scene) > 0: // a new scene, nothing written under it yet
			all, scene = append(all, scene), nil
		case line == "":
			told = false
		case !told:
			scene = append(scene, line)
		}
	}
	if len(scene) > 0 {
		all = append(all, scene)
	}
	return all
}

// story is a world in which everybody does what the script says.
type story struct {
	plan   Plan
	w      *World // nil until the first action
	names  map[string]string
	people map[string]*Far    // callers by name
	hands  map[string]*handed // phones by number
	told   int                // facts and orders written so far, by step
}

// handed is a phone whose owner does what the script says.
type handed struct {
	idle
	phone *Phone
	reply int // to the next calls: a SIP status
}

func (h *handed) Called(*Far) int { return h.reply }

func newStory() *story {
	return &story{
		plan:  Plan{Exact: true, Quirks: Quirks{LeftAtEnd: true, PlayDoneAtEnd: true}, PINs: map[orchestrator.AgentID]string{}},
		names: map[string]string{}, people: map[string]*Far{}, hands: map[string]*handed{},
	}
}

// settle is how long the world is given after each line of a scene: enough for
// orders and answers to pass, too little for anybody to lose patience.
const settle = 100 * time.Millisecond

func (s *story) play(scene []string) (string, error) {
	for _, line := range scene {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.line(line); err != nil {
			return "", fmt.Errorf("%q: %w", line, err)
		}
	}
	return s.since(), nil
}

func (s *story) line(line string) error {
	words := fields(line)
	if s.w == nil {
		known, err := s.setUp(words)
		if known || err != nil {
			return err
		}
		s.open()
	}
	if err := s.act(words); err != nil {
		return err
	}
	s.pass(settle)
	if s.w.failure != nil {
		return s.w.failure
	}
	return nil
}

// fields splits a line at spaces, but not within quotes.
func fields(line string) (words []string) {
	quoted := false
	for _, w := range strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	}) {
		words = append(words, strings.ReplaceAll(w, `"`, ""))
	}
	return words
}

// open begins the day.
func (s *story) open() {
	s.w = newWorld(s.plan)
	for i, p := range s.w.phones {
		h := &handed{phone: p, reply: 180}
		p.Person = h
		s.hands[number(p.endpoint)] = h
		s.names[string(s.plan.Config.Phones[i].ID)] = number(p.endpoint)
	}
	s.w.step(orchestrator.ConfigChanged{Change: s.plan.Config})
	s.w.connect()
	s.pass(settle)
	s.since() // the opening of the doors is the same in every story
}

// number is a phone's number, the end of its endpoint.
func number(endpoint string) string { return endpoint[strings.LastIndexByte(endpoint, '/')+1:] }

// pass lets time go by.
func (s *story) pass(d time.Duration) {
	end := s.w.clock.Now().Add(d)
	for s.w.failure == nil {
		at, due := s.w.clock.Next()
		wake, wants := s.w.floor.NextWake()
		if wants && (!due || wake.Before(at)) {
			at, due = wake, true
		}
		if s.w.dead && !due || !due || at.After(end) {
			break
		}
		s.w.next()
	}
	if s.w.failure == nil {
		s.w.clock.Advance(end)
	}
}

// act is one thing somebody does.
func (s *story) act(w []string) error {
	verb := strings.Join(w[min(1, len(w)):min(3, len(w))], " ")
	switch {
	case w[0] == "wait" && len(w) == 2:
		d, err := time.ParseDuration(w[1])
		if err == nil {
			s.pass(d - settle)
		}
		return err
	case w[0] == "switch" || w[0] == "ringmaster":
		return s.machine(s.w.wires[0], strings.Join(w, " "))
	case w[0] == "west" && len(s.w.wires) > 1:
		return s.machine(s.w.wires[1], "switch "+strings.Join(w[1:], " "))
	case len(w) >= 3 && w[1] == "calls":
		return s.calls(w)
	case s.people[w[0]] != nil:
		return s.person(s.people[w[0]], verb, w)
	case s.hands[w[0]] != nil:
		return s.phone(s.hands[w[0]], verb, w)
	case s.agent(w[0]) != "":
		return s.wish(s.agent(w[0]), verb, w)
	}
	return fmt.Errorf("nobody is called %s and nothing of the centre", w[0])
}

// machine is something that happens to the machines.
func (s *story) machine(x *wire, what string) error {
	switch what {
	case "switch is cut off":
		x.cut()
	case "switch is back":
		x.reopen(0)
	case "switch restarts":
		x.sw.Restart()
	case "ringmaster is killed": // with its next decision, whose orders are lost
		s.w.dying = true
	default:
		return fmt.Errorf("no such thing; known are: switch is cut off, switch is back, switch restarts, ringmaster is killed")
	}
	return nil
}

// calls: c1 calls 100 [from 030123 "Clara Caller"].
func (s *story) calls(w []string) error {
	from := orchestrator.Party{}
	if len(w) > 4 && w[3] == "from" {
		from.Number = w[4]
		from.Name = strings.Join(w[5:], " ")
	}
	f := s.w.wires[0].sw.Call(w[2], from, nil)
	s.people[w[0]] = f
	s.names[string(f.Leg())] = w[0]
	return nil
}

func (s *story) person(f *Far, verb string, w []string) error {
	switch {
	case verb == "hangs up":
		f.Hangup()
	case w[1] == "presses" && len(w) == 3:
		f.Press(w[2])
	default:
		return fmt.Errorf("a caller can: hang up (hangs up), press keys (presses 1)")
	}
	return nil
}

func (s *story) phone(h *handed, verb string, w []string) error {
	var f, newest *Far // what a person does they do on the first line, but for what has just come
	if calls := h.phone.Calls(); len(calls) > 0 {
		f, newest = calls[0], calls[len(calls)-1]
	}
	if f == nil && (w[1] == "answers" || w[1] == "rejects" || w[1] == "presses" || w[1] == "holds" || verb == "hangs up") {
		return fmt.Errorf("the phone is in no call")
	}
	switch {
	case w[1] == "answers":
		newest.Answer()
	case w[1] == "rejects":
		newest.Refuse(603)
	case w[1] == "transfers" && f != nil && len(w) == 4:
		if to := s.people[w[3]]; to != nil {
			f.TransferTo(to)
		} else {
			f.Transfer(w[3])
		}
	case verb == "hangs up":
		f.Hangup()
	case w[1] == "holds":
		f.Hold()
	case w[1] == "resumes":
		f.Resume()
	case w[1] == "presses":
		newest.Press(w[2])
	case w[1] == "dials":
		s.dial(h, w)
	case verb == "is unplugged":
		h.phone.Unregister()
	case verb == "is plugged":
		h.phone.Register()
	case verb == "is elsewhere":
		h.phone.Foreign(true)
	case verb == "will ring", verb == "will refuse", verb == "will ignore":
		h.reply = map[string]int{"ring": 180, "refuse": 486, "ignore": 0}[w[2]]
	default:
		return fmt.Errorf("a phone answers, rejects, hangs up, holds, resumes, presses 1, dials *11 [as k1], transfers to 102 (or k1), " +
			"is unplugged, is plugged, is elsewhere, will ring, will refuse, will ignore")
	}
	return nil
}

// dial: 1001 dials 102 [as k1].
func (s *story) dial(h *handed, w []string) {
	f, name := h.phone.Dial(w[2], nil), w[0]
	if len(w) == 5 && w[3] == "as" {
		name = w[4]
		s.people[name] = f
	}
	s.names[string(f.Leg())] = name
}

func (s *story) agent(name string) orchestrator.AgentID {
	for _, a := range s.plan.Config.Agents {
		if string(a.ID) == name {
			return a.ID
		}
	}
	return ""
}

// wish is what an agent asks for from an application.
func (s *story) wish(id orchestrator.AgentID, verb string, w []string) error {
	e := orchestrator.AgentAsked{Agent: id, Origin: orchestrator.OriginAPI, By: string(id)}
	switch {
	case verb == "logs in" && len(w) == 5:
		e.Action, e.Phone = orchestrator.ActionLogin, orchestrator.PhoneID("p"+w[4])
	case verb == "logs out":
		e.Action = orchestrator.ActionLogout
	case verb == "pauses" || verb == "pauses for":
		e.Action, e.Reason = orchestrator.ActionPause, w[len(w)-1]
		if verb == "pauses" {
			e.Reason = ""
		}
	case verb == "is ready":
		e.Action = orchestrator.ActionReady
	case verb == "is done":
		e.Action = orchestrator.ActionWrapUpDone
	default:
		return fmt.Errorf("an agent logs in at 1001, logs out, pauses [for lunch], is ready, is done")
	}
	s.w.step(e)
	return nil
}
