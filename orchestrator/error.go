package orchestrator

import (
	"errors"
	"strings"
)

// Code classes failures by what the client can do about them.
type Code string

// The closed set of codes. The API maps each to one HTTP status.
const (
	CodeInvalid      Code = "invalid"      // change the request
	CodeNotFound     Code = "not_found"    // nothing has that name
	CodeConflict     Code = "conflict"     // something else has that name or state
	CodeRefused      Code = "refused"      // the floor said no, and why
	CodeUnauthorized Code = "unauthorized" // who are you
	CodeForbidden    Code = "forbidden"    // you may not
	CodeTooMany      Code = "too_many"     // slow down
	CodeUnavailable  Code = "unavailable"  // try again later, it is safe to
	CodeInternal     Code = "internal"     // our fault
)

// Error is a failure a client may act on. Field names the offending field by
// its path in the request ("queues[0].ring_timeout_ms"), or is empty.
type Error struct {
	Code    Code   `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// CodeOf returns the code of the first *Error in err's chain, CodeInternal for
// any other error and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Problems is every fault of one configuration, so that an administrator
// mends a file once and not once per fault.
type Problems []*Error

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, e := range p {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single faults.
func (p Problems) Unwrap() []error {
	out := make([]error, len(p))
	for i, e := range p {
		out[i] = e
	}
	return out
}
