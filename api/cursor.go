package api

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// A cursor of a configuration list is the last id shown. The version in front
// lets a later form tell an old cursor from a broken one.
const (
	cursorBegin   = "1:"
	cursorMaxText = 128
)

var errCursor = invalid("cursor", "this is no cursor; take it from next_cursor of the page before")

func encodeCursor(id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorBegin + id))
}

// decodeCursor reads what encodeCursor wrote; "" is the beginning.
func decodeCursor(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(text) > cursorMaxText {
		return "", errCursor
	}
	id, ok := strings.CutPrefix(string(text), cursorBegin)
	if !ok || id == "" || !utf8.ValidString(id) {
		return "", errCursor
	}
	return id, nil
}
