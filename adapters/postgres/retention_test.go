package postgres

import (
	"testing"
	"time"
)

// TestRetentionDropsWholeMonths has calls of two months.
func TestRetentionDropsWholeMonths(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	facts := newCentre(42, 4).run(12000)
	project(t, s, facts)
	last := facts[len(facts)-1].At.UTC()
	month := time.Date(last.Year(), last.Month(), 1, 0, 0, 0, 0, time.UTC)
	count := func(query string, args ...any) (n int) {
		t.Helper()
		must(t, s.db.Raw(query, args...).Scan(&n).Error)
		return n
	}
	partitions := func() int { return count("SELECT count(*) FROM pg_inherits WHERE inhparent = 'fact'::regclass") }
	had, kept := partitions(), count("SELECT count(*) FROM call WHERE arrived_at >= ?", month)
	if old := count("SELECT count(*) FROM call WHERE arrived_at < ?", month); old == 0 || kept == 0 {
		t.Fatalf("%d old calls, %d new ones: nothing to see", old, kept)
	}
	must(t, s.Retain(t.Context(), month.Add(-time.Second)))
	if now := partitions(); now != had {
		t.Errorf("a month that has a second to go was dropped: %d partitions of %d", now, had)
	}
	for range 2 {
		must(t, s.Retain(t.Context(), month))
	}
	for what, left := range map[string]int{
		"facts": count("SELECT count(*) FROM fact WHERE at < ?", month), "calls": count("SELECT count(*) FROM call WHERE id < uuid_floor(?)", month),
		"legs": count("SELECT count(*) FROM leg WHERE call_id < uuid_floor(?)", month), "offers": count("SELECT count(*) FROM offer WHERE call_id < uuid_floor(?)", month),
		"visits": count("SELECT count(*) FROM queue_visit WHERE call_id < uuid_floor(?)", month), "intervals": count("SELECT count(*) FROM agent_interval WHERE to_at < ?", month),
	} {
		if left > 0 {
			t.Errorf("%d old %s are left", left, what)
		}
	}
	if now := count("SELECT count(*) FROM call"); now != kept {
		t.Errorf("%d calls are left, want %d", now, kept)
	}
	// Facts of calls that span the border are there without their beginning.
	must(t, s.Rebuild(t.Context(), acme, func(int) {}))
}
