package simulation

import (
	"math/rand/v2"
	"time"
)

// dice is the only chance in a simulation: a seed's own.
type dice struct {
	*rand.Rand
	grain time.Duration // of spans
}

func newDice(seed, stream uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, stream)), time.Millisecond}
}

// chance is true in that many of a hundred cases.
func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// between is a span from least to most, in whole grains where there is room.
func (d dice) between(least, most time.Duration) time.Duration {
	span := int64((most - least) / time.Millisecond)
	drawn := least + time.Duration(d.Int64N(span+1))*time.Millisecond
	return max(least, drawn.Truncate(d.grain))
}

// about is an exponentially distributed span of that mean, at most ten times
// as long.
func (d dice) about(mean time.Duration) time.Duration {
	f := min(d.ExpFloat64(), 10)
	return time.Duration(f * float64(mean)).Round(d.grain)
}

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }
