package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ringmaster/orchestrator"
)

type tenantRow struct {
	ID            string `gorm:"primaryKey"`
	ConfigVersion uint64
}

func (tenantRow) TableName() string { return "tenant" }

type settingsRow struct {
	TenantID   string `gorm:"primaryKey"`
	Version    uint64
	Definition []byte
}

func (settingsRow) TableName() string { return "settings" }

type changeRow struct {
	TenantID string `gorm:"primaryKey"`
	Version  uint64 `gorm:"primaryKey"`
	At       time.Time
	By       string
	Settings bool
	Change   []byte
}

func (changeRow) TableName() string { return "config_change" }

// OpenTenant implements orchestrator.ConfigStore.
func (s *Store) OpenTenant(ctx context.Context, tenant orchestrator.TenantID) error {
	did := "open tenant " + string(tenant)
	if !orchestrator.ValidSlug(string(tenant)) {
		return &orchestrator.Error{Code: orchestrator.CodeInvalid, Field: "tenant", Message: did + ": not a usable name"}
	}
	return translate(did, s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		keep := clause.OnConflict{DoNothing: true}
		if err := tx.Clauses(keep).Create(&tenantRow{ID: string(tenant)}).Error; err != nil {
			return err
		}
		return tx.Clauses(keep).Create(&projectionRow{TenantID: string(tenant), Idx: -1, MovedAt: tx.NowFunc()}).Error
	}))
}

// LoadConfig implements orchestrator.ConfigStore.
func (s *Store) LoadConfig(ctx context.Context, tenant orchestrator.TenantID) (orchestrator.Config, uint64, error) {
	var config orchestrator.Config
	var version uint64
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		e := &edit{tx: tx, tenant: tenant}
		var err error
		if version, err = e.lock("SHARE"); err != nil { // an Apply between two tables would show half of it
			return err
		}
		if config.Settings, err = e.settings(); err != nil {
			return err
		}
		for _, k := range kinds {
			if err := k.load(e, &config); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return orchestrator.Config{}, 0, translate("load configuration of "+string(tenant), err)
	}
	return config, version, nil
}

// Apply implements orchestrator.ConfigStore.
func (s *Store) Apply(
	ctx context.Context, tenant orchestrator.TenantID, change orchestrator.Config, how orchestrator.ApplyOptions,
) (orchestrator.Applied, error) {
	var applied orchestrator.Applied
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		applied = orchestrator.Applied{}
		e := &edit{tx: tx, tenant: tenant, changed: &applied.Change}
		current, err := e.lock("UPDATE")
		if err != nil {
			return err
		}
		if how.Expected != nil && *how.Expected != current {
			return &orchestrator.Error{Code: orchestrator.CodeConflict, Message: fmt.Sprintf(
				"the configuration is at version %d, not %d any more", current, *how.Expected)}
		}
		e.version = current + 1
		if applied.SettingsChanged, err = e.apply(&change, how.Settings); err != nil {
			return err
		}
		applied.Version = current
		if !applied.SettingsChanged && isEmpty(applied.Change) {
			return nil
		}
		applied.Version = e.version
		return e.close(how.By, applied)
	})
	if err != nil {
		return orchestrator.Applied{}, translate("apply configuration of "+string(tenant), err)
	}
	return applied, nil
}

// lock takes the tenant's row, so that changes come one after another, and
// returns its configuration's version.
func (e *edit) lock(strength string) (uint64, error) {
	var row tenantRow
	err := e.tx.Clauses(clause.Locking{Strength: strength}).Where("id = ?", string(e.tenant)).Take(&row).Error
	return row.ConfigVersion, err
}

// apply brings e's configuration to the change and notes what differs.
func (e *edit) apply(change *orchestrator.Config, settings bool) (settingsChanged bool, err error) {
	if err := e.remove(change); err != nil {
		return false, err
	}
	for _, k := range kinds {
		if err := k.put(e, change); err != nil {
			return false, err
		}
	}
	if settings {
		if settingsChanged, err = e.putSettings(change.Settings); err != nil {
			return false, err
		}
	}
	e.changed.Settings, err = e.settings()
	return settingsChanged, err
}

// remove deletes what the change removes; an object that is added again in the
// same change keeps its secrets only if it is not removed before, which is why
// that is refused.
func (e *edit) remove(change *orchestrator.Config) error {
	for i, r := range change.Removed {
		if !isKind(r.Kind) {
			return &orchestrator.Error{
				Code: orchestrator.CodeInvalid, Field: fmt.Sprintf("removed[%d].kind", i), Message: "no such kind",
			}
		}
		if holds(change, r) {
			return &orchestrator.Error{
				Code: orchestrator.CodeInvalid, Field: fmt.Sprintf("removed[%d]", i), Message: r.ID + " is changed as well",
			}
		}
		gone := e.table(r.Kind).Where("id = ?", r.ID).Delete(&objectRow{})
		if gone.Error != nil {
			return gone.Error
		}
		if gone.RowsAffected > 0 {
			e.changed.Removed = append(e.changed.Removed, r)
		}
	}
	return nil
}

func (e *edit) settings() (orchestrator.Settings, error) {
	var settings orchestrator.Settings
	var rows []settingsRow
	if err := only(e.tx, e.tenant).Find(&rows).Error; err != nil || len(rows) == 0 {
		return settings, err
	}
	if err := json.Unmarshal(rows[0].Definition, &settings); err != nil {
		return settings, fmt.Errorf("read settings: %w", err)
	}
	return settings, nil
}

func (e *edit) putSettings(wanted orchestrator.Settings) (bool, error) {
	stored, err := e.settings()
	if err != nil {
		return false, err
	}
	before, err := json.Marshal(stored)
	if err != nil {
		return false, fmt.Errorf("encode settings: %w", err)
	}
	after, err := json.Marshal(wanted)
	if err != nil {
		return false, fmt.Errorf("encode settings: %w", err)
	}
	if bytes.Equal(before, after) {
		return false, nil
	}
	row := settingsRow{TenantID: string(e.tenant), Version: e.version, Definition: cleanJSON(after)}
	return true, e.tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
}

// close moves the version on and writes the audit.
func (e *edit) close(by string, applied orchestrator.Applied) error {
	err := e.tx.Model(&tenantRow{}).Where("id = ?", string(e.tenant)).Update("config_version", e.version).Error
	if err != nil {
		return err
	}
	text, err := json.Marshal(applied.Change)
	if err != nil {
		return fmt.Errorf("encode change: %w", err)
	}
	return e.tx.Create(&changeRow{
		TenantID: string(e.tenant), Version: e.version, At: stamp(e.tx.NowFunc()), By: clean(by),
		Settings: applied.SettingsChanged, Change: cleanJSON(text),
	}).Error
}

// maxChanges bounds one page of the audit.
const maxChanges = 200

// Changes implements orchestrator.ConfigStore.
func (s *Store) Changes(
	ctx context.Context, tenant orchestrator.TenantID, before uint64, limit int,
) ([]orchestrator.ConfigChange, error) {
	query := s.of(ctx, tenant)
	if before > 0 {
		query = query.Where("version < ?", before)
	}
	var rows []changeRow
	if err := query.Order("version DESC").Limit(min(max(limit, 1), maxChanges)).Find(&rows).Error; err != nil {
		return nil, translate("list changes", err)
	}
	out := make([]orchestrator.ConfigChange, len(rows))
	for i, r := range rows {
		out[i] = orchestrator.ConfigChange{Version: r.Version, At: r.At, By: r.By, Settings: r.Settings}
		if err := json.Unmarshal(r.Change, &out[i].Change); err != nil {
			return nil, fmt.Errorf("read change %d: %w", r.Version, err)
		}
	}
	return out, nil
}

func isKind(k orchestrator.Kind) bool {
	for _, known := range kinds {
		if known.name() == k {
			return true
		}
	}
	return false
}

// holds reports whether c adds or replaces the object r names.
func holds(c *orchestrator.Config, r orchestrator.Removal) bool {
	for _, k := range kinds {
		if k.name() == r.Kind {
			return k.holds(c, r.ID)
		}
	}
	return false
}

// isEmpty reports whether nothing but settings is in c.
func isEmpty(c orchestrator.Config) bool {
	for _, k := range kinds {
		if k.holds(&c, "") {
			return false
		}
	}
	return len(c.Removed) == 0
}
