// Package freeswitch is orchestrator.Switch over the event socket (ESL) of
// FreeSWITCH, version 1.11.1 and its successors.
//
// # How it is built
//
// One session is one connection for events and a few for commands, because
// FreeSWITCH sends no event on a connection while it carries out a command
// there. A reader only copies events into a bounded queue; one goroutine takes
// them out in order and keeps a small book of the legs. Commands are
// pipelined: FreeSWITCH answers in order on each connection, and an answer that
// nobody waits for any more is still taken off its place in the line. The
// framing, the parser and the delivery of events are our own, because those of
// percipia/eslgo swap answers, lose order and lose events (library_test.go
// shows each defect and what happens here); its words of the protocol and its
// builders of plain commands are used.
//
// # What lies on the switch
//
// Legs in our care are parked. A leg carries what a snapshot needs in
// variables: rm_entry and rm_number from the dialplan, rm_stamp, rm_bridge,
// rm_role. A bridge is only the name that two legs carry in rm_bridge.
//
// A leg that waits has a guard, a scheduled transfer to the dialplan's
// fallback, which is put off while we live. One that talks has none: what
// becomes of it after the talk is said by transfer_after_bridge, so that
// FreeSWITCH itself parks it under a new guard. If we die, those who talk go on
// talking and those who wait are served by the fallback.
//
// # What is promised
//
//   - What is told of one leg is in order: it rings before it is up, and after
//     its end comes nothing. FreeSWITCH itself hands events out in their order
//     as long as it does so with one thread (initial-event-threads, which doctor
//     looks at). Events that come in another order nevertheless are not sorted,
//     because waiting for a late one would delay all others: each carries its
//     number (Event-Sequence), a leg only goes forward, and one that is older
//     than what is known of its leg takes nothing back. Ringing that comes after
//     the answer is left out; a park that comes after the end brings no leg
//     back. Stats.Late counts them.
//   - What may have been missed is said: SwitchLost, then SwitchSynced before
//     anything else. So is a switch that answers and tells nothing any more:
//     the event HEARTBEAT is missed.
//   - Only events confirm. A command without an answer is never repeated; the
//     leg is read again and the difference reported.
//   - A leg ends with exactly one LegEnded. A Dial that was not accepted leaves
//     no leg and no events behind.
//   - The reader never waits for whoever takes the events: a client that is
//     connected and does not read freezes FreeSWITCH.
//   - An orchestrator that finds a newer epoch on the switch issues no command,
//     also after it was stopped and continued.
//
// The package refuses to decide anything about calls, to keep state beyond the
// legs alive on the switch, and to send text it has not validated or encoded.
package freeswitch
