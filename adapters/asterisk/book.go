package asterisk

import (
	"strings"
	"sync"
	"time"

	"ringmaster/orchestrator"
)

// leg is what must be remembered of one leg while it lives.
type leg struct {
	id      orchestrator.LegID
	channel string // Asterisk's name of it
	stamp   orchestrator.Stamp
	state   orchestrator.LegState
	born    time.Time
	dialled bool // made by us; else it arrived

	entry    orchestrator.Entry
	number   string // dialled
	caller   orchestrator.Party
	endpoint string
	bridge   orchestrator.BridgeID
	entering orchestrator.BridgeID // was ordered into it
	ordered  time.Time             // when that was

	// quiet is a leg whose Dial has not rung it yet: it has no events. What
	// happens to it is Dial's answer.
	quiet      bool
	started    mark // entered our application
	cancelled  mark // hung up while being made
	gone       mark
	subscribed mark // its end will be told
	// ring is held by who rings or hangs up the leg: the two must not cross.
	ring chan struct{}

	plays     map[orchestrator.PlayID]*play
	music     bool // may be on
	releasing bool
	early     bool      // sound before the answer was told
	detecting time.Time // when it was sent to be detected, zero when it is not away
	wishes    bool      // its phone waits for our word about a transfer
	left      time.Time // left our application, end not known yet
	doubtful  bool      // a request about it had no answer: read it again
	ghostly   bool      // read once as a ghost

	// Who ends it: the first hang-up request without "soft" is the far end's.
	asked  bool // a hang-up request was seen
	remote bool
	byUs   bool
	sip    int
}

// play is one Play command on a leg; it is forgotten with the leg.
type play struct {
	stopped bool
	done    bool
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

// maxPlays bounds the plays remembered per leg. Ended ones are forgotten first:
// a caller may wait through a thousand announcements.
const maxPlays = 64

// musical notes that music may be on from now on, or is off.
func (b *book) musical(l *leg, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.music = on
}

// hasMusic reports whether music may be on.
func (b *book) hasMusic(l *leg) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return l.music
}

// begin enters a play. known says it was begun before, full that too many run.
func (b *book) begin(l *leg, id orchestrator.PlayID) (known, full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.plays[id]; known {
		return true, false
	}
	if len(l.plays) >= maxPlays {
		for old, p := range l.plays {
			if p.done {
				b.forget(l, old)
			}
		}
	}
	if len(l.plays) >= maxPlays {
		return false, true
	}
	l.plays[id] = &play{}
	b.plays[id] = l
	return false, false
}

// forget takes a play out; the caller holds the lock.
func (b *book) forget(l *leg, id orchestrator.PlayID) {
	delete(l.plays, id)
	delete(b.plays, id)
}

// book holds the legs of one switch. Its lock guards every field of its legs.
type book struct {
	switchID orchestrator.SwitchID
	mu       sync.Mutex
	live     map[orchestrator.LegID]*leg
	plays    map[orchestrator.PlayID]*leg
	ended    memory
	ghosts   map[string]string // endpoints of ghosts, by channel
	devices  map[string]device // watched endpoints, by name

	recordings   map[orchestrator.RecordingID]*recording
	recorded     memory // recordings that are over
	recordingDir string
	detection    string                      // the dialplan's context for DetectMachine
	spies        map[orchestrator.LegID]*spy // by the supervisor's leg
	streams      map[orchestrator.StreamID]*stream
	tapping      map[string]*mark // taps being made: set when one entered our application
}

// device is the last known state of a watched endpoint.
type device struct {
	known     bool
	reachable bool
	inUse     bool
}

func newBook(id orchestrator.SwitchID) *book {
	return &book{
		switchID: id, live: map[orchestrator.LegID]*leg{}, plays: map[orchestrator.PlayID]*leg{},
		ended: newMemory(endedLimit), ghosts: map[string]string{}, devices: map[string]device{},
		recordings: map[orchestrator.RecordingID]*recording{}, recorded: newMemory(recordedLimit),
		spies: map[orchestrator.LegID]*spy{}, streams: map[orchestrator.StreamID]*stream{}, tapping: map[string]*mark{},
	}
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
	return orchestrator.LegID(string(b.switchID) + "/" + channel)
}

// channelOf is the inverse of legID.
func (b *book) channelOf(id orchestrator.LegID) string {
	return strings.TrimPrefix(string(id), string(b.switchID)+"/")
}

// open enters a leg; the caller holds the lock.
func (b *book) open(id orchestrator.LegID, now time.Time) *leg {
	l := &leg{
		id: id, channel: b.channelOf(id), state: orchestrator.LegNew, born: now,
		started: newMark(), cancelled: newMark(), gone: newMark(), subscribed: newMark(),
		ring:  make(chan struct{}, 1),
		plays: map[orchestrator.PlayID]*play{},
	}
	b.live[id] = l
	return l
}

// shut takes a leg out and remembers that it ended, unless it may come back.
func (b *book) shut(l *leg, mayReturn bool) {
	l.gone.set()
	delete(b.live, l.id)
	for id := range l.plays {
		delete(b.plays, id)
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

// ready is closed once the end of a leg will be told.
func (b *book) ready(l *leg) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return l.subscribed.c
}

// running lists the plays of a leg that have not ended.
func (b *book) running(l *leg) []orchestrator.PlayID {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []orchestrator.PlayID
	for id, p := range l.plays {
		if !p.done {
			out = append(out, id)
		}
	}
	return out
}

// endedLimit is how many ended legs are remembered, so that a late or repeated
// event cannot bring one back.
const endedLimit = 8192

// recordedLimit is the same for recordings.
const recordedLimit = 4096

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
