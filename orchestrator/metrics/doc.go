// Package metrics defines every figure of the call centre, each once, with its
// formula and where the formula comes from.
//
// The package refuses to store, to average figures that were rounded before,
// and to change a formula in place: a figure that is counted otherwise gets
// another name.
package metrics
