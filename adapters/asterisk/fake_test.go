package asterisk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ringmaster/orchestrator"
)

// fake is an ARI that does what no real Asterisk can be made to do: garbage,
// floods, answers that never come. Everything else is tested on a real one.
type fake struct {
	testing.TB
	server *httptest.Server

	mu       sync.Mutex
	asked    []string // "POST /channels/create?..." in order, without the app's own set-up
	bodies   []string
	answers  map[string]http.HandlerFunc // by "POST /channels/create"
	socket   *websocket.Conn
	sockets  int
	tcp      map[net.Conn]bool // connections ever opened
	deaf     bool              // does not read its sockets: no pong
	mute     bool              // the socket is attached to nothing: no pulse comes back
	received chan struct{}     // a request came
	outbox   chan string       // messages to send after the answer under way
}

func newFake(tb testing.TB) *fake {
	tb.Helper()
	f := &fake{TB: tb, answers: map[string]http.HandlerFunc{}, tcp: map[net.Conn]bool{}, received: make(chan struct{}, 4096), outbox: make(chan string, 64)}
	f.server = httptest.NewUnstartedServer(f)
	f.server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			f.mu.Lock()
			f.tcp[c] = true
			f.mu.Unlock()
		}
	}
	f.server.Start()
	go func() {
		for text := range f.outbox {
			f.send(text)
		}
	}()
	tb.Cleanup(func() {
		f.drop()
		f.server.CloseClientConnections()
		f.server.Close()
		close(f.outbox)
	})
	f.say("GET /asterisk/info", `{"system":{"entity_id":"02:00","version":"22.10.1"},"status":{"startup_time":"2026-11-23T01:00:00.000+0000"}}`)
	for _, empty := range []string{"/channels", "/bridges", "/endpoints"} {
		f.say("GET "+empty, "[]")
	}
	return f
}

// say sets the body of a 200.
func (f *fake) say(what, body string) {
	f.on(what, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
}

// fail sets an error answer as ARI words it.
func (f *fake) fail(what string, status int, message string) {
	f.on(what, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
	})
}

func (f *fake) on(what string, do http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[what] = do
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/ari")
	if path == "/events" {
		f.listen(w, r)
		return
	}
	if strings.HasPrefix(path, "/events/user/") {
		f.pulse(r.Context(), w)
		return
	}
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	if !strings.HasPrefix(path, "/applications/") {
		line := r.Method + " " + path
		if r.URL.RawQuery != "" {
			line += "?" + r.URL.RawQuery
		}
		f.asked, f.bodies = append(f.asked, line), append(f.bodies, string(body))
	}
	answer := f.answers[r.Method+" "+path]
	if strings.HasSuffix(path, "/eventFilter") && f.socket == nil {
		// As Asterisk: the application is known a moment after the handshake.
		answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }
	}
	f.mu.Unlock()
	select {
	case f.received <- struct{}{}:
	default:
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer(w, r)
}

// pulse sends an adapter's own event back to it.
func (f *fake) pulse(ctx context.Context, w http.ResponseWriter) {
	f.mu.Lock()
	c, mute := f.socket, f.mute
	f.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
	if c != nil && !mute {
		_ = c.Write(context.WithoutCancel(ctx), websocket.MessageText, []byte(`{"type":"ChannelUserevent","eventname":"`+pulseName+`"}`))
	}
}

// listen is the event socket. It reads, so that pings are answered.
func (f *fake) listen(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.socket = nil
	f.mu.Unlock()
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.socket, f.sockets = c, f.sockets+1
	deaf := f.deaf
	f.mu.Unlock()
	if !deaf {
		_, _, _ = c.Read(context.WithoutCancel(r.Context())) // Ends with the connection.
	}
}

// send puts one message on the event socket.
func (f *fake) send(text string) {
	f.Helper()
	f.mu.Lock()
	c := f.socket
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		f.Errorf("send: %v", err)
	}
}

// drop breaks the event socket.
func (f *fake) drop() {
	f.mu.Lock()
	c := f.socket
	f.mu.Unlock()
	if c != nil {
		_ = c.CloseNow()
	}
}

// requests are those that came so far and begin with prefix.
func (f *fake) requests(prefix string) (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.asked {
		if strings.HasPrefix(r, prefix) {
			out = append(out, r)
		}
	}
	return out
}

// await waits for n requests that begin with prefix.
func (f *fake) await(prefix string, n int) {
	f.Helper()
	late := time.After(patience)
	for len(f.requests(prefix)) < n {
		select {
		case <-f.received:
		case <-time.After(10 * time.Millisecond):
		case <-late:
			f.Fatalf("no %d requests %s; there came %q", n, prefix, f.requests(""))
		}
	}
}

// open runs an adapter against the fake and waits until it is synced.
func (f *fake) open(change func(*Config)) *office {
	f.Helper()
	c := Config{ID: "pbx", URL: f.server.URL + "/ari", User: "rm", Password: "secret", Log: logTo(f.TB)}
	if change != nil {
		change(&c)
	}
	sw, err := New(c)
	if err != nil {
		f.Fatal(err)
	}
	o := openOffice(f.TB, sw, nil)
	expect[orchestrator.SwitchSynced](o, 0, nil)
	return o
}

// Messages as Asterisk words them, with what matters here.

func channelJSON(id, state, stamp string) string {
	return fmt.Sprintf(`{"id":%q,"name":"PJSIP/1001-0000001a","state":%q,"caller":{"name":"","number":"4930"},"connected":{},"dialplan":{"app_name":"Stasis","app_data":"rm,v1,in,100"},"creationtime":"2026-11-23T01:30:00.000+0000","channelvars":{"RM":%q}}`, id, state, stamp)
}

func eventJSON(kind, channel, more string) string {
	return fmt.Sprintf(`{"type":%q,"timestamp":"2026-11-23T01:30:00.000+0000","application":"rm","channel":%s%s}`, kind, channel, more)
}

func arrivalJSON(id string) string {
	return eventJSON("StasisStart", channelJSON(id, "Ring", ""), `,"args":["v1","in","100"]`)
}

func startedJSON(id string) string {
	return eventJSON("StasisStart", channelJSON(id, "Down", ""), `,"args":["v1","out"]`)
}

func endJSON(id string, cause int) string {
	return eventJSON("ChannelDestroyed", channelJSON(id, "Up", ""), fmt.Sprintf(`,"cause":%d,"cause_txt":""`, cause))
}

// creating answers create as Asterisk does: the leg enters the application
// right after.
func (f *fake) creating() {
	f.on("POST /channels/create", func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("channelId")
		_, _ = io.WriteString(w, `{"id":"`+id+`"}`)
		f.outbox <- startedJSON(id)
	})
}

func dialOf(leg string) orchestrator.Dial {
	return orchestrator.Dial{
		Leg: orchestrator.LegID(leg), Endpoint: "PJSIP/1001", Timeout: 20000,
		Stamp: orchestrator.Stamp{Tenant: "t", Call: "c", Leg: orchestrator.LegID(leg), Role: orchestrator.RoleAgent, Epoch: 1},
	}
}

// hangUp ends a TCP connection in the middle of an answer.
func hangUp(w http.ResponseWriter) {
	if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_ = c.Close()
	}
}
