package api

import (
	"context"
	"fmt"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// ListKeys answers the tenant's keys.
func (s *Server) ListKeys(ctx context.Context, _ gen.ListKeysRequestObject) (gen.ListKeysResponseObject, error) {
	keys, err := s.store.Keys(ctx, who(ctx).tenant)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return gen.ListKeys200JSONResponse{Items: list(keys, keyToAPI)}, nil
}

// CreateKey makes a key and shows its secret.
func (s *Server) CreateKey(ctx context.Context, r gen.CreateKeyRequestObject) (gen.CreateKeyResponseObject, error) {
	key, secret, err := MintKey(ctx, s.store, orchestrator.APIKey{
		Tenant: who(ctx).tenant, Name: r.Body.Name, Created: s.now().UTC(),
		Scopes: each(r.Body.Scopes, func(s gen.Scope) string { return string(s) }),
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateKey201JSONResponse{Key: keyToAPI(key), Secret: secret}, nil
}

// RevokeKey ends a key for good.
func (s *Server) RevokeKey(ctx context.Context, r gen.RevokeKeyRequestObject) (gen.RevokeKeyResponseObject, error) {
	if r.Prefix == who(ctx).prefix {
		return nil, &orchestrator.Error{
			Code: orchestrator.CodeConflict, Message: "a key cannot revoke itself: use another admin key",
		}
	}
	if err := s.store.RevokeKey(ctx, who(ctx).tenant, r.Prefix, s.now().UTC()); err != nil {
		return nil, fmt.Errorf("revoke key %s: %w", r.Prefix, err)
	}
	s.keys.forget(r.Prefix)
	return gen.RevokeKey204Response{}, nil
}

func keyToAPI(k orchestrator.APIKey) gen.Key {
	return gen.Key{
		Prefix: k.Prefix, Name: k.Name, Scopes: list(k.Scopes, func(s string) gen.Scope { return gen.Scope(s) }),
		CreatedAt: utc(k.Created), UsedAt: utc(k.Used), RevokedAt: utc(k.Revoked),
	}
}
