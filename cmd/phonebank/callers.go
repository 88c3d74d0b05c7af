package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ringmaster/cmd/phonebank/phone"
)

// crowd is one group of callers. Without accounts one phone makes all the calls; with accounts each makes one at
// a time.
type crowd struct {
	plan *callerPlan
	idle chan *phone.Phone
	dice *dice
}

// arrive makes a group's calls.
func (b *bank) arrive(ctx context.Context, g *crowd, place func(*phone.Phone, job)) {
	next := time.Now()
	for n := 1; g.plan.limit == 0 || n <= g.plan.limit; n++ {
		gap := 1 / g.plan.rate
		if g.plan.poisson {
			gap = g.dice.ExpFloat64() / g.plan.rate
		}
		next = next.Add(time.Duration(gap * float64(time.Second)))
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
			return
		}
		select {
		case p := <-g.idle:
			place(p, g.draw(n))
		default:
			b.tally.notPlaced()
		}
	}
}

// job is what was drawn for one call, on the goroutine that owns the dice.
type job struct {
	options        phone.DialOptions
	toneHz         int
	patience, talk time.Duration
	dice           *dice
}

func (g *crowd) draw(n int) job {
	number := func(s string) string { return strings.ReplaceAll(s, "{n}", fmt.Sprintf("%04d", n)) }
	return job{
		options:  phone.DialOptions{CallerNumber: number(g.plan.number), CallerName: number(g.plan.name)},
		toneHz:   g.plan.tones[n%len(g.plan.tones)],
		patience: g.plan.patience.draw(g.dice), talk: g.plan.talk.draw(g.dice),
		dice: newDice(g.dice.Uint64(), uint64(n)),
	}
}

// call is one caller's call. It ends early with life.
func (b *bank) call(life context.Context, p *phone.Phone, g *callerPlan, j job) {
	ctx, cancel := context.WithTimeout(life, j.patience)
	defer cancel()
	c, err := p.Dial(ctx, g.dial, j.options)
	if err != nil {
		b.tally.callerFailed(err)
		return
	}
	_ = c.SetTone(j.toneHz) // the plan's tones were checked
	b.tally.placed()
	var reached time.Time
	if c.WaitAnswer(ctx) == nil {
		reached = b.seek(ctx, c, g, j)
	}
	if !reached.IsZero() {
		b.tally.reachedNow()
		select {
		case <-time.After(time.Until(reached.Add(j.talk))):
		case <-c.Done():
		case <-life.Done():
		}
	}
	end, stop := context.WithTimeout(context.Background(), hangUpTime)
	defer stop()
	_ = c.Hangup(end)
	<-c.Done()
	b.tally.callerCall(c, reached)
}

// seek follows the script and listens for an agent. It returns the zero time when the call ended or the patience
// ran out first. Where the scenario has no agents, being answered is all there is.
func (b *bank) seek(ctx context.Context, c *phone.Call, g *callerPlan, j job) time.Time {
	script := make(chan struct{})
	scriptCtx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(script)
		_ = follow(scriptCtx, c, g.steps, j.dice) // a call that ended is told by the call itself
	}()
	defer func() {
		cancel()
		<-script
	}()
	if len(b.plan.agentHz) == 0 {
		select {
		case <-script:
		case <-ctx.Done():
		}
		return c.Times().Answered
	}
	tick := time.NewTicker(listenEvery)
	defer tick.Stop()
	for {
		if at, ok := firstOf(c.Ear(), b.plan.agentHz, c.Times().Invite); ok {
			return at
		}
		select {
		case <-tick.C:
		case <-c.Done():
			return time.Time{}
		case <-ctx.Done():
			return time.Time{}
		}
	}
}

// listenEvery is how often a waiting caller looks whether an agent was heard. The time itself is that of the packet.
const listenEvery = 50 * time.Millisecond

// firstOf is when any of the tones was first heard.
func firstOf(e *phone.Ear, hz []int, since time.Time) (time.Time, bool) {
	var first time.Time
	for _, f := range hz {
		if at, ok := e.First(f, since); ok && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first, !first.IsZero()
}
