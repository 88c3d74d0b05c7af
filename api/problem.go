package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// kindOfProblem is what the API says about a code.
type kindOfProblem struct {
	status int
	title  string
}

// problems maps each code to one status. A problem may overrule the status
// with a narrower one of the same meaning (412, 413).
var problems = map[orchestrator.Code]kindOfProblem{
	orchestrator.CodeInvalid:      {http.StatusBadRequest, "The request is not valid"},
	orchestrator.CodeUnauthorized: {http.StatusUnauthorized, "A valid key is needed"},
	orchestrator.CodeForbidden:    {http.StatusForbidden, "The key may not do this"},
	orchestrator.CodeNotFound:     {http.StatusNotFound, "There is no such thing"},
	orchestrator.CodeConflict:     {http.StatusConflict, "Something else stands in the way"},
	orchestrator.CodeRefused:      {http.StatusConflict, "The floor refused"},
	orchestrator.CodeTooMany:      {http.StatusTooManyRequests, "Too many requests"},
	orchestrator.CodeUnavailable:  {http.StatusServiceUnavailable, "Not now; trying again is safe"},
	orchestrator.CodeInternal:     {http.StatusInternalServerError, "Something went wrong here"},
}

// problemTypes is where a problem's type begins: a URN, because no web page
// would outlive the installations that answer it.
const problemTypes = "urn:ringmaster:problem:"

// retrySeconds is when to come back after 429 and 503.
const retrySeconds = 2

// problem is an error on its way to the client.
type problem struct {
	code    orchestrator.Code
	status  int // 0: the code's
	detail  string
	refusal string
	fields  []gen.FieldError
	cause   error // logged, never shown
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.detail + ": " + p.cause.Error()
	}
	return p.detail
}

func (p *problem) Unwrap() error { return p.cause }

// problemOf makes a problem of any error. Errors without a code show nothing
// but the request's id.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &problem{
			code: orchestrator.CodeInvalid, status: http.StatusRequestEntityTooLarge,
			detail: "the body is larger than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes",
		}
	}
	if faults, ok := errors.AsType[orchestrator.Problems](err); ok && len(faults) > 0 {
		return &problem{code: faults[0].Code, detail: faults[0].Error(), fields: fieldErrors(faults)}
	}
	if e, ok := errors.AsType[*orchestrator.Error](err); ok && e.Code != orchestrator.CodeInternal {
		p := &problem{code: e.Code, detail: e.Error(), cause: err}
		if e.Field != "" {
			p.fields = []gen.FieldError{{Field: e.Field, Message: e.Message}}
		}
		return p
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &problem{code: orchestrator.CodeUnavailable, detail: "it took too long", cause: err}
	}
	return &problem{code: orchestrator.CodeInternal, detail: "quote the request id when you report this", cause: err}
}

func fieldErrors(faults orchestrator.Problems) []gen.FieldError {
	out := make([]gen.FieldError, 0, len(faults))
	for _, f := range faults {
		out = append(out, gen.FieldError{Field: f.Field, Message: f.Message})
	}
	return out
}

// fail answers with what err says.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	kind, ok := problems[p.code]
	if !ok {
		kind = problems[orchestrator.CodeInternal]
	}
	status := kind.status
	if p.status != 0 {
		status = p.status
	}
	id := requestID(r.Context())
	if status >= http.StatusInternalServerError {
		s.log.LogAttrs(r.Context(), slog.LevelError, "request failed",
			slog.String("request_id", id), slog.Any("error", err))
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retrySeconds))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(gen.Problem{ //nolint:errcheck // the client went
		Type: problemTypes + string(p.code), Title: kind.title, Status: status,
		Code: gen.ProblemCode(p.code), Detail: p.detail, Errors: p.fields,
		Refusal: p.refusal, RequestID: id,
	})
}

func invalid(field, message string) error {
	return &orchestrator.Error{Code: orchestrator.CodeInvalid, Field: field, Message: message}
}

func notFound(what, id string) error {
	return &orchestrator.Error{Code: orchestrator.CodeNotFound, Message: "there is no " + what + " " + strconv.Quote(id)}
}
