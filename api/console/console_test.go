package console_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"ringmaster/api/console"
)

func TestHandler(t *testing.T) {
	if !console.Built() {
		t.Skip("NO CONSOLE TEST: it is not built (make console)")
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		console.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	page := get("/")
	script := regexp.MustCompile(`src="(/assets/[^"]+\.js)"`).FindStringSubmatch(page.Body.String())
	if script == nil {
		t.Fatalf("the page names no script:\n%s", page.Body)
	}
	for _, c := range []struct {
		path, kind, cache string
		status            int
	}{
		{"/", "text/html", "no-cache", 200},
		{"/some/link", "text/html", "no-cache", 200}, // the page's own
		{script[1], "text/javascript", "immutable", 200},
		{"/mark.svg", "image/svg+xml", "no-cache", 200},
		{"/assets/of-an-older-build.js", "text/plain", "", 404},
		{"/../console.go", "text/html", "no-cache", 200},
		{"/README", "text/plain", "no-cache", 200},
	} {
		w := get(c.path)
		if w.Code != c.status || !strings.HasPrefix(w.Header().Get("Content-Type"), c.kind) ||
			!strings.Contains(w.Header().Get("Cache-Control"), c.cache) {
			t.Errorf("%s: %d %v", c.path, w.Code, w.Header())
		}
	}
	for _, text := range []string{"<style", "onload=", "http://", "https://", "javascript:"} {
		if strings.Contains(page.Body.String(), text) {
			t.Errorf("the page holds %q, which the policy forbids", text)
		}
	}
	if p := page.Header().Get("Content-Security-Policy"); strings.Contains(p, "unsafe") || !strings.Contains(p, "default-src 'none'") {
		t.Errorf("policy %q", p)
	}
}
