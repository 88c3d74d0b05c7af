package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"ringmaster/orchestrator"
)

// Bounds on what one process asks of the server. A statement that takes longer
// is given up: nothing a caller waits for lives here.
const (
	connectTimeout      = 3 * time.Second
	statementTimeout    = 10 * time.Second
	lockTimeout         = 5 * time.Second
	idleInTxTimeout     = 30 * time.Second
	maxConnections      = 16
	maxLeaseConnections = 2
	maxIdle             = 4
	maxLifetime         = time.Hour
	statementCache      = 128 // prepared statements per connection
)

// Config is how to reach the database.
type Config struct {
	DSN      string                  // libpq's key=value or URL form
	Instance orchestrator.InstanceID // names our sessions, so that whoever takes over can end them; may be ""
	Log      *slog.Logger
}

// Store implements orchestrator.Store. Its methods are safe for concurrent use.
type Store struct {
	dsn     string
	db      *gorm.DB
	pool    *sql.DB
	leases  *sql.DB // apart, so that no report ever keeps a lease waiting
	log     *slog.Logger
	hashing chan struct{} // one place per PIN being hashed
}

var _ orchestrator.Store = (*Store)(nil)

// Open returns a store. It does not connect: a database that is away makes
// methods fail with unavailable until it is back.
func Open(config Config) (*Store, error) {
	pool, err := openPool(config.DSN, session(config.Instance), hasty)
	if err != nil {
		return nil, err
	}
	leases, err := openPool(config.DSN, session(config.Instance), hasty)
	if err != nil {
		return nil, err
	}
	leases.SetMaxOpenConns(maxLeaseConnections)
	db, err := openGORM(pool)
	if err != nil {
		_, _ = pool.Close(), leases.Close()
		return nil, err
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{
		dsn: config.DSN, db: db, pool: pool, leases: leases, log: config.Log, hashing: make(chan struct{}, maxHashing),
	}, nil
}

func openGORM(pool *sql.DB) (*gorm.DB, error) {
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{
		TranslateError:         true,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard, // errors are returned, and logged by whoever handles them
		NowFunc:                func() time.Time { return time.Now().UTC() },
	})
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return db, nil
}

// manner is how long a connection waits for a statement.
type manner bool

const (
	hasty   manner = true
	patient manner = false
)

func openPool(dsn, name string, how manner) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read database address: %w", err)
	}
	config.ConnectTimeout = connectTimeout
	config.StatementCacheCapacity = statementCache
	set := config.RuntimeParams
	set["application_name"] = name
	set["timezone"] = "UTC"
	if how == hasty {
		set["statement_timeout"] = milliseconds(statementTimeout)
		set["lock_timeout"] = milliseconds(lockTimeout)
		set["idle_in_transaction_session_timeout"] = milliseconds(idleInTxTimeout)
	}
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(readInUTC))
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxIdle)
	pool.SetConnMaxLifetime(maxLifetime)
	return pool, nil
}

// readInUTC makes times come back in UTC instead of the machine's zone.
func readInUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Close gives the connections back.
func (s *Store) Close() error { return errors.Join(s.pool.Close(), s.leases.Close()) }

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return translate("reach database", s.pool.PingContext(ctx))
}

// of begins every query: it sees one tenant.
func (s *Store) of(ctx context.Context, tenant orchestrator.TenantID) *gorm.DB {
	return only(s.db.WithContext(ctx), tenant)
}

func only(tx *gorm.DB, tenant orchestrator.TenantID) *gorm.DB {
	return tx.Where("tenant_id = ?", string(tenant))
}
