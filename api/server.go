package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/time/rate"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// Server answers HTTP for every tenant whose floor runs here. It is safe for
// concurrent use.
type Server struct {
	cfg    Config
	store  orchestrator.Store
	log    *slog.Logger
	now    func() time.Time
	limits Limits

	operations map[routeKey]*operation
	engine     *gin.Engine
	keys       *keyCache
	perKey     *limiter
	perAddress *limiter // of wrong keys
	metrics    *figures
	names      *nameBook
	streams    chan struct{} // one slot per open event stream

	mu      sync.Mutex
	writers map[orchestrator.TenantID]*writer

	closing   chan struct{} // closed when event streams must end
	closeOnce sync.Once
}

// New makes a server. It starts nothing: see Handler and Serve.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, store: cfg.Store, log: cfg.Log, now: cfg.Now, limits: cfg.Limits.withDefaults()}
	if s.now == nil {
		s.now = time.Now
	}
	spec, err := Spec()
	if err != nil {
		return nil, err
	}
	if s.operations, err = operations(spec); err != nil {
		return nil, err
	}
	if s.metrics, err = newFigures(cfg.Registry); err != nil {
		return nil, err
	}
	s.keys = newKeyCache(cfg.Store, s.now)
	s.names = &nameBook{store: cfg.Store, now: s.now, pages: map[orchestrator.TenantID]namePage{}}
	s.perKey = newLimiter(rate.Limit(s.limits.RequestsPerSecond), 2*s.limits.RequestsPerSecond)
	s.perAddress = newLimiter(rate.Every(time.Hour/time.Duration(s.limits.WrongKeysPerHour)), s.limits.WrongKeysPerHour)
	s.streams = make(chan struct{}, s.limits.Streams)
	s.writers = map[orchestrator.TenantID]*writer{}
	s.closing = make(chan struct{})
	if s.engine, err = s.routes(); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler is the whole API.
func (s *Server) Handler() http.Handler { return s.engine }

// routes joins the generated routes, the handwritten ones and what every
// request goes through.
func (s *Server) routes() (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.ContextWithFallback = true
	e.HandleMethodNotAllowed = true
	proxies := make([]string, 0, len(s.cfg.TrustedProxies))
	for _, p := range s.cfg.TrustedProxies {
		proxies = append(proxies, p.String())
	}
	if len(proxies) == 0 {
		proxies = nil // gin reads nil, not empty, as "none"
	}
	if err := e.SetTrustedProxies(proxies); err != nil {
		return nil, err
	}
	e.Use(s.open, s.survive, s.bound, s.admit, s.check)

	fail := func(c *gin.Context, err error) { s.stop(c, err) }
	strict := gen.NewStrictHandlerWithOptions(s, []gen.StrictMiddlewareFunc{unpooled}, gen.StrictGinServerOptions{
		RequestErrorHandlerFunc: fail, HandlerErrorFunc: fail, ResponseErrorHandlerFunc: fail,
	})
	gen.RegisterHandlersWithOptions(e, strict, gen.GinServerOptions{
		ErrorHandler: func(c *gin.Context, err error, _ int) { s.stop(c, invalid("", err.Error())) },
	})
	e.GET("/v1/live/events", s.followLive)
	e.GET("/metrics", gin.WrapH(promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{})))
	e.GET("/openapi.json", func(c *gin.Context) { s.serveSpec(c.Writer, c.Request) })
	e.GET("/docs", s.serveDocs)
	e.GET("/docs/:file", s.serveDocs)
	e.NoRoute(s.noRoute)
	e.NoMethod(func(c *gin.Context) {
		s.stop(c, &problem{
			code: orchestrator.CodeInvalid, status: http.StatusMethodNotAllowed,
			detail: "this path has no " + c.Request.Method,
		})
	})
	return e, nil
}

// unpooled hands each handler a context of its own. The generated code passes
// gin's, which gin gives to another request as soon as this one is answered,
// while database/sql may still be looking at it: a test under the race detector
// showed that.
func unpooled(next gen.StrictHandlerFunc, _ string) gen.StrictHandlerFunc {
	return func(c *gin.Context, request any) (any, error) { return next(c.Copy(), request) }
}

// noRoute leaves to the console what is not the API's.
func (s *Server) noRoute(c *gin.Context) {
	read := c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead
	if s.cfg.Console != nil && read && !isAPI(c.Request.URL.Path) {
		c.Status(http.StatusOK)
		s.cfg.Console.ServeHTTP(c.Writer, c.Request)
		return
	}
	s.stop(c, &orchestrator.Error{Code: orchestrator.CodeNotFound, Message: "there is no such route; /docs lists them"})
}

func isAPI(path string) bool { return path == "/v1" || len(path) > 3 && path[:4] == "/v1/" }

// Serve answers on ln until ctx ends, then lets requests finish for at most
// grace. Event streams end at once. It returns nil when it was ctx that ended
// it.
func (s *Server) Serve(ctx context.Context, ln net.Listener, grace time.Duration) error {
	server := &http.Server{
		Handler:           s.engine,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       s.limits.DocumentTime, // shortened for each route
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(ln) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	s.Close()
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(late); err != nil {
		server.Close() //nolint:errcheck // it was asked to close politely before
	}
	if err := <-stopped; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends the event streams. Serve calls it; who uses Handler calls it.
func (s *Server) Close() { s.closeOnce.Do(func() { close(s.closing) }) }

// floor is the floor of who asks.
func (s *Server) floor(ctx context.Context) (Floor, error) {
	f, ok := s.cfg.Floors(who(ctx).tenant)
	if !ok {
		message := "your floor does not run here now"
		if s.cfg.Elsewhere != nil {
			message += ": " + s.cfg.Elsewhere(who(ctx).tenant)
		}
		return nil, &orchestrator.Error{Code: orchestrator.CodeUnavailable, Message: message}
	}
	return f, nil
}
