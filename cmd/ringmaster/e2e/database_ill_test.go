package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The ways in which TestDatabaseFaults makes a database ill.

// endSessions is what a fault begins with that is to be met without a
// connection at hand.
const endSessions = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ringmaster%'`

// killed is kill -9 of the private cluster's first process, again when it is
// back. Nobody but ringmaster starts it again.
func killed(t *testing.T, p *ailing) {
	t.Helper()
	var back []time.Duration
	for range 3 {
		pid := p.postmaster(t)
		if pid == 0 {
			t.Fatal("no cluster runs")
		}
		at := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.eventually("the cluster is back by itself", 20*time.Second, func() bool {
			return p.postmaster(t) != pid && p.sql("SELECT 1") == nil
		})
		back = append(back, time.Since(at).Round(time.Millisecond))
	}
	t.Logf("after kill -9 the cluster was back after %v", back)
}

// postmaster is the pid of the private cluster's first process.
func (p *ailing) postmaster(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "postgres", "*", "postmaster.pid"))
	if err != nil || len(files) != 1 {
		return 0 // it is being started
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return pid
}

// readOnly is what a database says that became a replica, or whose disk is full
// and whose keeper has seen it.
func readOnly(t *testing.T, p *ailing) {
	t.Helper()
	if err := p.sql("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	p.onMend(func() {
		err := p.sql("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
		if err != nil {
			t.Error(err)
		}
	})
}

// locked is somebody who has all of the books to themselves, as a migration or
// a repair has.
func locked(t *testing.T, p *ailing) {
	t.Helper()
	conn, err := p.session()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	tx, err := conn.Begin(ctx)
	if err == nil { // the cursor first, as ringmaster does: the other way round the two could block each other
		_, err = tx.Exec(ctx, `SELECT FROM projection FOR UPDATE`)
	}
	if err == nil {
		_, err = tx.Exec(ctx, `LOCK TABLE fact, call, leg, offer, queue_visit, agent_interval IN ACCESS EXCLUSIVE MODE`)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.onMend(func() {
		if err := errors.Join(tx.Rollback(ctx), conn.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
}

// exhausted is others who have every connection there is, ringmaster's too: as
// soon as it has one, it is ended.
func exhausted(t *testing.T, p *ailing) {
	t.Helper()
	first, err := p.session()
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	taken := []*pgx.Conn{first}
	full := make(chan struct{})
	var hog sync.WaitGroup
	hog.Go(func() {
		for once := sync.OnceFunc(func() { close(full) }); ctx.Err() == nil; {
			conn, err := p.session()
			if err == nil {
				taken = append(taken, conn)
				continue
			}
			refused, is := errors.AsType[*pgconn.PgError](err)
			ended, err := first.Exec(ctx, endSessions)
			if ctx.Err() == nil && err != nil {
				t.Error(err)
				return
			}
			if is && refused.Code == "53300" && ended.RowsAffected() == 0 { // too_many_connections, and all are ours
				once()
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	p.onMend(func() {
		end()
		hog.Wait()
		t.Logf("others had %d connections", len(taken))
		for _, conn := range taken {
			conn.Close(context.Background())
		}
	})
	select {
	case <-full:
	case <-time.After(10 * time.Second):
		t.Fatal("there are always more connections")
	}
}

// slowed is half a second for every answer, with no connection that was there
// before.
func slowed(t *testing.T, p *ailing) {
	t.Helper()
	toxic := `{"name": "far", "type": "latency", "stream": "downstream", "attributes": {"latency": 500}}`
	if _, err := p.slow.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		t.Fatal(err)
	}
	p.onMend(func() {
		if err := p.slow.Toxics.RemoveToxic(context.Background(), "far"); err != nil {
			t.Error(err)
		}
	})
	if err := p.sql(endSessions); err != nil {
		t.Fatal(err)
	}
}
