package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"ringmaster/adapters/postgres/cluster"
)

// The package's own PostgreSQL starts with the first test that needs it; every
// test gets a database of its own, copied from a migrated one.
var (
	serverOnce sync.Once
	serverMade *cluster.Cluster
	errServer  error
	folderMade string
)

func server(tb testing.TB) *cluster.Cluster {
	tb.Helper()
	serverOnce.Do(func() {
		if folderMade, errServer = os.MkdirTemp("/tmp", "rmdb"); errServer == nil { // a socket needs a short path
			serverMade, errServer = startServer(folderMade)
		}
	})
	must(tb, errServer)
	return serverMade
}

const template = "template_ringmaster"

func TestMain(m *testing.M) {
	code := m.Run()
	if serverMade != nil {
		serverMade.Stop()
	}
	os.RemoveAll(folderMade)
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func startServer(folder string) (*cluster.Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Config{Folder: folder})
	if err != nil {
		return nil, err
	}
	if err := c.CreateDatabase(ctx, template); err != nil {
		return nil, err
	}
	s, err := Open(Config{DSN: c.DSN(template)})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return c, s.Migrate(ctx)
}

var databases atomic.Int64

// newDatabase returns the DSN of a fresh, migrated database.
func newDatabase(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	conn, err := pgx.Connect(tb.Context(), server(tb).DSN("postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(tb.Context()))
	if _, err := conn.Exec(tb.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		tb.Fatal(err)
	}
	return server(tb).DSN(name)
}

func newStore(tb testing.TB) *Store {
	tb.Helper()
	return openStore(tb, newDatabase(tb))
}

func openStore(tb testing.TB, dsn string) *Store {
	tb.Helper()
	s, err := Open(Config{DSN: dsn, Log: slog.New(slog.NewTextHandler(tb.Output(), nil))})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// newTenant returns a store with one tenant, "acme".
func newTenant(tb testing.TB) *Store {
	tb.Helper()
	s := newStore(tb)
	must(tb, s.OpenTenant(tb.Context(), acme))
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
