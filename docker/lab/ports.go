package lab

import (
	"errors"
	"fmt"
	"net"
)

// The port plan: labs share out 10000 to 31999, which lies below the range the
// kernel gives to clients, in slots of 1000 ports. The first port of a slot,
// held open as a TCP listener, is the lock: it needs no file, works between
// users, and the kernel frees it when this process dies.
const (
	firstPort = 10000
	lastPort  = 31999
	slotPorts = 1000
	rtpOffset = 20
)

// slot is one lab's share of the ports. RTP may use rtpLow to rtpHigh: 980
// ports, two per leg, are 245 calls with two legs.
type slot struct {
	lock            net.Listener
	sip, http       int
	rtpLow, rtpHigh int
}

// takeSlot takes the first free slot. Ports in it that some other program uses
// are passed over.
func takeSlot() (*slot, error) {
	for base := firstPort; base+slotPorts-1 <= lastPort; base += slotPorts {
		lock, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", base))
		if err != nil {
			continue
		}
		s := &slot{lock: lock, rtpLow: base + rtpOffset, rtpHigh: base + slotPorts - 1}
		if s.choose(base+1, base+rtpOffset-1) {
			return s, nil
		}
		s.release()
	}
	return nil, errors.New("no free ports between 10000 and 31999: stop another lab")
}

// choose finds a free UDP port for SIP and a free TCP port for HTTP.
func (s *slot) choose(low, high int) bool {
	for port := low; port <= high && (s.sip == 0 || s.http == 0); port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if s.sip == 0 && udpFree(addr) {
			s.sip = port
		} else if s.http == 0 && tcpFree(addr) {
			s.http = port
		}
	}
	return s.sip != 0 && s.http != 0
}

func udpFree(addr string) bool {
	conn, err := net.ListenPacket("udp4", addr)
	return err == nil && conn.Close() == nil
}

func tcpFree(addr string) bool {
	conn, err := net.Listen("tcp4", addr)
	return err == nil && conn.Close() == nil
}

// release gives the slot back. A nil or released slot is accepted, because Stop
// may run after any half of Start.
func (s *slot) release() {
	if s != nil {
		_ = s.lock.Close()
	}
}
