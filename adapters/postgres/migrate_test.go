package postgres

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// dump is pg_dump's account of a database's structure.
func dump(t *testing.T, dsn string) string {
	t.Helper()
	dumps, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
	must(t, err)
	if len(dumps) == 0 {
		t.Fatal("pg_dump is not installed beside PostgreSQL")
	}
	out, err := exec.CommandContext(t.Context(), dumps[len(dumps)-1], "--schema-only", "--no-owner",
		"--exclude-table=goose_db_version*", "--dbname", dsn).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var kept []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "\\") { // psql's restrict key is drawn anew each time
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestUpDownUpLeavesTheSameSchema(t *testing.T) {
	t.Parallel()
	dsn := newDatabase(t)
	s := openStore(t, dsn)
	first := dump(t, dsn)
	if !strings.Contains(first, "CREATE TABLE public.call ") {
		t.Fatalf("no schema: %s", first)
	}
	must(t, s.MigrateDown(t.Context(), 0))
	if empty := dump(t, dsn); strings.Contains(empty, "CREATE ") {
		t.Fatalf("left behind: %s", empty)
	}
	must(t, s.Migrate(t.Context()))
	same(t, dump(t, dsn), first)
	// Each step alone undoes itself too.
	for version := int64(6); version >= 0; version-- {
		must(t, s.MigrateDown(t.Context(), version))
		must(t, s.Migrate(t.Context()))
		same(t, dump(t, dsn), first)
	}
}

func TestMigrationsAreNumberedWithoutGapsAndGoBothWays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../migrations/*.sql")
	must(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		if !strings.HasPrefix(string(text), "-- +goose Up\n") || !strings.Contains(string(text), "\n-- +goose Down\n") {
			t.Errorf("%s does not go up and down", file)
		}
	}
}

func TestSeveralProcessesMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	dsn := newDatabase(t)
	must(t, openStore(t, dsn).MigrateDown(t.Context(), 0))
	results := make(chan error)
	for range 3 {
		s := openStore(t, dsn)
		go func() { results <- s.Migrate(context.WithoutCancel(t.Context())) }()
	}
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)").Error)
	if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Fatalf("got %v", err)
	}
}

func TestEveryTableKnowsItsTenant(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var without []string
	must(t, s.db.Raw(`SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
		AND relname NOT IN ('tenant', 'goose_db_version')
		AND NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant_id' AND attnotnull)`).
		Scan(&without).Error)
	if len(without) > 0 {
		t.Fatal(without)
	}
}

// TestRowsMoveOutOfTheDefaultPartition has facts of a month nobody prepared.
func TestRowsMoveOutOfTheDefaultPartition(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	facts := newCentre(1, 3).run(500)
	for i := range facts {
		facts[i].At = facts[i].At.AddDate(10, 0, 0)
	}
	project(t, s, facts)
	before := derived(t, s)
	inDefault := func() (n int) {
		must(t, s.db.Raw("SELECT count(*) FROM fact_default").Scan(&n).Error)
		return n
	}
	if inDefault() != len(facts) {
		t.Fatalf("%d facts in the default partition, want %d", inDefault(), len(facts))
	}
	must(t, s.MakePartitions(t.Context(), facts[0].At))
	if inDefault() != 0 {
		t.Fatal("they did not move")
	}
	same(t, derived(t, s), before)
}

// TestTheMonthOfACallIsInItsID holds SQL's idea of the least UUIDv7 of an
// instant against Go's, and the partitions against both.
func TestTheMonthOfACallIsInItsID(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, at := range []time.Time{
		time.Unix(0, 0).UTC(), time.Date(2026, 11, 30, 23, 59, 59, 999e6, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	} {
		var got string
		must(t, s.db.Raw("SELECT uuid_floor(?)::text", at).Scan(&got).Error)
		if want := uuidFloor(at); got != want {
			t.Errorf("%v: SQL says %s, Go %s", at, got, want)
		}
	}
}

func TestIndexesServeTheQueriesTheyAreFor(t *testing.T) {
	t.Parallel()
	dsn := newDatabase(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), "SET enable_seqscan = off; SET enable_sort = off")
	must(t, err)
	for query, index := range map[string]string{
		"SELECT * FROM call WHERE tenant_id = 'a' ORDER BY id DESC LIMIT 50":                                    "pkey",
		"SELECT * FROM call WHERE tenant_id = 'a' AND ended_at IS NULL ORDER BY id DESC LIMIT 50":               "tenant_id_id_idx",
		"SELECT * FROM call WHERE tenant_id = 'a' AND caller_number = '1' ORDER BY id DESC LIMIT 50":            "caller_number",
		"SELECT * FROM agent_interval WHERE tenant_id = 'a' AND agent_id = 'b' AND to_at IS NULL":               "agent_interval_open",
		"SELECT * FROM fact WHERE tenant_id = 'a' AND call_id = '0192e5a0-0000-7000-8000-000000000000'":         "call_id_seq",
		"SELECT * FROM fact WHERE tenant_id = 'a' AND (seq, idx) > (1, 1) ORDER BY seq, idx LIMIT 10":           "pkey",
		"SELECT * FROM agent_interval WHERE tenant_id = 'a' AND agent_id = 'b' AND (seq, idx) < (1, 1) LIMIT 1": "pkey",
	} {
		rows, err := conn.Query(t.Context(), "EXPLAIN "+query)
		must(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(t, err)
		if plan := strings.Join(lines, "\n"); !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s\n%s", query, plan)
		}
	}
}
