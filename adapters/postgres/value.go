package postgres

import (
	"database/sql/driver"
	"strings"
	"time"
	"unicode/utf8"
)

// stamp is t as the database can hold it: UTC, whole microseconds. Truncating
// here and not in the driver keeps a fact that comes from the journal equal to
// the same one read back.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// maybe is stamp with NULL for the zero time; instant is its inverse.
func maybe(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = stamp(t)
	return &t
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// maxText bounds texts that come from outside, in bytes: an index entry must
// fit a page, and a call with a silly caller name must still be stored.
const maxText = 256

// clean is s as a text column can hold it: UTF-8, no NUL, bounded.
func clean(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// cleanJSON replaces the one escape jsonb cannot hold, \u0000, by U+FFFD. text
// is valid JSON, where a backslash is always the first of a pair.
func cleanJSON(text []byte) []byte {
	const nul, other = `\u0000`, `\ufffd`
	if !strings.Contains(string(text), nul) {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			out = append(out, text[i])
		case strings.HasPrefix(string(text[i:min(i+len(nul), len(text))]), nul):
			out = append(out, other...)
			i += len(nul) - 1
		default:
			out = append(out, text[i:min(i+2, len(text))]...)
			i++
		}
	}
	return out
}

// list is a text[] parameter. GORM would spread a plain slice over as many
// parameters as it has elements, and a statement over as many shapes.
type list []string

var listEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// Value writes the array as PostgreSQL reads it (manual, 8.15.6).
func (l list) Value() (driver.Value, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		_, _ = listEscapes.WriteString(&b, s) // a Builder takes everything
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String(), nil
}
