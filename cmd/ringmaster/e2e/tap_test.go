package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// tap is a wire between ringmasters and something they talk to. It writes down
// which process sent what and when, and can be cut without a word, as a broken
// network is.
type tap struct {
	listener      net.Listener
	network, peer string

	lock  sync.Mutex
	sent  []parcel
	away  map[int]chan struct{} // by process: closed when its wire is whole again
	conns []net.Conn
}

// parcel is one piece of what a process sent.
type parcel struct {
	pid  int
	at   time.Time
	text []byte
}

func newTap(tb testing.TB, network, peer string) *tap {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	w := &tap{listener: l, network: network, peer: peer, away: map[int]chan struct{}{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		w.lock.Lock()
		for _, whole := range w.away {
			close(whole)
		}
		for _, c := range w.conns {
			c.Close()
		}
		w.lock.Unlock()
		wg.Wait()
	})
	return w
}

func (w *tap) address() string { return w.listener.Addr().String() }

func (w *tap) serve(conn net.Conn) {
	defer conn.Close()
	pid := owner(conn.RemoteAddr().(*net.TCPAddr).Port)
	up, err := net.Dial(w.network, w.peer)
	if err != nil {
		return
	}
	defer up.Close()
	w.lock.Lock()
	w.conns = append(w.conns, conn, up)
	w.lock.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.pass(up, conn, pid, true) })
	both.Go(func() { w.pass(conn, up, pid, false) })
	both.Wait()
}

// pass copies until either end closes, and not while the process's wire is cut.
func (w *tap) pass(to, from net.Conn, pid int, note bool) {
	defer to.(interface{ CloseWrite() error }).CloseWrite()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && note {
			w.lock.Lock()
			w.sent = append(w.sent, parcel{pid, time.Now(), bytes.Clone(buffer[:n])})
			w.lock.Unlock()
		}
		w.lock.Lock()
		whole := w.away[pid]
		w.lock.Unlock()
		if whole != nil {
			<-whole
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cut lets nothing through, for one process, until mend.
func (w *tap) cut(pid int) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.away[pid] = make(chan struct{})
}

func (w *tap) mend(pid int) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if whole := w.away[pid]; whole != nil {
		close(whole)
		delete(w.away, pid)
	}
}

// since is what a process sent from a moment on.
func (w *tap) since(pid int, at time.Time) (sent []parcel) {
	w.lock.Lock()
	defer w.lock.Unlock()
	for _, p := range w.sent {
		if p.pid == pid && p.at.After(at) {
			sent = append(sent, p)
		}
	}
	return sent
}

// owner finds whose socket has this local port: 0 when nobody has.
func owner(port int) int {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0
	}
	var inode string
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) > 9 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) && fields[9] != "0" {
			inode = fields[9]
		}
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil || inode == "" {
		return 0
	}
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && at == "socket:["+inode+"]" {
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			if err == nil {
				return pid
			}
		}
	}
	return 0
}
