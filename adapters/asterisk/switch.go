package asterisk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"ringmaster/orchestrator"
)

// Switch is one Asterisk. Make it with New and call Run once.
type Switch struct {
	cfg      Config
	rest     *client
	book     *book
	counters *counters
	creates  *gate
	events   chan orchestrator.Event
	resync   chan struct{}           // holds one wish
	rewatch  chan struct{}           // holds one wish
	said     chan orchestrator.Event // by commands, to be told in the stream

	mu       sync.Mutex
	state    linkState
	over     chan struct{} // closed when the present connection is over
	version  string
	watch    []string
	bridging map[orchestrator.BridgeID]int  // being connected right now
	filled   map[orchestrator.BridgeID]bool // connected since the switch is being read; nil while it is not
}

var _ orchestrator.Switch = (*Switch)(nil)

// linkState is whether commands may be sent.
type linkState int

const (
	linkDown linkState = iota
	linkUp
	linkSuperseded
)

// eventBuffer is how many events may wait for the receiver before messages
// wait in the queue.
const eventBuffer = 1024

// saidBuffer is how many events of commands may wait for the stream.
const saidBuffer = 1024

// New checks cfg and makes the adapter; it does not connect. The error names
// every fault of cfg.
func New(cfg Config) (*Switch, error) {
	cfg, base, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("configure asterisk %s: %w", cfg.ID, err)
	}
	n := newCounters()
	b := newBook(cfg.ID)
	b.recordingDir, b.detection = cfg.RecordingDir, cfg.Detection
	return &Switch{
		cfg: cfg, rest: newClient(cfg, base, n), book: b, counters: n,
		creates:  newGate(cfg.CreatesPerSecond, cfg.CreateBurst),
		events:   make(chan orchestrator.Event, min(eventBuffer, cfg.Queue)),
		resync:   make(chan struct{}, 1),
		rewatch:  make(chan struct{}, 1),
		said:     make(chan orchestrator.Event, saidBuffer),
		over:     make(chan struct{}),
		watch:    slices.Clone(cfg.Endpoints),
		bridging: map[orchestrator.BridgeID]int{},
	}, nil
}

// ID implements orchestrator.Switch.
func (s *Switch) ID() orchestrator.SwitchID { return s.cfg.ID }

// Capabilities implements orchestrator.Switch. Version is empty until the
// first connection.
func (s *Switch) Capabilities() orchestrator.Capabilities {
	s.mu.Lock()
	defer s.mu.Unlock()
	can := Capable()
	can.Version = s.version
	return can
}

// Capable is what every Asterisk that is new enough can do, for whoever must
// tell it without one at hand.
func Capable() orchestrator.Capabilities {
	return orchestrator.Capabilities{
		Kind:        "asterisk",
		EarlyBridge: true, AsksAttended: true, TalksWhileAsked: true,
		Recording: true, ListsRecordings: true, Supervision: true, KeepsMode: true, DetectsMachine: true, StreamsAudio: true,
	}
}

// Events implements orchestrator.Switch.
func (s *Switch) Events() <-chan orchestrator.Event { return s.events }

// Resync implements orchestrator.Switch. It also ends being superseded: the
// caller has made sure that this orchestrator is the one in charge.
func (s *Switch) Resync() { wish(s.resync) }

// Watch replaces the list of endpoints whose reachability and use are
// reported. It may be called at any time; names that are not of the form
// PJSIP/1001 are left out. New ones are reported by EndpointChanged at once,
// or are in the next SwitchSynced.
func (s *Switch) Watch(endpoints []string) {
	kept := make([]string, 0, len(endpoints))
	for _, e := range endpoints {
		if endpointPattern.MatchString(e) && !slices.Contains(kept, e) {
			kept = append(kept, e)
		} else {
			s.cfg.Log.Warn("endpoint not watched", "switch", s.cfg.ID, "endpoint", clip(e, maxID))
		}
	}
	s.mu.Lock()
	s.watch = kept
	s.mu.Unlock()
	wish(s.rewatch)
}

// Stats is what was counted so far.
func (s *Switch) Stats() Stats {
	out := s.counters.snapshot()
	out.CreateRate = s.creates.rate()
	s.mu.Lock()
	out.Connected, out.Superseded = s.state == linkUp, s.state == linkSuperseded
	s.mu.Unlock()
	s.book.mu.Lock()
	out.Legs = len(s.book.live)
	s.book.mu.Unlock()
	return out
}

func wish(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // One is waiting already.
	}
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// errReplaced ends a session that another orchestrator took over, or prevents
// one that would take it over from a newer one.
var errReplaced = errors.New("a newer orchestrator has this switch")

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
	// steadyAfter is how long a connection must last to be taken for good;
	// one that breaks sooner keeps the pause growing.
	steadyAfter = 10 * time.Second
)

// Run implements orchestrator.Switch. It returns nil when ctx ends; a wrong
// password is reported as SwitchLost and tried again, because it is mended on
// the other side.
func (s *Switch) Run(ctx context.Context) error {
	defer s.rest.close()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = retryFirst, retryMost, 2
	var told string // the last reason given for having no connection
	for ctx.Err() == nil {
		began := time.Now()
		synced, err := s.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errReplaced):
			s.superseded(ctx)
			pause.Reset()
			continue
		case !synced && errors.Is(err, errDeaf) && told != err.Error():
			told = err.Error() // The next connection is most likely sound: nobody need know.
		case synced || err.Error() != told:
			told = err.Error()
			s.lost(ctx, told)
		}
		if time.Since(began) > steadyAfter {
			pause.Reset()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause.NextBackOff()):
		}
	}
	return nil
}

// lost reports a connection that ended, or the first or a new reason for not
// getting one.
func (s *Switch) lost(ctx context.Context, reason string) {
	s.counters.add(func(n *Stats) { n.Losses++ })
	s.cfg.Log.Warn("switch lost", "switch", s.cfg.ID, "reason", reason)
	s.tell(ctx, orchestrator.SwitchLost{Switch: s.cfg.ID, Reason: reason})
}

// superseded stays away until Resync is called. Fighting for the application
// would cut the other off, and both would miss calls in turn.
func (s *Switch) superseded(ctx context.Context) {
	s.cfg.Log.Error("switch superseded", "switch", s.cfg.ID)
	drain(s.resync) // A wish from before the takeover does not count.
	s.tell(ctx, orchestrator.SwitchSuperseded{Switch: s.cfg.ID})
	select {
	case <-ctx.Done():
	case <-s.resync:
	}
	s.setState(linkDown)
}

// tell delivers one event, waiting for the receiver until ctx ends.
func (s *Switch) tell(ctx context.Context, e orchestrator.Event) {
	select {
	case s.events <- e:
	case <-ctx.Done():
	}
}

// say puts events that a command led to into the stream, behind the snapshot
// when the connection is being made.
func (s *Switch) say(events ...orchestrator.Event) {
	for _, e := range events {
		select {
		case s.said <- e:
		default:
			s.cfg.Log.Error("event lost: nobody takes events", "switch", s.cfg.ID, "event", fmt.Sprintf("%T", e))
			s.Resync()
		}
	}
}

func (s *Switch) setState(to linkState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == linkSuperseded && to == linkUp {
		return // A reading that was under way when the takeover came.
	}
	if s.state == linkUp && to != linkUp {
		close(s.over)
		s.over = make(chan struct{})
	}
	s.state = to
}

// link returns whether commands may be sent and a channel that closes when
// that ends.
func (s *Switch) link() (linkState, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.over
}

func (s *Switch) watched() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.watch)
}
