package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ringmaster/adapters/postgres/cluster"
	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// pair is two ringmasters with a data folder each and one database. The centre
// in it is whichever leads.
type pair struct {
	*centre
	nodes  [2]*centre
	server *cluster.Cluster
	wires  *tap // to the switch
	dsn    string
}

// newPair starts one that leads and one that stands by, with n phones.
func newPair(tb testing.TB, kind string, n int, change func(document)) *pair {
	tb.Helper()
	p := &pair{centre: newCentre(tb, kind, n)}
	p.server, p.dsn = database(tb)
	p.throughTap(tb)
	p.nodes[0] = p.centre
	p.nodes[1] = &centre{t: tb, pbx: p.pbx, dir: folder(tb)}
	for _, node := range p.nodes {
		node.env = []string{"RINGMASTER_DATABASE=" + p.dsn}
		node.address = freeAddress(tb)
		tb.Cleanup(node.stop)
	}
	p.nodes[0].launch()
	p.nodes[0].awaitReady(30 * time.Second)
	p.nodes[1].key = p.key
	p.nodes[1].launch("--standby")
	p.awaitGuard(p.nodes[1])
	doc := p.document(n)
	if change != nil {
		change(doc)
	}
	p.apply(doc)
	for i := range n {
		p.agents = append(p.agents, p.register(i, phone.AnswerAfter(500*time.Millisecond)))
	}
	p.eventually("the switch is attached", 15*time.Second, p.attached)
	return p
}

// database is one that outlives every ringmaster.
func database(tb testing.TB) (*cluster.Cluster, string) {
	tb.Helper()
	server, err := cluster.Start(tb.Context(), cluster.Config{Folder: folder(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	if err := server.CreateDatabase(tb.Context(), "ringmaster"); err != nil {
		tb.Fatal(err)
	}
	return server, server.DSN("ringmaster")
}

func folder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "rm-e2e-data-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// throughTap puts the tap between every ringmaster and the switch.
func (p *pair) throughTap(tb testing.TB) {
	tb.Helper()
	u, err := url.Parse(p.pbx.url)
	if err != nil {
		tb.Fatal(err)
	}
	p.wires = newTap(tb, "tcp", u.Host)
	u.Host = p.wires.address()
	p.pbx.url = u.String()
}

// databaseTap is a wire to the database, and the DSN that leads through it.
func (p *pair) databaseTap(tb testing.TB) (*tap, string) {
	tb.Helper()
	config, err := pgx.ParseConfig(p.dsn)
	if err != nil {
		tb.Fatal(err)
	}
	w := newTap(tb, "unix", filepath.Join(config.Host, fmt.Sprintf(".s.PGSQL.%d", config.Port)))
	host, port, err := net.SplitHostPort(w.address())
	if err != nil {
		tb.Fatal(err)
	}
	return w, fmt.Sprintf("host=%s port=%s user=%s dbname=%s sslmode=disable", host, port, config.User, config.Database)
}

// launch runs serve and waits for nothing but the first key.
func (c *centre) launch(flags ...string) {
	c.t.Helper()
	c.launchKeyless(flags...)
	if c.key == "" {
		c.awaitKey()
	}
}

func (c *centre) awaitKey() {
	c.t.Helper()
	select {
	case c.key = <-c.shown:
	case <-time.After(30 * time.Second):
		c.t.Fatalf("no key is shown:\n%s", c.log())
	}
}

func (c *centre) launchKeyless(flags ...string) {
	c.t.Helper()
	args := append([]string{"serve", "--data", c.dir, "--listen", c.address, "--prompts", c.pbx.SoundsDir}, flags...)
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.lock.Lock()
	if c.output == nil {
		c.output = &bytes.Buffer{}
	}
	c.lock.Unlock()
	cmd.Stderr = quiet{&lockedWriter{w: c.output, lock: &c.lock}}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.process, c.exited = cmd, make(chan error, 1)
	key := make(chan string, 1)
	c.shown = key
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, text, ok := strings.Cut(lines.Text(), "shown only now: "); ok {
				key <- text
			}
		}
		c.exited <- cmd.Wait()
	}()
}

// quiet leaves out that somebody asked whether we are ready, over and over.
type quiet struct{ io.Writer }

func (q quiet) Write(line []byte) (int, error) { // slog writes whole lines
	if bytes.Contains(line, []byte("operation=getReadiness")) {
		return len(line), nil
	}
	return q.Writer.Write(line)
}

// readiness is what /readyz says.
type readiness struct {
	Ready  bool `json:"ready"`
	Checks []struct {
		Name   string `json:"name"`
		Ok     bool   `json:"ok"`
		Detail string `json:"detail"`
	} `json:"checks"`
}

// readyz asks without failing: who is asked may be dead.
func (c *centre) readyz() (r readiness, alive bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+"/readyz", nil)
	if err != nil {
		return r, false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return r, false
	}
	defer resp.Body.Close()
	return r, json.NewDecoder(resp.Body).Decode(&r) == nil
}

func (r readiness) says(name string) string {
	for _, c := range r.Checks {
		if c.Name == name {
			return c.Detail
		}
	}
	return ""
}

// connected reports whether this one leads and hears its switch.
func (c *centre) connected() bool {
	r, alive := c.readyz()
	ok := alive && r.Ready && len(r.Checks) > 3
	for _, check := range r.Checks {
		ok = ok && check.Ok
	}
	return ok
}

func (c *centre) awaitReady(within time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		if r, alive := c.readyz(); alive && r.Ready {
			return
		}
		if time.Now().After(end) {
			r, _ := c.readyz()
			c.t.Fatalf("not ready within %s: %+v\n%s", within, r, c.log())
		}
	}
}

// awaitGuard waits until node stands by and the leader has promised to yield.
func (p *pair) awaitGuard(node *centre) {
	p.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, _ := node.readyz()
		if strings.Contains(r.says("leading"), "leads") && p.lease().Yields {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("nobody stands by: %+v, lease %+v\n%s", r, p.lease(), node.log())
		}
	}
}

// lease is the row.
func (p *pair) lease() (l orchestrator.Lease) {
	p.t.Helper()
	ctx := context.WithoutCancel(p.t.Context())
	conn, err := pgx.Connect(ctx, p.dsn)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "SELECT epoch, instance_name, yields, released FROM lease").
		Scan(&l.Epoch, &l.Holder.Name, &l.Yields, &l.Released)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

// roles returns who leads and who does not.
func (p *pair) roles() (leader, other *centre) {
	if p.centre == p.nodes[0] {
		return p.nodes[0], p.nodes[1]
	}
	return p.nodes[1], p.nodes[0]
}

// follow makes the other one the centre, once it leads and hears its switch,
// and returns how long that took since.
func (p *pair) follow(since time.Time) time.Duration {
	p.t.Helper()
	old, next := p.roles()
	for end := time.Now().Add(30 * time.Second); !next.connected(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r, _ := next.readyz()
			p.t.Fatalf("nobody takes over: %+v\n%s", r, next.log())
		}
	}
	took := time.Since(since)
	next.agents = old.agents
	p.centre = next
	return took
}
