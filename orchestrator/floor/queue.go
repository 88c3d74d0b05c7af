package floor

import (
	"slices"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/acd"
	"ringmaster/orchestrator/ivr"
)

// join lets a call wait in a queue node's queue. through is true when it is
// sent on at once: the queue is gone, or nobody is there to wait for.
func (f *Floor) join(c *call, n o.Node) (exit string, through bool) {
	q := f.Queues[n.Queue]
	if q == nil {
		return o.ExitNoAgents, true
	}
	if !f.up(c) {
		// Music and a wait are only heard on an answered leg.
		f.order(c, o.Answer{Leg: c.Leg})
	}
	f.enqueue(c, q, n.Priority)
	if f.nobody(c, q) {
		f.overflow(c, o.ReasonNoAgents, o.ExitNoAgents)
	}
	return "", false
}

// enqueue puts the call in line and starts the music.
func (f *Floor) enqueue(c *call, q *queue, extra int) {
	f.line(c, q, q.Config.Priority+extra, f.At)
}

// line gives the call the place in a queue that its priority and arrival make.
func (f *Floor) line(c *call, q *queue, priority int, arrived time.Time) {
	f.emit(o.CallQueued{
		Call: c.ID, Queue: q.Config.ID, Version: q.Config.Version, Priority: priority, Arrived: arrived,
		Position: f.matcher.PositionFor(q.Config.ID, acd.Waiting{Call: c.ID, Priority: priority, Arrived: arrived}),
	})
	f.music(c)
}

// nobody reports whether waiting would be for nothing: a queue without any
// agent, or one whose agents are all logged out and that says where to go then.
func (f *Floor) nobody(c *call, q *queue) bool {
	if len(q.members) == 0 {
		return true
	}
	_, connected := ivr.Exit(f.node(c), o.ExitNoAgents)
	if !connected && q.Config.Overflow == (o.Target{}) {
		return false
	}
	for id := range q.members { // order-free: any one will do
		if a := f.Agents[id]; a != nil && a.LoggedIn {
			return false
		}
	}
	return true
}

// music plays the queue's music until something else is to be heard; to a call
// of no queue the switch's own.
func (f *Floor) music(c *call) {
	if c.Music {
		return
	}
	f.emit(o.MusicStarted{Call: c.ID, Leg: c.Leg, Class: musicOf(c)})
	f.order(c, o.StartMusic{Leg: c.Leg, Class: musicOf(c)})
}

func musicOf(c *call) string {
	if c.queue == nil {
		return ""
	}
	return c.queue.Music
}

// quiet ends music and announcement.
func (f *Floor) quiet(c *call) {
	if c.Music {
		f.order(c, o.StopMusic{Leg: c.Leg})
		f.emit(o.MusicStopped{Call: c.ID, Leg: c.Leg})
	}
	f.stopPlay(c)
}

// announce says the queue's announcement instead of the music.
func (f *Floor) announce(c *call) {
	f.quiet(c)
	f.play(c, o.PurposeAnnouncement, c.queue.Announce.Play)
}

// leaveQueue takes the call out of its queue, if it is in one.
func (f *Floor) leaveQueue(c *call, why o.Reason) {
	if c.Phase != o.PhaseQueued && c.Phase != o.PhaseRinging {
		return
	}
	direct := c.direct()
	if c.Offer != nil {
		f.withdraw(c)
	}
	if !direct {
		f.emit(o.CallLeftQueue{Call: c.ID, Queue: c.QueueID, Reason: why, Waited: f.waited(c)})
	}
}

// direct reports whether the call rings at one agent without being in a queue.
func (c *call) direct() bool { return c.Offer != nil && c.Offer.Queue == "" }

func (f *Floor) waited(c *call) o.Millis { return o.MillisOf(f.countsTo(c).Sub(c.Joined)) }

// overflow sends a waiting call where its node or its queue says.
func (f *Floor) overflow(c *call, why o.Reason, exit string) {
	target := c.queue.Overflow
	f.leaveQueue(c, why)
	f.quiet(c)
	if node, ok := ivr.Exit(f.node(c), exit); ok {
		f.enter(c, c.flow, node, exit)
		return
	}
	if flow := f.Flows[target.Flow]; flow != nil {
		f.enter(c, flow, flow.Start, exit)
		return
	}
	if q := f.Queues[target.Queue]; q != nil && c.Nodes < nodesMax {
		f.enqueueElsewhere(c, q)
		return
	}
	f.end(c, o.Outcome{Result: o.ResultSystem, Reason: why}, o.CauseNormal)
}

// enqueueElsewhere moves a call to its queue's overflow queue. It keeps its
// node, whose exits go on to hold.
func (f *Floor) enqueueElsewhere(c *call, q *queue) {
	f.emit(o.NodeEntered{
		Call: c.ID, Flow: c.FlowID, Version: c.FlowVersion, Node: c.Node, Type: o.NodeQueue, Via: "overflow",
	})
	f.enqueue(c, q, 0)
	if len(q.members) == 0 {
		f.overflow(c, o.ReasonNoAgents, o.ExitNoAgents)
	}
}

// callDue handles a call's earliest deadline.
func (f *Floor) callDue(c *call) {
	past := func(t time.Time) bool { return !t.IsZero() && !t.After(f.At) }
	switch {
	case past(c.EndBy):
		f.endOverdue(c)
	case c.Offer != nil && c.Offer.Answered:
		f.connectFailed(c)
	case c.Offer != nil && past(c.Offer.SilentBy):
		f.offerOver(c, failure{outcome: o.OfferUnreachable, cause: o.CauseNoAnswer})
	case c.Offer != nil && past(c.Offer.RingUntil):
		f.offerOver(c, failure{outcome: o.OfferNoAnswer, cause: o.CauseNoAnswer})
	case past(c.MaxWaitAt):
		f.overflow(c, o.ReasonMaxWait, o.ExitMaxWait)
	case past(c.AnnounceAt) && c.Purpose == o.PurposeAnnouncement:
		f.stopPlay(c)
		f.music(c)
	case past(c.AnnounceAt):
		f.announce(c)
	case past(c.NodeBy):
		f.nodeDue(c)
	}
}

// endOverdue is a hung-up leg that will not close. The floor asks the switch
// what is really there; the snapshot then closes what is gone. A switch that
// cannot be heard answers when it is back.
func (f *Floor) endOverdue(c *call) {
	if c.Ending == nil {
		f.emit(o.CallEnding{Call: c.ID, Outcome: o.Outcome{Result: o.ResultUnknown, Reason: o.ReasonUnknown}})
	} else {
		f.emit(o.CallEnding{Call: c.ID, Outcome: *c.Ending})
	}
	for _, id := range c.Legs {
		f.order(c, o.Hangup{Leg: id, Cause: o.CauseNormal})
	}
	var asked []o.SwitchID
	for _, id := range c.Legs {
		if sw := f.Legs[id].Switch; !slices.Contains(asked, sw) {
			asked = append(asked, sw)
			f.ask(o.Resync{Switch: sw})
		}
	}
	f.finish(c)
}
