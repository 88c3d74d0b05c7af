package freeswitch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/percipia/eslgo"
)

// entry is one thing that happened in a recorded conversation, in the order in
// which it happened. Exactly one of Command, Event, Mark and Told is set.
type entry struct {
	// Command is what the adapter sent, on whichever connection. Kind and
	// Answer are what FreeSWITCH replied.
	Command string `json:"command,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Answer  string `json:"answer,omitempty"`
	// Event is the body of an event, with the headers that the adapter reads.
	Event string `json:"event,omitempty"`
	// Mark is a moment of the scenario: somebody at a phone does something.
	Mark string `json:"mark,omitempty"`
	// Told is an event that the adapter reported.
	Told string `json:"told,omitempty"`
}

// tape is a recorded conversation. It holds no password: who logs in is left
// out.
type tape struct {
	Version string `json:"version"` // of the FreeSWITCH it was recorded from
	entries []*entry

	mu sync.Mutex
}

func (t *tape) add(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, e)
}

// mark notes a moment of the scenario.
func (t *tape) mark(name string) { t.add(&entry{Mark: name}) }

// save writes the tape as lines of JSON, the first of which is the version.
func (t *tape) save(path string) error {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(t); err != nil {
		return err
	}
	for _, e := range t.entries {
		if err := out.Encode(e); err != nil {
			return err
		}
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func loadTape(path string) (*tape, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	in := json.NewDecoder(bytes.NewReader(text))
	t := &tape{}
	if err := in.Decode(t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for {
		e := &entry{}
		if err := in.Decode(e); errors.Is(err, io.EOF) {
			return t, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		t.entries = append(t.entries, e)
	}
}

// recorder stands between adapter and FreeSWITCH and writes down what passes.
// A message is written down before it is passed on, so that whatever it causes
// stands behind it.
type recorder struct {
	*tape
	listener net.Listener
	to       string
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func startRecorder(to string) (*recorder, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &recorder{tape: &tape{}, listener: listener, to: to}
	r.wg.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			r.keep(near, far)
		}
	})
	return r, nil
}

// keep records one connection until either end closes it.
func (r *recorder) keep(near, far net.Conn) {
	r.mu.Lock()
	r.conns = append(r.conns, near, far)
	r.mu.Unlock()
	line := make(chan *entry, mostPending) // commands without an answer
	shut := func() { _, _ = near.Close(), far.Close() }
	r.wg.Go(func() {
		defer shut()
		for in := bufio.NewReader(near); ; {
			raw, err := readBlock(in)
			if err != nil {
				return
			}
			e := &entry{Command: commandOf(raw)}
			if e.Command != "" {
				r.add(e)
			}
			line <- e
			if _, err := far.Write(raw); err != nil {
				return
			}
		}
	})
	r.wg.Go(func() {
		defer shut()
		for in := bufio.NewReader(far); ; {
			raw, err := readMessage(in)
			if err != nil {
				return
			}
			r.note(raw, line)
			if _, err := near.Write(raw); err != nil {
				return
			}
		}
	})
}

// note writes down one message of FreeSWITCH.
func (r *recorder) note(raw []byte, line <-chan *entry) {
	f, err := readFrame(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return
	}
	switch {
	case f.isReply():
		e := <-line
		r.tape.mu.Lock()
		e.Kind, e.Answer = f.kind, withKept(f.text())
		r.tape.mu.Unlock()
	case f.kind == eslgo.TypeEventPlain:
		r.add(&entry{Event: withKept(string(f.body))})
	}
}

func (r *recorder) stop() {
	_ = r.listener.Close()
	r.mu.Lock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// commandOf is a command as the tape keeps it; that of logging in is not kept.
func commandOf(raw []byte) string {
	text := strings.TrimSpace(string(raw))
	if strings.HasPrefix(text, "auth ") || strings.HasPrefix(text, "userauth ") {
		return ""
	}
	return text
}

// readBlock reads up to an empty line.
func readBlock(r *bufio.Reader) (raw []byte, err error) {
	for {
		line, err := r.ReadBytes('\n')
		raw = append(raw, line...)
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 && len(raw) > len(line) {
			return raw, nil
		}
	}
}

// readMessage reads one message of FreeSWITCH with its body.
func readMessage(r *bufio.Reader) ([]byte, error) {
	raw, err := readBlock(r)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "Content-Length:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				return nil, err
			}
			body := make([]byte, n)
			if _, err := io.ReadFull(r, body); err != nil {
				return nil, err
			}
			raw = append(raw, body...)
		}
	}
	return raw, nil
}

// withKept leaves out of an event, or of the dump of a leg, the headers that
// the adapter passes over anyway: nine tenths of it.
func withKept(text string) string {
	if !strings.HasPrefix(text, "Event-Name: ") && !strings.HasPrefix(text, "Event-Subclass: ") {
		return text
	}
	head, body, _ := strings.Cut(text, "\n\n")
	var b strings.Builder
	for line := range strings.Lines(head) {
		if name, _, _ := strings.Cut(line, ": "); headers[name] {
			b.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	return b.String() + "\n" + body
}

// player is a FreeSWITCH that says what one said before. Every command gets
// the answer it got then; an event comes when everything that stood before it
// on the tape has happened: the commands, and the moments of the scenario.
type player struct {
	*tape
	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex
	conns   []net.Conn
	ears    net.Conn // subscribed last
	done    []bool   // by entry: a command came, a moment passed, an event was sent
	strange []string // commands that are not on the tape
}

func startPlayer(t *tape) (*player, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &player{tape: t, listener: listener, done: make([]bool, len(t.entries))}
	p.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, conn)
			p.mu.Unlock()
			p.wg.Go(func() { p.serve(conn) })
		}
	})
	return p, nil
}

func (p *player) stop() {
	_ = p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *player) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "Content-Type: "+eslgo.TypeAuthRequest+"\n\n"); err != nil {
		return
	}
	for in := bufio.NewReader(conn); ; {
		raw, err := readBlock(in)
		if err != nil {
			return
		}
		p.answer(conn, commandOf(raw))
	}
}

// answer replies to a command and says what may be said then.
func (p *player) answer(conn net.Conn, command string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kind, text := p.recall(command)
	if strings.HasPrefix(command, "event ") {
		p.ears = conn
	}
	message := fmt.Sprintf("Content-Type: %s\nReply-Text: %s\n\n", kind, text)
	if kind == eslgo.TypeAPIResponse {
		message = fmt.Sprintf("Content-Type: %s\nContent-Length: %d\n\n%s", kind, len(text), text)
	}
	_, _ = io.WriteString(conn, message) // A closed connection shows at the next read.
	p.speak()
}

// recall finds the answer to a command: the next one on the tape, or the last
// when the adapter asks more often than it did. What it does by the clock is
// answered as it was in this part of the scenario, even if it was not asked.
func (p *player) recall(command string) (kind, text string) {
	if command == "" {
		return eslgo.TypeReply, "+OK accepted"
	}
	clock := byTheClock(command)
	from, to := p.part()
	var last *entry
	for i, e := range p.entries[:to] {
		if e.Command != command || e.Kind == "" {
			continue
		}
		last = e
		if !p.done[i] && (!clock || i >= from) {
			p.done[i] = true
			break
		}
	}
	switch {
	case last != nil:
		return last.Kind, last.Answer
	case clock:
		return eslgo.TypeAPIResponse, "+OK\n"
	}
	p.strange = append(p.strange, command)
	return eslgo.TypeReply, "-ERR not on the tape"
}

// part is the entries from the last moment that has come to the next one.
func (p *player) part() (from, to int) {
	for i, e := range p.entries {
		if e.Mark != "" && !p.done[i] {
			return from, i
		}
		if e.Mark != "" {
			from = i
		}
	}
	return from, len(p.entries)
}

// byTheClock reports commands that the adapter sends at times of its own:
// nothing waits for them.
func byTheClock(command string) bool {
	for _, name := range []string{"sched_api", "sched_del", "global_setvar", "global_getvar", "uuid_dump", "uuid_exists", "show", "sofia"} {
		if strings.HasPrefix(command, "api "+name+" ") {
			return true
		}
	}
	return false
}

// speak sends the events whose turn has come.
func (p *player) speak() {
	for i, e := range p.entries {
		switch {
		case p.done[i] || e.Told != "" || e.Command != "" && byTheClock(e.Command):
		case e.Event != "" && p.ears != nil:
			p.done[i] = true
			_, _ = fmt.Fprintf(p.ears, "Content-Length: %d\nContent-Type: %s\n\n%s", len(e.Event), eslgo.TypeEventPlain, e.Event) // As above.
		default:
			return
		}
	}
}

// pass is a moment of the scenario that has come.
func (p *player) pass(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range p.entries {
		if e.Mark == name && !p.done[i] {
			p.done[i] = true
			break
		}
	}
	p.speak()
}
