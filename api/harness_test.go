package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"ringmaster/adapters/postgres"
	"ringmaster/adapters/postgres/cluster"
	"ringmaster/api"
	"ringmaster/orchestrator"
)

// store is one real database for all tests; each test has tenants of its own.
var store *postgres.Store

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("/tmp", "rmapi")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Config{Folder: folder})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer c.Stop()
	if store, err = postgres.Open(postgres.Config{DSN: c.DSN("postgres")}); err == nil {
		err = store.Migrate(ctx)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer store.Close()
	return m.Run()
}

var tenants atomic.Int64

// site is one tenant with its API.
type site struct {
	*testing.T
	tenant orchestrator.TenantID
	floor  *floor
	url    string
	key    string // with the scope admin
	log    *safeBuffer
	router routers.Router
	client *http.Client
	server *api.Server
}

func newSite(t *testing.T, change ...func(*api.Config)) *site {
	t.Helper()
	s := &site{
		T: t, tenant: orchestrator.TenantID(fmt.Sprintf("tenant-%d", tenants.Add(1))), floor: newFloor(), log: &safeBuffer{},
		client: &http.Client{Transport: &http.Transport{}},
	}
	ctx := t.Context()
	s.must(store.OpenTenant(ctx, s.tenant))
	var err error
	s.key, err = api.EnsureFirstKey(ctx, store, s.tenant, time.Now())
	s.must(err)
	cfg := api.Config{
		Floors: func(id orchestrator.TenantID) (api.Floor, bool) { return s.floor, id == s.tenant },
		Store:  store, Registry: prometheus.NewRegistry(), Version: "test",
		Log:    slog.New(slog.NewTextHandler(s.log, nil)),
		Limits: api.Limits{RequestsPerSecond: 10_000, WrongKeysPerHour: 1_000_000},
	}
	for _, c := range change {
		c(&cfg)
	}
	s.server, err = api.New(cfg)
	s.must(err)
	web := httptest.NewServer(s.server.Handler())
	s.url = web.URL
	spec, err := api.Spec()
	s.must(err)
	s.router, err = legacy.NewRouter(spec)
	s.must(err)
	t.Cleanup(func() {
		s.server.Close()
		s.client.CloseIdleConnections()
		web.Close()
		s.floor.stop()
	})
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// keyWith makes a key with these scopes.
func (s *site) keyWith(scopes ...string) string {
	s.Helper()
	_, secret, err := api.MintKey(s.Context(), store, orchestrator.APIKey{
		Tenant: s.tenant, Name: "test key", Scopes: scopes, Created: time.Now(),
	})
	s.must(err)
	return secret
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) problem() (p struct {
	Type, Title, Code, Detail, Refusal string
	Status                             int
	RequestID                          string `json:"request_id"`
	Errors                             []struct{ Field, Message string }
},
) {
	json.Unmarshal(a.body, &p)
	return p
}

// call makes a request; headers come in pairs. Every answer is held against
// openapi.yaml.
func (s *site) call(method, path string, body any, headers ...string) answer {
	s.Helper()
	return s.callAs(s.key, method, path, body, headers...)
}

func (s *site) callAs(key, method, path string, body any, headers ...string) answer {
	s.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		s.must(err)
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(s.Context(), method, s.url+path, content)
	s.must(err)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if content != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(r)
	s.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	s.must(err)
	a := answer{status: response.StatusCode, header: response.Header, body: text}
	s.conforms(r, a)
	return a
}

// conforms holds an answer against openapi.yaml.
func (s *site) conforms(r *http.Request, a answer) {
	s.Helper()
	plain := r.Clone(context.Background())
	plain.Host = ""
	plain.URL.Host, plain.URL.Scheme = "", ""
	route, params, err := s.router.FindRoute(plain)
	if err != nil {
		return // no such route: nothing is promised but a problem
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		s.Errorf("%s %s answered %d against openapi.yaml: %v", r.Method, r.URL, a.status, err)
	}
}

// ok is call for what must work; out may be nil.
func (s *site) ok(method, path string, body, out any, headers ...string) answer {
	s.Helper()
	a := s.call(method, path, body, headers...)
	if a.status >= 300 {
		s.Fatalf("%s %s = %d %s", method, path, a.status, a.body)
	}
	if out != nil {
		s.must(json.Unmarshal(a.body, out))
	}
	return a
}

// refused is call for what must not work.
func (s *site) refused(status int, method, path string, body any, headers ...string) answer {
	s.Helper()
	a := s.call(method, path, body, headers...)
	if a.status != status {
		s.Errorf("%s %s = %d, want %d: %s", method, path, a.status, status, a.body)
	}
	if kind := a.header.Get("Content-Type"); kind != "application/problem+json" {
		s.Errorf("%s %s: Content-Type %q is no problem", method, path, kind)
	}
	return a
}

type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// leaks fails the test if it leaves goroutines behind, those of the shared
// database excepted.
func leaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, before,
			goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"),
			goleak.IgnoreAnyFunction("database/sql.(*DB).connectionCleaner"),
			goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgconn/internal/bgreader.(*BGReader).bgRead"))
	})
}
