package asterisk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// feelPulse finds a connection that is open and dead; Asterisk sends no pings of
// its own.
func (c *session) feelPulse(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pulse):
		}
		group, beat := errgroup.WithContext(ctx)
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(beat, pulseTimeout)
			defer cancel()
			return c.conn.Ping(ctx)
		})
		group.Go(func() error { return c.beat(beat, pulseTimeout) })
		if err := group.Wait(); err != nil {
			return fmt.Errorf("no pulse: %w", err)
		}
	}
}

// errDeaf is a websocket that nothing arrives on though it is open. Asterisk
// makes one when a connection under the same application name closes at the
// moment ours opens: clearing up after the old one it removes the new one's
// application, or leaves it attached to nothing. Seen under load.
var errDeaf = errors.New("events do not reach the event socket")

// beat sends an event to ourselves through Asterisk and waits for it: a pong
// shows that the socket lives, not that it is attached to our application.
func (c *session) beat(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	drain(c.beats)
	began := time.Now()
	err := c.rest.send(ctx, encodePulse(c.cfg.App), nil)
	if statusOf(err) == http.StatusNotFound {
		return errDeaf
	}
	if err != nil {
		return err
	}
	c.creates.ping(time.Since(began))
	select {
	case <-c.beats:
		return nil
	case <-ctx.Done():
		return errDeaf
	}
}
