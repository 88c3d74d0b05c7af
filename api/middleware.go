package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"ringmaster/orchestrator"
)

// open names the request, sets what every answer carries, and writes one line
// about it when it is over. It logs the route, never the path: a path can hold
// a telephone number.
func (s *Server) open(c *gin.Context) {
	begun := s.now()
	a := &asked{
		id:        nameRequest(c.GetHeader("X-Request-Id")),
		operation: s.operations[routeKey{c.Request.Method, c.FullPath()}],
	}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), askedKey{}, a))
	h := c.Writer.Header()
	h.Set("X-Request-Id", a.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")

	c.Next()

	name, took := "none", s.now().Sub(begun)
	if a.operation != nil {
		name = a.operation.id
	}
	s.metrics.request(name, c.Writer.Status(), took)
	s.log.LogAttrs(c.Request.Context(), slog.LevelInfo, "request",
		slog.String("request_id", a.id), slog.String("method", c.Request.Method), slog.String("operation", name),
		slog.Int("status", c.Writer.Status()), slog.Int64("took_ms", took.Milliseconds()),
		slog.String("key", a.who.prefix), slog.String("from", c.ClientIP()))
}

// survive turns a panic into an answer.
func (s *Server) survive(c *gin.Context) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if cause == http.ErrAbortHandler { //nolint:errorlint // it is compared by identity in net/http too
			panic(cause)
		}
		s.metrics.panics.Inc()
		s.log.Error("request panicked", "request_id", requestID(c.Request.Context()),
			"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		c.Abort()
		if !c.Writer.Written() {
			s.fail(c.Writer, c.Request, fmt.Errorf("panic: %v", cause))
		}
	}()
	c.Next()
}

// admit lets in who holds a key with the route's scope.
func (s *Server) admit(c *gin.Context) {
	a := askedFrom(c.Request.Context())
	if a.operation == nil || a.operation.scope == "" {
		return
	}
	if err := s.identify(c, a); err != nil {
		s.stop(c, err)
		return
	}
	if !a.who.may(a.operation.scope) {
		s.stop(c, &orchestrator.Error{
			Code: orchestrator.CodeForbidden, Message: fmt.Sprintf("this needs a key with the scope %q", a.operation.scope),
		})
		return
	}
	if !s.perKey.take(a.who.prefix, s.now()) {
		s.stop(c, &orchestrator.Error{Code: orchestrator.CodeTooMany, Message: "too many requests with this key"})
	}
}

// identify finds the principal. What comes from an address that sent many wrong
// keys is not looked up in the store any more; keys in use go on working, or
// one guesser behind a proxy would lock out everybody behind it.
func (s *Server) identify(c *gin.Context, a *asked) error {
	from := c.ClientIP()
	secret, _ := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer ")
	secret = strings.TrimSpace(secret)
	if s.perAddress.empty(from, s.now()) && !s.keys.knows(secret) {
		return &orchestrator.Error{Code: orchestrator.CodeTooMany, Message: "too many wrong keys from this address"}
	}
	found, err := s.authenticate(c.Request.Context(), secret)
	if err == nil {
		a.who = found
		return nil
	}
	if orchestrator.CodeOf(err) == orchestrator.CodeUnauthorized {
		s.metrics.wrongKeys.Inc()
		if secret != "" { // no key at all is no guess
			s.perAddress.take(from, s.now())
		}
	}
	return err
}

// answerTime is what is left for writing the answer when a request's own time
// is over.
const answerTime = 5 * time.Second

// bound limits the body and the time of a request.
func (s *Server) bound(c *gin.Context) {
	a := askedFrom(c.Request.Context())
	size, length := s.limits.Body, s.limits.Request
	if a.operation != nil {
		switch a.operation.id {
		case "planConfig", "applyConfig":
			size, length = s.limits.Document, s.limits.DocumentTime
		case "followLive":
			length = 0
		}
	}
	if c.Request.ContentLength > size {
		s.stop(c, &http.MaxBytesError{Limit: size})
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, size)
	if length == 0 {
		return
	}
	control := http.NewResponseController(c.Writer)
	control.SetReadDeadline(time.Now().Add(length)) //nolint:errcheck // a test's recorder has none
	// A request that ran out of time still has to hear so.
	control.SetWriteDeadline(time.Now().Add(length + answerTime)) //nolint:errcheck // a test's recorder has none
	ctx, cancel := context.WithTimeout(c.Request.Context(), length)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

func (s *Server) stop(c *gin.Context, err error) {
	c.Abort()
	s.fail(c.Writer, c.Request, err)
}
