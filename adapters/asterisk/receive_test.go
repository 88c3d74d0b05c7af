package asterisk

import (
	"net"
	"sync"
	"testing"

	"github.com/zaf/g711"
)

// Receive listens for RTP of G.711 µ-law (RFC 3550 5.1, RFC 3551 6).
func (h *harness) Receive(tb testing.TB) (to string, sound func() []int16) {
	tb.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	var lock sync.Mutex
	var heard []int16
	done := make(chan struct{})
	go func() {
		defer close(done)
		packet := make([]byte, 1500)
		for {
			n, err := conn.Read(packet)
			if err != nil {
				return
			}
			if n < 12 || packet[0] != 0x80 || packet[1]&0x7f != 0 {
				tb.Errorf("a packet of %d bytes is no RTP of payload type 0: % x", n, packet[:min(n, 12)])
				continue
			}
			lock.Lock()
			for _, u := range packet[12:n] {
				heard = append(heard, g711.DecodeUlawFrame(u))
			}
			lock.Unlock()
		}
	}()
	tb.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return conn.LocalAddr().String(), func() []int16 {
		lock.Lock()
		defer lock.Unlock()
		out := heard
		heard = nil
		return out
	}
}
