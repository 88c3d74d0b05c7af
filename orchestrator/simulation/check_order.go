package simulation

import (
	"cmp"
	"slices"
	"strings"

	"ringmaster/orchestrator"
)

// fairness is I9, and the dumb oracle of the matcher: it looks at every call
// and every agent. No call is served before one that comes first and the same
// agent may take; the agent is the queue's first choice; and nobody waits
// while an agent for them is free.
type fairness struct{ w *World }

func (o *fairness) fact(f orchestrator.Fact) {
	d, ok := f.What.(orchestrator.OfferMade)
	if !ok || d.Queue == "" || o.w.book.legs[d.Leg] != nil {
		return // dialled or chosen by a person, or on the line already
	}
	b := o.w.book
	c, a := b.call(d.Call), b.agent(d.Agent)
	if !b.serves(a, c) {
		o.w.fail("I9: agent %s is offered call %s of queue %s, which they do not serve", a.id, c.id, c.queue)
	}
	for _, other := range b.waiting() {
		if other != c && b.serves(a, other) && before(other, c) {
			o.w.fail("I9: agent %s is offered call %s (priority %d, since %s) before call %s (priority %d, since %s)",
				a.id, c.id, c.priority, c.queued.Format("15:04:05.000"), other.id, other.priority, other.queued.Format("15:04:05.000"))
		}
	}
	free := 0
	for _, other := range b.sortedAgents() {
		if !b.offerable(other) || !b.serves(other, c) {
			continue
		}
		free++
		if other != a && o.preferred(other, a, c) {
			o.w.fail("I9: call %s is offered to agent %s, idle since %s, before agent %s, idle since %s",
				c.id, a.id, a.idleSince.Format("15:04:05.000"), other.id, other.idleSince.Format("15:04:05.000"))
		}
	}
	if d.Decision.Free != free || !d.Decision.IdleSince.Equal(a.idleSince) || d.Decision.Level != b.level(a, c) {
		o.w.fail("I9: offer %s explains itself by %+v; %d agents were free, the agent idle since %s at level %d",
			d.Offer, d.Decision, free, a.idleSince, b.level(a, c))
	}
}

// before is the order of the line: priority, then arrival.
func before(a, b *bookCall) bool {
	if a.priority != b.priority {
		return a.priority > b.priority
	}
	return a.queued.Before(b.queued)
}

func (o *fairness) preferred(a, than *bookAgent, c *bookCall) bool {
	return cmp.Or(
		cmp.Compare(o.w.book.level(a, c), o.w.book.level(than, c)),
		a.idleSince.Compare(than.idleSince),
		strings.Compare(string(a.id), string(than.id)),
	) < 0
}

// serves reports whether the agent may take the call: of its queue as it is
// configured now, with the skills it asks for.
func (b *book) serves(a *bookAgent, c *bookCall) bool {
	q, ok := b.queues[c.queue]
	person, known := b.people[a.id]
	if !ok || !known {
		return false
	}
	for _, need := range q.Skills {
		if person.Skills[need.Skill] < max(need.Level, 1) {
			return false
		}
	}
	for _, qa := range q.Agents {
		if qa.Agent == a.id {
			return b.reaches(c.pbx, a)
		}
	}
	return false
}

// reaches reports whether a call on one switch can be brought to where the
// agent sits.
func (b *book) reaches(from orchestrator.SwitchID, a *bookAgent) bool {
	to := b.phones[a.phone].Switch
	return to == from || slices.ContainsFunc(b.pbxs[from].Links, func(l orchestrator.Link) bool { return l.To == to })
}

func (b *book) level(a *bookAgent, c *bookCall) int {
	for _, qa := range b.queues[c.queue].Agents {
		if qa.Agent == a.id {
			return qa.Level
		}
	}
	return 0
}

// offerable is an agent to whom nothing stands in the way.
func (b *book) offerable(a *bookAgent) bool {
	return a.state == orchestrator.AgentReady && a.leg == "" && a.notBefore.IsZero()
}

func (o *fairness) step(orchestrator.Input, orchestrator.Effects) {
	b := o.w.book
	for _, c := range b.waiting() {
		for _, a := range b.sortedAgents() {
			if b.offerable(a) && b.serves(a, c) {
				o.w.fail("I9: call %s waits in queue %s while agent %s is free for it", c.id, c.queue, a.id)
			}
		}
	}
}

func (o *fairness) end() {}
