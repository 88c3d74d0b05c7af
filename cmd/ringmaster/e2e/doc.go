// Package e2e holds the end-to-end tests: a real Asterisk and a real FreeSWITCH
// (docker/lab), alone, linked or one after the other with the same scenario, real
// SIP phones whose sound is measured (cmd/phonebank/phone), and the ringmaster
// program itself, started, killed and asked over its REST API as a user would.
//
// They skip, loudly, on a machine without an Asterisk for the lab;
// docker/install.sh test brings one. FreeSWITCH has no Debian package: those with
// one skip unless RINGMASTER_FREESWITCH names its installation prefix.
package e2e
