// Package simulation runs whole days of a call centre in seconds, from a seed.
//
// It holds a virtual clock, a switch that exists only in memory and speaks the
// contract of orchestrator.Switch, people (callers and agents with desk
// phones), faults, and checkers that look at the floor after every step. The
// same seed gives the same run to the last byte.
//
// The simulated switch refuses what no switch could do (ring a leg twice, join
// a leg that ended) and objects aloud, because a floor that orders the
// impossible has lost track of the world; see the checkers in check_*.go.
//
// The package refuses to read a real clock, to start a goroutine and to do I/O.
// The simulated switch in real time is the package adapter below it.
package simulation
