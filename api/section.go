package api

import (
	"cmp"
	"slices"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// section is one list of the configuration: D is its objects in the floor's
// words, A the same in the API's.
type section[D, A any] struct {
	name string // of the list, "queues"
	one  string // of one object, for messages
	kind orchestrator.Kind
	list func(*orchestrator.Config) *[]D
	id   func(D) string
	show func(D) A
	read func(A) D
}

var (
	switchSection = section[orchestrator.PBX, gen.Switch]{
		name: "switches", one: "switch", kind: orchestrator.KindSwitch, show: switchToAPI, read: switchFromAPI,
		list: func(c *orchestrator.Config) *[]orchestrator.PBX { return &c.Switches },
		id:   func(p orchestrator.PBX) string { return string(p.ID) },
	}
	phoneSection = section[orchestrator.Phone, gen.Phone]{
		name: "phones", one: "phone", kind: orchestrator.KindPhone, show: phoneToAPI, read: phoneFromAPI,
		list: func(c *orchestrator.Config) *[]orchestrator.Phone { return &c.Phones },
		id:   func(p orchestrator.Phone) string { return string(p.ID) },
	}
	agentSection = section[orchestrator.Agent, gen.Agent]{
		name: "agents", one: "agent", kind: orchestrator.KindAgent, show: agentToAPI, read: agentFromAPI,
		list: func(c *orchestrator.Config) *[]orchestrator.Agent { return &c.Agents },
		id:   func(a orchestrator.Agent) string { return string(a.ID) },
	}
	hoursSection = section[orchestrator.Hours, gen.Hours]{
		name: "hours", one: "opening hours", kind: orchestrator.KindHours, show: hoursToAPI, read: hoursFromAPI,
		list: func(c *orchestrator.Config) *[]orchestrator.Hours { return &c.Hours },
		id:   func(h orchestrator.Hours) string { return string(h.ID) },
	}
	queueSection = section[orchestrator.Queue, gen.Queue]{
		name: "queues", one: "queue", kind: orchestrator.KindQueue, show: queueToAPI, read: queueFromAPI,
		list: func(c *orchestrator.Config) *[]orchestrator.Queue { return &c.Queues },
		id:   func(q orchestrator.Queue) string { return string(q.ID) },
	}
	flowSection = section[orchestrator.Flow, gen.Flow]{
		name: "flows", one: "flow", kind: orchestrator.KindFlow, show: flowToAPI, read: flowFromAPI,
		list: func(c *orchestrator.Config) *[]orchestrator.Flow { return &c.Flows },
		id:   func(f orchestrator.Flow) string { return string(f.ID) },
	}
	numberSection = section[orchestrator.Number, gen.Number]{
		name: "numbers", one: "number", kind: orchestrator.KindNumber, show: numberToAPI, read: numberFromAPI,
		list: func(c *orchestrator.Config) *[]orchestrator.Number { return &c.Numbers },
		id:   func(n orchestrator.Number) string { return n.Dialled },
	}
)

// find returns the object's place, or -1.
func (s section[D, A]) find(c *orchestrator.Config, id string) int {
	return slices.IndexFunc(*s.list(c), func(d D) bool { return s.id(d) == id })
}

// put returns c with the object added or replaced, and its place. c itself
// stays as it is.
func (s section[D, A]) put(c orchestrator.Config, d D) (orchestrator.Config, int) {
	at := s.find(&c, s.id(d))
	l := s.list(&c)
	*l = slices.Clone(*l)
	if at < 0 {
		*l = append(*l, d)
		return c, len(*l) - 1
	}
	(*l)[at] = d
	return c, at
}

// remove returns c without the object; c itself stays as it is.
func (s section[D, A]) remove(c orchestrator.Config, id string) orchestrator.Config {
	l := s.list(&c)
	*l = slices.DeleteFunc(slices.Clone(*l), func(d D) bool { return s.id(d) == id })
	return c
}

// page returns the objects after the cursor in the order of their ids.
func (s section[D, A]) page(c orchestrator.Config, cursor string, limit int) (items []A, next string, err error) {
	after, err := decodeCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	all := slices.Clone(*s.list(&c))
	slices.SortFunc(all, func(a, b D) int { return cmp.Compare(s.id(a), s.id(b)) })
	from := 0
	if cursor != "" {
		from, _ = slices.BinarySearchFunc(all, after, func(d D, id string) int {
			if s.id(d) <= id {
				return -1
			}
			return 1
		})
	}
	to := min(from+limit, len(all))
	if to < len(all) {
		next = encodeCursor(s.id(all[to-1]))
	}
	return list(all[from:to], s.show), next, nil
}
