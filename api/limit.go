package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimited bounds how many names a limiter remembers.
const maxLimited = 10_000

// limiter is a token bucket per name: a key, or an address.
type limiter struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newLimiter(r rate.Limit, burst int) *limiter {
	return &limiter{rate: r, burst: burst, buckets: map[string]*rate.Limiter{}}
}

// take takes one token of name's bucket; false when there is none.
func (l *limiter) take(name string, now time.Time) bool {
	return l.bucket(name, now).AllowN(now, 1)
}

// empty reports whether take would be refused, without taking.
func (l *limiter) empty(name string, now time.Time) bool {
	return l.bucket(name, now).TokensAt(now) < 1
}

func (l *limiter) bucket(name string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[name]
	if b == nil {
		if len(l.buckets) >= maxLimited {
			l.evict(now)
		}
		b = rate.NewLimiter(l.rate, l.burst)
		l.buckets[name] = b
	}
	return b
}

// evict forgets the buckets that are full: forgetting those changes nothing.
// When none is, it forgets them all, which errs on the side of letting in: a
// flood of addresses must not lock out those who hold keys.
func (l *limiter) evict(now time.Time) {
	for name, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, name)
		}
	}
	if len(l.buckets) >= maxLimited {
		clear(l.buckets)
	}
}
