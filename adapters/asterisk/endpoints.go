package asterisk

import (
	"context"
	"slices"

	"github.com/CyCoreSystems/ari/v5"

	"ringmaster/orchestrator"
)

// sourcesPerRequest keeps the request line below the 4096 bytes that
// Asterisk's HTTP server reads.
const sourcesPerRequest = 30

// subscribeDevices makes the subscriptions of this connection those of the
// watched endpoints and returns the new ones. Device states tell reachability
// and use; subscribing to endpoints would double every event of every call.
func (c *session) subscribeDevices(ctx context.Context) (added []string, err error) {
	watched := c.watched()
	var removed []string
	for e := range c.subscribed {
		if !slices.Contains(watched, e) {
			removed = append(removed, e)
		}
	}
	for _, e := range watched {
		if !c.subscribed[e] {
			added = append(added, e)
		}
	}
	for part := range slices.Chunk(removed, sourcesPerRequest) {
		if err := c.rest.send(ctx, encodeUnsubscribe(c.cfg.App, deviceSources(part)...), nil); err != nil && statusOf(err) == 0 {
			return nil, err
		}
	}
	for part := range slices.Chunk(added, sourcesPerRequest) {
		if err := c.rest.send(ctx, encodeSubscribe(c.cfg.App, deviceSources(part)...), nil); err != nil {
			return nil, err
		}
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	for _, e := range removed {
		delete(c.subscribed, e)
		delete(c.book.devices, e)
	}
	for _, e := range added {
		c.subscribed[e] = true
		c.book.devices[e] = device{}
	}
	return added, nil
}

func deviceSources(endpoints []string) []string {
	out := make([]string, len(endpoints))
	for i, e := range endpoints {
		out[i] = "deviceState:" + e
	}
	return out
}

// watchAnew follows a change of the list and reports the new endpoints.
func (c *session) watchAnew(ctx context.Context) error {
	added, err := c.subscribeDevices(ctx)
	if err != nil || len(added) == 0 {
		return err
	}
	var found []ari.EndpointData
	if err := c.rest.send(ctx, encodeRead("endpoints"), &found); err != nil {
		return err
	}
	for _, e := range c.book.snapshotEndpoints(found, added) {
		c.tell(ctx, orchestrator.EndpointChanged{
			Switch: c.cfg.ID, Endpoint: e.Endpoint, Reachable: e.Reachable, InUse: e.InUse,
		})
	}
	return nil
}

// snapshotEndpoints is the state of the named endpoints; one that Asterisk does
// not know is not reachable.
func (b *book) snapshotEndpoints(found []ari.EndpointData, names []string) []orchestrator.SnapshotEndpoint {
	states := make(map[string]device, len(found))
	for _, e := range found {
		states[e.Technology+"/"+e.Resource] = device{
			known: true, reachable: e.State != "offline", inUse: len(e.ChannelIDs) > 0,
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]orchestrator.SnapshotEndpoint, 0, len(names))
	for _, name := range names {
		d := states[name]
		d.known = true
		d.inUse = d.inUse && !b.haunted(name)
		b.devices[name] = d
		out = append(out, orchestrator.SnapshotEndpoint{Endpoint: name, Reachable: d.reachable, InUse: d.inUse})
	}
	return out
}
