package freeswitch

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// numberRunes and nameRunes bound what comes from outside and what is shown on
// a phone.
const (
	numberRunes = 64
	nameRunes   = 80
)

// sanitize makes others' text safe to store and show: valid UTF-8, one line, no
// control or invisible formatting characters, at most limit runes.
func sanitize(text string, limit int) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != zeroWidthJoiner || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, text)
	clean = strings.TrimSpace(clean)
	if utf8.RuneCountInString(clean) <= limit {
		return clean
	}
	return strings.TrimSpace(string([]rune(clean)[:limit]))
}

// zeroWidthJoiner is kept: it holds emoji together.
const zeroWidthJoiner = '\u200D'

// shownNumber is the part of a caller's number that may stand in a SIP URI.
func shownNumber(number string) string {
	kept := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("+*#._-", r) {
			return r
		}
		return -1
	}, number)
	return clip(kept, numberRunes)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
