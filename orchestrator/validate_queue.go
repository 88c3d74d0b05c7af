package orchestrator

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"
)

// Bounds of a queue.
const (
	maxLevel    = 1000
	maxPriority = 100
	maxMisses   = 100

	minRing  = Millis(3 * time.Second / time.Millisecond)
	maxRing  = Millis(2 * time.Minute / time.Millisecond)
	maxDelay = Millis(time.Hour / time.Millisecond)
	maxWait  = Millis(24 * time.Hour / time.Millisecond)
	minEvery = Millis(time.Second / time.Millisecond)
)

var musicForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

func validateQueue(found *Problems, field string, q Queue, n names) {
	validateName(found, field+".name", q.Name)
	if q.Strategy != "" && q.Strategy != LongestIdle {
		found.Add(field+".strategy", "no strategy %q (strategies are: %s)", q.Strategy, LongestIdle)
	}
	validateQueueAgents(found, field+".agents", q.Agents, n)
	validateSkillNeeds(found, field+".skills", q.Skills)
	if q.Priority < -maxPriority || q.Priority > maxPriority {
		found.Add(field+".priority", "%d is out of bounds: %d to %d", q.Priority, -maxPriority, maxPriority)
	}
	if q.MaxMisses < 0 || q.MaxMisses > maxMisses {
		found.Add(field+".max_misses", "%d is out of bounds: 0 to %d", q.MaxMisses, maxMisses)
	}
	validateQueueTimes(found, field, q)
	validateOverflow(found, field+".overflow", q, n)
	if q.Music != "" && !musicForm.MatchString(q.Music) {
		found.Add(field+".music", "%q is no music class: at most 64 letters, digits, '_', '.' and '-'", q.Music)
	}
	ValidateMedia(found, field+".announce.play", q.Announce.Play)
}

func validateQueueTimes(found *Problems, field string, q Queue) {
	for _, t := range []struct {
		name       string
		value      Millis
		least, max Millis // besides 0, which is the default or none
	}{
		{"ring_timeout_ms", q.RingTimeout, minRing, maxRing},
		{"wrap_up_ms", q.WrapUp, 0, maxWait},
		{"max_wait_ms", q.MaxWait, 0, maxWait},
		{"service_level_ms", q.ServiceLevel, 0, maxDelay},
		{"short_abandon_ms", q.ShortAbandon, 0, maxDelay},
		{"busy_delay_ms", q.BusyDelay, 0, maxDelay},
		{"reject_delay_ms", q.RejectDelay, 0, maxDelay},
		{"no_answer_delay_ms", q.NoAnswerDelay, 0, maxDelay},
		{"unreachable_delay_ms", q.UnreachableDelay, 0, maxDelay},
		{"announce.first_ms", q.Announce.First, 0, maxDelay},
		{"announce.every_ms", q.Announce.Every, minEvery, maxDelay},
	} {
		if t.value != 0 && (t.value < t.least || t.value > t.max) {
			found.Add(field+"."+t.name, "%d is out of bounds: %d to %d", t.value, t.least, t.max)
		}
	}
}

func validateQueueAgents(found *Problems, field string, agents []QueueAgent, n names) {
	first := make(map[AgentID]int, len(agents))
	for i, qa := range agents {
		at := fmt.Sprintf("%s[%d]", field, i)
		n.agents.need(found, at+".agent", qa.Agent)
		if qa.Level < 0 || qa.Level > maxLevel {
			found.Add(at+".level", "%d is out of bounds: 0 to %d", qa.Level, maxLevel)
		}
		if before, twice := first[qa.Agent]; twice {
			found.Add(at+".agent", "%q is in this queue already (agents[%d])", qa.Agent, before)
			continue
		}
		first[qa.Agent] = i
	}
}

func validateSkillNeeds(found *Problems, field string, needs []SkillNeed) {
	levels := map[string]int{}
	for i, need := range needs {
		if _, twice := levels[need.Skill]; twice {
			found.Add(fmt.Sprintf("%s[%d].skill", field, i), "%q is there twice", need.Skill)
		}
		levels[need.Skill] = need.Level
	}
	validateSkillLevels(found, field, levels)
}

func validateSkillLevels(found *Problems, field string, levels map[string]int) {
	if len(levels) > maxSkills {
		found.Add(field, "%d skills are too many, at most %d", len(levels), maxSkills)
		return
	}
	for _, skill := range slices.Sorted(maps.Keys(levels)) {
		if !ValidSlug(skill) {
			found.Add(field, "%s", SlugRule(skill))
		}
		if level := levels[skill]; level < 1 || level > maxSkillLevel {
			found.Add(field+"."+skill, "level %d is out of bounds: 1 to %d", level, maxSkillLevel)
		}
	}
}

func validateOverflow(found *Problems, field string, q Queue, n names) {
	if q.Overflow.Queue != "" && q.Overflow.Flow != "" {
		found.Add(field, "a queue and a flow are set; a call goes to one of them")
	}
	if q.Overflow.Queue != "" {
		n.queues.need(found, field+".queue", q.Overflow.Queue)
	}
	if q.Overflow.Flow != "" {
		n.flows.need(found, field+".flow", q.Overflow.Flow)
	}
}

// Warnings is what is allowed and probably not meant, path by path. It expects
// a configuration that Validate finds no fault with.
func (c Config) Warnings() Problems {
	var found Problems
	in := map[AgentID]bool{}
	for i, q := range c.Queues {
		field := fmt.Sprintf("queues[%d]", i)
		if len(q.Agents) == 0 {
			found.Add(field+".agents", "queue %q has no agents: nobody takes its calls", q.ID)
		}
		if q.Announce.Every != 0 && len(q.Announce.Play) == 0 {
			found.Add(field+".announce", "queue %q announces nothing: play is empty", q.ID)
		}
		if q.MaxWait == 0 && q.Overflow != (Target{}) {
			found.Add(field+".overflow", "queue %q overflows only when no agent is logged in: it has no max_wait_ms", q.ID)
		}
		for _, qa := range q.Agents {
			in[qa.Agent] = true
		}
	}
	for i, a := range c.Agents {
		if !in[a.ID] {
			found.Add(fmt.Sprintf("agents[%d]", i), "agent %q is in no queue and gets no calls", a.ID)
		}
	}
	return found
}
