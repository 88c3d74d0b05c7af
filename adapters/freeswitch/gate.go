package freeswitch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gate paces the making of legs: at most the configured cap a second, and at
// most a few under way at once, so that a switch that slows down is asked for
// as many as it makes and no more. Past its knee FreeSWITCH answers later and
// later (leg set-up of 47 ms at 45 calls a second, 847 ms at 60), so the load
// has to go before that: a leg that took far too long halves the rate, quick
// ones raise it again step by step. After a few such in a row the switch counts
// as overloaded: then one leg a second is tried and all others are refused at
// once, until it is quick, or nothing was amiss for a while.
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

// What is slow, beyond what the way alone costs. A busy machine makes single
// legs slow, which must not lower the rate: the calls that then wait cost the
// switch more, for their music, than their dials.
const (
	slowCreate    = 150 * time.Millisecond
	brokenCreate  = 800 * time.Millisecond
	strikesMost   = 3
	lowestRate    = rate.Limit(1)
	halveEvery    = 500 * time.Millisecond // one burst of slow answers counts once
	recoverFactor = 1.1
	mostCreates   = 8 // under way at once
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

// overloaded reports whether that was told last.
func (g *gate) overloaded() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.over
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
	switch {
	case took > brokenCreate && now.Sub(g.halved) >= halveEvery:
		g.halved = now
		current = max(current/2, min(lowestRate, g.most))
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
