// Package share lets the floors of several tenants use one switch over one
// connection, because a switch accepts one orchestrator at a time: a second
// connection would fence the first.
//
// Each tenant gets a view that is an orchestrator.Switch of its own. What
// arrives is told to the tenant it is for, by the number dialled or the phone
// it came from; from then on its events go to that tenant alone. What concerns
// the switch as a whole is told to all.
//
// The package refuses to decide who owns a number or a phone (the caller's
// Router does) and to let one tenant's slow floor hold up another's.
package share
