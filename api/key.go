package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// Scope is what a key may do.
type Scope string

// The scopes. ScopeAdmin includes the others.
const (
	ScopeRead   Scope = "read"
	ScopeAgents Scope = "agents"
	ScopeCalls  Scope = "calls"
	ScopeConfig Scope = "config"
	ScopeAdmin  Scope = "admin"
)

var scopes = []Scope{ScopeRead, ScopeAgents, ScopeCalls, ScopeConfig, ScopeAdmin}

func (s Scope) valid() bool { return slices.Contains(scopes, s) }

// A key is "rm_<prefix>_<secret>". The prefix finds its row and is shown; the
// secret has 256 random bits, which is why a fast hash of it is enough (a slow
// one is for what people choose).
const (
	keyBegin     = "rm_"
	prefixBytes  = 5 // 8 characters
	secretBytes  = 32
	keyMaxLength = 128
	mintTries    = 5 // prefixes that may be taken already
)

var keyText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// MintKey makes a key, stores its hash and returns it with the secret that
// goes after "Bearer". The secret can not be had again.
func MintKey(ctx context.Context, store orchestrator.KeyStore, wish orchestrator.APIKey) (orchestrator.APIKey, string, error) {
	for _, s := range wish.Scopes {
		if !Scope(s).valid() {
			return wish, "", invalid("scopes", fmt.Sprintf("no scope %q (scopes are: %s)", s, orchestrator.List(scopes)))
		}
	}
	for range mintTries {
		wish.Prefix = randomText(prefixBytes)
		secret := keyBegin + wish.Prefix + "_" + randomText(secretBytes)
		wish.Hash = hashKey(secret)
		err := store.CreateKey(ctx, wish)
		if orchestrator.CodeOf(err) == orchestrator.CodeConflict {
			continue
		}
		if err != nil {
			return wish, "", fmt.Errorf("create key %s: %w", wish.Name, err)
		}
		return wish, secret, nil
	}
	return wish, "", fmt.Errorf("create key %s: %d prefixes were taken", wish.Name, mintTries)
}

// EnsureFirstKey makes an admin key for a tenant that has no key at all, and
// returns its secret; "" when there is a key, even a revoked one: who revoked
// every key uses the command line.
func EnsureFirstKey(ctx context.Context, store orchestrator.KeyStore, tenant orchestrator.TenantID, now time.Time) (string, error) {
	keys, err := store.Keys(ctx, tenant)
	if err != nil {
		return "", fmt.Errorf("list keys of %s: %w", tenant, err)
	}
	if len(keys) > 0 {
		return "", nil
	}
	_, secret, err := MintKey(ctx, store, orchestrator.APIKey{
		Tenant: tenant, Name: "first key", Scopes: []string{string(ScopeAdmin)}, Created: now,
	})
	return secret, err
}

func randomText(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return keyText.EncodeToString(b)
}

func hashKey(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// prefixOf reads a key's prefix; ok is false for what cannot be a key.
func prefixOf(secret string) (prefix string, ok bool) {
	rest, ok := strings.CutPrefix(secret, keyBegin)
	if !ok || len(secret) > keyMaxLength {
		return "", false
	}
	prefix, _, ok = strings.Cut(rest, "_")
	if !ok || len(prefix) < 8 || len(prefix) > 32 || strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return "", false
	}
	return prefix, true
}

// principal is who makes a request.
type principal struct {
	tenant orchestrator.TenantID
	prefix string
	name   string
	scopes []string
}

func (p principal) may(s Scope) bool {
	return slices.Contains(p.scopes, string(s)) || slices.Contains(p.scopes, string(ScopeAdmin))
}

// authenticate finds whose key this is.
func (s *Server) authenticate(ctx context.Context, secret string) (principal, error) {
	prefix, ok := prefixOf(secret)
	if !ok {
		return principal{}, errNoKey
	}
	key, err := s.keys.find(ctx, prefix)
	if orchestrator.CodeOf(err) == orchestrator.CodeNotFound {
		return principal{}, errNoKey
	}
	if err != nil {
		return principal{}, err
	}
	if subtle.ConstantTimeCompare(key.Hash, hashKey(secret)) != 1 {
		return principal{}, errNoKey
	}
	if !key.Revoked.IsZero() {
		return principal{}, &orchestrator.Error{Code: orchestrator.CodeUnauthorized, Message: "this key was revoked"}
	}
	return principal{tenant: key.Tenant, prefix: prefix, name: key.Name, scopes: key.Scopes}, nil
}

var errNoKey = &orchestrator.Error{
	Code: orchestrator.CodeUnauthorized, Message: `send "Authorization: Bearer rm_…" with a key that exists`,
}
