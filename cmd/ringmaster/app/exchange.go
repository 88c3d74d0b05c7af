package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/runner/share"
)

// exchange lets several tenants use one switch over one connection, and knows
// which of them a call is for. With a single tenant it stays out of the way.
type exchange struct {
	tenants []orchestrator.TenantID // the first that has a number gets its calls

	lock  sync.Mutex
	lines map[lineKey]*line

	// What routing needs has a lock of its own, because a line asks for it
	// while it holds its own.
	routes  sync.Mutex
	tickets map[string]ticket // of links that were dialled
}

// lineKey is what makes two tenants' switches the same one.
type lineKey struct{ kind, url, user string }

func keyOf(w wanted) lineKey { return lineKey{w.Kind, w.URL, w.User} }

// line is one shared connection. Its users are guarded by exchange.routes.
type line struct {
	adapter adapter
	shared  *share.Shared
	users   map[orchestrator.TenantID]user
	stop    context.CancelFunc // nil: not running yet
	done    chan error
}

// user is a tenant of a line.
type user struct {
	wanted
	by *extension
}

// ticket says whose link a number is.
type ticket struct {
	tenant orchestrator.TenantID
	until  time.Time
}

// ticketTerm is how long a link may take to arrive; the floor gives it up after
// five seconds.
const ticketTerm = time.Minute

func newExchange(tenants []orchestrator.TenantID) *exchange {
	return &exchange{tenants: tenants, lines: map[lineKey]*line{}, tickets: map[string]ticket{}}
}

// connect makes the adapter through which a tenant reaches a switch. It runs
// when its Run does.
func (x *exchange) connect(b *switchboard, w wanted) (adapter, error) {
	if len(x.tenants) == 1 {
		return b.newAdapter(w)
	}
	x.lock.Lock()
	defer x.lock.Unlock()
	l := x.lines[keyOf(w)]
	if l == nil {
		sw, err := b.newAdapter(w)
		if err != nil {
			return nil, err
		}
		l = &line{adapter: sw, users: map[orchestrator.TenantID]user{}}
		l.shared = share.New(sw, func(e orchestrator.LegOffered) (orchestrator.TenantID, bool) { return x.route(l, e) })
		x.lines[keyOf(w)] = l
	}
	e := &extension{View: l.shared.View(b.tenant, w.ID), x: x, line: l, tenant: b.tenant, key: keyOf(w)}
	x.routes.Lock()
	l.users[b.tenant] = user{w, e}
	x.routes.Unlock()
	x.watch(l)
	return e, nil
}

// know takes note of what has changed about a tenant's phones and numbers.
func (x *exchange) know(tenant orchestrator.TenantID, w wanted) {
	x.lock.Lock()
	defer x.lock.Unlock()
	l := x.lines[keyOf(w)]
	if l == nil {
		return
	}
	x.routes.Lock()
	if u, uses := l.users[tenant]; uses {
		l.users[tenant] = user{w, u.by}
	}
	x.routes.Unlock()
	x.watch(l)
}

// watch has the adapter look after the phones of all.
func (x *exchange) watch(l *line) {
	x.routes.Lock()
	var all []string
	for _, u := range l.users {
		all = append(all, u.Endpoints...)
	}
	x.routes.Unlock()
	slices.Sort(all)
	l.adapter.Watch(slices.Compact(all))
}

// route finds the tenant of a leg that arrived: by the ticket of a link, the
// phone that dials, or the number dialled. What is nobody's goes to the first
// tenant of the switch.
func (x *exchange) route(l *line, e orchestrator.LegOffered) (orchestrator.TenantID, bool) {
	x.routes.Lock()
	defer x.routes.Unlock()
	if t, ok := x.tickets[e.Dialled]; ok && e.Entry == orchestrator.EntryLink {
		delete(x.tickets, e.Dialled)
		return t.tenant, true
	}
	first := orchestrator.TenantID("")
	for _, t := range x.tenants {
		w, uses := l.users[t]
		switch {
		case !uses:
			continue
		case e.Entry == orchestrator.EntryAgent && slices.Contains(w.Endpoints, e.Endpoint):
			return t, true
		case e.Entry == orchestrator.EntryIn && slices.Contains(w.Numbers, e.Dialled):
			return t, true
		case first == "":
			first = t
		}
	}
	return first, first != ""
}

// dialled notes whose link a number will be when it arrives.
func (x *exchange) dialled(d orchestrator.Dial, tenant orchestrator.TenantID) {
	x.routes.Lock()
	defer x.routes.Unlock()
	now := time.Now()
	for number, t := range x.tickets {
		if now.After(t.until) {
			delete(x.tickets, number)
		}
	}
	x.tickets[d.Number] = ticket{tenant, now.Add(ticketTerm)}
}

// extension is a tenant's side of a line.
type extension struct {
	*share.View
	x      *exchange
	line   *line
	tenant orchestrator.TenantID
	key    lineKey
}

// Run keeps the line up until ctx ends; the last of its tenants takes it down.
func (e *extension) Run(ctx context.Context) error {
	l := e.line
	e.x.lock.Lock()
	if l.stop == nil {
		var runCtx context.Context
		runCtx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
		l.done = make(chan error, 1)
		go func() { l.done <- l.shared.Run(runCtx) }()
	}
	e.x.lock.Unlock()
	select {
	case <-ctx.Done():
		return e.leave()
	case err := <-l.done:
		l.done <- err // for the others
		return errors.Join(err, e.leave())
	}
}

// leave takes the tenant off the line.
func (e *extension) leave() error {
	l := e.line
	e.x.lock.Lock()
	defer e.x.lock.Unlock()
	l.shared.Drop(e.View)
	e.x.routes.Lock()
	if l.users[e.tenant].by == e {
		delete(l.users, e.tenant)
	}
	left := len(l.users)
	e.x.routes.Unlock()
	if left > 0 {
		e.x.watch(l)
		return nil
	}
	if e.x.lines[e.key] == l {
		delete(e.x.lines, e.key)
	}
	l.stop()
	err := <-l.done
	l.done <- err
	return err
}

// Do carries out one action; a link's number is noted before it can arrive.
func (e *extension) Do(ctx context.Context, a orchestrator.Action) (orchestrator.CommandResult, string) {
	if d, is := a.(orchestrator.Dial); is && d.Stamp.Role == orchestrator.RoleLink {
		e.x.dialled(d, e.tenant)
	}
	return e.View.Do(ctx, a)
}

// Watch does nothing: what a tenant's phones are the line is told by know.
func (e *extension) Watch([]string) {}

func (e *extension) stats() switchStats { return e.line.adapter.stats() }
