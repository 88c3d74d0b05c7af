package e2e

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// socketMeddler stands between ringmaster and FreeSWITCH's event socket, hands
// everything on, and does to events what it is told to.
type socketMeddler struct {
	t      *testing.T
	peer   string
	deed   atomic.Pointer[deed]
	opened atomic.Int64 // connections on which events came
	dealt  atomic.Int64 // events that a deed changed

	lock sync.Mutex // of writing to ringmaster, and of what follows
	ears net.Conn   // ringmaster's connection for events
	legs []string   // the ids of channels seen
}

// deed is what is done to an event: it returns what ringmaster gets instead. It
// may keep events back until the next.
type deed func(event []byte) (instead [][]byte)

// meddleSocket puts a meddler into a document.
func meddleSocket(t *testing.T, doc document) *socketMeddler {
	t.Helper()
	pbx := doc["switches"].([]document)[0]
	u, err := url.Parse(pbx["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &socketMeddler{t: t, peer: u.Host}
	m.does(nil)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go m.relay(near)
		}
	}()
	u.Host = l.Addr().String()
	pbx["url"] = u.String()
	return m
}

// does begins a deed; nil ends it.
func (m *socketMeddler) does(d deed) {
	if d == nil {
		d = func(event []byte) [][]byte { return [][]byte{event} }
	}
	m.dealt.Store(0)
	m.deed.Store(&d)
}

// relay hands one connection on, both ways, until either side ends.
func (m *socketMeddler) relay(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", m.peer)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		io.Copy(far, near) // it ends as it ends
		far.Close()
		near.Close()
	}()
	in, heard := bufio.NewReaderSize(far, 1<<20), false
	for {
		text, event, err := readMessage(in)
		if err != nil {
			return
		}
		out := [][]byte{text}
		if event {
			out = (*m.deed.Load())(text)
			if len(out) != 1 || !bytes.Equal(out[0], text) {
				m.dealt.Add(1)
			}
			m.note(near, text, &heard)
		}
		m.lock.Lock()
		for _, part := range out {
			near.Write(part) // the other direction notices
		}
		m.lock.Unlock()
	}
}

// readMessage reads one message of the event socket as it is, and says whether
// it is an event.
func readMessage(in *bufio.Reader) (text []byte, event bool, err error) {
	length := 0
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil, false, err
		}
		text = append(text, line...)
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ": ")
		switch name {
		case "":
			body := make([]byte, length)
			_, err = io.ReadFull(in, body)
			return append(text, body...), event, err
		case "Content-Length":
			if length, err = strconv.Atoi(value); err != nil {
				return nil, false, err
			}
		case "Content-Type":
			event = value == "text/event-plain"
		}
	}
}

// note remembers the connection and the channels of events.
func (m *socketMeddler) note(near net.Conn, text []byte, heard *bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if !*heard {
		*heard, m.ears = true, near
		m.opened.Add(1)
	}
	if _, rest, ok := bytes.Cut(text, []byte("\nUnique-ID: ")); ok {
		id, _, _ := bytes.Cut(rest, []byte("\n"))
		m.legs = append(m.legs, string(id))
	}
}

// leg is the id of a channel that is up.
func (m *socketMeddler) leg() string {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.legs[len(m.legs)-1]
}

// inject adds bytes to what ringmaster hears.
func (m *socketMeddler) inject(text string) {
	m.t.Helper()
	m.lock.Lock()
	defer m.lock.Unlock()
	if _, err := io.WriteString(m.ears, text); err != nil {
		m.t.Logf("inject %.60q: %v", text, err)
	}
}

// plain is an event as FreeSWITCH frames it.
func plain(body string) string {
	return "Content-Length: " + strconv.Itoa(len(body)) + "\nContent-Type: text/event-plain\n\n" + body
}

// twice repeats every event.
func twice(event []byte) [][]byte { return [][]byte{event, event} }

// nowAndThen does something to one event of ten.
func nowAndThen(seed uint64, to func(random *rand.Rand, event []byte) [][]byte) deed {
	random := rand.New(rand.NewPCG(seed, seed))
	return func(event []byte) [][]byte {
		if random.IntN(10) > 0 {
			return [][]byte{event}
		}
		return to(random, event)
	}
}

// swapped sends one event of ten behind the one that follows it.
func swapped(seed uint64) deed {
	var kept []byte
	random := rand.New(rand.NewPCG(seed, seed))
	return func(event []byte) [][]byte {
		switch {
		case kept != nil:
			before := kept
			kept = nil
			return [][]byte{event, before}
		case random.IntN(10) == 0:
			kept = event
			return nil
		}
		return [][]byte{event}
	}
}

// lost loses an event, but never the last word about a leg: of two words about
// its end one comes, as FreeSWITCH ends a connection on which it loses many.
func lost(_ *rand.Rand, event []byte) [][]byte {
	if bytes.Contains(event, []byte("Event-Name: CHANNEL_HANGUP_COMPLETE\n")) {
		return [][]byte{event}
	}
	return nil
}

// garbled changes one byte of an event behind its head.
func garbled(random *rand.Rand, event []byte) [][]byte {
	head := bytes.Index(event, []byte("\n\n")) + 2
	bad := bytes.Clone(event)
	bad[head+random.IntN(len(bad)-head)] ^= byte(1 + random.IntN(255))
	return [][]byte{bad}
}
