package postgres

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "plain", "a\x00b", "\xff\xfe", strings.Repeat("é", 200), strings.Repeat("x", 255) + "日"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if !utf8.ValidString(got) || strings.Contains(got, "\x00") || len(got) > maxText {
			t.Fatalf("clean(%q) = %q", s, got)
		}
		if clean(got) != got {
			t.Fatalf("cleaning %q again changes it", got)
		}
	})
}

func FuzzCleanJSON(f *testing.F) {
	for _, s := range []string{"", "\x00", `\u0000`, `\\u0000`, "\\\x00\\", "a\x00\x00b\"", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := json.Marshal(map[string]string{s: s})
		must(t, err)
		var got map[string]string
		must(t, json.Unmarshal(cleanJSON(text), &got))
		// What json.Marshal makes of broken UTF-8 is its own; NUL is ours.
		want := strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "\uFFFD")
		for key, value := range got {
			if key != value || strings.Contains(value, "\x00") || utf8.ValidString(s) && value != want {
				t.Fatalf("%q became %q", s, value)
			}
		}
	})
}

// FuzzList sends texts through the database's own reading of an array.
func FuzzList(f *testing.F) {
	for _, s := range []string{"", "a", `"`, `\`, `{}`, `,`, "NULL", " ", "é\n", `\"`, `"}`} {
		f.Add(s, "b")
	}
	s := newStore(f)
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = clean(a), clean(b)
		var got string
		must(t, s.db.Raw("SELECT to_jsonb(?::text[])::text", list{a, b}).Scan(&got).Error)
		var texts []string
		must(t, json.Unmarshal([]byte(got), &texts))
		if len(texts) != 2 || texts[0] != a || texts[1] != b {
			t.Fatalf("%q, %q became %q", a, b, texts)
		}
	})
}

func FuzzParseHash(f *testing.F) {
	f.Add(hashPrefix + "AAAA$BBBB")
	f.Add("$argon2id$v=19$m=1,t=1,p=1$AAAA$BBBB")
	f.Fuzz(func(t *testing.T, text string) {
		salt, sum, err := parseHash(text)
		if err == nil && !strings.HasPrefix(text, hashPrefix) {
			t.Fatalf("%q gave %x, %x", text, salt, sum)
		}
	})
}

func TestTimesAreKeptToTheMicrosecondInUTC(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	zone := time.FixedZone("east", 5*3600)
	for _, at := range []time.Time{
		time.Date(2026, 11, 23, 9, 0, 0, 123456999, zone), time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		var got time.Time
		must(t, s.db.Raw("SELECT ?::timestamptz", stamp(at)).Scan(&got).Error)
		if want := at.UTC().Truncate(time.Microsecond); got != want {
			t.Errorf("%v became %v", want, got)
		}
	}
	if maybe(time.Time{}) != nil || !instant(nil).IsZero() {
		t.Error("never is not never")
	}
}
