// Package dialplans holds the files a telephony admin pastes into an existing
// PBX, so that one binary carries them and every test runs the very text that
// is shipped. It refuses to decide anything: it reads no configuration and
// fills in no value.
package dialplans

import "embed"

// Asterisk holds asterisk/*.conf and asterisk/README.md for Asterisk 20.21,
// 22.10.1 and newer. The files contain no password: every place that needs one
// says so and refuses to work until it is filled in.
//
//go:embed asterisk/*.conf asterisk/README.md
var Asterisk embed.FS

// FreeSWITCH holds freeswitch/*.xml and freeswitch/README.md for FreeSWITCH
// 1.11.1 or newer. As with Asterisk, no file contains a password, and none lets
// anybody in before one is set.
//
//go:embed freeswitch/*.xml freeswitch/README.md
var FreeSWITCH embed.FS
