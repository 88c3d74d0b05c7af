package asterisk

import (
	"context"

	"github.com/CyCoreSystems/ari/v5"

	"ringmaster/orchestrator"
)

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

// hold keeps the sweep of empty bridges away from one that is being filled, or
// was since the switch was last read.
func (s *Switch) hold(id orchestrator.BridgeID) (release func()) {
	s.mu.Lock()
	s.bridging[id]++
	if s.filled != nil {
		s.filled[id] = true
	}
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.bridging[id]--; s.bridging[id] == 0 {
			delete(s.bridging, id)
		}
	}
}
