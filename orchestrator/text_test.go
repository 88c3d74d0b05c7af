package orchestrator_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	o "ringmaster/orchestrator"
)

func FuzzPlainText(f *testing.F) {
	for _, text := range []string{"", "Müller", "a\r\nb", "\xff\xfe", "\u202egnp.exe", "\u2028", "👩\u200d💻 📞", strings.Repeat("long ", 100)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := o.PlainText(text, o.MaxPartyName)
		switch {
		case !utf8.ValidString(got), utf8.RuneCountInString(got) > o.MaxPartyName, strings.ContainsFunc(got, unicode.IsControl):
			t.Fatalf("%q became %q", text, got)
		case o.PlainText(got, o.MaxPartyName) != got:
			t.Fatalf("%q is not stable: %q", got, o.PlainText(got, o.MaxPartyName))
		}
	})
}

func TestPlainTextKeepsNames(t *testing.T) {
	for in, want := range map[string]string{
		"Müller, \"O'Brien\"":  "Müller, \"O'Brien\"",
		"👩\u200d💻":             "👩\u200d💻",
		"a\r\nb":               "ab",
		" \tx\u200b\u202ey\n ": "xy",
		"\xffx":                "\uFFFDx",
		"${SHELL(id)}":         "${SHELL(id)}",
	} {
		if got := o.PlainText(in, o.MaxPartyName); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestPlainNumberFitsASIPURI(t *testing.T) {
	for in, want := range map[string]string{
		"+49 30 123": "+4930123", "*11#": "*11#", "a@b;c=d<e>": "abcde", "\r\n": "", strings.Repeat("1", 100): strings.Repeat("1", 64),
	} {
		if got := o.PlainNumber(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
