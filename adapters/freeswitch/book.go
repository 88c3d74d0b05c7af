package freeswitch

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"ringmaster/orchestrator"
)

// leg is what must be remembered of one leg while it lives.
type leg struct {
	id      orchestrator.LegID
	channel string // FreeSWITCH's name of it
	stamp   orchestrator.Stamp
	state   orchestrator.LegState
	born    time.Time
	dialled bool   // made by us; else it arrived
	role    string // where its guard leads

	entry    orchestrator.Entry
	number   string // dialled
	caller   orchestrator.Party
	endpoint string

	bridge  orchestrator.BridgeID // it is in
	was     orchestrator.BridgeID // it was in before
	peer    *leg                  // in the same bridge
	joining orchestrator.BridgeID // ordered, not told yet
	ordered time.Time             // joining

	// quiet is a leg whose Dial was not answered yet: it has no events. What
	// happens to it is Dial's answer.
	quiet     bool
	started   mark // FreeSWITCH made it
	failed    mark // FreeSWITCH did not
	failure   string
	cancelled mark // hung up while being made
	gone      mark

	parked   bool // in our care
	answered bool // by the far end; a dialled leg is up once it is parked too
	sounds   sounds
	guard    guard
	renewing bool       // its guard is about to be put off
	turn     sync.Mutex // of who changes its guard; taken before the book's lock

	// A blind transfer that waits for our word, by the transfer key of one side.
	asks, askedBy *leg
	target        string
	heir          orchestrator.BridgeID // an attended transfer puts it there
	moving        chan struct{}         // FreeSWITCH is carrying it elsewhere; closed when it is there

	ringing, early bool // told so to a caller who waits for an answer
	recording      *recording
	recorded       map[orchestrator.RecordingID]bool // over
	supervising    *supervision
	conferring     bool // its bridge is a conference

	releasing bool
	hungUp    time.Time // its end was told, the last word about it not yet
	doubtful  bool      // a command about it had no answer: read it again
	sequence  uint64    // of its newest event

	killed int // the cause we ended it with, 0: we did not
	cause  int // as FreeSWITCH told it
}

// mark is something that happens once and can be waited for.
type mark struct {
	c    chan struct{}
	done bool
}

func newMark() mark { return mark{c: make(chan struct{})} }

func (m *mark) set() {
	if !m.done {
		m.done = true
		close(m.c)
	}
}

// book holds the legs of one switch. Its lock guards every field of its legs.
type book struct {
	cfg     Config
	run     string // names this process in what FreeSWITCH tells later
	mu      sync.Mutex
	live    map[orchestrator.LegID]*leg
	plays   map[orchestrator.PlayID]*leg
	bridges map[orchestrator.BridgeID]orchestrator.Stamp
	ended   memory
	core    string // the FreeSWITCH process they were on
	// devices are the watched endpoints; users are the channels of each device,
	// whoever placed the call.
	devices map[string]device
	users   map[string]string // channel to device
	busy    map[string]int    // device to its channels
	late    uint64            // events older than what was known of their leg
	// outbox is what commands have to tell; the session sends it in order with
	// what the events tell.
	outbox []orchestrator.Event
	todo   []chore       // what commands have left to be done
	posted chan struct{} // holds one: there is something in the outbox or to be done
}

func newBook(cfg Config) *book {
	return &book{
		cfg: cfg, run: strconv.FormatInt(time.Now().UnixNano(), 36), live: map[orchestrator.LegID]*leg{}, plays: map[orchestrator.PlayID]*leg{},
		bridges: map[orchestrator.BridgeID]orchestrator.Stamp{},
		ended:   newMemory(endedLimit), devices: map[string]device{}, users: map[string]string{}, busy: map[string]int{},
		posted: make(chan struct{}, 1),
	}
}

// post tells events from outside of the session's goroutine; the caller holds
// the lock.
func (b *book) post(events ...orchestrator.Event) {
	if len(events) > 0 {
		b.outbox = append(b.outbox, events...)
		wish(b.posted)
	}
}

func (b *book) takePosted() ([]orchestrator.Event, []chore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, todo := b.outbox, b.todo
	b.outbox, b.todo = nil, nil
	return out, todo
}

// legID names the leg of a channel: as we named it when we dialled it or
// stamped it, else "<switch>/<channel>".
func (b *book) legID(channel, stamp string) orchestrator.LegID {
	if b.live[orchestrator.LegID(channel)] != nil || b.ended.has(channel) {
		return orchestrator.LegID(channel)
	}
	if s, ok := orchestrator.ParseStamp(stamp); ok && b.channelOf(s.Leg) == channel {
		return s.Leg
	}
	return orchestrator.LegID(string(b.cfg.ID) + "/" + channel)
}

// channelOf is the inverse of legID.
func (b *book) channelOf(id orchestrator.LegID) string {
	return strings.TrimPrefix(string(id), string(b.cfg.ID)+"/")
}

// open enters a leg; the caller holds the lock.
func (b *book) open(id orchestrator.LegID, now time.Time) *leg {
	l := &leg{
		id: id, channel: b.channelOf(id), state: orchestrator.LegNew, born: now, role: roleCaller,
		started: newMark(), failed: newMark(), cancelled: newMark(), gone: newMark(),
	}
	l.sounds.run = b.run
	b.live[id] = l
	return l
}

// shut takes a leg out and remembers that it ended, unless it may come back.
func (b *book) shut(l *leg, mayReturn bool) {
	l.gone.set()
	l.arrive()
	b.forgetTransfer(l)
	if l.peer != nil {
		l.peer.peer, l.peer = nil, nil
	}
	delete(b.live, l.id)
	for _, p := range l.sounds.known {
		delete(b.plays, p.id)
	}
	if !mayReturn {
		b.ended.add(string(l.id))
	}
}

// find returns the leg, and whether it is known to have ended.
func (b *book) find(id orchestrator.LegID) (l *leg, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.live[id], b.ended.has(string(id))
}

// doubt has a leg read again; the caller does not hold the lock.
func (b *book) doubt(legs ...*leg) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range legs {
		l.doubtful = true
	}
}

const (
	// endGrace is how long after a leg's hang-up its last word may be missing.
	endGrace = time.Second
	// joinGrace is how long after the answer to a Connect its event may be
	// missing.
	joinGrace = time.Second
)

// restless lists the legs that have to be read again: a command about them had
// no answer, or an event that must follow did not.
func (b *book) restless(now time.Time) []*leg {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*leg
	for _, l := range b.live {
		switch {
		case l.quiet:
		case l.doubtful,
			!l.hungUp.IsZero() && now.Sub(l.hungUp) > endGrace,
			l.joining != "" && now.Sub(l.ordered) > joinGrace:
			out = append(out, l)
		}
	}
	return out
}

// endedLimit is how many ended legs are remembered, so that a late or repeated
// event cannot bring one back.
const endedLimit = 8192

// reborn forgets what ended on another FreeSWITCH process: `sofia recover` brings
// legs back under their old names, and hanging up one of two who talk would leave
// the other with silence for good. The caller holds the lock.
func (b *book) reborn(core string) {
	if core != b.core {
		b.ended = newMemory(endedLimit)
	}
}

// memory is a set that forgets its oldest entry when it is full.
type memory struct {
	set  map[string]struct{}
	ring []string
	next int
}

func newMemory(limit int) memory {
	return memory{set: make(map[string]struct{}, limit), ring: make([]string, limit)}
}

func (m *memory) has(key string) bool { _, ok := m.set[key]; return ok }

func (m *memory) add(key string) {
	if m.has(key) {
		return
	}
	delete(m.set, m.ring[m.next])
	m.ring[m.next] = key
	m.set[key] = struct{}{}
	m.next = (m.next + 1) % len(m.ring)
}
