package orchestrator

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what the outside says of itself, in runes.
const (
	MaxPartyNumber = 64
	MaxPartyName   = 80
	MaxVariable    = 255 // the value of a variable on a switch
)

// PlainText makes others' text safe to store and show: valid UTF-8, one line,
// no control or invisible formatting characters, at most limit runes. What
// means something to a switch or a browser is left to their encoders.
func PlainText(text string, limit int) string {
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

// PlainNumber is the part of a party's number that may stand in the user part
// of a SIP URI without escapes (RFC 3261, 25.1, "unreserved" and "+").
func PlainNumber(number string) string {
	kept := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("+*#._-", r) {
			return r
		}
		return -1
	}, number)
	return kept[:min(len(kept), MaxPartyNumber)]
}
