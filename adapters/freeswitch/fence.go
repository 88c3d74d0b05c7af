package freeswitch

import (
	"errors"
	"net"
)

// fencedConn asks before each write whether this orchestrator still leads.
// Whatever a command waited for before (its turn, a connection, a process that
// stood still), this is the last moment at which it can be held back.
type fencedConn struct {
	net.Conn
	may func() bool
}

var errFenced = errors.New("this orchestrator does not lead any more")

func (c fencedConn) Write(b []byte) (int, error) {
	if !c.may() {
		return 0, errFenced
	}
	return c.Conn.Write(b)
}
