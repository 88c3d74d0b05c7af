package phone

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"
)

// scmTimestampNS is the control message of SO_TIMESTAMPNS (socket(7)): a struct timespec of 64-bit fields on
// every 64-bit platform.
const scmTimestampNS = syscall.SO_TIMESTAMPNS

// stamper reads datagrams with the kernel's arrival time. On a busy machine a goroutine may be some
// milliseconds late, which is what the measurements of call set-up are about.
type stamper struct {
	conn *net.UDPConn
	oob  []byte
}

func newStamper(conn *net.UDPConn) *stamper {
	s := &stamper{conn: conn}
	raw, err := conn.SyscallConn()
	if err != nil {
		return s
	}
	_ = raw.Control(func(fd uintptr) {
		if syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1) == nil {
			s.oob = make([]byte, syscall.CmsgSpace(16))
		}
	})
	return s
}

func (s *stamper) read(b []byte) (int, net.Addr, time.Time, error) {
	n, oobn, _, from, err := s.conn.ReadMsgUDP(b, s.oob)
	now := time.Now()
	if err != nil {
		return n, nil, now, err
	}
	if at, ok := arrival(s.oob[:oobn]); ok && at.Before(now) {
		// Kept relative to the monotonic clock, like every other time of this package.
		now = now.Add(-now.Sub(at))
	}
	return n, from, now, nil
}

// arrival reads the time stamp out of the control messages.
func arrival(oob []byte) (time.Time, bool) {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Time{}, false
	}
	for _, m := range msgs {
		if m.Header.Level == syscall.SOL_SOCKET && m.Header.Type == scmTimestampNS && len(m.Data) == 16 {
			sec := int64(binary.NativeEndian.Uint64(m.Data[:8]))
			nsec := int64(binary.NativeEndian.Uint64(m.Data[8:]))
			return time.Unix(sec, nsec), true
		}
	}
	return time.Time{}, false
}
