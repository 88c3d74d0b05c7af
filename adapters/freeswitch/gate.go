package freeswitch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gate paces the making of legs. Its rate is the configured cap while legs are
// set up quickly. A slow one halves it and quick ones raise it again step by
// step: past its knee FreeSWITCH answers later and later (leg set-up of 47 ms at
// 45 calls a second, 847 ms at 60), so the load has to go before that. After a
// few in a row that took far too long the switch counts as overloaded: then one
// leg a second is tried and all others are refused at once, until it is quick, or nothing was amiss for a while.
type gate struct {
	limiter *rate.Limiter
	flying  chan struct{} // bounds the creates under way

	mu      sync.Mutex
	most    rate.Limit
	halved  time.Time
	strikes int       // legs in a row that took far too long
	broke   time.Time // when the last of them was
	over    bool
	probed  time.Time     // while over: the last one tried
	link    time.Duration // the quickest answer to a ping: what the way alone costs
}

// What is slow, beyond what the way alone costs, and how far that may lower the
// rate: a busy machine makes single legs slow, and that must not stop dialling.
const (
	slowCreate    = 150 * time.Millisecond
	brokenCreate  = 800 * time.Millisecond
	strikesMost   = 3
	slowShare     = 8                      // of the cap, for what is merely slow
	lowestRate    = rate.Limit(1)          // for what is broken
	halveEvery    = 500 * time.Millisecond // one burst of slow answers counts once
	recoverFactor = 1.1
	mostCreates   = 64 // under way at once
	probeEvery    = time.Second
	calmAfter     = 5 * time.Second
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
	took -= g.link
	g.adjust(took, now)
	was := g.over
	switch {
	case took > brokenCreate:
		g.strikes++
		g.broke = now
		g.over = g.over || g.strikes >= strikesMost
	case took <= slowCreate:
		g.strikes, g.over = 0, false
	default:
		g.strikes = 0
	}
	return g.over, g.over != was
}

// calm reports that an overload is over because nothing was amiss for a while:
// whoever was told of it may have stopped dialling, so that no quick leg will
// ever show it.
func (g *gate) calm(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over || now.Sub(g.broke) < calmAfter {
		return false
	}
	g.over, g.strikes = false, 0
	return true
}

// adjust sets the rate after one leg.
func (g *gate) adjust(took time.Duration, now time.Time) {
	current := g.limiter.Limit()
	floor := g.most / slowShare
	if took > brokenCreate {
		floor = min(lowestRate, g.most)
	}
	switch {
	case took > slowCreate && now.Sub(g.halved) >= halveEvery:
		g.halved = now
		current = max(current/2, min(floor, current))
	case took <= slowCreate && current < g.most:
		current = min(current*recoverFactor, g.most)
	}
	g.limiter.SetLimit(current)
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
