package postgres

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"gorm.io/gorm"
)

// monthly is the form make_partition names a table's partition of a month in.
var monthly = regexp.MustCompile(`^(?:fact|call|leg|queue_visit|offer)_(\d{4}_\d{2})$`)

// Retain deletes what happened before an instant: facts, calls with their legs,
// stays and offers, and what agents did. Of those in monthly partitions the
// months that ended before it go as a whole, in no time and without a trace in
// the table, so that up to a month more is kept. Configuration and its audit
// stay. It may be repeated.
func (s *Store) Retain(ctx context.Context, before time.Time) error {
	var children []string
	err := s.db.WithContext(ctx).Raw(`SELECT child.relname FROM pg_inherits
		JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
		WHERE parent.relname IN ('fact', 'call', 'leg', 'queue_visit', 'offer') AND pg_table_is_visible(child.oid)
		ORDER BY 1`).Scan(&children).Error
	if err != nil {
		return translate("list partitions", err)
	}
	for _, child := range children {
		m := monthly.FindStringSubmatch(child)
		if m == nil {
			continue // the default partition
		}
		month, err := time.Parse("2006_01", m[1])
		if err != nil {
			return fmt.Errorf("read the month of partition %s: %w", child, err)
		}
		if month.AddDate(0, 1, 0).After(before) {
			continue
		}
		if err := s.db.WithContext(ctx).Migrator().DropTable(child); err != nil {
			return translate("drop partition "+child, err)
		}
		s.log.Info("forgot a month", "partition", child)
	}
	return s.forgetIntervals(ctx, before)
}

// forgetBatch bounds how many rows one statement deletes.
const forgetBatch = 50_000

func (s *Store) forgetIntervals(ctx context.Context, before time.Time) error {
	for {
		done := s.db.WithContext(ctx).Session(&gorm.Session{}).Exec(`DELETE FROM agent_interval WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM agent_interval WHERE to_at < ? LIMIT ?))`, before, forgetBatch)
		if done.Error != nil {
			return translate("delete agents' intervals", done.Error)
		}
		if done.RowsAffected < forgetBatch {
			return nil
		}
	}
}
