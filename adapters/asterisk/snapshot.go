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
	c.report(ctx, slices.Concat(c.sayOverloadAgain(), came, ended))
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
			c.heal(ctx, r)
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
