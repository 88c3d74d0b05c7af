// Package conformance holds the suites every implementation of a port passes.
//
// Switch is the contract of orchestrator.Switch as tests: one for each sentence
// of switch.go, command.go and event.go that an orchestrator relies on. The
// simulated switch and every adapter run the same ones, so that what the
// simulation proves is proven about something real.
//
// The package refuses to know any switch: whatever differs between two of them
// is asked of the Harness or read from Capabilities.
package conformance
