package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// role is the database's owner; who may enter the socket's folder may be it.
const role = "ringmaster"

const (
	lookAgain    = 20 * time.Millisecond
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
	// A server that ends as often in a row before it answers once will not
	// start by being asked again.
	maxLaunches = 5
	// Shutdown writes what is dirty; after this the next start recovers instead.
	stopWithin = 30 * time.Second
	// Another process's server, or the remains of one, must answer or go.
	settleWithin = time.Minute
)

// Config is where a cluster lives.
type Config struct {
	// Folder is the cluster's own, made if it is missing (its parent must
	// exist).
	Folder string
	// Installed overrides /usr/lib/postgresql.
	Installed string
	Log       *slog.Logger
}

// Cluster is a running private server. Its methods are safe for concurrent use.
type Cluster struct {
	config       Config
	log          *slog.Logger
	folder       string // <Folder>/cluster
	bin          binaries
	id           identity
	socket       string // folder of the socket
	serverSocket string // the same, as the server calls it
	stop         context.CancelFunc
	done         chan struct{}
	mu           sync.Mutex
	trouble      error // why the server is not running just now
}

// Start makes the cluster if there is none, starts its server, or shares the
// one that runs there, and returns when it answers. Recovery after a crash may
// take long; ctx bounds the wait and nothing else.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	c, err := prepareCluster(ctx, config)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	p, err := c.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("start database in %s: %w", c.folder, err)
	}
	c.log.Info("database runs", "folder", c.folder, "version", c.bin.version,
		"shared", p == nil, "took", time.Since(began))
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go c.keep(watch, p)
	return c, nil
}

func prepareCluster(ctx context.Context, config Config) (*Cluster, error) {
	if config.Installed == "" {
		config.Installed = installed
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	folder, err := filepath.Abs(config.Folder)
	if err != nil {
		return nil, fmt.Errorf("place database folder: %w", err)
	}
	config.Folder = folder
	c := &Cluster{config: config, log: config.Log, folder: filepath.Join(folder, "cluster"), done: make(chan struct{})}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("make database folder: %w", err)
	}
	if c.id, err = chooseIdentity(c.folder); err != nil {
		return nil, err
	}
	if c.bin, err = c.chooseBinaries(); err != nil {
		return nil, err
	}
	if err := c.makeCluster(ctx); err != nil {
		return nil, err
	}
	c.socket, c.serverSocket, err = socketFolder(c.folder, c.id)
	return c, err
}

// chooseBinaries wants the version the cluster was made with, else the newest.
func (c *Cluster) chooseBinaries() (binaries, error) {
	if _, err := os.Stat(c.folder); err != nil {
		return findBinaries(c.config.Installed, 0)
	}
	version, err := clusterVersion(c.folder)
	if err != nil {
		return binaries{}, err
	}
	return findBinaries(c.config.Installed, version)
}

// DSN is how to connect to a database of the cluster. It needs no password.
func (c *Cluster) DSN(database string) string {
	return fmt.Sprintf("host='%s' port=5432 user=%s dbname='%s' sslmode=disable", quote(c.socket), role, quote(database))
}

// quote escapes for the inside of a quoted value (libpq, 34.1.1.1).
func quote(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// LogFolder is where the server writes its log.
func (c *Cluster) LogFolder() string { return filepath.Join(c.folder, "log") }

// Health is nil while the server runs, else why it does not just now.
func (c *Cluster) Health() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trouble
}

func (c *Cluster) setTrouble(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = err
}

// Stop shuts the server down and waits for it; a shared one goes on.
func (c *Cluster) Stop() {
	c.stop()
	<-c.done
}

// CreateDatabase makes an empty database unless it exists.
func (c *Cluster) CreateDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == "42P04" { // duplicate_database
		return nil
	}
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// keep waits for the server's end and starts it again, until told to stop.
func (c *Cluster) keep(ctx context.Context, p *process) {
	defer close(c.done)
	for {
		if c.await(ctx, p); ctx.Err() != nil {
			c.shutDown(p)
			return
		}
		c.setTrouble(errors.New("database server ended"))
		c.log.Error("database server ended", "folder", c.folder, "shared", p == nil)
		if p = c.beginAgain(ctx); ctx.Err() != nil {
			c.shutDown(p)
			return
		}
		c.setTrouble(nil)
		c.log.Info("database runs again", "folder", c.folder, "shared", p == nil)
	}
}

// beginAgain tries until it works or ctx ends.
func (c *Cluster) beginAgain(ctx context.Context) *process {
	for wait := firstBackoff; ctx.Err() == nil; wait = min(2*wait, lastBackoff) {
		p, err := c.begin(ctx)
		if err == nil {
			return p
		}
		if ctx.Err() == nil {
			c.setTrouble(err)
			c.log.Error("database does not start", "folder", c.folder, "error", err)
			_ = pause(ctx, wait) // the loop asks ctx itself
		}
	}
	return nil
}

// await returns when the server ended or ctx did.
func (c *Cluster) await(ctx context.Context, p *process) {
	if p != nil {
		select {
		case <-ctx.Done():
		case <-p.gone:
		}
		return
	}
	for c.shared() {
		if pause(ctx, 10*lookAgain) != nil {
			return
		}
	}
}

// shutDown asks for a fast shutdown (SIGINT), and for an immediate one (SIGQUIT)
// when that takes too long. See PostgreSQL's manual, 19.5.
func (c *Cluster) shutDown(p *process) {
	if p == nil {
		return
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		// It fails only when the process is gone, which is what we wait for.
		_ = syscall.Kill(p.pid, signal)
		select {
		case <-p.gone:
			return
		case <-time.After(stopWithin):
			c.log.Warn("database server does not stop", "signal", signal.String())
		}
	}
}

// begin returns when a server answers: ours, or nil for a shared one.
func (c *Cluster) begin(ctx context.Context) (*process, error) {
	for launches := 1; ; launches++ {
		free, err := c.settle(ctx)
		if err != nil || !free {
			return nil, err
		}
		p, err := c.launch()
		if err != nil {
			return nil, err
		}
		err = c.answers(ctx, p)
		if err == nil {
			return p, nil
		}
		c.shutDown(p)
		if ctx.Err() != nil || launches == maxLaunches {
			return nil, err
		}
		if err := pause(ctx, firstBackoff); err != nil {
			return nil, err
		}
	}
}

// settle waits until the folder is free for a server of ours (true) or a
// server of someone else answers in it (false).
func (c *Cluster) settle(ctx context.Context) (bool, error) {
	deadline := time.Now().Add(settleWithin)
	for {
		pids, err := c.residents()
		if err != nil {
			return false, err
		}
		if len(pids) == 0 {
			return true, c.forgetReusedPID()
		}
		if slices.Contains(pids, c.pidFile()) && c.ping(ctx) == nil {
			return false, nil
		}
		if time.Now().After(deadline) {
			return false, fmt.Errorf("processes %v are in the folder and no server answers there", pids)
		}
		if err := pause(ctx, lookAgain); err != nil {
			return false, err
		}
	}
}

// forgetReusedPID removes a postmaster.pid whose number now belongs to some
// other program, which PostgreSQL would take for a server. Nobody lives in the
// folder, so the file protects nothing.
func (c *Cluster) forgetReusedPID() error {
	pid := c.pidFile()
	if pid == 0 || syscall.Kill(pid, 0) != nil {
		return nil //nolint:nilerr // nobody has that number
	}
	if err := os.Remove(filepath.Join(c.folder, "postmaster.pid")); err != nil {
		return fmt.Errorf("remove stale pid file: %w", err)
	}
	return nil
}

// shared says someone else's server is still there.
func (c *Cluster) shared() bool {
	pids, err := c.residents()
	return err == nil && slices.Contains(pids, c.pidFile())
}

// answers waits until p takes connections.
func (c *Cluster) answers(ctx context.Context, p *process) error {
	for {
		if c.ping(ctx) == nil && c.pidFile() == p.pid {
			return nil
		}
		select {
		case <-p.gone:
			return fmt.Errorf("server ended: %s (its log is in %s)", c.saidAtStart(), c.LogFolder())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

func (c *Cluster) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code != "57P03" { // cannot_connect_now
		return nil // it speaks: too many connections, say
	}
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}
