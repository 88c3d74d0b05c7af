// Package e2e holds the end-to-end tests: a real Asterisk (docker/lab), real
// SIP phones whose sound is measured (cmd/phonebank/phone), and the ringmaster
// program itself, started, killed and asked over its REST API as a user would.
//
// They skip, loudly, on a machine without an Asterisk for the lab;
// docker/install.sh test brings one.
package e2e
