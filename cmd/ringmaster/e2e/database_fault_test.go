package e2e

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

var databaseFor = flag.Duration("e2e.databasefault", 8*time.Second, "how long each fault of TestDatabaseFaults lasts")

// databaseFault is a way in which a database is there and no help.
type databaseFault struct {
	name    string
	kind    string                    // of the switch, Asterisk if empty
	far     bool                      // reached over a wire that can be slowed
	begin   func(*testing.T, *ailing) // returns when the fault is there
	says    string                    // what /readyz says about the database, meanwhile
	refuses map[string]string         // requests that must be answered 503, by path
}

// TestDatabaseFaults breaks the database in every way but taking it away:
// killed, read-only, locked, without a connection to spare, far. Calls come,
// talk and end as ever, /readyz says what is wrong and stays ready, what needs
// the database answers 503 instead of hanging, and afterwards every call is in
// the books, once.
func TestDatabaseFaults(t *testing.T) {
	for _, f := range []databaseFault{
		{name: "killed", begin: killed, says: "reach database"},
		{name: "killed beside FreeSWITCH", kind: "freeswitch", begin: killed, says: "reach database"},
		{
			name: "read-only", begin: readOnly, says: "read-only",
			refuses: map[string]string{"/v1/numbers/777": "PUT"},
		},
		{
			name: "locked", begin: locked, says: "lock timeout",
			refuses: map[string]string{"/v1/calls": "GET"},
		},
		{
			name: "no connection to spare", begin: exhausted, says: "too many clients",
			refuses: map[string]string{"/v1/calls": "GET", "/v1/numbers/777": "PUT"},
		},
		{name: "half a second away", far: true, begin: slowed},
	} {
		t.Run(f.name, func(t *testing.T) { f.suffered(t) })
	}
}

func (f databaseFault) suffered(t *testing.T) { //nolint:thelper // it is the test itself
	p := newAiling(t, cmp.Or(f.kind, "asterisk"), f.far)
	talk := p.converse(t, "+49760")
	p.settledDown(t)
	watch := p.watch()
	begun := time.Now()
	f.begin(t, p)
	var asking sync.WaitGroup
	for path, method := range f.refuses {
		asking.Go(func() { p.unavailable(t, method, path) })
	}
	talk.unharmed(t, jitter)
	if err := talk.call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	numbers := append(p.callsUntil(t, begun.Add(*databaseFor)), "+49760")
	if f.far {
		p.slowly(t)
	}
	asking.Wait()
	said := watch.stop()
	p.mend()
	mended := time.Now()
	p.eventually("/readyz has nothing to say", 20*time.Second, func() bool {
		r, alive := p.readyz()
		return alive && r.Ready && r.says("database") == ""
	})
	for _, number := range numbers {
		if s := p.story(t, number); s.count("call_ended") != 1 || s.Call.Outcome.Reason != orchestrator.ReasonTalked {
			t.Errorf("after the fault %+v:\n%s", s.Call.Outcome, s)
		}
	}
	if said.unready > 0 {
		t.Errorf("calls were taken, and /readyz was not ready %d times of %d", said.unready, said.asked)
	}
	if f.says != "" && !strings.Contains(said.database, f.says) {
		t.Errorf("/readyz does not say %q, it said:\n%s", f.says, said.database)
	}
	t.Logf("%d calls, all in the books %s after the fault ended", len(numbers), time.Since(mended).Round(time.Millisecond))
}

// ailing is a centre whose database is about to suffer.
type ailing struct {
	*centre
	dsn   string
	slow  *toxiproxy.Proxy // on the way to the database, when it is far
	mends []func()
}

func newAiling(t *testing.T, kind string, far bool) *ailing {
	t.Helper()
	p := &ailing{centre: newCentre(t, kind, 1)}
	if far {
		p.throughSlowWire(t)
	}
	p.start()
	t.Cleanup(p.stop)
	t.Cleanup(p.mend) // before ringmaster is told to stop
	if !far {
		socket, err := filepath.Glob(filepath.Join(p.dir, "postgres", "*", ".s.PGSQL.5432"))
		if err != nil || len(socket) != 1 {
			t.Fatalf("no socket in %s: %v %v", p.dir, socket, err)
		}
		p.dsn = fmt.Sprintf("host='%s' port=5432 user=ringmaster dbname=ringmaster sslmode=disable", filepath.Dir(socket[0]))
	}
	doc := p.document(1)
	doc["queues"].([]document)[0]["wrap_up_ms"] = 0
	p.apply(doc)
	p.agents = append(p.agents, p.register(0, phone.AnswerAfter(300*time.Millisecond)))
	p.eventually("the switch is attached", 15*time.Second, func() bool {
		l := p.live()
		return len(l.Switches) > 0 && l.Switches[0].Attached
	})
	p.login(0)
	return p
}

// throughSlowWire gives the centre a database of its own behind a wire.
func (p *ailing) throughSlowWire(t *testing.T) {
	t.Helper()
	_, p.dsn = database(t)
	_, wire := (&pair{dsn: p.dsn}).databaseTap(t)
	config, err := pgx.ParseConfig(wire)
	if err != nil {
		t.Fatal(err)
	}
	p.slow = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "database",
		"127.0.0.1:0", fmt.Sprintf("%s:%d", config.Host, config.Port))
	if err := p.slow.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.slow.Stop)
	host, port, _ := strings.Cut(p.slow.Listen, ":")
	p.env = []string{fmt.Sprintf("RINGMASTER_DATABASE=host=%s port=%s user=%s dbname=%s sslmode=disable", host, port, config.User, config.Database)}
}

// settledDown waits until all that happened so far is in the database.
func (p *ailing) settledDown(t *testing.T) {
	t.Helper()
	p.eventually("the call is in the database", 10*time.Second, func() bool { return len(p.calls("+49760")) == 1 })
}

func (p *ailing) onMend(f func()) { p.mends = append(p.mends, f) }

func (p *ailing) mend() {
	for _, f := range p.mends {
		f()
	}
	p.mends = nil
}

// session is one of somebody else's.
func (p *ailing) session() (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), 5*time.Second)
	defer cancel()
	return pgx.Connect(ctx, p.dsn+" application_name=somebody")
}

func (p *ailing) sql(statements ...string) error {
	conn, err := p.session()
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(p.t.Context()))
	for _, s := range statements {
		if _, err := conn.Exec(context.WithoutCancel(p.t.Context()), s); err != nil {
			return err
		}
	}
	return nil
}

// callsUntil has one caller after the other reach the agent.
func (p *ailing) callsUntil(t *testing.T, end time.Time) (numbers []string) {
	t.Helper()
	for n := 0; n < 2 || time.Now().Before(end); n++ {
		number := fmt.Sprintf("+4976%03d", n)
		call := p.dial(p.caller(n), "501", number)
		p.hears(call, agentHz, time.Time{})
		numbers = append(numbers, number)
		time.Sleep(300 * time.Millisecond)
		if err := call.Hangup(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return numbers
}

// unavailable holds that a request is refused in time, and as it should be.
func (p *ailing) unavailable(t *testing.T, method, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	body := strings.NewReader("")
	if method != http.MethodGet {
		body = strings.NewReader(`{"dialled": "777", "flow": "main"}`)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.address+path, body)
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+p.key)
	req.Header.Set("Content-Type", "application/json")
	asked := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("%s %s hangs: %v", method, path, err)
		return
	}
	defer resp.Body.Close()
	head := resp.Header
	if resp.StatusCode != http.StatusServiceUnavailable || head.Get("Retry-After") == "" ||
		!strings.HasPrefix(head.Get("Content-Type"), "application/problem+json") {
		t.Errorf("%s %s answers %d %v", method, path, resp.StatusCode, head)
	}
	t.Logf("%s %s answers %d after %s", method, path, resp.StatusCode, time.Since(asked).Round(time.Millisecond))
}

// slowly holds that a read is answered late, and not for ever.
func (p *ailing) slowly(t *testing.T) {
	t.Helper()
	asked := time.Now()
	status, text := p.ask("GET", "/v1/calls", nil)
	if took := time.Since(asked); status != 200 || took < 400*time.Millisecond || took > 15*time.Second {
		t.Errorf("a read from far away answers %d after %s: %s", status, took, text)
	} else {
		t.Logf("a read from far away takes %s", took.Round(time.Millisecond))
	}
}

// watcher asks /readyz all the time.
type watcher struct {
	end  context.CancelFunc
	done sync.WaitGroup
	said sayings
}

// sayings are what /readyz said, each once.
type sayings struct {
	asked, unready int
	database       string
}

func (p *ailing) watch() *watcher {
	ctx, end := context.WithCancel(context.Background())
	w := &watcher{end: end}
	w.done.Go(func() {
		for ctx.Err() == nil {
			if r, alive := p.readyz(); alive {
				w.said.asked++
				if !r.Ready {
					w.said.unready++
				}
				if text := r.says("database"); !strings.Contains(w.said.database, text) {
					w.said.database += text + "\n"
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return w
}

func (w *watcher) stop() sayings {
	w.end()
	w.done.Wait()
	return w.said
}
