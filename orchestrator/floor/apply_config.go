package floor

import (
	"slices"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/acd"
	"ringmaster/orchestrator/calendar"
)

// configChanged takes a change over. Calls in progress keep the versions of
// flow and queue they live by; who serves a queue changes at once, because a
// caller who waits is helped by the agent who was added meanwhile.
func (f *Floor) configChanged(change o.Config) {
	f.emit(o.ConfigApplied{Change: change})
	for _, r := range change.Removed {
		if a := f.Agents[o.AgentID(r.ID)]; r.Kind == o.KindAgent && a != nil && a.LoggedIn {
			f.intend(a, o.IntentLogout, "", wish{Origin: o.OriginSystem, By: "configuration"})
		}
	}
	for _, id := range sortedKeys(f.Agents) {
		f.settle(f.Agents[id]) // their phones may be gone, or back
	}
	f.lookAt(change.Phones)
	f.rematch = true
}

// lookAt asks the switches of new phones what they know of them: a phone that
// is there already would else be told of only when that changes.
func (f *Floor) lookAt(phones []o.Phone) {
	asked := map[o.SwitchID]bool{}
	for _, p := range phones {
		if f.attached(p.Switch) && !asked[p.Switch] {
			asked[p.Switch] = true
			f.ask(o.Resync{Switch: p.Switch})
		}
	}
}

func (f *Floor) applyConfig(change o.Config) {
	f.Settings = change.Settings.WithDefaults()
	for _, p := range change.Switches {
		f.PBXs[p.ID] = p
	}
	for _, p := range change.Phones {
		if old := f.Phones[p.ID]; old != nil && old.Switch == p.Switch && old.Endpoint == p.Endpoint {
			old.Phone = p
			continue
		}
		f.Phones[p.ID] = &phone{Phone: p}
	}
	for _, a := range change.Agents {
		f.setAgent(a)
	}
	for _, h := range change.Hours {
		f.Hours[h.ID] = h
	}
	for i := range change.Queues {
		f.setQueue(&change.Queues[i])
	}
	for i := range change.Flows {
		f.retireFlow(change.Flows[i].ID)
		f.Flows[change.Flows[i].ID] = &change.Flows[i]
	}
	for _, n := range change.Numbers {
		f.Numbers[n.Dialled] = n
	}
	for _, r := range change.Removed {
		f.remove(r)
	}
	f.forgetOld()
	f.relinkConfig()
	f.indexAll()
}

func (f *Floor) setAgent(cfg o.Agent) {
	if a := f.Agents[cfg.ID]; a != nil {
		a.Agent, a.Removed = cfg, false
		return
	}
	f.Agents[cfg.ID] = &agent{Agent: cfg, State: o.AgentLoggedOut, Since: f.At, IdleSince: f.At}
}

func (f *Floor) setQueue(cfg *o.Queue) {
	filled := cfg.WithDefaults()
	q := f.Queues[cfg.ID]
	if q == nil {
		q = &queue{}
		f.Queues[cfg.ID] = q
	} else {
		f.OldQueues = append(f.OldQueues, q.Config)
	}
	q.Config = &filled
}

func (f *Floor) retireFlow(id o.FlowID) {
	if old := f.Flows[id]; old != nil {
		f.OldFlows = append(f.OldFlows, old)
	}
}

func (f *Floor) remove(r o.Removal) {
	switch r.Kind {
	case o.KindSwitch:
		delete(f.PBXs, o.SwitchID(r.ID))
	case o.KindPhone:
		delete(f.Phones, o.PhoneID(r.ID))
	case o.KindAgent:
		if a := f.Agents[o.AgentID(r.ID)]; a != nil {
			a.Removed = true
			f.dropIfGone(a)
		}
	case o.KindHours:
		delete(f.Hours, o.HoursID(r.ID))
	case o.KindQueue:
		if q := f.Queues[o.QueueID(r.ID)]; q != nil {
			f.OldQueues = append(f.OldQueues, q.Config)
			delete(f.Queues, o.QueueID(r.ID))
		}
	case o.KindFlow:
		f.retireFlow(o.FlowID(r.ID))
		delete(f.Flows, o.FlowID(r.ID))
	case o.KindNumber:
		delete(f.Numbers, r.ID)
	}
}

// dropIfGone forgets an agent who is configured no more and logged out.
func (f *Floor) dropIfGone(a *agent) {
	if a.Removed && !a.LoggedIn && a.Leg == "" {
		f.deadlines.drop(a)
		f.matcher.SetBusy(a.ID)
		delete(f.Agents, a.ID)
	}
}

// relinkConfig rebuilds what follows from the configuration.
func (f *Floor) relinkConfig() {
	f.endpoints = make(map[endpointKey]*phone, len(f.Phones))
	f.extensions = make(map[endpointKey]*phone, len(f.Phones))
	for _, id := range sortedKeys(f.Phones) {
		p := f.Phones[id]
		f.endpoints[endpointKey{p.Switch, p.Endpoint}] = p
		f.extensions[endpointKey{p.Switch, extensionOf(p.Endpoint)}] = p
	}
	f.numbers = make(map[string]o.AgentID, len(f.Agents))
	for _, a := range f.Agents { // order-free: agent numbers are unique
		if !a.Removed {
			f.numbers[a.Number] = a.ID
		}
	}
	f.hours = make(map[o.HoursID]*calendar.Compiled, len(f.Hours))
	for id, h := range f.Hours { // order-free: fills a map
		if c, err := calendar.Compile(h); err == nil {
			f.hours[id] = c
		}
	}
	for _, id := range sortedKeys(f.Agents) {
		a := f.Agents[id]
		if ph := f.Phones[a.Phone]; a.LoggedIn && ph != nil && ph.Agent == "" {
			ph.Agent = id // the phone was gone from the configuration meanwhile
		}
	}
	f.zone = time.UTC
	if zone, err := calendar.LoadZone(f.Settings.Zone); err == nil {
		f.zone = zone
	}
	for _, id := range sortedKeys(f.Queues) {
		f.relinkQueue(f.Queues[id])
	}
	for _, b := range f.matcher.Buckets() {
		f.setBucket(b)
	}
}

func (f *Floor) relinkQueue(q *queue) {
	q.members = make(map[o.AgentID]int, len(q.Config.Agents))
	for _, qa := range q.Config.Agents {
		q.members[qa.Agent] = qa.Level
	}
	for _, sw := range sortedKeys(f.Switches) { // others get theirs with the first call
		f.setBucket(bucketOf(q.Config, sw))
	}
}

// setBucket brings a bucket in line with who serves its queue now.
func (f *Floor) setBucket(b acd.Bucket) {
	if cfg := f.serving(b.Queue); cfg != nil {
		f.matcher.SetBucket(b, cfg.Strategy, f.places(cfg, b.Switch))
		return
	}
	f.matcher.SetBucket(b, o.LongestIdle, nil)
}

// serving is the configuration by which a queue's calls find their agents: the
// current one, or the last one of a queue that was removed while calls waited.
func (f *Floor) serving(id o.QueueID) *o.Queue {
	if q := f.Queues[id]; q != nil {
		return q.Config
	}
	for _, old := range slices.Backward(f.OldQueues) {
		if old.ID == id {
			return old
		}
	}
	return nil
}

// bucketOf is the bucket a queue's calls on a switch begin in.
func bucketOf(q *o.Queue, sw o.SwitchID) acd.Bucket {
	return acd.Bucket{Queue: q.ID, Skills: acd.SkillsKey(q.Skills), Switch: sw}
}

// places lists who may serve the queue's calls on a switch: its agents with its
// skills, unless their phones are out of reach from there.
func (f *Floor) places(q *o.Queue, sw o.SwitchID) []acd.Place {
	places := make([]acd.Place, 0, len(q.Agents))
	for _, qa := range q.Agents {
		a := f.Agents[qa.Agent]
		if a != nil && !a.Removed && skilled(a.Skills, q.Skills) && f.inReach(a, sw) {
			places = append(places, acd.Place{Agent: qa.Agent, Level: qa.Level})
		}
	}
	return places
}

// inReach reports whether calls on a switch can be brought to where the agent
// sits.
func (f *Floor) inReach(a *agent, from o.SwitchID) bool {
	ph := f.Phones[a.Phone]
	return ph == nil || f.reaches(from, ph.Switch)
}

// reseat brings the buckets of an agent's queues in line with the phone they
// have logged in at.
func (f *Floor) reseat(a *agent) {
	if len(f.PBXs) < 2 {
		return
	}
	for _, b := range f.matcher.Buckets() {
		if q := f.Queues[b.Queue]; q != nil {
			if _, serves := q.members[a.ID]; serves {
				f.setBucket(b)
			}
		}
	}
}

func skilled(has map[string]int, needs []o.SkillNeed) bool {
	return !slices.ContainsFunc(needs, func(n o.SkillNeed) bool { return has[n.Skill] < max(n.Level, 1) })
}

// indexAll brings the matcher in line for every agent.
func (f *Floor) indexAll() {
	for _, id := range sortedKeys(f.Agents) {
		f.index(f.Agents[id])
	}
}

// flowVersion finds a flow a call lives by, current or not.
func (f *Floor) flowVersion(id o.FlowID, version uint64) *o.Flow {
	if cur := f.Flows[id]; cur != nil && cur.Version == version {
		return cur
	}
	for _, old := range f.OldFlows {
		if old.ID == id && old.Version == version {
			return old
		}
	}
	return nil
}

// queueVersion finds a queue a call lives by, current or not.
func (f *Floor) queueVersion(id o.QueueID, version uint64) *o.Queue {
	if cur := f.Queues[id]; cur != nil && cur.Config.Version == version {
		return cur.Config
	}
	for _, old := range f.OldQueues {
		if old.ID == id && old.Version == version {
			return old
		}
	}
	return nil
}

// forgetOld drops versions no call lives by any more.
func (f *Floor) forgetOld() {
	if len(f.OldFlows) == 0 && len(f.OldQueues) == 0 {
		return
	}
	flows, queues := map[*o.Flow]bool{}, map[*o.Queue]bool{}
	for _, c := range f.Calls { // order-free: fills sets
		flows[c.flow], queues[c.queue] = true, true
		if c.queue != nil && f.Queues[c.QueueID] == nil {
			queues[f.serving(c.QueueID)] = true
		}
	}
	f.OldFlows = slices.DeleteFunc(f.OldFlows, func(v *o.Flow) bool { return !flows[v] })
	f.OldQueues = slices.DeleteFunc(f.OldQueues, func(v *o.Queue) bool { return !queues[v] })
}
