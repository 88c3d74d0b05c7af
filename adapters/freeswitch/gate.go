package freeswitch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gate paces the making of legs. Its rate is the configured cap while legs are
// set up quickly. A slow one halves it, down to one a second, and quick ones
// raise it again step by step: past its knee FreeSWITCH answers later and later
// (leg set-up of 47 ms at 45 calls a second, 847 ms at 60), so the load has to
// go before that. At a quarter of the cap the switch counts as overloaded:
// then one leg a second is tried and all others are refused at once, until it
// bears half of the cap.
type gate struct {
	limiter *rate.Limiter
	flying  chan struct{} // bounds the creates under way

	mu     sync.Mutex
	most   rate.Limit
	halved time.Time
	over   bool
	probed time.Time     // while over: the last one tried
	link   time.Duration // the quickest answer to a ping: what the way alone costs
}

const (
	slowCreate    = 150 * time.Millisecond // beyond what the way alone costs
	lowestRate    = rate.Limit(1)
	halveEvery    = 500 * time.Millisecond // one burst of slow answers counts once
	recoverFactor = 1.1
	mostCreates   = 64 // under way at once
	probeEvery    = time.Second
)

func newGate(perSecond float64, burst int) *gate {
	return &gate{
		limiter: rate.NewLimiter(rate.Limit(perSecond), burst), most: rate.Limit(perSecond),
		flying: make(chan struct{}, mostCreates),
	}
}

// enter waits for a turn until ctx ends; after true, leave must be called.
func (g *gate) enter(ctx context.Context, now time.Time) bool {
	if !g.open(now) || g.limiter.Wait(ctx) != nil {
		return false
	}
	select {
	case g.flying <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// open refuses all but a few while the switch is overloaded.
func (g *gate) open(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over && now.Sub(g.probed) < probeEvery {
		return false
	}
	g.probed = now
	return true
}

// leave ends a turn that took so long. changed says that the switch has become
// overloaded, or fit again.
func (g *gate) leave(took time.Duration, now time.Time) (over, changed bool) {
	<-g.flying
	g.mu.Lock()
	defer g.mu.Unlock()
	slow := took-g.link > slowCreate
	current := g.limiter.Limit()
	switch {
	case slow && now.Sub(g.halved) >= halveEvery:
		g.halved = now
		current = max(current/2, min(lowestRate, g.most))
	case !slow && current < g.most:
		current = min(current*recoverFactor, g.most)
	}
	if g.over && !slow {
		current = min(current*2, g.most) // Few are tried, so each counts for more.
	}
	g.limiter.SetLimit(current)
	was := g.over
	switch {
	case current <= g.most/4:
		g.over = true
	case current >= g.most/2:
		g.over = false
	}
	return g.over, g.over != was
}

// ping notes how long the answer to a ping took, so that a far switch is not
// taken for a slow one.
func (g *gate) ping(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.link == 0 || took < g.link {
		g.link = took
	}
}

func (g *gate) rate() float64 { return float64(g.limiter.Limit()) }
