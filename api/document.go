package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// maxPINs bounds the PINs of one document: each costs a slow hash.
const maxPINs = 2000

// ExportConfig answers the whole configuration without secrets.
func (s *Server) ExportConfig(ctx context.Context, _ gen.ExportConfigRequestObject) (gen.ExportConfigResponseObject, error) {
	c, version, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	out := exported(c)
	for i := range out.Switches {
		if err := s.withAccess(ctx, &out.Switches[i]); err != nil {
			return nil, err
		}
	}
	return gen.ExportConfig200JSONResponse{
		Body: out, Headers: gen.ExportConfig200ResponseHeaders{ETag: versionTag(version)},
	}, nil
}

// exported leaves out what applying does not take: versions.
func exported(c orchestrator.Config) gen.Configuration {
	out := gen.Configuration{
		Settings: settingsToAPI(c.Settings), Switches: list(c.Switches, switchToAPI), Phones: list(c.Phones, phoneToAPI),
		Agents: list(c.Agents, agentToAPI), Hours: list(c.Hours, hoursToAPI), Queues: list(c.Queues, queueToAPI),
		Flows: list(c.Flows, flowToAPI), Numbers: list(c.Numbers, numberToAPI),
	}
	for i := range out.Queues {
		out.Queues[i].Version = 0
	}
	for i := range out.Flows {
		out.Flows[i].Version = 0
	}
	return out
}

// PlanConfig answers what applying a document would do.
func (s *Server) PlanConfig(ctx context.Context, r gen.PlanConfigRequestObject) (gen.PlanConfigResponseObject, error) {
	now, version, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	d, err := s.draft(ctx, now, *r.Body)
	if err != nil {
		return nil, err
	}
	return gen.PlanConfig200JSONResponse{
		Body: d.plan, Headers: gen.PlanConfig200ResponseHeaders{ETag: versionTag(version)},
	}, nil
}

// ApplyConfig applies a document, all of it or nothing; secrets follow the
// objects they belong to.
func (s *Server) ApplyConfig(ctx context.Context, r gen.ApplyConfigRequestObject) (gen.ApplyConfigResponseObject, error) {
	var done draft
	err := s.write(ctx, func(now orchestrator.Config, version uint64) (edit, error) {
		if err := match(r.Params.IfMatch, versionTag(version)); err != nil {
			return edit{}, err
		}
		var err error
		if done, err = s.draft(ctx, now, *r.Body); err != nil {
			return edit{}, err
		}
		return edit{change: done.change, settings: done.settings, secrets: done.secrets}, nil
	})
	if err != nil {
		return nil, err
	}
	_, version, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	return gen.ApplyConfig200JSONResponse{
		Body: done.plan, Headers: gen.ApplyConfig200ResponseHeaders{ETag: versionTag(version)},
	}, nil
}

func versionTag(version uint64) string { return `"v` + strconv.FormatUint(version, 10) + `"` }

// ListConfigChanges answers one page of the audit.
func (s *Server) ListConfigChanges(
	ctx context.Context, r gen.ListConfigChangesRequestObject,
) (gen.ListConfigChangesResponseObject, error) {
	before, err := decodeCursor(r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	var version uint64
	if before != "" {
		if version, err = strconv.ParseUint(before, 10, 63); err != nil || version == 0 {
			return nil, errCursor
		}
	}
	changes, err := s.store.Changes(ctx, who(ctx).tenant, version, r.Params.Limit)
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	out := gen.ListConfigChanges200JSONResponse{Items: list(changes, changeToAPI)}
	if n := len(changes); n == r.Params.Limit && changes[n-1].Version > 1 {
		out.NextCursor = encodeCursor(strconv.FormatUint(changes[n-1].Version, 10))
	}
	return out, nil
}

func changeToAPI(c orchestrator.ConfigChange) gen.ConfigChange {
	out := gen.ConfigChange{Version: int64(c.Version), At: utc(c.At), By: c.By, Objects: []gen.TouchedObject{}}
	if c.Settings {
		out.Objects = append(out.Objects, gen.TouchedObject{Kind: gen.KindSettings})
	}
	out.Objects = append(out.Objects, touched(switchSection, c.Change)...)
	out.Objects = append(out.Objects, touched(phoneSection, c.Change)...)
	out.Objects = append(out.Objects, touched(agentSection, c.Change)...)
	out.Objects = append(out.Objects, touched(hoursSection, c.Change)...)
	out.Objects = append(out.Objects, touched(queueSection, c.Change)...)
	out.Objects = append(out.Objects, touched(flowSection, c.Change)...)
	out.Objects = append(out.Objects, touched(numberSection, c.Change)...)
	for _, r := range c.Change.Removed {
		out.Objects = append(out.Objects, gen.TouchedObject{Kind: gen.Kind(r.Kind), ID: r.ID, Removed: true})
	}
	return out
}

func touched[D, A any](sec section[D, A], c orchestrator.Config) []gen.TouchedObject {
	return each(*sec.list(&c), func(d D) gen.TouchedObject {
		return gen.TouchedObject{Kind: gen.Kind(sec.kind), ID: sec.id(d)}
	})
}

// renameDocument puts faults in words of a document: what it holds is named by
// its place there, what it does not by its id.
func renameDocument(after orchestrator.Config, sent map[string]bool) func(string) string {
	byID := renamer(after, "", -1)
	return func(field string) string {
		name, _, _ := strings.Cut(field, "[")
		if sent[name] {
			return field
		}
		return byID(field)
	}
}
