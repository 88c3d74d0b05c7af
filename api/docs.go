package api

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"
)

// The interactive page is Swagger UI, out of a Go module that carries its
// files, so it works without the Internet.
var (
	//go:embed docs.html
	docsPage []byte
	//go:embed docs.js
	docsScript []byte
)

// docsPolicy: scripts only from here. Swagger UI sets style attributes and
// draws its icons from data URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// packed are the files of Swagger UI that the page uses; they are stored
// gzipped and sent so, which every browser reads.
var packed = map[string]string{
	"swagger-ui-bundle.js": "text/javascript; charset=utf-8",
	"swagger-ui.css":       "text/css; charset=utf-8",
}

func (s *Server) serveDocs(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", docsPolicy)
	name := c.Param("file")
	switch name {
	case "":
		c.Data(http.StatusOK, "text/html; charset=utf-8", docsPage)
		return
	case "docs.js":
		c.Data(http.StatusOK, "text/javascript; charset=utf-8", docsScript)
		return
	}
	kind, ok := packed[name]
	if !ok {
		s.noRoute(c)
		return
	}
	text, err := static.FS.ReadFile(name + ".gz")
	if err != nil {
		s.stop(c, err)
		return
	}
	h.Set("Content-Encoding", "gzip")
	h.Set("Cache-Control", "public, max-age=86400")
	c.Data(http.StatusOK, kind, text)
}
