package main

import (
	"fmt"
	"strings"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/metrics"
)

// view is everything the panel shows.
type view struct {
	moment
	sound  sound
	now    time.Time
	opened time.Time
	closes time.Time // zero: at Ctrl-C
	link   string    // to the console
}

// mostEntries bounds the sentences shown on a tall screen.
const mostEntries = 10

// rows is the panel for a screen of that size. It fits into 24 rows of 80.
func (v view) rows(width, height int) []row {
	link := row{text: " Console  " + v.link, whole: true}
	rows := []row{v.head(), link, {}}
	rows = append(rows, v.queues()...)
	rows = append(rows, row{})
	rows = append(rows, v.agents()...)
	rows = append(rows, row{}, line(" Now     %s", v.present()), line(" So far  %s", v.past()), line(" Sound   %s", v.heard()), row{})
	if v.trouble != "" {
		rows = append(rows, styled(red, " No news from Ringmaster: "+v.trouble))
	}
	room := min(max(height-len(rows)-link.height(width), 0), mostEntries)
	for _, e := range v.latest[max(0, len(v.latest)-room):] {
		rows = append(rows, e.row())
	}
	return rows
}

func (e entry) row() row {
	r := row{text: fmt.Sprintf(" %s  %s", e.at.Local().Format(time.TimeOnly), e.text), to: 9, style: faint}
	if e.alarm {
		r.to, r.style = len([]rune(r.text)), red
	}
	return r
}

func (v view) head() row {
	end := "Ctrl-C closes it"
	if !v.closes.IsZero() {
		end = fmt.Sprintf("closes in %s", span(v.closes.Sub(v.now)))
	}
	return styled(bold, fmt.Sprintf(" Northwind Travel   %s   open for %s   %s",
		v.now.Local().Format(time.TimeOnly), span(v.now.Sub(v.opened)), end))
}

func (v view) queues() []row {
	rows := []row{styled(faint, fmt.Sprintf(" %-10s%9s%9s%9s%9s%10s%9s%9s",
		"QUEUE", "WAITING", "LONGEST", "TALKING", "READY", "ANSWERED", "IN TIME", "GAVE UP"))}
	for _, q := range v.floor.Queues {
		longest, inTime := "-", "-"
		if q.WaitingSince != nil {
			longest = span(v.now.Sub(*q.WaitingSince))
		}
		if level, ok := metrics.ServiceLevel(q.Today); ok {
			inTime = fmt.Sprintf("%.0f %%", 100*level)
		}
		r := line(" %-10s%9d%9s%9d%9d%10d%9s%9d", q.Name, q.Waiting, longest, q.Talking, q.AgentsReady,
			q.Today.Answered, inTime, q.Today.Abandoned)
		if q.Waiting > 0 {
			r.from, r.to, r.style = 11, 29, yellow
		}
		rows = append(rows, r)
	}
	return rows
}

func (v view) agents() []row {
	callers := map[o.CallID]string{}
	for _, c := range v.floor.Calls {
		callers[c.Call] = partyName(c.Caller)
	}
	rows := []row{styled(faint, fmt.Sprintf(" %-16s%-9s%-32s%8s", "AGENT", "PHONE", "STATE", "FOR"))}
	for _, a := range v.floor.Agents {
		text, style := v.doing(a, callers[a.Call])
		from := 1 + 16 + 9
		rows = append(rows, row{
			text: fmt.Sprintf(" %-16s%-9s%-32s%8s", a.Name, a.Phone, text, span(v.now.Sub(a.Since))),
			from: from, to: from + len([]rune(text)), style: style,
		})
	}
	return rows
}

// doing is an agent's state in words.
func (v view) doing(a o.LiveAgent, caller string) (string, style) {
	switch a.State {
	case o.AgentTalking:
		return "talks to " + caller, green
	case o.AgentHolding:
		return caller + " is on hold", green
	case o.AgentReserved:
		return "rings: " + caller, yellow
	case o.AgentWrapUp:
		if a.Until != nil {
			return "wrap-up, " + span(a.Until.Sub(v.now)) + " left", purple
		}
		return "wrap-up", purple
	case o.AgentPaused:
		return strings.TrimSuffix("paused ("+a.Reason+")", " ()"), purple
	case o.AgentPhoneLost:
		return "phone is gone", red
	case o.AgentBusy:
		return "on another line", purple
	case o.AgentLoggedOut:
		return "logged out", faint
	}
	return strings.ReplaceAll(string(a.State), "_", " "), plain
}

// present is where the calls of now are.
func (v view) present() string {
	now := map[o.CallPhase]int{}
	for _, c := range v.floor.Calls {
		now[c.Phase]++
	}
	return fmt.Sprintf("%s: %d in the menu, %d waiting, %d ringing, %d talking",
		count(len(v.floor.Calls), "call"), now[o.PhaseFlow], now[o.PhaseQueued], now[o.PhaseRinging], now[o.PhaseTalking])
}

// past is how the calls went that are over.
func (v view) past() string {
	t := v.calls
	text := fmt.Sprintf("%s: %d talked, %d gave up waiting", count(t.ended(), "call"), t.Talked, t.GaveUp)
	if t.LeftMenu > 0 {
		text += fmt.Sprintf(", %d hung up in the menu", t.LeftMenu)
	}
	if t.Other > 0 {
		text += fmt.Sprintf(", %d otherwise", t.Other)
	}
	return text
}

// heard is what the phones at both ends heard.
func (v view) heard() string {
	return fmt.Sprintf("both sides heard each other in %d of %s", v.sound.Both, count(v.sound.Both+v.sound.Deaf, "conversation"))
}

// plain is the panel in one line, for a file.
func (v view) plain() string {
	parts := []string{v.now.Local().Format(time.TimeOnly) + "  Now " + v.present(), "So far " + v.past()}
	for _, q := range v.floor.Queues {
		parts = append(parts, fmt.Sprintf("%s: %d waiting, %d answered", q.Name, q.Waiting, q.Today.Answered))
	}
	states := map[o.AgentState]int{}
	for _, a := range v.floor.Agents {
		states[a.State]++
	}
	parts = append(parts, fmt.Sprintf("Agents: %d talking, %d ready, %d paused",
		states[o.AgentTalking]+states[o.AgentHolding], states[o.AgentReady], states[o.AgentPaused]))
	if n := len(v.latest); n > 0 {
		parts = append(parts, "Latest: "+v.latest[n-1].text)
	}
	if v.trouble != "" {
		parts = append(parts, "No news from Ringmaster: "+v.trouble)
	}
	return strings.Join(parts, ".  ") + "."
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// span is a time in whole seconds or minutes, as people say it.
func span(d time.Duration) string {
	d = max(0, d.Round(time.Second))
	if d < 100*time.Second {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
}
