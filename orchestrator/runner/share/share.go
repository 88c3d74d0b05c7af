package share

import (
	"context"
	"sync"
	"time"

	o "ringmaster/orchestrator"
)

// Router says whose a leg is that nobody has claimed yet.
type Router func(o.LegOffered) (tenant o.TenantID, ok bool)

// Shared is one switch used by several floors. Run runs the one adapter; the
// views' Run does nothing but wait.
type Shared struct {
	sw    o.Switch
	route Router

	lock  sync.Mutex
	views map[o.TenantID]*View
	owner map[o.LegID]*View // of every living leg
	up    bool              // the switch can be heard
}

// New shares sw. route is called from one goroutine at a time and must not
// block; a leg it knows no tenant for is hung up with cause 1.
func New(sw o.Switch, route Router) *Shared {
	return &Shared{sw: sw, route: route, views: map[o.TenantID]*View{}, owner: map[o.LegID]*View{}}
}

// View is the switch as tenant t sees it, under the name id. A tenant has one
// view; a new one takes the place of the one before.
func (s *Shared) View(t o.TenantID, id o.SwitchID) *View {
	s.lock.Lock()
	defer s.lock.Unlock()
	v := &View{shared: s, tenant: t, id: id, events: make(chan o.Event, Backlog)}
	s.views[t] = v
	if s.up {
		s.sw.Resync() // its first event is a snapshot, as the contract says
	}
	return v
}

// Drop ends a view. Its legs stay as they are on the switch; their events are
// told to nobody.
func (s *Shared) Drop(v *View) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.views[v.tenant] == v {
		delete(s.views, v.tenant)
	}
	for leg, owner := range s.owner { // order-free: each by itself
		if owner == v {
			delete(s.owner, leg)
		}
	}
}

// Run runs the adapter and hands out its events until ctx ends.
func (s *Shared) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.sw.Run(ctx) }()
	mend := time.NewTicker(mendEvery)
	defer mend.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-mend.C:
			s.mend()
		case e := <-s.sw.Events():
			s.hand(ctx, e)
		}
	}
}

// mendEvery is how often a tenant that fell behind is looked after.
const mendEvery = 100 * time.Millisecond

// mend asks for a snapshot for tenants that fell behind and read again.
func (s *Shared) mend() {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, v := range s.views { // order-free: one request serves all
		if v.lost && len(v.events) < Backlog/2 && s.up {
			s.sw.Resync()
			return
		}
	}
}

// hand gives one event to whom it is for.
func (s *Shared) hand(ctx context.Context, e o.Event) {
	s.lock.Lock()
	defer s.lock.Unlock()
	switch e := e.(type) {
	case o.SwitchSynced:
		s.up = true
		s.synced(ctx, e)
		return
	case o.SwitchLost, o.SwitchSuperseded:
		s.up = false
	case o.LegOffered:
		s.offered(ctx, e)
		return
	}
	leg := o.EventLeg(e)
	if leg == "" {
		for _, v := range s.views { // order-free: each is told
			v.tell(named(e, v.id))
		}
		return
	}
	v := s.owner[leg]
	if v == nil {
		return // of a tenant that is not here any more
	}
	v.tell(e)
	switch e.(type) {
	case o.LegEnded, o.LegReleased:
		delete(s.owner, leg)
	}
}

// offered finds the tenant of a leg that arrived.
func (s *Shared) offered(ctx context.Context, e o.LegOffered) {
	t, ok := s.route(e)
	v := s.views[t]
	if !ok || v == nil {
		go s.sw.Do(ctx, o.Hangup{Leg: e.Leg, Cause: o.CauseUnallocated})
		return
	}
	s.owner[e.Leg] = v
	v.tell(named(e, v.id))
}

// synced tells every tenant its own part of a snapshot.
func (s *Shared) synced(ctx context.Context, e o.SwitchSynced) {
	parts := make(map[*View]*o.Snapshot, len(s.views))
	for _, v := range s.views { // order-free: each gets its own
		parts[v] = &o.Snapshot{Endpoints: e.Snapshot.Endpoints}
	}
	clear(s.owner)
	for _, l := range e.Snapshot.Legs {
		v := s.views[l.Stamp.Tenant]
		if l.Stamp == (o.Stamp{}) {
			t, ok := s.route(o.LegOffered{Leg: l.Leg, Entry: l.Entry, Dialled: l.Dialled, Caller: l.Caller, Endpoint: l.Endpoint})
			if v = s.views[t]; !ok || v == nil {
				go s.sw.Do(ctx, o.Hangup{Leg: l.Leg, Cause: o.CauseUnallocated})
			}
		}
		if v != nil {
			s.owner[l.Leg] = v
			parts[v].Legs = append(parts[v].Legs, l)
		}
	}
	for _, b := range e.Snapshot.Bridges {
		if v := s.views[b.Stamp.Tenant]; v != nil {
			parts[v].Bridges = append(parts[v].Bridges, b)
		}
	}
	for v, part := range parts { // order-free: each by itself
		for leg := range v.dialling { // order-free: a dial on its way is in no snapshot yet
			s.owner[leg] = v
		}
		v.tell(o.SwitchSynced{Switch: v.id, Epoch: e.Epoch, Snapshot: *part})
	}
}

// named is the event with the view's own name for the switch.
func named(e o.Event, id o.SwitchID) o.Event {
	switch e := e.(type) {
	case o.SwitchLost:
		e.Switch = id
		return e
	case o.SwitchSuperseded:
		e.Switch = id
		return e
	case o.SwitchOverloaded:
		e.Switch = id
		return e
	case o.EndpointChanged:
		e.Switch = id
		return e
	case o.LegOffered:
		e.Switch = id
		return e
	}
	return e
}
