package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// setUp takes one line of a centre's description; known is false for the
// first line that is none. The lines:
//
//	agents ana ben                              numbers 101, 102; phones 1001, 1002
//	west ben                                    their phones are at a second switch, linked both ways
//	like freeswitch                             what the switch does about transfers
//	pin ana 1234
//	reasons lunch=1 desk=2
//	queue support agents=ana,ben ring=20s wrap_up=15s max_wait=1m
//	      overflow=queue:night announce="Please hold." first=5s every=10s
//	node main ask menu "Press one." 1=wait timeout=bye      of a flow; the first is its start
//	number 100 main
func (s *story) setUp(w []string) (known bool, err error) {
	c := &s.plan.Config
	switch w[0] {
	case "agents":
		c.Switches = []orchestrator.PBX{{ID: "pbx", Type: "simulated"}}
		for i, name := range w[1:] {
			phone := strconv.Itoa(1001 + i)
			c.Agents = append(c.Agents, orchestrator.Agent{
				ID: orchestrator.AgentID(name), Number: strconv.Itoa(101 + i), Name: strings.ToUpper(name[:1]) + name[1:],
			})
			c.Phones = append(c.Phones, orchestrator.Phone{ID: orchestrator.PhoneID("p" + phone), Switch: "pbx", Endpoint: "SIM/" + phone})
		}
	case "west":
		s.west(w[1:])
	case "like":
		s.plan.Quirks.DoesAttended, s.plan.Quirks.PartsWhileAsked = true, true
	case "pin":
		s.plan.PINs[orchestrator.AgentID(w[1])] = w[2]
	case "reasons":
		for _, r := range w[1:] {
			id, digit, _ := strings.Cut(r, "=")
			c.Settings.PauseReasons = append(c.Settings.PauseReasons, orchestrator.PauseReason{ID: id, Name: id, Digit: digit})
		}
	case "queue":
		return true, s.queue(w)
	case "node":
		return true, s.node(w)
	case "number":
		c.Numbers = append(c.Numbers, orchestrator.Number{Dialled: w[1], Flow: orchestrator.FlowID(w[2])})
	default:
		return false, nil
	}
	return true, nil
}

// west puts agents' phones at a second switch.
func (s *story) west(agents []string) {
	c := &s.plan.Config
	c.Switches[0].Links = []orchestrator.Link{{To: "west", Trunk: "SIM/west"}}
	c.Switches = append(c.Switches, orchestrator.PBX{
		ID: "west", Type: "simulated", Links: []orchestrator.Link{{To: c.Switches[0].ID, Trunk: "SIM/pbx"}},
	})
	for i, a := range c.Agents {
		if slices.Contains(agents, string(a.ID)) {
			c.Phones[i].Switch = "west"
		}
	}
}

func (s *story) queue(w []string) error {
	q := orchestrator.Queue{ID: orchestrator.QueueID(w[1]), Name: w[1], Version: 1}
	for _, option := range w[2:] {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "agents":
			for a := range strings.SplitSeq(value, ",") {
				q.Agents = append(q.Agents, orchestrator.QueueAgent{Agent: orchestrator.AgentID(a)})
			}
			continue
		case "overflow":
			kind, id, _ := strings.Cut(value, ":")
			if kind == "queue" {
				q.Overflow.Queue = orchestrator.QueueID(id)
			} else {
				q.Overflow.Flow = orchestrator.FlowID(id)
			}
			continue
		case "announce":
			q.Announce.Play = say(value)
			continue
		case "misses":
			q.MaxMisses, _ = strconv.Atoi(value)
			continue
		}
		at := map[string]*orchestrator.Millis{
			"ring": &q.RingTimeout, "wrap_up": &q.WrapUp, "max_wait": &q.MaxWait,
			"first": &q.Announce.First, "every": &q.Announce.Every,
		}[key]
		d, err := time.ParseDuration(value)
		if at == nil || err != nil {
			return fmt.Errorf("no option of a queue: %s", option)
		}
		*at = orchestrator.MillisOf(d)
	}
	s.plan.Config.Queues = append(s.plan.Config.Queues, q)
	return nil
}

// node: node FLOW NAME TYPE [what] [exit=node …].
func (s *story) node(w []string) error {
	if len(w) < 4 {
		return fmt.Errorf("a node is: node FLOW NAME TYPE [what] [exit=node …]")
	}
	id, name := orchestrator.FlowID(w[1]), w[2]
	n := orchestrator.Node{Type: orchestrator.NodeType(w[3]), On: map[string]string{}}
	for _, x := range w[4:] {
		exit, to, isExit := strings.Cut(x, "=")
		switch {
		case exit == "retries":
			n.Retries, _ = strconv.Atoi(to)
		case isExit:
			n.On[exit] = to
		case n.Type == orchestrator.NodeQueue:
			n.Queue = orchestrator.QueueID(x)
		case n.Type == orchestrator.NodeTransfer:
			n.Context, n.Extension = "fallback", x
		default:
			n.Play = say(x)
		}
	}
	for i := range s.plan.Config.Flows {
		if f := &s.plan.Config.Flows[i]; f.ID == id {
			f.Nodes[name] = n
			return nil
		}
	}
	s.plan.Config.Flows = append(s.plan.Config.Flows, orchestrator.Flow{
		ID: id, Version: 1, Start: name, Nodes: map[string]orchestrator.Node{name: n},
	})
	return nil
}
