package api

import (
	"context"
	"fmt"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// writer orders one tenant's configuration changes: they reach the floor in
// the order in which they were stored.
type writer struct {
	turn chan struct{} // holds one token: whose turn it is
	// unsent was stored, but the floor could not take it. It goes first next
	// time; nothing more is stored before it went.
	unsent *orchestrator.Config
}

func (s *Server) writer(tenant orchestrator.TenantID) *writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.writers[tenant]
	if w == nil {
		w = &writer{turn: make(chan struct{}, 1)}
		s.writers[tenant] = w
	}
	return w
}

// edit is one change on its way.
type edit struct {
	change   orchestrator.Config
	settings bool // change.Settings replaces the settings
	// secrets stores what the configuration must not hold, after the objects
	// and before the floor hears of them. Nil: there are none.
	secrets func(ctx context.Context) error
}

// plan makes an edit of the configuration as it is.
type plan func(now orchestrator.Config, version uint64) (edit, error)

// write stores one change and tells the floor. What plan returns must have
// been validated.
func (s *Server) write(ctx context.Context, p plan) error {
	f, err := s.floor(ctx)
	if err != nil {
		return err
	}
	tenant := who(ctx).tenant
	w := s.writer(tenant)
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := w.flush(ctx, f); err != nil {
		return err
	}
	now, version, err := s.store.LoadConfig(ctx, tenant)
	if err != nil {
		return fmt.Errorf("load configuration: %w", err)
	}
	e, err := p(now, version)
	if err != nil {
		return err
	}
	applied, err := s.store.Apply(ctx, tenant, e.change, orchestrator.ApplyOptions{
		By: who(ctx).name, Expected: &version, Settings: e.settings,
	})
	if err != nil {
		return fmt.Errorf("apply configuration: %w", err)
	}
	if applied.SettingsChanged || !empty(applied.Change) {
		w.unsent = &applied.Change
	}
	if e.secrets != nil {
		if err := e.secrets(ctx); err != nil {
			return err
		}
	}
	return w.flush(ctx, f)
}

// flush tells the floor what is stored and it does not know yet.
func (w *writer) flush(ctx context.Context, f Floor) error {
	if w.unsent == nil {
		return nil
	}
	if _, err := f.Submit(ctx, orchestrator.ConfigChanged{Change: *w.unsent}); err != nil {
		return &orchestrator.Error{
			Code: orchestrator.CodeUnavailable, Message: "stored, but the floor did not take it yet: " + err.Error(),
		}
	}
	w.unsent = nil
	return nil
}

func empty(c orchestrator.Config) bool {
	return len(c.Switches)+len(c.Phones)+len(c.Agents)+len(c.Hours)+len(c.Queues)+len(c.Flows)+len(c.Numbers)+
		len(c.Removed) == 0
}

// sound validates a whole configuration. Rename puts each fault's field in the
// words of the request.
func sound(c orchestrator.Config, rename func(field string) string) error {
	faults := floor.Validate(c)
	if len(faults) == 0 {
		return nil
	}
	out := make(orchestrator.Problems, 0, len(faults))
	for _, f := range faults {
		out = append(out, &orchestrator.Error{Code: f.Code, Field: rename(f.Field), Message: f.Message})
	}
	return out
}
