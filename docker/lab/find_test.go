package lab

import (
	"fmt"
	"net"
	"testing"
)

func TestGoodVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"Asterisk 22.10.1+dfsg+~cs6.17.60671434-1": true,
		"Asterisk 22.11.0":                         true,
		"Asterisk 22.10.0":                         false,
		"Asterisk 22.9.0":                          false,
		"Asterisk 20.21.0":                         true,
		"Asterisk 20.20.3":                         false,
		"Asterisk 21.99.0":                         false,
		"Asterisk 23.5.0-rc1":                      true,
		"Asterisk 23.4.1":                          false,
		"Asterisk 24.0.0":                          true,
		"Asterisk certified/22.11-cert1":           true,
		"Asterisk GIT-master-1234":                 false,
		"":                                         false,
	} {
		if got := goodVersion(version); got != want {
			t.Errorf("%q: got %v, want %v", version, got, want)
		}
	}
}

// Ports other programs use are passed over, also inside a slot.
func TestSlotPassesOverTakenPorts(t *testing.T) {
	first, err := takeSlot()
	if err != nil {
		t.Fatal(err)
	}
	first.release()
	udp, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", first.sip))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	second, err := takeSlot()
	if err != nil {
		t.Fatal(err)
	}
	defer second.release()
	if second.sip == first.sip || second.http == second.sip {
		t.Errorf("first %+v, second %+v", first, second)
	}
}
