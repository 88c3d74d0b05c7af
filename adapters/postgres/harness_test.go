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
	serverErr  error
	folderMade string
)

func server(t testing.TB) *cluster.Cluster {
	t.Helper()
	serverOnce.Do(func() {
		if folderMade, serverErr = os.MkdirTemp("/tmp", "rmdb"); serverErr == nil {
			serverMade, serverErr = startServer(folderMade)
		}
	})
	must(t, serverErr)
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
func newDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	conn, err := pgx.Connect(t.Context(), server(t).DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		t.Fatal(err)
	}
	return server(t).DSN(name)
}

func newStore(t testing.TB) *Store {
	t.Helper()
	return openStore(t, newDatabase(t))
}

func openStore(t testing.TB, dsn string) *Store {
	t.Helper()
	s, err := Open(Config{DSN: dsn, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newTenant returns a store with one tenant, "acme".
func newTenant(t testing.TB) *Store {
	t.Helper()
	s := newStore(t)
	must(t, s.OpenTenant(t.Context(), acme))
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
