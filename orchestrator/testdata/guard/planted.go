// Package planted holds what the guard must find in a package that decides:
// every line marked so, and no other.
package planted

import (
	"fmt"
	"maps"
	"math/rand"
	v2 "math/rand/v2"
	"slices"
	"time"
)

type book map[string]int

func ranges[M ~map[string]int](m map[string]int, b book, g M, list []int) (total int) {
	for range m { // want
		total++
	}
	for k := range b { // want
		total += len(k)
	}
	for k := range g { // want
		total += len(k)
	}
	for _, v := range m { // order-free: a sum
		total += v
	}
	for _, v := range m { // order-free: // want a reason
		total += v
	}
	// order-free: on another line
	for _, v := range m { // want
		total += v
	}
	for k := range maps.Keys(m) { // want
		total += len(k)
	}
	for k, v := range maps.All(m) { // order-free: a sum
		total += v + len(k)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		total += len(k)
	}
	values := slices.Collect(maps.Values(m)) // want
	for _, v := range append(values, list...) {
		total += v
	}
	return total
}

func together(in chan int) int {
	out := make(chan int) // want
	go func() {           // want
		out <- 1 // want
	}()
	select { // want
	case v := <-in: // want
		return v
	default:
	}
	for v := range in { // want
		return v
	}
	close(out)   // want
	return <-out // want
}

func ambient(at time.Time) time.Time {
	fmt.Println("now") // want
	println("now")     // want
	_ = fmt.Sprint("now")
	now := time.Now                                         // want
	if time.Since(at) > time.Second || time.Until(at) > 0 { // want
		time.Sleep(1) // want
	}
	<-time.After(1)                  // want
	_ = time.NewTimer(1)             // want
	_ = time.Tick(1)                 // want
	_, _ = time.LoadLocation("UTC")  // want
	_ = at.In(time.Local)            // want
	_ = at.Local()                   // want
	_ = rand.Intn(6)                 // want
	_ = v2.IntN(6)                   // want
	v2.Shuffle(1, func(int, int) {}) // want
	_ = v2.New(v2.NewPCG(1, 2)).IntN(6)
	_ = rand.New(rand.NewSource(1)).Intn(6)
	return at.Add(time.Hour).UTC().In(time.UTC).AddDate(0, 0, int(now().Sub(at)))
}
