package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"ringmaster/orchestrator"
)

// SaveImage implements orchestrator.LeaseStore.
func (s *Store) SaveImage(ctx context.Context, tenant orchestrator.TenantID, image orchestrator.FloorImage) error {
	did := fmt.Sprintf("save state of %s after %d", tenant, image.Seq)
	// The epoch that facts are stored under decides, as it does for them.
	result, err := s.pool.ExecContext(ctx, `
		INSERT INTO floor_image AS i (tenant_id, seq, stored_at, state)
		SELECT p.tenant_id, $2, clock_timestamp(), $3 FROM projection p WHERE p.tenant_id = $1 AND p.epoch <= $4 FOR SHARE
		ON CONFLICT (tenant_id) DO UPDATE SET seq = EXCLUDED.seq, stored_at = EXCLUDED.stored_at, state = EXCLUDED.state`,
		string(tenant), image.Seq, image.State, image.Epoch)
	if err != nil {
		return translate(did, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, &orchestrator.Error{Code: orchestrator.CodeConflict, Message: did + ": another leads"})
	}
	return nil
}

// LoadImage implements orchestrator.LeaseStore.
func (s *Store) LoadImage(ctx context.Context, tenant orchestrator.TenantID) (image orchestrator.FloorImage, err error) {
	err = s.pool.QueryRowContext(ctx, `SELECT seq, state FROM floor_image WHERE tenant_id = $1`, string(tenant)).
		Scan(&image.Seq, &image.State)
	if errors.Is(err, sql.ErrNoRows) {
		return orchestrator.FloorImage{}, nil
	}
	return image, translate("load state of "+string(tenant), err)
}

// FactsAfter implements orchestrator.LeaseStore.
func (s *Store) FactsAfter(ctx context.Context, tenant orchestrator.TenantID, seq uint64, limit int) ([]orchestrator.Fact, error) {
	did := fmt.Sprintf("read facts of %s after %d", tenant, seq)
	var rows []factRow
	err := s.of(ctx, tenant).Where("seq > ?", seq).Order("seq, idx").Limit(max(limit, 1)).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, translate(did, err)
	}
	// The last step may be cut in two: its rest follows.
	last := rows[len(rows)-1]
	var rest []factRow
	if err := s.of(ctx, tenant).Where("seq = ? AND idx > ?", last.Seq, last.Idx).Order("idx").Find(&rest).Error; err != nil {
		return nil, translate(did, err)
	}
	facts := make([]orchestrator.Fact, 0, len(rows)+len(rest))
	for _, r := range append(rows, rest...) {
		f, err := r.fact()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", did, err)
		}
		facts = append(facts, f)
	}
	return facts, nil
}
