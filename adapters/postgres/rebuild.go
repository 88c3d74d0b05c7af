package postgres

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ringmaster/orchestrator"
)

// rebuildFacts is how many facts one step of a rebuild folds.
const rebuildFacts = 5000

// Rebuild makes the tenant's derived rows again from the fact table, all or
// nothing: readers see the old rows until the new ones are complete. The
// projector waits meanwhile. It reports progress after each step.
func (s *Store) Rebuild(ctx context.Context, tenant orchestrator.TenantID, progress func(facts int)) error {
	pool, err := openPool(s.dsn, session(""), patient)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	db, err := openGORM(pool)
	if err != nil {
		return err
	}
	return translate("rebuild "+string(tenant), db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var cursor projectionRow
		if err := only(tx, tenant).Clauses(clause.Locking{Strength: "UPDATE"}).Take(&cursor).Error; err != nil {
			return err
		}
		if err := forget(tx, tenant); err != nil {
			return err
		}
		return replay(tx, tenant, progress)
	}))
}

// forget removes what can be derived. What was set aside unstored is nowhere
// else and stays.
func forget(tx *gorm.DB, tenant orchestrator.TenantID) error {
	for _, rows := range []any{&callRow{}, &legRow{}, &visitRow{}, &offerRow{}, &intervalRow{}} {
		if err := only(tx, tenant).Delete(rows).Error; err != nil {
			return err
		}
	}
	return only(tx, tenant).Where("stored").Delete(&setAsideRow{}).Error
}

func replay(tx *gorm.DB, tenant orchestrator.TenantID, progress func(int)) error {
	last := factRow{Idx: -1}
	for done := 0; ; {
		var rows []factRow
		err := only(tx, tenant).Where("(seq, idx) > (?, ?)", last.Seq, last.Idx).
			Order("seq, idx").Limit(rebuildFacts).Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		entries := make([]entry, len(rows))
		for i, r := range rows {
			f, err := r.fact()
			if err != nil {
				return err
			}
			entries[i] = newEntryOf(f, r)
		}
		aside, err := derive(tx, tenant, entries)
		if err != nil {
			return err
		}
		if len(aside) > 0 {
			if err := tx.CreateInBatches(&aside, batchRows).Error; err != nil {
				return fmt.Errorf("save what was set aside: %w", err)
			}
		}
		last = rows[len(rows)-1]
		done += len(rows)
		progress(done)
	}
}
