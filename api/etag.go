package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"ringmaster/orchestrator"
)

// etagOf names a state by what the client sees of it, so that it needs no
// version in every row.
func etagOf(shown any) (string, error) {
	text, err := json.Marshal(shown)
	if err != nil {
		return "", fmt.Errorf("name state: %w", err)
	}
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, nil
}

// match holds an If-Match header (RFC 9110 section 13.1.1) against the state
// there is; "" is no state. Weak tags never match.
func match(header, etag string) error {
	if header == "" {
		return nil
	}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if etag != "" && (tag == "*" || tag == etag) {
			return nil
		}
	}
	return &problem{
		code: orchestrator.CodeConflict, status: http.StatusPreconditionFailed,
		detail: "it is not in the state If-Match names; get it again and look at what changed",
	}
}
