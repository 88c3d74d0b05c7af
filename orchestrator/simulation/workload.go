package simulation

import (
	"time"

	"ringmaster/orchestrator"
)

// schedule lays out the day: who logs in, when calls come, what goes wrong,
// and when all that is over.
func (w *World) schedule() {
	d := w.dice
	for i := range w.phones {
		w.clock.After(d.between(0, 30*time.Second), func() { w.logIn(i) })
	}
	at := 5 * time.Second
	for range w.plan.Calls {
		if w.plan.Coarse == 0 || d.chance(50) {
			at += d.about(w.plan.Every)
		}
		w.clock.After(at, w.call)
	}
	w.life(at)
	w.trouble(at)
	w.clock.After(at+time.Second, w.heal)
}

// heal ends all faults. What is broken mends by itself from here on.
func (w *World) heal() {
	w.calm = true
	for _, p := range w.phones {
		p.Register()
		p.Foreign(false)
	}
	for _, t := range w.trunks {
		t.Down(false)
	}
}

// often has do happen again and again until the end.
func (w *World) often(is bool, end, mean time.Duration, do func()) {
	if !is {
		return
	}
	for at := w.dice.about(mean); at < end; at += w.dice.about(mean) {
		w.clock.After(at, do)
	}
}

// trouble is the faults that come at a time of their own.
func (w *World) trouble(end time.Duration) {
	f := w.plan.Faults
	w.often(f.Cuts, end, 90*time.Second, func() { w.someWire().cut() })
	w.often(f.Restarts, end, 200*time.Second, func() { w.someWire().sw.Restart() })
	w.often(f.Takeovers, end, 200*time.Second, func() { w.someWire().taken() })
	w.often(f.Cuts && len(w.trunks) > 0, end, 60*time.Second, w.cutTrunk)
	w.often(f.Crashes, end, 60*time.Second, func() {
		if w.dead {
			return
		}
		if w.dice.chance(70) {
			w.dying = true // at the next step: its facts are durable, its commands lost
			return
		}
		w.crash()
	})
	w.often(f.Phones, end, 30*time.Second, func() {
		p := pick(w.dice, w.phones...)
		if w.dice.chance(50) {
			p.Unregister()
			w.clock.After(w.dice.about(20*time.Second), p.Register)
			return
		}
		if !p.inUse() {
			p.Foreign(true)
			w.clock.After(w.dice.about(30*time.Second), func() { p.Foreign(false) })
		}
	})
	w.often(f.Changes, end, 60*time.Second, w.change)
}

// life is what people do besides calling and answering.
func (w *World) life(end time.Duration) {
	f := w.plan.Faults
	w.often(f.Moods, end, 15*time.Second, func() { w.mood(w.dice.IntN(len(w.phones))) })
	w.often(f.Moods, end, 90*time.Second, func() {
		if id := w.book.anyCall(w.dice); id != "" && !w.dead {
			w.step(orchestrator.HangupAsked{Call: id, By: "supervisor"})
		}
	})
	w.often(w.plan.Transfers > 0, end, 20*time.Second, func() { w.dialOut(w.dice.IntN(len(w.phones))) })
	// However their day went, agents come back for the calls that wait.
	for i := range w.phones {
		w.clock.After(end+w.dice.between(2*time.Second, 20*time.Second), func() { w.logIn(i) })
	}
}

// logIn is the agent of phone i logging in, by phone or by an application.
func (w *World) logIn(i int) {
	if w.dice.chance(50) {
		w.code(i, "*11")
		return
	}
	w.ask(i, orchestrator.ActionLogin, "")
}

func (w *World) ask(i int, what orchestrator.AgentAction, reason string) {
	if w.dead {
		return
	}
	w.step(orchestrator.AgentAsked{
		Agent: w.plan.Config.Agents[i].ID, Action: what, Phone: w.plan.Config.Phones[i].ID, Reason: reason,
		Origin: orchestrator.OriginAPI, By: "crm",
	})
}

func (w *World) mood(i int) {
	reason := ""
	if len(w.plan.Config.Settings.PauseReasons) > 0 {
		reason = pick(w.dice, "lunch", "desk", "nonsense")
	}
	switch w.dice.IntN(11) {
	case 0:
		w.code(i, pick(w.dice, "*12", "*31", "*99", "555"))
	case 1:
		w.code(i, pick(w.dice, "*22", "*221", "*22"))
	case 2, 3:
		w.code(i, "*21")
	case 4:
		w.code(i, pick(w.dice, "*11", "*11101"))
	case 5:
		w.ask(i, orchestrator.ActionPause, reason)
	case 6, 7:
		w.ask(i, orchestrator.ActionReady, "")
	case 8:
		w.ask(i, orchestrator.ActionWrapUpDone, "")
	case 9:
		w.ask(i, orchestrator.ActionLogout, "")
	default:
		w.logIn(i)
	}
}

// change edits the configuration while calls live by it.
func (w *World) change() {
	if w.dead {
		return
	}
	d := w.dice
	c := orchestrator.Config{Settings: w.plan.Config.Settings}
	switch d.IntN(5) {
	case 4: // a phone, the hours or the number go
		c.Removed = []orchestrator.Removal{pick(d,
			orchestrator.Removal{Kind: orchestrator.KindPhone, ID: string(pick(d, w.plan.Config.Phones...).ID)},
			orchestrator.Removal{Kind: orchestrator.KindHours, ID: "office"},
			orchestrator.Removal{Kind: orchestrator.KindFlow, ID: "closing"},
			orchestrator.Removal{Kind: orchestrator.KindNumber, ID: "100"},
		)}
		w.clock.After(d.about(30*time.Second), func() {
			if !w.dead {
				w.step(orchestrator.ConfigChanged{Change: orchestrator.Config{
					Settings: w.plan.Config.Settings, Phones: w.plan.Config.Phones, Hours: w.plan.Config.Hours,
					Flows: []orchestrator.Flow{closing(w.seq + 1000)}, Numbers: w.plan.Config.Numbers,
				}})
			}
		})
	case 0: // other agents, other rules
		i := d.IntN(len(w.plan.Config.Queues))
		q := drawQueue(d, i, len(w.plan.Config.Queues), w.plan.Config.Agents)
		q.Version = w.seq + 1000
		c.Queues = []orchestrator.Queue{q}
	case 1:
		f := drawFlow(d, len(w.plan.Config.Queues))
		f.Version = w.seq + 1000
		c.Flows = []orchestrator.Flow{f}
	case 2: // an agent leaves the firm for a minute
		i := d.IntN(len(w.plan.Config.Agents))
		c.Removed = []orchestrator.Removal{{Kind: orchestrator.KindAgent, ID: string(w.plan.Config.Agents[i].ID)}}
		w.clock.After(d.about(60*time.Second), func() {
			if !w.dead {
				w.step(orchestrator.ConfigChanged{Change: orchestrator.Config{
					Settings: w.plan.Config.Settings, Agents: w.plan.Config.Agents[i : i+1],
				}})
			}
		})
	default: // a queue is closed for good, another opens under its name
		i := d.IntN(len(w.plan.Config.Queues))
		c.Removed = []orchestrator.Removal{{Kind: orchestrator.KindQueue, ID: string(queueID(i))}}
		w.clock.After(d.about(60*time.Second), func() {
			if !w.dead {
				q := drawQueue(w.dice, i, len(w.plan.Config.Queues), w.plan.Config.Agents)
				q.Version = w.seq + 1000
				w.step(orchestrator.ConfigChanged{Change: orchestrator.Config{
					Settings: w.plan.Config.Settings, Queues: []orchestrator.Queue{q},
				}})
			}
		})
	}
	w.step(orchestrator.ConfigChanged{Change: c})
}
