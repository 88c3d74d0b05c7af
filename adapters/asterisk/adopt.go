package asterisk

import (
	"slices"
	"strings"
	"time"

	"github.com/CyCoreSystems/ari/v5"

	"ringmaster/orchestrator"
)

// misses reports whether a leg in the book was gone when a picture was taken.
func (b *book) misses(pic picture, app string) bool {
	there := map[string]bool{}
	for i := range pic.channels {
		if c := &pic.channels[i]; c.in(app) || b.away(c) {
			there[c.ID] = true
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.live {
		if !there[l.channel] && !l.quiet && l.born.Before(pic.asked) {
			return true
		}
	}
	return false
}

// adopt brings the book in line with a picture: legs that are ours are entered,
// legs that are gone are taken out without an event, because the snapshot says
// so. Legs younger than the picture stay. It returns the legs that arrived and
// are now ours to watch, the plays that may have ended unheard, and what is to be
// told after the snapshot.
func (b *book) adopt(pic picture, app string) (arrived []*leg, plays []orchestrator.PlayID, came []orchestrator.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	present := map[orchestrator.LegID]bool{}
	for i := range pic.channels {
		c := &pic.channels[i]
		away := b.away(c) && !c.in(app)
		if !c.in(app) && !away || strings.Join(c.args(), ",") == argsTap {
			continue
		}
		if _, stamped := orchestrator.ParseStamp(c.ChannelVars[stampVariable]); away && !stamped {
			continue // Not sent there by us.
		}
		id := b.legID(c.ID, c.ChannelVars[stampVariable])
		present[id] = true
		l := b.live[id]
		if l == nil {
			if b.ended.has(string(id)) {
				continue // A leg given up while it was being made; it is being hung up.
			}
			l = b.open(id, time.Time(c.Created))
			b.describe(l, c)
		}
		if l.dialled {
			l.subscribed.set() // What we made is told to us to its end.
		}
		if !l.subscribed.done {
			arrived = append(arrived, l)
		}
		b.refresh(l, c)
		if away {
			l.detecting, l.left = time.Now(), time.Now().Add(detectPatience)
		} else if !l.detecting.IsZero() && isDetection(c.args()) {
			came = append(came, b.detected(l, c.args())...)
		}
	}
	b.exorcise(pic.channels)
	for id, l := range b.live {
		if !present[id] && !l.quiet && l.born.Before(pic.asked) {
			b.shut(l, false)
			continue
		}
		for id, p := range l.plays {
			if !p.done {
				plays = append(plays, id)
			}
		}
	}
	return arrived, plays, came
}

// unsettle forgets which legs' ends are told: on a new connection Asterisk may
// have forgotten too.
func (b *book) unsettle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.live {
		if !l.dialled && l.subscribed.done {
			l.subscribed = newMark()
		}
	}
}

// away reports whether a channel is where DetectMachine sends legs.
func (b *book) away(c *channel) bool {
	return b.detection != "" && c.DialplanSpot.Context == b.detection
}

// describe fills in what the floor is told of a leg it does not know.
func (b *book) describe(l *leg, c *channel) {
	entry, number, ours := readArgs(c.args())
	l.dialled = ours || isDetection(c.args()) || b.away(c)
	l.music, l.wishes = true, true // What cannot be read may be so.
	l.entry, l.number, l.caller, l.endpoint = entry, number, partyOf(&c.Caller), endpointOf(c.Name)
}

// refresh takes over what can have changed unseen.
func (b *book) refresh(l *leg, c *channel) {
	l.started.set()
	if !l.left.IsZero() { // It came back unseen, or is a ghost: see readAgain.
		l.left, l.doubtful = time.Time{}, true
	}
	if stamp, ok := orchestrator.ParseStamp(c.ChannelVars[stampVariable]); ok {
		l.stamp = stamp
	}
	switch {
	case c.State == "Up":
		l.state = orchestrator.LegIsUp
	case c.State == "Ringing" && l.dialled && l.state == orchestrator.LegNew:
		l.state = orchestrator.LegRings
	}
}

// snapshotLegs lists the book, oldest first.
func (b *book) snapshotLegs(bridges []ari.BridgeData) []orchestrator.SnapshotLeg {
	inBridge := map[string]orchestrator.BridgeID{}
	for _, br := range bridges {
		for _, id := range br.ChannelIDs {
			if !isSpyBridge(br.ID) {
				inBridge[id] = orchestrator.BridgeID(br.ID)
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]orchestrator.SnapshotLeg, 0, len(b.live))
	for _, l := range b.live {
		l.bridge = inBridge[l.channel]
		out = append(out, orchestrator.SnapshotLeg{
			Leg: l.id, Stamp: l.stamp, State: l.state, Bridge: l.bridge, Entry: l.entry,
			Dialled: l.number, Caller: l.caller, Endpoint: l.endpoint, Created: l.born,
			Recordings: b.recordingsOf(l.id), Supervises: b.supervisedBy(l.id), Stream: b.streamOf(l.id),
		})
	}
	slices.SortFunc(out, func(a, b orchestrator.SnapshotLeg) int {
		if d := a.Created.Compare(b.Created); d != 0 {
			return d
		}
		return strings.Compare(string(a.Leg), string(b.Leg))
	})
	return out
}
