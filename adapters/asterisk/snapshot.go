package asterisk

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/CyCoreSystems/ari/v5"
	"golang.org/x/sync/errgroup"

	"ringmaster/orchestrator"
)

// channel is a channel as GET shows it. The model of ari/v5 5.3.1 lacks where
// in the dialplan it is.
type channel struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	State        string            `json:"state"`
	Caller       ari.CallerID      `json:"caller"`
	Created      ari.DateTime      `json:"creationtime"`
	ChannelVars  map[string]string `json:"channelvars"`
	DialplanSpot struct {
		Context string `json:"context"`
		App     string `json:"app_name"`
		Data    string `json:"app_data"`
	} `json:"dialplan"`
}

// in reports whether a channel is in our application.
func (c *channel) in(app string) bool {
	name, _, _ := strings.Cut(c.DialplanSpot.Data, ",")
	return c.DialplanSpot.App == "Stasis" && name == app
}

// args are the arguments it entered our application with.
func (c *channel) args() []string {
	_, args, _ := strings.Cut(c.DialplanSpot.Data, ",")
	return strings.Split(args, ",")
}

// picture is everything read from a switch at one instant.
type picture struct {
	info      ari.AsteriskInfo
	channels  []channel
	bridges   []ari.BridgeData
	endpoints []ari.EndpointData
	asked     time.Time
}

func (c *session) readChannel(ctx context.Context, id string) (channel, error) {
	var out channel
	err := c.rest.send(ctx, encodeRead("channels", id), &out)
	return out, err
}

// greet is what a new connection begins with, in this order: the filter before
// anything that makes events, subscriptions before reading, so that nothing
// changes unseen in between. Events received meanwhile wait in the queue.
func (c *session) greet(ctx context.Context) error {
	if err := c.filter(ctx); err != nil {
		return err
	}
	if err := c.beat(ctx, attachTimeout); err != nil {
		return err
	}
	if c.cfg.Epoch != 0 {
		if err := c.rest.send(ctx, encodeEpoch(c.cfg.App, c.cfg.Epoch), nil); err != nil {
			return err
		}
	}
	drain(c.rewatch)
	if _, err := c.subscribeDevices(ctx); err != nil {
		return err
	}
	drain(c.resync)
	c.book.unsettle()
	if err := c.sync(ctx, true); err != nil {
		return err
	}
	c.counters.add(func(n *Stats) { n.Sessions++ })
	return nil
}

const (
	registerTries = 25
	registerPause = 20 * time.Millisecond
	attachTimeout = 2 * time.Second
)

// filter also waits for the application: Asterisk answers the websocket's
// handshake before it registers the application.
func (c *session) filter(ctx context.Context) error {
	for range registerTries {
		err := c.rest.send(ctx, encodeFilter(c.cfg.App), nil)
		if statusOf(err) != http.StatusNotFound {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(registerPause):
		}
	}
	return errDeaf
}

// sync reads the switch, brings the book in line with it and reports it.
// After a gap, events may have been missed.
func (c *session) sync(ctx context.Context, gap bool) error {
	pic, err := c.read(ctx)
	for began := time.Now(); err == nil && !gap && c.book.misses(pic, c.cfg.App) && time.Since(began) < hearMost; {
		if err = c.hearOut(ctx, pic); err == nil {
			pic, err = c.read(ctx)
		}
	}
	if err != nil {
		return err
	}
	adopted, plays, came := c.book.adopt(pic, c.cfg.App)
	ended, todo := c.book.adoptTaps(pic, c.cfg.App)
	for _, job := range todo {
		c.assign(job)
	}
	if err := c.subscribeLegs(ctx, adopted); err != nil {
		return err
	}
	bridges := c.sweep(ctx, pic.bridges)
	snapshot := orchestrator.Snapshot{
		Legs: c.book.snapshotLegs(pic.bridges), Bridges: bridges,
		Endpoints: c.book.snapshotEndpoints(pic.endpoints, c.watched()),
	}
	c.mu.Lock()
	if c.version == "" {
		c.version = orchestrator.PlainText(pic.info.SystemInfo.Version, maxID)
	}
	c.mu.Unlock()
	c.setState(linkUp)
	c.tell(ctx, orchestrator.SwitchSynced{
		Switch: c.cfg.ID, Snapshot: snapshot,
		Epoch: pic.info.SystemInfo.EntityID + "/" + time.Time(pic.info.StatusInfo.StartupTime).UTC().Format(time.RFC3339Nano),
	})
	c.cfg.Log.Info("switch synced", "switch", c.cfg.ID, "legs", len(snapshot.Legs), "bridges", len(snapshot.Bridges))
	c.report(ctx, append(came, ended...))
	return c.checkPlays(ctx, plays)
}

// hearMost is how long the word about a leg that is gone may be on its way.
const hearMost = time.Second

// hearOut waits for the word about legs that a picture misses though no event
// was: their ends are among the events not heard yet, which alone say whose
// doing they were. Those of whom nothing comes are left to the snapshot.
func (c *session) hearOut(ctx context.Context, pic picture) error {
	until := time.After(hearMost)
	for c.book.misses(pic, c.cfg.App) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-c.queue:
			if err := c.handle(ctx, m.raw); err != nil {
				return err
			}
			c.counters.lag(time.Since(m.at))
		case r := <-c.reads:
			c.report(ctx, c.book.reread(r))
		case <-until:
			return nil
		}
	}
	return nil
}

// read asks for everything at once.
func (c *session) read(ctx context.Context) (picture, error) {
	pic := picture{asked: time.Now()}
	c.mu.Lock()
	c.filled = map[orchestrator.BridgeID]bool{}
	for id := range c.bridging { // order-free: fills a set
		c.filled[id] = true
	}
	c.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.rest.send(ctx, encodeRead("asterisk", "info"), &pic.info) })
	group.Go(func() error { return c.rest.send(ctx, encodeRead("channels"), &pic.channels) })
	group.Go(func() error { return c.rest.send(ctx, encodeRead("bridges"), &pic.bridges) })
	group.Go(func() error { return c.rest.send(ctx, encodeRead("endpoints"), &pic.endpoints) })
	if err := group.Wait(); err != nil {
		return pic, fmt.Errorf("read the switch: %w", err)
	}
	return pic, nil
}

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
	l.left = time.Time{}
	l.doubtful = false
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
			Recordings: b.recordingsOf(l.id), Supervises: b.supervisedBy(l.id),
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

// sweep removes our empty bridges, which would outlive every call and keep the
// application alive, and returns the others. One that Connect was filling when
// the picture was taken, or has been since, is left alone.
func (c *session) sweep(ctx context.Context, bridges []ari.BridgeData) []orchestrator.SnapshotBridge {
	var out []orchestrator.SnapshotBridge
	for _, br := range bridges {
		stamp, ours := orchestrator.ParseStamp(br.Name)
		if br.Name == argsTap && isSpyBridge(br.ID) && len(br.ChannelIDs) == 0 {
			c.closeOrphan(ctx, orchestrator.BridgeID(br.ID))
		}
		if !ours {
			continue
		}
		if len(br.ChannelIDs) == 0 && c.closeOrphan(ctx, orchestrator.BridgeID(br.ID)) {
			continue
		}
		found := orchestrator.SnapshotBridge{Bridge: orchestrator.BridgeID(br.ID), Stamp: stamp}
		c.book.mu.Lock()
		for _, id := range br.ChannelIDs {
			found.Legs = append(found.Legs, c.book.legID(id, ""))
		}
		c.book.mu.Unlock()
		out = append(out, found)
	}
	c.mu.Lock()
	c.filled = nil
	c.mu.Unlock()
	return out
}

// closeOrphan removes one bridge that a picture shows empty, unless two may have
// been joined in it since.
func (c *session) closeOrphan(ctx context.Context, id orchestrator.BridgeID) bool {
	c.mu.Lock()
	busy := c.filled[id]
	c.mu.Unlock()
	if busy {
		return false
	}
	if err := c.rest.send(ctx, encodeCloseBridge(string(id)), nil); err != nil && !bridgeGone(err) {
		return false
	}
	c.counters.add(func(n *Stats) { n.OrphansShut++ })
	return true
}

// subscribeLegs asks for the ends of legs that arrived. One that is gone by
// now is read again like any other that left.
func (c *session) subscribeLegs(ctx context.Context, legs []*leg) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(choreSlots)
	for _, l := range legs {
		group.Go(func() error {
			err := c.rest.send(ctx, encodeSubscribe(c.cfg.App, "channel:"+l.channel), nil)
			c.settle(l)
			switch {
			case err == nil:
				return nil
			case statusOf(err) == 0:
				return err
			}
			c.book.mu.Lock()
			l.doubtful = true
			c.book.mu.Unlock()
			return nil
		})
	}
	return group.Wait()
}

// checkPlays reports plays whose end fell into a gap. Asterisk cannot list
// plays, only say whether one it is asked for still runs.
func (c *session) checkPlays(ctx context.Context, plays []orchestrator.PlayID) error {
	for _, id := range plays {
		err := c.rest.send(ctx, encodeReadPlay(id), nil)
		if err != nil && statusOf(err) != http.StatusNotFound {
			return err
		}
		if err != nil {
			c.book.mu.Lock()
			out := c.book.playDone(id, "done")
			c.book.mu.Unlock()
			c.report(ctx, out)
		}
	}
	return nil
}
