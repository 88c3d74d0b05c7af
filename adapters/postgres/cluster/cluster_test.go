package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// ownerFolder makes the test binary play a process that owns a cluster, for
// the tests that kill one.
const ownerFolder = "RINGMASTER_TEST_OWNER_FOLDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(ownerFolder); folder != "" {
		playOwner(folder)
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(made)
		os.Exit(code)
	}))
}

func playOwner(folder string) {
	if _, err := Start(context.Background(), Config{Folder: folder}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	select {}
}

func start(t *testing.T, folder string) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := Start(ctx, Config{Folder: folder, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func exec1(t *testing.T, c *Cluster, sql string) {
	t.Helper()
	if err := try(t.Context(), c, sql); err != nil {
		t.Fatal(err)
	}
}

func try(ctx context.Context, c *Cluster, sql string) error {
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

var (
	madeOnce sync.Once
	made     string
	errMade  error
)

// madeFolder is a test's folder with a cluster in it that never ran. Making one
// takes seconds, copying it does not.
func madeFolder(t *testing.T) string {
	t.Helper()
	madeOnce.Do(func() {
		if made, errMade = os.MkdirTemp("/tmp", "rmpg"); errMade == nil { // a socket needs a short path
			_, errMade = prepareCluster(context.Background(), Config{Folder: made})
		}
	})
	if errMade != nil {
		t.Fatal(errMade)
	}
	folder := shortFolder(t)
	if out, err := exec.Command("cp", "-a", filepath.Join(made, "cluster"), folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return folder
}

// shortFolder is a test's folder whose path leaves room for a socket.
func shortFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rmpg") // a socket needs a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestStartsStopsAndStartsAgainWithItsData(t *testing.T) {
	folder := filepath.Join(shortFolder(t), "o'database") // a quote must survive the DSN
	c := start(t, folder)
	exec1(t, c, "CREATE TABLE kept AS SELECT 7 AS n")
	if err := c.CreateDatabase(t.Context(), "twice"); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateDatabase(t.Context(), "twice"); err != nil {
		t.Fatalf("second time: %v", err)
	}
	c.Stop()
	eventually(t, func() error { // the log's writer is the last to go
		if left, err := c.residents(); err != nil || len(left) > 0 {
			return fmt.Errorf("after stop: pids %v, %w", left, err)
		}
		return nil
	})
	c = start(t, folder)
	defer c.Stop()
	exec1(t, c, "DO $$ BEGIN ASSERT (SELECT n FROM kept) = 7; END $$")
}

func TestListensOnNoNetworkAndKeepsWhatItPromises(t *testing.T) {
	c := start(t, madeFolder(t))
	defer c.Stop()
	exec1(t, c, `DO $$ BEGIN
		ASSERT current_setting('listen_addresses') = '';
		ASSERT current_setting('fsync')::bool AND current_setting('full_page_writes')::bool;
		ASSERT current_setting('synchronous_commit') = 'on';
		ASSERT current_setting('data_checksums')::bool;
		ASSERT current_setting('timezone') = 'UTC';
		ASSERT current_setting('server_encoding') = 'UTF8';
	END $$`)
	info, err := os.Stat(c.socket)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Fatalf("socket folder is %v", info.Mode())
	}
	if os.Geteuid() == 0 {
		stat := info.Sys().(*syscall.Stat_t)
		if stat.Uid == 0 {
			t.Fatal("server runs as root")
		}
	}
}

func TestRunsBelowAFolderItsUserMayNotEnterAndWithALongPath(t *testing.T) {
	closed := filepath.Join(shortFolder(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	c := start(t, filepath.Join(closed, strings.Repeat("long/", 30)))
	defer os.RemoveAll(c.socket)
	defer c.Stop()
	if c.socket == c.folder {
		t.Fatal("the socket's path is too long to work")
	}
	exec1(t, c, "CREATE TABLE t AS SELECT 1")
}

func TestRefusesASocketFolderOthersMayEnter(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a folder of someone else")
	}
	long := filepath.Join(shortFolder(t), strings.Repeat("l", 120))
	short, _, err := socketFolder(long, identity{65534, 65534})
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	if err := os.Chmod(short, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err := socketFolder(long, identity{65534, 65534}); err == nil {
		t.Fatal("a folder open to all was accepted")
	}
}

func TestComesBackAfterItsServerIsKilled(t *testing.T) {
	c := start(t, madeFolder(t))
	defer c.Stop()
	exec1(t, c, "CREATE TABLE kept AS SELECT 7 AS n")
	killed := c.pidFile()
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if c.pidFile() == killed {
			return errors.New("the old server's pid is still there")
		}
		return try(t.Context(), c, "DO $$ BEGIN ASSERT (SELECT n FROM kept) = 7; END $$")
	})
	eventually(t, c.Health)
}

func TestOwnerKilledLeavesNothingAndTheNextTakesOver(t *testing.T) {
	folder := madeFolder(t)
	owner := startOwner(t, folder)
	second := start(t, folder) // shares the owner's server
	defer second.Stop()
	exec1(t, second, "CREATE TABLE kept AS SELECT 7 AS n")
	owners := second.pidFile()
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // it was killed, and says so
	began := time.Now()
	eventually(t, func() error {
		if second.pidFile() == owners {
			return errors.New("the owner's server still runs")
		}
		return try(t.Context(), second, "DO $$ BEGIN ASSERT (SELECT n FROM kept) = 7; END $$")
	})
	t.Log("took over after", time.Since(began))
}

func TestASharedServerIsNotStopped(t *testing.T) {
	folder := madeFolder(t)
	owner := start(t, folder)
	defer owner.Stop()
	guest := start(t, folder)
	guest.Stop()
	exec1(t, owner, "SELECT 1")
}

func TestAStalePIDFileOfAnotherProgramIsNoObstacle(t *testing.T) {
	folder := madeFolder(t)
	start(t, folder).Stop()
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{}
	c := &Cluster{folder: filepath.Join(folder, "cluster")}
	id, err := chooseIdentity(c.folder)
	if err != nil {
		t.Fatal(err)
	}
	other.SysProcAttr.Credential = id.credential() // the same user, or PostgreSQL would see through it
	other.Dir = "/"
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	stale := fmt.Sprintf("%d\n/nowhere\n1\n5432\n.\n\n", other.Process.Pid)
	path := filepath.Join(c.folder, "postmaster.pid")
	if err := os.WriteFile(path, []byte(stale), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, folder).Stop()
}

func TestAHalfMadeClusterIsMadeAnew(t *testing.T) {
	folder := shortFolder(t)
	half := filepath.Join(folder, "cluster.new", "base")
	if err := os.MkdirAll(half, 0o755); err != nil {
		t.Fatal(err)
	}
	c := start(t, folder)
	defer c.Stop()
	exec1(t, c, "SELECT 1")
}

func TestSaysWhyItDoesNotStart(t *testing.T) {
	folder := madeFolder(t)
	c := start(t, folder)
	c.Stop()
	if err := os.WriteFile(filepath.Join(c.folder, "postgresql.conf"), []byte("no_such_setting = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Config{Folder: folder})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Fatalf("got %v", err)
	}
}

func TestNamesThePackageThatIsMissing(t *testing.T) {
	_, err := Start(t.Context(), Config{Folder: shortFolder(t), Installed: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "Debian package postgresql") {
		t.Fatalf("got %v", err)
	}
	folder := madeFolder(t)
	start(t, folder).Stop()
	if err := os.WriteFile(filepath.Join(folder, "cluster", "PG_VERSION"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Config{Folder: folder})
	if err == nil || !strings.Contains(err.Error(), "postgresql-99") {
		t.Fatalf("got %v", err)
	}
}

func startOwner(t *testing.T, folder string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerFolder+"="+folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 200)
	n, err := out.Read(line)
	if got := string(line[:n]); err != nil || got != "ready\n" {
		t.Fatalf("owner says %q, %v", got, err)
	}
	return cmd
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func BenchmarkStart(b *testing.B) {
	dir, err := os.MkdirTemp("/tmp", "rmpg") // a socket needs a short path
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for b.Loop() {
		c, err := Start(b.Context(), Config{Folder: dir})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		c.Stop()
		b.StartTimer()
	}
}
