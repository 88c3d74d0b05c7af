package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

const (
	// maxCompared bounds how many PINs of a document are held against the
	// stored ones, which is slow on purpose. Beyond it they count as new.
	maxCompared = 100
	// hashers is how many PINs are hashed at a time.
	hashers = 2
)

// secretSteps finds which secrets of a document are new.
func (s *Server) secretSteps(
	ctx context.Context, d *draft, doc gen.ConfigurationChange,
) (secretFields, error) {
	out := secretFields{}
	if doc.Switches != nil {
		if err := s.accessSteps(ctx, d, *doc.Switches, out); err != nil {
			return nil, err
		}
	}
	if doc.Agents != nil {
		if err := s.pinSteps(ctx, d, *doc.Agents, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) accessSteps(ctx context.Context, d *draft, switches []gen.Switch, out secretFields) error {
	for i, p := range switches {
		old, err := s.access(ctx, p.ID)
		if err != nil {
			return err
		}
		access, err := newAccess(old, p)
		if err != nil {
			p := problemOf(err)
			for j := range p.fields {
				p.fields[j].Field = "switches[" + strconv.Itoa(i) + "]." + p.fields[j].Field
			}
			return p
		}
		if access == old {
			continue
		}
		d.access[p.ID] = [2]orchestrator.SwitchAccess{old, access}
		fields := difference(
			gen.Switch{ID: p.ID, URL: old.URL, Username: old.User}, gen.Switch{ID: p.ID, URL: p.URL, Username: p.Username},
		)
		if access.Password != old.Password {
			fields = append(fields, secretChange("password", old.Password != ""))
		}
		out[orchestrator.Removal{Kind: orchestrator.KindSwitch, ID: p.ID}] = fields
	}
	return nil
}

func (s *Server) pinSteps(ctx context.Context, d *draft, agents []gen.Agent, out secretFields) error {
	tenant := who(ctx).tenant
	for _, a := range agents {
		if a.PIN != "" {
			d.pins[a.ID] = a.PIN
		}
	}
	if len(d.pins) == 0 {
		return nil
	}
	if len(d.pins) > maxPINs {
		return invalid("agents", fmt.Sprintf("%d PINs in one document, at most %d", len(d.pins), maxPINs))
	}
	have, err := s.store.PINs(ctx, tenant)
	if err != nil {
		return fmt.Errorf("list pins: %w", err)
	}
	set := map[string]bool{}
	compared := 0
	for _, id := range have {
		set[string(id)] = true
		pin, wanted := d.pins[string(id)]
		if !wanted || compared >= maxCompared {
			continue
		}
		compared++
		same, err := s.store.CheckPIN(ctx, tenant, id, pin)
		if err != nil {
			return fmt.Errorf("check pin of agent %s: %w", id, err)
		}
		if same {
			delete(d.pins, string(id))
		}
	}
	for id := range d.pins {
		out[orchestrator.Removal{Kind: orchestrator.KindAgent, ID: id}] = []gen.FieldChange{secretChange("pin", set[id])}
	}
	return nil
}

func secretChange(field string, had bool) gen.FieldChange {
	c := gen.FieldChange{Field: field, New: secretNew}
	if had {
		c.Old = secretSet
	}
	return c
}

// storeSecrets stores new accesses and PINs.
func (s *Server) storeSecrets(
	ctx context.Context, access map[string][2]orchestrator.SwitchAccess, pins map[string]string,
) error {
	for _, id := range slices.Sorted(maps.Keys(access)) {
		if err := s.setAccess(ctx, id, access[id][0], access[id][1]); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(hashers)
	for _, id := range slices.Sorted(maps.Keys(pins)) {
		group.Go(func() error { return s.setPIN(ctx, id, pins[id]) })
	}
	return group.Wait()
}
