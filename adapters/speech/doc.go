// Package speech turns words into prompt files a PBX can play: 8 kHz, mono,
// 16 bit PCM WAV, the one kind of .wav every Asterisk takes.
//
// The words are spoken by a program the machine already has, espeak-ng or flite
// (both are Debian packages). What it says is brought to 8 kHz by a filter of
// our own, freed of silence at both ends, levelled, and kept in a folder under
// a name that stands for engine, voice, language and words. The same words are
// spoken once, however many callers ask at the same moment.
//
// Words come from configuration and from callers' names, so they are hostile:
// they travel in a file, never through a shell and never as an argument, and
// everything an engine would take for a command of its own is taken out.
//
// The package refuses to interpret markup (SSML), to fetch anything from a
// network, and to guess a language.
package speech
