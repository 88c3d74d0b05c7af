package center

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"ringmaster/api/gen"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// Client speaks to a running server.
type Client struct {
	URL  string // "http://127.0.0.1:8080"
	Key  string // with the scope config; read is enough for Export
	HTTP *http.Client
}

// Refusal is a server's problem.
type Refusal struct{ Problem gen.Problem }

func (r *Refusal) Error() string {
	p := r.Problem
	return fmt.Sprintf("the server answered %d %s: %s (request %s)", p.Status, p.Code, p.Detail, p.RequestID)
}

// Export reads the whole configuration, secrets left out.
func (c Client) Export(ctx context.Context) (gen.Configuration, error) {
	var out gen.Configuration
	_, err := c.do(ctx, exchange{method: http.MethodGet, path: "/v1/config", out: &out})
	return out, err
}

// Plan asks what applying would do. The tag makes Apply do just that.
func (c Client) Plan(ctx context.Context, change gen.ConfigurationChange) (plan gen.Plan, tag string, err error) {
	tag, err = c.do(ctx, exchange{method: http.MethodPost, path: "/v1/config/plan", in: change, out: &plan})
	return plan, tag, err
}

// Apply applies. With a tag it is refused (412) if the configuration is not the
// one that was planned with.
func (c Client) Apply(ctx context.Context, change gen.ConfigurationChange, tag string) (gen.Plan, error) {
	var plan gen.Plan
	_, err := c.do(ctx, exchange{method: http.MethodPost, path: "/v1/config/apply", in: change, tag: tag, out: &plan})
	return plan, err
}

// exchange is one request and where its answer goes.
type exchange struct {
	method, path, tag string
	in, out           any
}

func (c Client) do(ctx context.Context, e exchange) (tag string, err error) {
	did := e.method + " " + e.path
	var body io.Reader
	if e.in != nil {
		text, err := json.Marshal(e.in)
		if err != nil {
			return "", fmt.Errorf("%s: %w", did, err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, e.method, strings.TrimSuffix(c.URL, "/")+e.path, body)
	if err != nil {
		return "", fmt.Errorf("%s: %w", did, err)
	}
	r.Header.Set("Authorization", "Bearer "+c.Key)
	if e.in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if e.tag != "" {
		r.Header.Set("If-Match", e.tag)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return "", fmt.Errorf("%s: %w", did, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("%s: %w", did, err)
	}
	if answer.StatusCode != http.StatusOK {
		return "", refusalOf(answer, text)
	}
	if err := json.Unmarshal(text, e.out); err != nil {
		return "", fmt.Errorf("%s: %w", did, err)
	}
	return answer.Header.Get("ETag"), nil
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
