package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmaster/api/console"
	"ringmaster/api/gen"
	"ringmaster/orchestrator/metrics"
)

const goodKey = "rm_k7m2p9xq_c2VjcmV0"

// stage stands in for Ringmaster: what it says is in the API's own types, so
// it cannot say what the API could not.
type stage struct {
	*httptest.Server
	lock    sync.Mutex
	live    gen.Live
	ended   []gen.Call
	stories map[string]gen.CallStory
	why     map[string]gen.Explanation
	watched map[chan string]bool // open event streams
	asked   []string             // paths and queries, in order
	down    bool
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{
		live:    gen.Live{Seq: 1, Switches: []gen.LiveSwitch{}, Queues: []gen.LiveQueue{}, Agents: []gen.LiveAgent{}, Calls: []gen.LiveCall{}},
		stories: map[string]gen.CallStory{}, why: map[string]gen.Explanation{}, watched: map[chan string]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/live", s.open(func(*http.Request) (any, int) {
		s.live.At = time.Now().UTC()
		return s.live, 200
	}))
	mux.HandleFunc("GET /v1/live/events", s.stream)
	mux.HandleFunc("GET /v1/metrics-definitions", s.open(func(*http.Request) (any, int) { return definitions(), 200 }))
	mux.HandleFunc("GET /v1/numbers", s.open(func(*http.Request) (any, int) {
		return gen.NumberPage{Items: []gen.Number{{Dialled: "500", Flow: "main"}, {Dialled: "501", Flow: "straight"}}}, 200
	}))
	mux.HandleFunc("GET /v1/settings", s.open(func(*http.Request) (any, int) {
		return gen.Settings{PauseReasons: []gen.PauseReason{{ID: "lunch", Name: "Lunch break", Digit: "1"}}}, 200
	}))
	mux.HandleFunc("GET /v1/calls", s.open(s.calls))
	mux.HandleFunc("GET /v1/calls/{id}", s.open(func(r *http.Request) (any, int) { return found(s.stories, r.PathValue("id")) }))
	mux.HandleFunc("GET /v1/calls/{id}/explanation", s.open(func(r *http.Request) (any, int) { return found(s.why, r.PathValue("id")) }))
	mux.Handle("/", console.Handler())
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.cut(false)
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func found[T any](in map[string]T, id string) (any, int) {
	if v, ok := in[id]; ok {
		return v, 200
	}
	return "no such call", 404
}

// open lets in who has the key, one request at a time.
func (s *stage) open(answer func(*http.Request) (any, int)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.lock.Lock()
		defer s.lock.Unlock()
		s.asked = append(s.asked, r.URL.RequestURI())
		body, status := any("this key is not known"), 401
		switch {
		case s.down:
			body, status = "the database is away", 503
		case r.Header.Get("Authorization") == "Bearer "+goodKey:
			body, status = answer(r)
		}
		if status != 200 {
			body = gen.Problem{Type: "urn:ringmaster:problem", Title: "It did not work", Status: status, Detail: fmt.Sprint(body)}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
}

func (s *stage) calls(r *http.Request) (any, int) {
	q := r.URL.Query()
	kept := slices.DeleteFunc(slices.Clone(s.ended), func(c gen.Call) bool {
		return q.Get("queue") != "" && c.LastQueue != q.Get("queue") ||
			q.Get("reason") != "" && string(c.Outcome.Reason) != q.Get("reason") ||
			q.Get("number") != "" && c.Caller.Number != q.Get("number") && c.Dialled != q.Get("number")
	})
	begin := 0
	fmt.Sscan(q.Get("cursor"), &begin)
	end := min(begin+25, len(kept))
	page := gen.CallPage{Items: append([]gen.Call{}, kept[begin:end]...)}
	if end < len(kept) {
		page.NextCursor = fmt.Sprint(end)
	}
	return page, 200
}

func (s *stage) stream(w http.ResponseWriter, r *http.Request) {
	news := make(chan string, 100)
	s.lock.Lock()
	down := s.down
	if !down {
		s.watched[news] = true
	}
	s.lock.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "retry: 2000\n\n")
	for {
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case text, ok := <-news:
			if !ok {
				return
			}
			fmt.Fprint(w, text)
		}
	}
}

// step changes the floor and tells those who watch.
func (s *stage) step(fact string, what map[string]any, change func(*gen.Live)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.live.Seq++
	if change != nil {
		change(&s.live)
	}
	text, _ := json.Marshal(map[string]any{"seq": s.live.Seq, "index": 0, "at": time.Now().UTC(), "fact": fact, "what": what})
	for news := range s.watched {
		news <- fmt.Sprintf("event: fact\nid: %d.0\ndata: %s\n\n", s.live.Seq, text)
	}
}

// cut ends every stream; down refuses new ones until mended.
func (s *stage) cut(down bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.down = down
	for news := range s.watched {
		close(news)
	}
	clear(s.watched)
}

// count is how often a path that begins so was asked for.
func (s *stage) count(path string) (n int) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, p := range s.asked {
		if strings.HasPrefix(p, path) {
			n++
		}
	}
	return n
}

func definitions() gen.MetricDefinitions {
	out := gen.MetricDefinitions{}
	for _, d := range metrics.Definitions() {
		out.Items = append(out.Items, gen.MetricDefinition{
			Name: d.Name, Unit: gen.MetricDefinitionUnit(d.Unit), Formula: d.Formula, Source: d.Source,
		})
	}
	return out
}
