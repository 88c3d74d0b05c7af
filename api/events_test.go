package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringmaster/api"
	"ringmaster/orchestrator"
)

// event is one event as a client sees it.
type event struct{ kind, id, data string }

// listener is one client of the event stream.
type listener struct {
	t      *testing.T
	text   *bufio.Scanner
	body   io.Closer
	cancel context.CancelFunc
	beats  int
}

func (s *site) listen(query string, headers ...string) *listener {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/live/events"+query, nil)
	s.must(err)
	r.Header.Set("Authorization", "Bearer "+s.key)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(r) //nolint:bodyclose // the listener closes it
	s.must(err)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		s.Fatalf("event stream = %d %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	l := &listener{t: s.T, text: bufio.NewScanner(response.Body), body: response.Body, cancel: cancel}
	l.text.Buffer(nil, 1<<20)
	s.Cleanup(l.close)
	return l
}

func (l *listener) close() {
	l.cancel()
	l.body.Close()
}

// next waits for the next event; ok is false at the end of the stream.
func (l *listener) next() (e event, ok bool) {
	for l.text.Scan() {
		line := l.text.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && e != (event{}):
			return e, true
		case strings.HasPrefix(line, ":"):
			l.beats++
		case name == "event":
			e.kind = value
		case name == "id":
			e.id = value
		case name == "data":
			e.data = value
		}
	}
	return e, false
}

func (l *listener) wants(ids ...string) {
	l.t.Helper()
	for _, id := range ids {
		e, ok := l.next()
		if !ok || e.kind != "fact" || e.id != id {
			l.t.Fatalf("got event %+v (%v), want fact %s", e, ok, id)
		}
	}
}

func queued(seq uint64, index int) orchestrator.Fact {
	return orchestrator.Fact{
		Seq: seq, Index: index, At: day, What: orchestrator.CallQueued{Call: aCall, Queue: "sales", Position: int(seq)},
	}
}

// until waits for something another goroutine does.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 500 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

func TestFactsReachAListenerInOrder(t *testing.T) {
	leaks(t)
	s := newSite(t)
	l := s.listen("")
	s.floor.send(queued(1, 0)) // part of what /v1/live shows: not news
	s.floor.send(queued(2, 0), queued(2, 1))
	s.floor.send(queued(3, 0))
	l.wants("2.0", "2.1", "3.0")
}

func TestAListenerGoesOnWhereItStopped(t *testing.T) {
	s := newSite(t)
	s.floor.send(queued(2, 0), queued(2, 1), queued(2, 2))
	s.floor.send(queued(3, 0))
	s.listen("", "Last-Event-ID", "2.0").wants("2.1", "2.2", "3.0")
	s.listen("?after=2").wants("3.0")
	s.listen("?after=1").wants("2.0", "2.1", "2.2", "3.0")
	s.listen("?after=0", "Last-Event-ID", "2.2").wants("3.0")
	for _, bad := range []string{"x", "1.x", "-1", "1.-1", "1.2.3", "99999999999999999999"} {
		a := s.call("GET", "/v1/live/events", nil, "Last-Event-ID", bad)
		if a.status != http.StatusBadRequest {
			t.Errorf("Last-Event-ID %q = %d", bad, a.status)
		}
	}
}

func TestAListenerThatWasAwayTooLongIsToldToReadAgain(t *testing.T) {
	s := newSite(t)
	s.floor.send(queued(2, 0))
	s.floor.send(queued(3, 0))
	s.floor.forget(2)
	l := s.listen("?after=1")
	if e, _ := l.next(); e.kind != "resync" || e.data != `{"reason":"too_old"}` {
		t.Fatalf("got %+v, want a resync", e)
	}
	l.wants("3.0")
}

func TestAListenerThatIsTooSlowIsToldAndLetGo(t *testing.T) {
	leaks(t)
	s := newSite(t)
	s.floor.room = 2
	l := s.listen("")
	until(t, "the subscription", func() bool { return s.floor.readerCount() == 1 })
	var many []orchestrator.Fact
	for i := range 50 {
		many = append(many, queued(2, i))
	}
	s.floor.send(many...) // at once: more than there is room for
	for {
		e, ok := l.next()
		if !ok {
			t.Fatal("the stream ended without a resync")
		}
		if e.kind == "resync" {
			if e.data != `{"reason":"too_slow"}` {
				t.Errorf("resync says %s", e.data)
			}
			break
		}
	}
	if e, ok := l.next(); ok {
		t.Errorf("after its resync the stream goes on with %+v", e)
	}
}

// TestADeafListenerHoldsNothing opens a stream and never reads: the write
// deadline ends it.
func TestADeafListenerHoldsNothing(t *testing.T) {
	leaks(t)
	s := newSite(t, func(c *api.Config) { c.Limits.StreamWrite = 200 * time.Millisecond })
	s.floor.room = 100_000
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	s.must(err)
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(conn, "GET /v1/live/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", s.key)
	until(t, "the subscription", func() bool { return s.floor.readerCount() == 1 })
	long := strings.Repeat("x", 2000)
	for i := range 20_000 {
		f := queued(uint64(i+2), 0)
		f.What = orchestrator.SwitchDetached{Switch: "pbx", Reason: long}
		s.floor.send(f)
	}
	until(t, "the deaf listener to be let go", func() bool { return s.floor.readerCount() == 0 })
}

func TestSilenceIsBrokenByHeartbeats(t *testing.T) {
	s := newSite(t, func(c *api.Config) { c.Limits.Heartbeat = 20 * time.Millisecond })
	l := s.listen("")
	time.AfterFunc(200*time.Millisecond, func() { s.floor.send(queued(2, 0)) })
	l.wants("2.0")
	if l.beats < 3 {
		t.Errorf("%d heartbeats in 200 ms of silence, one each 20 ms", l.beats)
	}
}

func TestAHundredListenersHearTheSameAndLeave(t *testing.T) {
	leaks(t)
	s := newSite(t)
	s.floor.room = 1000
	var wait sync.WaitGroup
	var wrong atomic.Int64
	for range 100 {
		l := s.listen("")
		wait.Go(func() {
			for seq := uint64(2); seq < 202; seq++ {
				if e, ok := l.next(); !ok || e.id != fmt.Sprintf("%d.0", seq) {
					wrong.Add(1)
					return
				}
			}
			l.close()
		})
	}
	until(t, "all to subscribe", func() bool { return s.floor.readerCount() == 100 })
	for seq := uint64(2); seq < 202; seq++ {
		s.floor.send(queued(seq, 0))
	}
	wait.Wait()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d of 100 listeners missed facts or got them out of order", n)
	}
	until(t, "all to be gone", func() bool { return s.floor.readerCount() == 0 })
}

func TestStreamsAreLimited(t *testing.T) {
	s := newSite(t, func(c *api.Config) { c.Limits.Streams = 1 })
	l := s.listen("")
	a := s.refused(http.StatusServiceUnavailable, "GET", "/v1/live/events", nil)
	if a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	l.close()
	until(t, "the place to be free", func() bool { return s.floor.readerCount() == 0 })
	until(t, "a second listener", func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/live/events", nil)
		r.Header.Set("Authorization", "Bearer "+s.key)
		response, err := s.client.Do(r)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func TestServeEndsStreamsAndLetsRequestsFinish(t *testing.T) {
	leaks(t)
	s := newSite(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.url = "http://" + ln.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.server.Serve(ctx, ln, 5*time.Second) }()
	l := s.listen("")
	s.floor.send(queued(2, 0))
	l.wants("2.0")
	stop()
	if _, ok := l.next(); ok {
		t.Error("the stream goes on after the server was stopped")
	}
	if err := <-done; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("the port still answers: %v", err)
	}
}
