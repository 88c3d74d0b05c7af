package freeswitch

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// fake is an event socket that does what no real FreeSWITCH can be made to do:
// garbage, floods, answers that never come. Everything else is tested on a real
// one.
type fake struct {
	testing.TB
	listener net.Listener
	greeting string
	handlers sync.WaitGroup

	mu      sync.Mutex
	asked   []string // commands in order, without log-in and the app's own set-up
	answers map[string]func(args string) string
	conns   []*fakeConn
	opened  int
	deaf    bool // takes no commands and closes nothing
}

type fakeConn struct {
	net.Conn
	mu      sync.Mutex // of writing
	listens atomic.Bool
	reading *bufio.Reader
}

const greeting = "Content-Type: auth/request\n\n"

func newFake(tb testing.TB) *fake {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	f := &fake{TB: tb, listener: listener, greeting: greeting, answers: map[string]func(string) string{}}
	f.handlers.Go(f.accept)
	tb.Cleanup(f.close)
	return f
}

func (f *fake) close() {
	_ = f.listener.Close()
	f.drop()
	f.handlers.Wait()
}

func (f *fake) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		c := &fakeConn{Conn: conn, reading: bufio.NewReader(conn)}
		f.mu.Lock()
		f.conns = append(f.conns, c)
		f.opened++
		hello := f.greeting
		f.mu.Unlock()
		_, _ = io.WriteString(conn, hello) // It may be gone already.
		f.handlers.Go(func() { f.serve(c) })
	}
}

// serve reads commands up to their empty line and answers each.
func (f *fake) serve(c *fakeConn) {
	defer func() { _ = c.Close() }()
	for {
		var lines []string
		for {
			line, err := c.reading.ReadString('\n')
			if err != nil {
				return
			}
			if line = strings.TrimRight(line, "\r\n"); line == "" {
				if len(lines) == 0 {
					continue
				}
				break
			}
			lines = append(lines, line)
		}
		f.mu.Lock()
		deaf := f.deaf
		f.mu.Unlock()
		if !deaf {
			c.write(f.answer(c, lines))
		}
	}
}

func (c *fakeConn) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.Conn, text) // The other side may be gone.
}

func reply(text string) string {
	return "Content-Type: command/reply\nReply-Text: " + text + "\n\n"
}

func output(text string) string {
	return fmt.Sprintf("Content-Type: api/response\nContent-Length: %d\n\n%s", len(text), text)
}

// answer is what a healthy, empty FreeSWITCH says, unless the test says
// otherwise for the command's first word.
func (f *fake) answer(c *fakeConn, lines []string) string {
	verb, args, _ := strings.Cut(lines[0], " ")
	switch verb {
	case "auth", "userauth":
		return reply("+OK accepted")
	case "event":
		c.listens.Store(true)
		return reply("+OK event listener enabled plain")
	case "api":
		name, rest, _ := strings.Cut(args, " ")
		return output(f.say(name, rest))
	}
	if text := f.say(verb, strings.Join(lines, "\n")); text != "+OK\n" {
		return reply(text)
	}
	return reply("+OK")
}

const noPhones = `<?xml version="1.0"?><profile><registrations></registrations></profile>`

func (f *fake) say(name, args string) string {
	f.mu.Lock()
	known := f.answers[name]
	f.mu.Unlock()
	if known != nil {
		return known(args)
	}
	switch name {
	case "global_getvar":
		if args == "core_uuid" {
			return "core-1"
		}
		return "-ERR no reply\n"
	case "version":
		return "1.11.1"
	case "sofia":
		return noPhones
	case "show":
		return `{"row_count":0}`
	case "uuid_dump":
		return "-ERR No such channel!\n"
	case "global_setvar", "sched_api", "sched_del", "sendevent":
		return "+OK\n"
	}
	f.mu.Lock()
	f.asked = append(f.asked, name+" "+args)
	f.mu.Unlock()
	return "+OK\n"
}

// on says how a command is answered.
func (f *fake) on(name string, answer func(args string) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[name] = answer
}

// greet sets what a new connection is told first.
func (f *fake) greet(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.greeting = text
}

func (f *fake) setDeaf(deaf bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deaf = deaf
}

// send writes text to every connection that listens for events.
func (f *fake) send(text string) {
	f.mu.Lock()
	conns := append([]*fakeConn(nil), f.conns...)
	f.mu.Unlock()
	for _, c := range conns {
		if c.listens.Load() {
			c.write(text)
		}
	}
}

// drop closes every connection.
func (f *fake) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.conns = nil
}

func (f *fake) requests(part string) (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.asked {
		if strings.Contains(a, part) {
			out = append(out, a)
		}
	}
	return out
}

func (f *fake) config() Config {
	return Config{ID: "pbx", Address: f.listener.Addr().String(), Password: "secret", Domain: "rm.lab", Log: logTo(f.TB)}
}

// open runs an adapter against the fake until the test ends.
func (f *fake) open(change func(*Config)) *office {
	f.Helper()
	cfg := f.config()
	if change != nil {
		change(&cfg)
	}
	sw, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	o := openOffice(f.TB, sw, nil)
	expect[orchestrator.SwitchSynced](o, 0, nil)
	return o
}

// eventText is an event as the socket carries it.
func eventText(name string, headers ...string) string {
	var b strings.Builder
	b.WriteString("Event-Name: " + name + "\n")
	for i := 0; i+1 < len(headers); i += 2 {
		b.WriteString(headers[i] + ": " + headers[i+1] + "\n")
	}
	b.WriteString("\n")
	return fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-plain\n\n%s", b.Len(), b.String())
}

const fakeChannel = "11111111-2222-3333-4444-555555555555"

func arrivalText(more ...string) string {
	return eventText("CHANNEL_PARK", append([]string{
		"Unique-ID", fakeChannel, "Answer-State", "ringing", "Caller-Destination-Number", "4930555",
		"Caller-Caller-ID-Number", "4912345", "Caller-Caller-ID-Name", "Clara%20C", "variable_rm_entry", "in",
	}, more...)...)
}

func endText() string {
	return eventText("CHANNEL_HANGUP_COMPLETE", "Unique-ID", fakeChannel, "Hangup-Cause", "NORMAL_CLEARING",
		"variable_hangup_cause_q850", "16", "variable_sip_hangup_disposition", "recv_bye")
}

const fakeLeg = orchestrator.LegID("pbx/" + fakeChannel)

// eventually fails unless ok becomes true.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("not in time: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
