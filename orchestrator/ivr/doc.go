// Package ivr knows flows: which are sound, where an exit leads, and whether
// the digits a caller has dialled are a choice of a menu.
//
// The package refuses to run a flow: it starts no prompt, keeps no timer and
// holds no state of any call. The floor does, one node at a time.
package ivr
