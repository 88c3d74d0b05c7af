// Package console serves the web console: static files built from the sources
// beside it (Svelte, see package.json) and embedded. It talks to the public
// API only, with a key the person enters.
//
// The package refuses to know anything about calls: what is not in the API is
// not on the page.
package console

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// policy lets the page use its own files and this server, nothing else: no
// inline script or style, no other host, no text that turns into script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; " +
	"require-trusted-types-for 'script'; trusted-types svelte-trusted-html"

// Built reports whether the console's files were embedded (make console).
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}

// Handler serves the console. Paths without a file are the page's own and get
// index.html, those below assets/ excepted: a page of an older build must not
// take HTML for its script. Hashed assets may be cached for ever, the page
// never.
func Handler() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the embedded folder always exists
	}
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Built() {
			http.Error(w, "The web console is not in this build: run make console and build again.", http.StatusNotFound)
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		_, err := fs.Stat(files, name)
		asset := strings.HasPrefix(name, "assets/")
		if asset && err != nil {
			http.NotFound(w, r)
			return
		}
		if name == "" || err != nil {
			r.URL.Path = "/"
		}
		if asset {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		w.Header().Set("Content-Security-Policy", policy)
		server.ServeHTTP(w, r)
	})
}
