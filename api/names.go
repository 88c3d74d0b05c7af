package api

import (
	"context"
	"sync"
	"time"

	"ringmaster/orchestrator"
)

// namesFresh is how long agents' names are believed without asking the store: a
// program that reads a thousand calls shall not load the configuration as
// often.
const namesFresh = 10 * time.Second

// nameBook says how people call agents, for sentences people read.
type nameBook struct {
	store orchestrator.ConfigStore
	now   func() time.Time

	mu    sync.Mutex
	pages map[orchestrator.TenantID]namePage // one per tenant that exists
}

type namePage struct {
	names map[orchestrator.AgentID]string
	read  time.Time
}

// of is the names of a tenant's agents: a function that answers the id of an
// agent who has none, or is not there any more. A store that cannot be asked
// leaves the names that were known.
func (b *nameBook) of(ctx context.Context, tenant orchestrator.TenantID) func(orchestrator.AgentID) string {
	b.mu.Lock()
	page := b.pages[tenant]
	b.mu.Unlock()
	if now := b.now(); page.names == nil || now.Sub(page.read) >= namesFresh {
		if c, _, err := b.store.LoadConfig(ctx, tenant); err == nil {
			page = namePage{names: make(map[orchestrator.AgentID]string, len(c.Agents)), read: now}
			for _, a := range c.Agents {
				page.names[a.ID] = a.Name
			}
			b.mu.Lock()
			b.pages[tenant] = page
			b.mu.Unlock()
		}
	}
	return func(id orchestrator.AgentID) string {
		if name := page.names[id]; name != "" {
			return name
		}
		return string(id)
	}
}
