package phone

import (
	"net"
	"testing"
	"time"
)

// A reader that comes late must still learn when the datagram came.
func TestStampIsTheArrivalAndNotTheReading(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := newStamper(conn)
	if s.oob == nil {
		t.Skip("SKIPPED, this kernel gives no time stamps")
	}
	// The kernel begins to stamp some time after the first socket asks it to:
	// net_enable_timestamp (net/core/dev.c) leaves that to a work queue.
	const late, tries = 200 * time.Millisecond, 10
	lag := late
	for range tries {
		sent := time.Now()
		if _, err := conn.WriteTo([]byte("x"), conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(late)
		_, _, at, err := s.read(make([]byte, 10))
		if err != nil {
			t.Fatal(err)
		}
		if lag = at.Sub(sent); lag < late/2 {
			break
		}
	}
	if lag < -5*time.Millisecond || lag > late/2 {
		t.Errorf("stamped %s after it was sent", lag)
	}
}
