package api

import (
	"context"
	"fmt"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// withAccess adds to a switch how it is reached, never the password.
func (s *Server) withAccess(ctx context.Context, p *gen.Switch) error {
	access, err := s.access(ctx, p.ID)
	p.URL, p.Username = access.URL, access.User
	return err
}

// access is how a switch is reached; zero when it was never set.
func (s *Server) access(ctx context.Context, id string) (orchestrator.SwitchAccess, error) {
	access, err := s.store.SwitchAccess(ctx, who(ctx).tenant, orchestrator.SwitchID(id))
	if orchestrator.CodeOf(err) == orchestrator.CodeNotFound {
		return orchestrator.SwitchAccess{}, nil
	}
	if err != nil {
		return access, fmt.Errorf("read access of switch %s: %w", id, err)
	}
	return access, nil
}

// newAccess is what a switch's access becomes. A password is kept only for the
// place and the name it was given for: otherwise who may change the address
// could have the password sent to themselves.
func newAccess(old orchestrator.SwitchAccess, p gen.Switch) (orchestrator.SwitchAccess, error) {
	access := orchestrator.SwitchAccess{URL: p.URL, User: p.Username, Password: p.Password}
	if p.Password != "" || old.Password == "" {
		return access, nil
	}
	if p.Username != old.User || !sameOrigin(p.URL, old.URL) {
		return access, invalid("password", "the url or the username is another: give the password again")
	}
	access.Password = old.Password
	return access, nil
}

// setAccess stores a switch's access if it is another.
func (s *Server) setAccess(ctx context.Context, id string, old, access orchestrator.SwitchAccess) error {
	if access == old {
		return nil
	}
	tenant, pbx := who(ctx).tenant, orchestrator.SwitchID(id)
	if err := s.store.SetSwitchAccess(ctx, tenant, pbx, access); err != nil {
		return fmt.Errorf("set access of switch %s: %w", id, err)
	}
	if s.cfg.SwitchAccessChanged != nil {
		s.cfg.SwitchAccessChanged(tenant, pbx)
	}
	return nil
}

// ListSwitches answers one page of switches.
func (s *Server) ListSwitches(ctx context.Context, r gen.ListSwitchesRequestObject) (gen.ListSwitchesResponseObject, error) {
	items, next, err := pageOf(ctx, s, switchSection, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if err := s.withAccess(ctx, &items[i]); err != nil {
			return nil, err
		}
	}
	return gen.ListSwitches200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetSwitch answers a switch.
func (s *Server) GetSwitch(ctx context.Context, r gen.GetSwitchRequestObject) (gen.GetSwitchResponseObject, error) {
	shown, etag, err := getOne(ctx, s, switchSection, r.ID, s.withAccess)
	if err != nil {
		return nil, err
	}
	return gen.GetSwitch200JSONResponse{StoredSwitchJSONResponse: gen.StoredSwitchJSONResponse{
		Body: shown, Headers: gen.StoredSwitchResponseHeaders{ETag: etag},
	}}, nil
}

// PutSwitch creates or replaces a switch and how it is reached.
func (s *Server) PutSwitch(ctx context.Context, r gen.PutSwitchRequestObject) (gen.PutSwitchResponseObject, error) {
	old, err := s.access(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	access, err := newAccess(old, *r.Body)
	if err != nil {
		return nil, err
	}
	shown, etag, err := putOne(ctx, s, switchSection, putting[gen.Switch]{
		id: r.ID, body: *r.Body, ifMatch: r.Params.IfMatch, wear: s.withAccess,
		secrets: func(ctx context.Context) error { return s.setAccess(ctx, r.ID, old, access) },
	})
	if err != nil {
		return nil, err
	}
	return gen.PutSwitch200JSONResponse{StoredSwitchJSONResponse: gen.StoredSwitchJSONResponse{
		Body: shown, Headers: gen.StoredSwitchResponseHeaders{ETag: etag},
	}}, nil
}

// DeleteSwitch deletes a switch that nothing names.
func (s *Server) DeleteSwitch(ctx context.Context, r gen.DeleteSwitchRequestObject) (gen.DeleteSwitchResponseObject, error) {
	if err := deleteOne(ctx, s, switchSection, r.ID, r.Params.IfMatch, s.withAccess); err != nil {
		return nil, err
	}
	return gen.DeleteSwitch204Response{}, nil
}
