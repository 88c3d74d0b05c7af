// Package asterisk is orchestrator.Switch over the REST interface of Asterisk
// (ARI), versions 20.21, 22.10.1 and their successors.
//
// # How it is built
//
// One session is one websocket. Its reader only copies messages into a bounded
// queue; one goroutine takes them out in order, decodes them with the models
// of CyCoreSystems/ari, and keeps a small book of the legs it must remember:
// what was reported of them, which plays and recordings run, who listens to
// them, who ended them. Commands go over
// HTTP from the goroutine that calls Do. The websocket, the HTTP client and the
// delivery of events are our own, because those of CyCoreSystems/ari lose,
// reorder and panic (library_test.go shows each defect and what happens here).
//
// # What is promised
//
//   - Events of one leg come in order. What may have been missed is said:
//     SwitchLost, then SwitchSynced before anything else.
//   - Only events confirm. A request without an answer is never repeated; the
//     leg is read again and the difference reported.
//   - A leg ends with exactly one LegEnded. A Dial that was not accepted leaves
//     no leg and no events behind.
//   - A leg hung up while it is being made never rings.
//   - A phone's REFER is asked for, not done, and answered only when Asterisk is
//     through with it (see sayTransfer: earlier would end the PBX).
//   - A recording is two files of one sound each, and is found again after a
//     restart of ours. A mask is ordered once per side; one whose fate is not
//     known ends the recording, because a second order would un-mask.
//   - Taps, the snoop channels that recording and supervision hang on a leg, are
//     never told as legs, nor their bridges as bridges.
//   - Another orchestrator's takeover ends all commands until Resync is called.
//
// The package refuses to decide anything about calls, to keep state beyond the
// legs alive on the switch, and to send text it has not validated or encoded.
package asterisk
