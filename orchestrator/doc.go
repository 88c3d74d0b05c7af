// Package orchestrator holds the words of a call centre and nothing else: the
// configuration it runs on, the events that reach it, the commands and asks it
// issues, the facts it decides, and the two ports (Switch, Store) to the world.
//
// # Glossary
//
//   - Agent: a person who takes calls, on whatever phone they logged in from.
//   - Phone: a device registered to a switch, known by its endpoint.
//   - Queue: calls that wait for one of a set of agents.
//   - Call: a customer's whole visit, from arrival to the end of the last leg.
//   - Leg: one connection between a switch and one party.
//   - Bridge: the place on a switch where legs hear each other.
//   - Offer: one ring of one call at one agent. It ends with exactly one outcome.
//   - Flow, node: what an arriving call goes through, step by step.
//   - Service call: an agent dialling a feature code; it never reaches a queue.
//   - Switch: the PBX that carries the audio.
//   - Floor: one tenant's call centre, one sequential state machine.
//   - Event: something that happened outside and reached the floor.
//   - Fact: something the floor decided, past tense, immutable. State is the
//     fold of facts and changes in no other way.
//   - Command: an order to a switch. Ask: a question to anything else.
//
// The package imports only the standard library. It refuses to decide
// (orchestrator/floor), to do I/O (adapters) and to speak HTTP (api).
package orchestrator
