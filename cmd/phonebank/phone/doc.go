// Package phone is a SIP desk phone (or a caller) with ears and a mouth, for tests and load runs.
//
// A Phone registers with digest authentication, answers, rejects or ignores calls as told, dials,
// sends DTMF, holds and transfers. While a call is up it sends one tone and keeps a timeline of the
// tones it hears, so that a test can say who heard whom and when. All times are wall-clock times of
// the datagrams themselves: on Linux the kernel's arrival stamp for what came in, the moment before
// the write for what went out.
//
// What it refuses to do: video, SRTP, codecs other than G.711, transports other than UDP, and
// following a REFER that the far end sends. It is a measuring instrument, not a softphone.
//
// SIP and RTP are those of diago and sipgo. Where these are wrong in a way that would spoil a
// measurement, the place says so with the words "diago:" or "sipgo:" and what happens without it.
package phone
