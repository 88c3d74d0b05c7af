package api

import (
	"context"
	"sync"
	"time"

	"ringmaster/orchestrator"
)

// How long a key is believed without asking the store, and how long when the
// store cannot be asked: a wallboard must not go dark because the database did.
const (
	keyFresh   = 10 * time.Second
	keyStale   = time.Hour
	keyUsed    = time.Minute // between two notes of a key's use
	maxKeys    = 10_000
	keyTimeout = 2 * time.Second
)

// keyCache remembers keys that exist. Revoking through this server forgets at
// once; elsewhere it takes keyFresh.
type keyCache struct {
	store orchestrator.KeyStore
	now   func() time.Time

	mu   sync.Mutex
	keys map[string]cachedKey
}

type cachedKey struct {
	key     orchestrator.APIKey
	fetched time.Time
	noted   time.Time // its use
}

func newKeyCache(store orchestrator.KeyStore, now func() time.Time) *keyCache {
	return &keyCache{store: store, now: now, keys: map[string]cachedKey{}}
}

func (c *keyCache) find(ctx context.Context, prefix string) (orchestrator.APIKey, error) {
	now := c.now()
	c.mu.Lock()
	known, ok := c.keys[prefix]
	c.mu.Unlock()
	if ok && now.Sub(known.fetched) < keyFresh {
		return known.key, nil
	}
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	key, err := c.store.FindKey(ctx, prefix)
	switch {
	case err == nil:
		c.remember(ctx, cachedKey{key: key, fetched: now, noted: known.noted})
		return key, nil
	case orchestrator.CodeOf(err) != orchestrator.CodeNotFound && ok && now.Sub(known.fetched) < keyStale:
		return known.key, nil
	case orchestrator.CodeOf(err) == orchestrator.CodeNotFound:
		c.forget(prefix)
	}
	return orchestrator.APIKey{}, err
}

// remember keeps a key and, now and then, notes its use: right after the store
// answered, so that a store that is away delays nobody.
func (c *keyCache) remember(ctx context.Context, k cachedKey) {
	note := k.key.Revoked.IsZero() && k.fetched.Sub(k.noted) >= keyUsed
	if note {
		k.noted = k.fetched
	}
	c.mu.Lock()
	if len(c.keys) >= maxKeys {
		clear(c.keys)
	}
	c.keys[k.key.Prefix] = k
	c.mu.Unlock()
	if note {
		c.store.UsedKey(ctx, k.key.Tenant, k.key.Prefix, k.fetched) //nolint:errcheck // the next one will be noted
	}
}

func (c *keyCache) forget(prefix string) {
	c.mu.Lock()
	delete(c.keys, prefix)
	c.mu.Unlock()
}

// knows reports whether this key's prefix is remembered.
func (c *keyCache) knows(secret string) bool {
	prefix, ok := prefixOf(secret)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.keys[prefix]
	return ok && known
}
