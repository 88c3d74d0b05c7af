// Package client speaks to a running Ringmaster over its REST API, with an API
// key. The commands of cmd/ringmaster are its users.
//
// The package refuses to retry (its user knows whether that is safe) and to show
// anything to anyone.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"ringmaster/api/gen"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// Client is where a server is and the key to it.
type Client struct {
	URL  string // "http://127.0.0.1:8080"
	Key  string
	HTTP *http.Client // nil is http.DefaultClient
}

// Refusal is a server's problem, as the API words it.
type Refusal struct{ Problem gen.Problem }

// Error is what is wrong and, line by line, each wrong field.
func (r *Refusal) Error() string {
	p := r.Problem
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		text += "\n  " + strings.TrimPrefix(e.Field+": "+e.Message, ": ")
	}
	if len(p.Errors) == 0 {
		text = fmt.Sprintf("the server answered %d %s: %s (request %s)", p.Status, p.Code, text, p.RequestID)
	}
	return text
}

// Export reads the whole configuration, secrets left out.
func (c Client) Export(ctx context.Context) (gen.Configuration, error) {
	var out gen.Configuration
	_, err := c.Do(ctx, Exchange{Method: http.MethodGet, Path: "/v1/config", Out: &out})
	return out, err
}

// Plan asks what applying would do. The tag makes Apply do just that.
func (c Client) Plan(ctx context.Context, change gen.ConfigurationChange) (plan gen.Plan, tag string, err error) {
	tag, err = c.Do(ctx, Exchange{Method: http.MethodPost, Path: "/v1/config/plan", In: change, Out: &plan})
	return plan, tag, err
}

// Apply applies. With a tag it is refused (412) if the configuration is not the
// one that was planned with.
func (c Client) Apply(ctx context.Context, change gen.ConfigurationChange, tag string) (gen.Plan, error) {
	var plan gen.Plan
	_, err := c.Do(ctx, Exchange{Method: http.MethodPost, Path: "/v1/config/apply", In: change, Tag: tag, Out: &plan})
	return plan, err
}

// Exchange is one request and where its answer goes.
type Exchange struct {
	Method, Path string
	Tag          string // for If-Match, or ""
	In, Out      any    // JSON; nil is none, and an answer nobody wants
}

// Do sends one request and answers the tag (ETag) of what came back. What the
// server refuses is a *Refusal.
func (c Client) Do(ctx context.Context, e Exchange) (tag string, err error) {
	r, err := c.request(ctx, e)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", e.Method, e.Path, err)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil { // the library's words begin with method and address, which are said already
		return "", fmt.Errorf("no answer from %s (is ringmaster serve running there?): %w", c.URL, errors.Unwrap(err))
	}
	defer answer.Body.Close() //nolint:errcheck // it is only read
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", e.Method, e.Path, err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return "", refusalOf(answer, text)
	}
	if e.Out != nil {
		if err := json.Unmarshal(text, e.Out); err != nil {
			return "", fmt.Errorf("%s %s: read answer: %w", e.Method, e.Path, err)
		}
	}
	return answer.Header.Get("ETag"), nil
}

func (c Client) request(ctx context.Context, e Exchange) (*http.Request, error) {
	var body io.Reader
	if e.In != nil {
		text, err := json.Marshal(e.In)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, e.Method, strings.TrimSuffix(c.URL, "/")+e.Path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.Key)
	if e.In != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if e.Tag != "" {
		r.Header.Set("If-Match", e.Tag)
	}
	return r, nil
}

func refusalOf(answer *http.Response, text []byte) error {
	p := gen.Problem{Status: answer.StatusCode, Code: gen.ProblemCodeInternal, Detail: "this is no Ringmaster"}
	if answer.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(text, &p); err != nil {
			return fmt.Errorf("read problem: %w", err)
		}
	}
	return &Refusal{Problem: p}
}
