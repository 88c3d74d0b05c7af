package postgres

import (
	"context"
	"time"

	"ringmaster/orchestrator"
)

type keyRow struct {
	Prefix    string `gorm:"primaryKey"`
	TenantID  string
	Hash      []byte
	Name      string
	Scopes    []string `gorm:"serializer:json"`
	CreatedAt time.Time
	UsedAt    *time.Time
	RevokedAt *time.Time
}

func (keyRow) TableName() string { return "api_key" }

func keyToRow(k orchestrator.APIKey) keyRow {
	scopes := k.Scopes
	if scopes == nil {
		scopes = []string{}
	}
	return keyRow{
		Prefix: k.Prefix, TenantID: string(k.Tenant), Hash: k.Hash, Name: k.Name, Scopes: scopes,
		CreatedAt: stamp(k.Created), UsedAt: maybe(k.Used), RevokedAt: maybe(k.Revoked),
	}
}

func keyFromRow(r keyRow) orchestrator.APIKey {
	return orchestrator.APIKey{
		Tenant: orchestrator.TenantID(r.TenantID), Prefix: r.Prefix, Hash: r.Hash, Name: r.Name, Scopes: r.Scopes,
		Created: r.CreatedAt, Used: instant(r.UsedAt), Revoked: instant(r.RevokedAt),
	}
}

// CreateKey implements orchestrator.KeyStore.
func (s *Store) CreateKey(ctx context.Context, key orchestrator.APIKey) error {
	row := keyToRow(key)
	return translate("create key "+key.Prefix, s.db.WithContext(ctx).Create(&row).Error)
}

// FindKey implements orchestrator.KeyStore. It is the one query without a
// tenant, because the key is what tells whose request it is.
func (s *Store) FindKey(ctx context.Context, prefix string) (orchestrator.APIKey, error) {
	var row keyRow
	err := s.db.WithContext(ctx).Where("prefix = ?", prefix).Take(&row).Error
	return keyFromRow(row), translate("find key", err)
}

// Keys implements orchestrator.KeyStore.
func (s *Store) Keys(ctx context.Context, tenant orchestrator.TenantID) ([]orchestrator.APIKey, error) {
	var rows []keyRow
	err := s.of(ctx, tenant).Omit("hash").Order("created_at, prefix").Find(&rows).Error
	keys := make([]orchestrator.APIKey, len(rows))
	for i, r := range rows {
		keys[i] = keyFromRow(r)
	}
	return keys, translate("list keys", err)
}

// RevokeKey implements orchestrator.KeyStore.
func (s *Store) RevokeKey(ctx context.Context, tenant orchestrator.TenantID, prefix string, at time.Time) error {
	did := "revoke key " + prefix
	var row keyRow
	if err := s.of(ctx, tenant).Where("prefix = ?", prefix).Take(&row).Error; err != nil {
		return translate(did, err)
	}
	return translate(did, s.of(ctx, tenant).Model(&keyRow{}).
		Where("prefix = ? AND revoked_at IS NULL", prefix).Update("revoked_at", stamp(at)).Error)
}

// UsedKey implements orchestrator.KeyStore.
func (s *Store) UsedKey(ctx context.Context, tenant orchestrator.TenantID, prefix string, at time.Time) error {
	return translate("note use of key "+prefix, s.of(ctx, tenant).Model(&keyRow{}).
		Where("prefix = ? AND (used_at IS NULL OR used_at < ?)", prefix, stamp(at)).Update("used_at", stamp(at)).Error)
}
