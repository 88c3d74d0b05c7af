//go:build !linux

package phone

import (
	"net"
	"time"
)

// stamper reads datagrams; the time is that of the goroutine.
type stamper struct{ conn *net.UDPConn }

func newStamper(conn *net.UDPConn) *stamper { return &stamper{conn: conn} }

func (s *stamper) read(b []byte) (int, net.Addr, time.Time, error) {
	n, from, err := s.conn.ReadFromUDP(b)
	return n, from, time.Now(), err
}
