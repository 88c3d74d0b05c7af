package asterisk

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gate paces the making of legs. Its rate is the configured cap while creates
// are quick. A slow create halves it, down to one a second, and quick ones
// raise it again step by step: an Asterisk past its knee answers later and
// later and then not at all, so the load has to go before that.
type gate struct {
	limiter *rate.Limiter
	flying  chan struct{} // bounds the creates under way

	mu       sync.Mutex
	most     rate.Limit
	halved   time.Time
	troubled time.Time     // the last sign of overload
	reason   string        // what it was
	told     bool          // that it is overloaded
	link     time.Duration // the quickest answer to a ping: what the way alone costs
}

const (
	slowCreate    = 100 * time.Millisecond // beyond what the way alone costs
	lowestRate    = rate.Limit(1)
	halveEvery    = 500 * time.Millisecond // one burst of slow answers counts once
	recoverFactor = 1.1
	mostCreates   = 8 // under way at once
)

func newGate(perSecond float64, burst int) *gate {
	return &gate{
		limiter: rate.NewLimiter(rate.Limit(perSecond), burst), most: rate.Limit(perSecond),
		flying: make(chan struct{}, mostCreates),
	}
}

// enter waits for a turn until ctx ends; after true, leave must be called.
func (g *gate) enter(ctx context.Context) bool {
	if g.limiter.Wait(ctx) != nil {
		return false
	}
	select {
	case g.flying <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave ends a turn that took so long.
func (g *gate) leave(took time.Duration, now time.Time) {
	<-g.flying
	g.mu.Lock()
	defer g.mu.Unlock()
	slow := took-g.link > slowCreate
	if slow {
		g.reason, g.troubled = overSlow, now
	}
	switch current := g.limiter.Limit(); {
	case slow && now.Sub(g.halved) >= halveEvery:
		g.halved = now
		g.limiter.SetLimit(max(current/2, min(lowestRate, g.most)))
	case !slow && current < g.most:
		g.limiter.SetLimit(min(current*recoverFactor, g.most))
	}
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
