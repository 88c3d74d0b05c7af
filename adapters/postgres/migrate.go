package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"ringmaster/migrations"
)

// monthsAhead is how many months have partitions before they begin.
const monthsAhead = 3

// Migrate brings the schema up to this program's version and prepares
// partitions. Several processes may do it at once; one does it, the others
// wait. A schema that is newer than this program is an error.
func (s *Store) Migrate(ctx context.Context) error {
	return s.withMigrations(func(p *goose.Provider) error {
		current, target, err := p.GetVersions(ctx)
		if err != nil {
			return translate("read database version", err)
		}
		if current > target {
			return fmt.Errorf("the database is at version %d and this program knows %d: run the newer program", current, target)
		}
		done, err := p.Up(ctx)
		if err != nil {
			return translate("migrate database", err)
		}
		for _, step := range done {
			s.log.Info("database migrated", "version", step.Source.Version, "took", step.Duration)
		}
		return s.MakePartitions(ctx, time.Now())
	})
}

// MigrateDown takes the schema back to version; 0 removes everything, data
// included.
func (s *Store) MigrateDown(ctx context.Context, version int64) error {
	return s.withMigrations(func(p *goose.Provider) error {
		_, err := p.DownTo(ctx, version)
		return translate("migrate database down", err)
	})
}

// withMigrations opens connections of its own, without our time limits: an
// index on a year of calls takes its time.
func (s *Store) withMigrations(do func(*goose.Provider) error) error {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fmt.Errorf("prepare migration lock: %w", err)
	}
	pool, err := openPool(s.dsn, session(""), patient)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, migrations.Files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	return do(provider)
}

// MakePartitions makes those of the month of now, the one before and the next
// few. It may be repeated, and must be before they are used up; rows that find
// none go to a default partition and move when theirs is made.
func (s *Store) MakePartitions(ctx context.Context, now time.Time) error {
	var made int
	first := now.UTC().AddDate(0, -1, 1-now.UTC().Day())
	err := s.db.WithContext(ctx).Raw("SELECT make_partitions(?::date, ?)", first.Format(time.DateOnly), monthsAhead+2).
		Scan(&made).Error
	if err == nil && made > 0 {
		s.log.Info("partitions made", "count", made)
	}
	return translate("make partitions", err)
}
