package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// batchBytes bounds what one write to an event stream holds.
const batchBytes = 64 << 10

// place is where in the facts a client stands. Index -1 is before the first
// fact of Seq's input has an index: all of Seq is known.
type place struct {
	seq   uint64
	index int
	whole bool // all of seq's facts are known
}

// parsePlace reads an event's id, "seq.index", or "seq" for all of that input.
func parsePlace(id string) (place, bool) {
	first, second, inside := strings.Cut(id, ".")
	seq, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return place{}, false
	}
	if !inside {
		return place{seq: seq, whole: true}, true
	}
	index, err := strconv.ParseUint(second, 10, 31)
	return place{seq: seq, index: int(index)}, err == nil
}

// after is the Seq to subscribe after so that nothing is missed.
func (p place) after() uint64 {
	if p.whole || p.seq == 0 {
		return p.seq
	}
	return p.seq - 1
}

// knows reports whether the client has this fact already.
func (p place) knows(f orchestrator.Fact) bool {
	return f.Seq < p.seq || f.Seq == p.seq && (p.whole || f.Index <= p.index)
}

// followLive streams facts until the client goes, falls behind or the server
// closes.
func (s *Server) followLive(c *gin.Context) {
	f, err := s.floor(c.Request.Context())
	if err != nil {
		s.stop(c, err)
		return
	}
	from, err := s.startOf(c, f)
	if err != nil {
		s.stop(c, err)
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.stop(c, &orchestrator.Error{Code: orchestrator.CodeUnavailable, Message: "too many event streams are open"})
		return
	}
	facts, complete, cancel := f.Subscribe(from.after())
	defer cancel()
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold the events back
	c.Status(http.StatusOK)
	st := &stream{w: c.Writer, control: http.NewResponseController(c.Writer), limit: s.limits.StreamWrite, from: from}
	s.follow(c, st, facts, complete)
}

// startOf is where the client wants to begin: what it saw last, or now.
func (s *Server) startOf(c *gin.Context, f Floor) (place, error) {
	id := c.GetHeader("Last-Event-ID")
	if id == "" {
		id = c.Query("after")
	}
	if id != "" {
		p, ok := parsePlace(id)
		if !ok {
			return p, invalid("Last-Event-ID", "this is no event's id")
		}
		return p, nil
	}
	live, err := f.Live(c.Request.Context())
	if err != nil {
		return place{}, fmt.Errorf("read floor: %w", err)
	}
	return place{seq: live.Seq, whole: true}, nil
}

// follow copies facts to the stream. Any failed write ends it: the client will
// come back with its last id.
func (s *Server) follow(c *gin.Context, st *stream, facts <-chan orchestrator.Fact, complete bool) {
	st.text.WriteString("retry: 2000\n\n")
	if !complete {
		s.metrics.resyncs.WithLabelValues(string(gen.ResyncReasonTooOld)).Inc()
		st.resync(gen.ResyncReasonTooOld)
	}
	if st.flush() != nil {
		return
	}
	beat := time.NewTicker(s.limits.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-c.Request.Context().Done():
			return
		case <-s.closing:
			return
		case <-beat.C:
			st.text.WriteString(": still here\n\n")
		case fact, ok := <-facts:
			if !ok {
				s.metrics.resyncs.WithLabelValues(string(gen.ResyncReasonTooSlow)).Inc()
				st.resync(gen.ResyncReasonTooSlow)
				st.flush() //nolint:errcheck // it ends either way
				return
			}
			st.facts(fact, facts)
			beat.Reset(s.limits.Heartbeat)
		}
		if st.flush() != nil {
			return
		}
	}
}

// stream is one client's event stream.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	from    place
	text    bytes.Buffer // not yet written
}

// facts adds first and what else is there already, up to one write's worth.
func (st *stream) facts(first orchestrator.Fact, more <-chan orchestrator.Fact) {
	st.fact(first)
	for st.text.Len() < batchBytes {
		select {
		case f, ok := <-more:
			if !ok {
				return // the next receive sees it too
			}
			st.fact(f)
		default:
			return
		}
	}
}

func (st *stream) fact(f orchestrator.Fact) {
	if st.from.knows(f) {
		return
	}
	text, err := orchestrator.MarshalFact(f)
	if err != nil { // a fact without a name is a fault of the codec, which a test excludes
		return
	}
	fmt.Fprintf(&st.text, "event: fact\nid: %d.%d\ndata: %s\n\n", f.Seq, f.Index, text)
}

func (st *stream) resync(why gen.ResyncReason) {
	text, _ := json.Marshal(gen.Resync{Reason: why})
	fmt.Fprintf(&st.text, "event: resync\ndata: %s\n\n", text)
}

// flush writes what was added, within the stream's limit: a client that does
// not read must not hold a connection for ever.
func (st *stream) flush() error {
	if st.text.Len() == 0 {
		return nil
	}
	if err := st.control.SetWriteDeadline(time.Now().Add(st.limit)); err != nil {
		return fmt.Errorf("bound a write to an event stream: %w", err)
	}
	if _, err := st.w.Write(st.text.Bytes()); err != nil {
		return fmt.Errorf("write to an event stream: %w", err)
	}
	st.text.Reset()
	return st.control.Flush()
}
