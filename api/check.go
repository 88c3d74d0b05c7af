package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/gin-gonic/gin"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// maxFieldErrors bounds how many faults of one request are told.
const maxFieldErrors = 100

// maxToldBytes bounds the bodies of which every fault is told, and not only the
// first: the validator makes 1.3 KB of each fault, and three bytes make one. A
// document of 7 MB of "{}," took 3 GB and half a minute.
const maxToldBytes = 256 << 10

// checkOptions: a GET's answer may be PUT back, read-only fields and all. The
// checked value is handed on, so that what is used is what was checked.
func checkOptions(everyFault bool) *openapi3filter.Options {
	return &openapi3filter.Options{
		MultiError: everyFault, ExcludeReadOnlyValidations: true, KeepValidatedValue: true,
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, // admit has done it
	}
}

// check holds a request against openapi.yaml.
func (s *Server) check(c *gin.Context) {
	op := askedFrom(c.Request.Context()).operation
	if op == nil {
		return
	}
	if err := unknownParameter(c.Request, op); err != nil {
		s.stop(c, err)
		return
	}
	params := make(map[string]string, len(c.Params))
	for _, p := range c.Params {
		params[p.Key] = p.Value
	}
	validate := func(everyFault bool) error {
		return openapi3filter.ValidateRequest(c.Request.Context(), &openapi3filter.RequestValidationInput{
			Request: c.Request, PathParams: params, Route: op.route, Options: checkOptions(everyFault),
		})
	}
	err := validate(false)
	if err != nil && c.Request.ContentLength <= maxToldBytes { // the length that was read, by now
		err = validate(true)
	}
	if err != nil {
		s.stop(c, checkProblem(err))
	}
}

// unknownParameter refuses a filter that is not known: a misspelt one would
// answer with everything.
func unknownParameter(r *http.Request, op *operation) error {
	for name := range r.URL.Query() {
		if !op.params[name] {
			return invalid(name, "there is no such query parameter")
		}
	}
	return nil
}

// checkProblem puts the validator's findings into our words. A path that is no
// id is answered 404: nothing can have that name.
func checkProblem(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	p := &problem{code: orchestrator.CodeInvalid}
	for _, e := range flatten(err) {
		request, ok := errors.AsType[*openapi3filter.RequestError](e)
		if !ok {
			p.fields = append(p.fields, gen.FieldError{Message: e.Error()})
			continue
		}
		if request.Parameter != nil && request.Parameter.In == openapi3.ParameterInPath {
			return notFound("thing named", "that")
		}
		p.fields = append(p.fields, requestFaults(request)...)
	}
	slices.SortStableFunc(p.fields, func(a, b gen.FieldError) int { return strings.Compare(a.Field, b.Field) })
	p.fields = p.fields[:min(len(p.fields), maxFieldErrors)]
	if len(p.fields) > 0 {
		p.detail = strings.TrimPrefix(p.fields[0].Field+": "+p.fields[0].Message, ": ")
	}
	return p
}

func requestFaults(e *openapi3filter.RequestError) []gen.FieldError {
	where := ""
	if e.Parameter != nil {
		where = e.Parameter.Name
	}
	var out []gen.FieldError
	for _, cause := range flatten(e.Err) {
		if schema, ok := errors.AsType[*openapi3.SchemaError](cause); ok {
			out = append(out, gen.FieldError{Field: where + FieldPath(schema.JSONPointer()), Message: Reason(schema)})
			continue
		}
		message := e.Reason
		switch {
		case errors.Is(cause, openapi3filter.ErrInvalidRequired):
			message = "a value is needed"
		case cause != nil && e.Parameter == nil && strings.HasPrefix(e.Reason, "failed to decode"):
			message = "the body is not JSON: " + cause.Error()
		case message == "" && cause != nil:
			message = cause.Error()
		}
		out = append(out, gen.FieldError{Field: where, Message: message})
	}
	if len(out) == 0 {
		out = append(out, gen.FieldError{Field: where, Message: e.Reason})
	}
	return out
}

// flatten takes nested lists of errors apart.
func flatten(err error) []error {
	var many openapi3.MultiError
	if !errors.As(err, &many) {
		return []error{err}
	}
	if _, is := err.(openapi3.MultiError); !is { //nolint:errorlint // only the list itself is taken apart
		return []error{err}
	}
	var out []error
	for _, e := range many {
		out = append(out, flatten(e)...)
	}
	return out
}

// FieldPath writes a JSON pointer's steps as "queues[0].agents[1].level".
func FieldPath(steps []string) string {
	var b strings.Builder
	for _, step := range steps {
		if _, err := strconv.Atoi(step); err == nil && b.Len() > 0 {
			fmt.Fprintf(&b, "[%s]", step)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(step)
	}
	return b.String()
}

// Reason says in one line what a schema does not allow. It never holds the
// value.
func Reason(e *openapi3.SchemaError) string {
	switch e.SchemaField {
	case "pattern":
		return "does not have the form " + e.Schema.Pattern
	case "enum":
		allowed := make([]string, 0, len(e.Schema.Enum))
		for _, v := range e.Schema.Enum {
			allowed = append(allowed, fmt.Sprint(v))
		}
		return "is none of: " + strings.Join(allowed, ", ")
	}
	return e.Reason
}

// SchemaErrors takes what a schema's validation found apart.
func SchemaErrors(err error) []*openapi3.SchemaError {
	if err == nil {
		return nil
	}
	var out []*openapi3.SchemaError
	for _, e := range flatten(err) {
		if s, ok := errors.AsType[*openapi3.SchemaError](e); ok {
			out = append(out, s)
		}
	}
	return out
}
