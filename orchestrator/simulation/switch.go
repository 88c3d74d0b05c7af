package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"ringmaster/orchestrator"
)

// Switch is a PBX with a trunk and desk phones that exists only in memory. It
// keeps the contract of orchestrator.Switch; where real switches differ, Quirks
// choose. It is not safe for concurrent use.
type Switch struct {
	// Quirks may be changed at any time.
	Quirks Quirks
	// Object is told of every command no switch could carry out, however the
	// events crossed on their way. nil is silence.
	Object func(text string)

	id      orchestrator.SwitchID
	clock   *Clock
	epoch   int
	serial  int // of legs that arrived
	port    *Port
	legs    []*leg
	bridges []*bridge
	phones  []*Phone
	spent   map[orchestrator.LegID]bool // leg ids that were dialled or hung up before
	order   []orchestrator.LegID        // of spent, to forget the oldest

	recorded   map[orchestrator.RecordingID]bool
	overloaded bool
}

// Quirks are the ways in which honest switches differ.
type Quirks struct {
	LeftAtEnd     bool          // a leg that ends in a bridge leaves it first
	PlayDoneAtEnd bool          // plays of a leg that ends are reported as stopped
	EndsAtRestart bool          // legs of a switch that restarts are reported as ended
	AlreadyNever  bool          // repeats are answered accepted where that is harmless
	React         time.Duration // from a dial to the phone's reply; 0 is 5 ms

	// The next two are Capabilities too: choose before connecting.
	DoesAttended    bool // attended transfers are done, not asked for
	PartsWhileAsked bool // a blind transfer that waits for our word has parted both
	// StaysTransferred: phones wait to be hung up after their transfer.
	StaysTransferred bool
	// The next three are Capabilities like the two above.
	NoDetection    bool // no DetectMachine
	NoStreams      bool // no StreamAudio
	SupervisorKeys bool // 0, 2 and 3 of a supervisor's phone change the mode
	FallsBackAlone bool // who is in our care alone goes to the fallback soon after we went
	RecordingFails bool // recordings end as they begin
}

// spentIDs bounds the memory of leg ids. No dial and its hangup are that far
// apart.
const spentIDs = 20_000

// leg is one connection between the switch and a far end.
type leg struct {
	id       orchestrator.LegID
	stamp    orchestrator.Stamp
	state    orchestrator.LegState
	entry    orchestrator.Entry
	dialled  string
	caller   orchestrator.Party
	endpoint string
	created  time.Time
	far      *Far
	bridge   *bridge
	wish     *wish
	watches  *watch // supervises
	stream   orchestrator.StreamID
	dumb     bool // what it says is muted
	deaf     bool // what it hears is muted
	music    string
	playing  []*play // the first is being heard
	patience *Timer  // of a dial
	reply    *Timer  // of the phone

	recordings []*recording
	variables  map[string]string
	detecting  *Timer // machine detection
}

type play struct {
	id    orchestrator.PlayID
	media []orchestrator.Media
	over  *Timer
}

type bridge struct {
	id    orchestrator.BridgeID
	stamp orchestrator.Stamp
	legs  []*leg
}

// NewSwitch makes a switch without phones or calls.
func NewSwitch(id orchestrator.SwitchID, clock *Clock) *Switch {
	return &Switch{
		id: id, clock: clock, epoch: 1, spent: map[orchestrator.LegID]bool{},
		recorded: map[orchestrator.RecordingID]bool{},
		Quirks:   Quirks{LeftAtEnd: true, PlayDoneAtEnd: true},
	}
}

// ID is the switch's name in the configuration.
func (s *Switch) ID() orchestrator.SwitchID { return s.id }

// Capabilities are the same for every simulated switch but for its Quirks.
func (s *Switch) Capabilities() orchestrator.Capabilities {
	return orchestrator.Capabilities{
		Kind: "simulated", Version: "1",
		AsksAttended: !s.Quirks.DoesAttended, TalksWhileAsked: !s.Quirks.PartsWhileAsked,
		Recording: true, StereoFile: true, RecordsEveryAgent: true, ListsRecordings: true, Supervision: true, DetectsMachine: !s.Quirks.NoDetection,
		KeepsMode: !s.Quirks.SupervisorKeys, FallsBackAlone: s.Quirks.FallsBackAlone, StreamsAudio: !s.Quirks.NoStreams,
	}
}

// Epoch changes when the switch restarts.
func (s *Switch) Epoch() string { return strconv.Itoa(s.epoch) }

// Restart ends every leg and bridge and breaks the connection. Phones stay
// registered, as Asterisk's do.
func (s *Switch) Restart() {
	legs := s.legs
	s.legs, s.bridges = nil, nil
	s.epoch++
	for _, l := range legs {
		l.silence()
		if s.Quirks.EndsAtRestart {
			s.emit(orchestrator.LegEnded{Leg: l.id, Cause: causeRestart, By: orchestrator.EndedBySwitch})
		}
		l.far.ended(causeRestart, 0)
	}
	for _, p := range s.phones {
		p.note()
	}
	if s.port != nil {
		s.port.Cut("the switch restarted")
	}
}

// causeRestart is what Asterisk 22 gives the legs of a restart.
const causeRestart = 4

// Legs is how many legs are on the switch, for whoever waits for silence.
func (s *Switch) Legs() int { return len(s.legs) }

// Snapshot is everything on the switch that is ours or was offered to us.
func (s *Switch) Snapshot() orchestrator.Snapshot {
	var snap orchestrator.Snapshot
	for _, l := range s.legs {
		x := orchestrator.SnapshotLeg{
			Leg: l.id, Stamp: l.stamp, State: l.state, Entry: l.entry, Dialled: l.dialled,
			Caller: l.caller, Endpoint: l.endpoint, Created: l.created, Stream: l.stream,
		}
		if l.bridge != nil {
			x.Bridge = l.bridge.id
		}
		for _, r := range l.recordings {
			x.Recordings = append(x.Recordings, r.id)
		}
		if l.watches != nil {
			x.Supervises = l.watches.target.id
		}
		snap.Legs = append(snap.Legs, x)
	}
	for _, b := range s.bridges {
		x := orchestrator.SnapshotBridge{Bridge: b.id, Stamp: b.stamp}
		for _, l := range b.legs {
			x.Legs = append(x.Legs, l.id)
		}
		snap.Bridges = append(snap.Bridges, x)
	}
	for _, p := range s.phones {
		if p.trunk {
			continue
		}
		snap.Endpoints = append(snap.Endpoints, orchestrator.SnapshotEndpoint{
			Endpoint: p.endpoint, Reachable: p.reachable, InUse: p.inUse(),
		})
	}
	return snap
}

func (s *Switch) emit(e orchestrator.Event) {
	if s.port != nil && s.port.open {
		s.port.emit(e)
	}
}

func (s *Switch) object(format string, args ...any) (orchestrator.CommandResult, string) {
	text := fmt.Sprintf(format, args...)
	if s.Object != nil {
		s.Object(text)
	}
	return orchestrator.ResultRejected, text
}

func (s *Switch) leg(id orchestrator.LegID) *leg {
	for _, l := range s.legs {
		if l.id == id {
			return l
		}
	}
	return nil
}

func (s *Switch) bridge(id orchestrator.BridgeID) *bridge {
	for _, b := range s.bridges {
		if b.id == id {
			return b
		}
	}
	return nil
}

// spend remembers that a leg id has been used. No leg has it again.
func (s *Switch) spend(id orchestrator.LegID) {
	if s.spent[id] {
		return
	}
	s.spent[id] = true
	s.order = append(s.order, id)
	if len(s.order) > spentIDs {
		delete(s.spent, s.order[0])
		s.order = s.order[1:]
	}
}

// end is the end of a leg, whoever's doing it was.
func (s *Switch) end(l *leg, cause, sip int, by orchestrator.EndedBy) {
	s.silence(l, s.Quirks.PlayDoneAtEnd)
	s.leave(l, s.Quirks.LeftAtEnd)
	s.endRecordings(l)
	s.drop(l)
	s.emit(orchestrator.LegEnded{Leg: l.id, Cause: cause, SIP: sip, By: by})
	l.far.ended(cause, sip)
}

// drop forgets a leg.
func (s *Switch) drop(l *leg) {
	l.silence()
	s.unwatch(l)
	l.state = orchestrator.LegIsDown
	s.legs = slices.DeleteFunc(s.legs, func(x *leg) bool { return x == l })
}

// silence stops every timer of a leg.
func (l *leg) silence() {
	l.patience.Stop()
	l.reply.Stop()
	l.detecting.Stop()
	for _, p := range l.playing {
		p.over.Stop()
	}
	l.playing = nil
}

// silence ends what a leg is hearing.
func (s *Switch) silence(l *leg, say bool) {
	playing := l.playing
	l.playing, l.music = nil, ""
	for _, p := range playing {
		p.over.Stop()
		if say {
			s.emit(orchestrator.PlayDone{Leg: l.id, Play: p.id, Status: orchestrator.PlayStopped})
		}
	}
}

// enter puts a leg into a bridge, out of the one it was in.
func (s *Switch) enter(l *leg, b *bridge) {
	s.silence(l, true)
	s.leave(l, true)
	l.watches = nil
	b.legs = append(b.legs, l)
	l.bridge = b
	s.emit(orchestrator.Joined{Leg: l.id, Bridge: b.id})
}

// leave takes a leg out of its bridge, if it is in one. The bridge stays.
func (s *Switch) leave(l *leg, say bool) {
	b := l.bridge
	if b == nil {
		return
	}
	b.legs = slices.DeleteFunc(b.legs, func(x *leg) bool { return x == l })
	l.bridge = nil
	if say {
		s.emit(orchestrator.Left{Leg: l.id, Bridge: b.id})
	}
	l.far.alone()
	for _, other := range b.legs {
		other.far.alone()
	}
}
