package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// client speaks to a running Ringmaster with an API key.
type client struct {
	url, key string
	http     *http.Client
}

// answerMax bounds what is read of one answer.
const answerMax = 64 << 20

// remote adds the flags every command that speaks to a server has.
func remote(c *cobra.Command) *client {
	cl := &client{http: &http.Client{Timeout: 5 * time.Minute}}
	c.Flags().StringVar(&cl.url, "url", env("RINGMASTER_URL", "http://127.0.0.1:8080"), "address of Ringmaster (RINGMASTER_URL)")
	c.Flags().StringVar(&cl.key, "key", "", "API key (RINGMASTER_KEY)")
	return cl
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// problem is RFC 9457's, as the API sends it.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Errors []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
	RequestID string `json:"request_id"`
}

func (p problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		text += "\n  " + strings.TrimPrefix(e.Field+": "+e.Message, ": ")
	}
	return text
}

// do sends one request and decodes the answer into out, unless out is nil.
func (cl *client) do(ctx context.Context, method, path string, in, out any, header ...string) (http.Header, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(cl.url, "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", cl.url, err)
	}
	key := cl.key
	if key == "" {
		key = os.Getenv("RINGMASTER_KEY")
	}
	if key == "" {
		return nil, errors.New("no API key: pass --key or set RINGMASTER_KEY (the first start of ringmaster serve printed one)")
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := cl.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no answer from %s (is ringmaster serve running there?): %w", cl.url, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode >= 300 {
		var p problem
		if json.Unmarshal(text, &p) != nil || p.Error() == "" {
			return nil, fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		return nil, p
	}
	if out == nil {
		return resp.Header, nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", path, err)
	}
	return resp.Header, nil
}
