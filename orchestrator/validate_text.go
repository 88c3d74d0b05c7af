package orchestrator

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of texts and media.
const (
	MaxName  = 100  // runes of a name
	MaxSay   = 1000 // runes to be spoken at once
	MaxMedia = 100  // things to be heard in one place
	maxSound = 128  // bytes of a sound's name
	maxFile  = 250  // bytes of a path
)

// MaxProblems bounds what is reported of one configuration: who made a
// thousand faults made one, a thousand times.
const MaxProblems = 1000

var (
	languageForm = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)
	soundForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9_-]+)*$`)
	fileForm     = regexp.MustCompile(`^(/\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)+$`) // has no ".."
)

// maxProblemText bounds field and message of one fault in bytes: both quote
// what the client sent.
const maxProblemText = 500

// Add appends a fault of the client's making. Beyond MaxProblems it does
// nothing.
func (p *Problems) Add(field, format string, args ...any) {
	if len(*p) < MaxProblems {
		*p = append(*p, &Error{Code: CodeInvalid, Field: clip(field), Message: clip(fmt.Sprintf(format, args...))})
	}
}

func clip(text string) string {
	if len(text) <= maxProblemText {
		return text
	}
	return strings.ToValidUTF8(text[:maxProblemText], "") + "…"
}

// ValidateText refuses names that are long or hold control characters. An empty
// name is allowed.
func ValidateText(found *Problems, field, text string) {
	switch {
	case !utf8.ValidString(text):
		found.Add(field, "not valid UTF-8")
	case utf8.RuneCountInString(text) > MaxName:
		found.Add(field, "%d characters are too many, at most %d", utf8.RuneCountInString(text), MaxName)
	case strings.ContainsFunc(text, unicode.IsControl):
		found.Add(field, "holds a control character")
	}
}

func validateName(found *Problems, field, name string) {
	if strings.TrimSpace(name) == "" {
		found.Add(field, "a name is needed")
	}
	ValidateText(found, field, name)
}

// ValidateMedia finds every fault of things to be heard. Sounds and files
// become part of what a switch is told, so their alphabets are narrow
// (reliability.md 4, rows 1 and 2).
func ValidateMedia(found *Problems, field string, media []Media) {
	if len(media) > MaxMedia {
		found.Add(field, "%d entries are too many, at most %d", len(media), MaxMedia)
		return
	}
	for i, m := range media {
		validateMedium(found, fmt.Sprintf("%s[%d]", field, i), m)
	}
}

func validateMedium(found *Problems, field string, m Media) {
	set := 0
	for _, text := range []string{m.Say, m.Sound, m.File} {
		if text != "" {
			set++
		}
	}
	if set != 1 {
		found.Add(field, "exactly one of say, sound and file is needed, %d are set", set)
	}
	validateSay(found, field+".say", m.Say)
	if m.Language != "" && m.Say == "" {
		found.Add(field+".language", "only words to be spoken (say) have a language")
	}
	validateLanguage(found, field+".language", m.Language)
	if m.Sound != "" && (len(m.Sound) > maxSound || !soundForm.MatchString(m.Sound)) {
		found.Add(field+".sound", "%q is no sound's name: words of letters, digits, '_' and '-', joined by '/', at most %d", m.Sound, maxSound)
	}
	if m.File != "" && !validFile(m.File) {
		found.Add(field+".file",
			`%q is no absolute path without "..": at most %d letters, digits, '/', '_', '.' and '-'`, m.File, maxFile)
	}
}

func validFile(path string) bool {
	return len(path) <= maxFile && fileForm.MatchString(path)
}

func validateSay(found *Problems, field, say string) {
	switch {
	case !utf8.ValidString(say):
		found.Add(field, "not valid UTF-8")
	case utf8.RuneCountInString(say) > MaxSay:
		found.Add(field, "%d characters are too many, at most %d", utf8.RuneCountInString(say), MaxSay)
	case strings.ContainsFunc(say, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		found.Add(field, "holds a control character")
	case say != "" && strings.TrimSpace(say) == "":
		found.Add(field, "holds nothing to be spoken")
	}
}

func validateLanguage(found *Problems, field, language string) {
	if language != "" && !languageForm.MatchString(language) {
		found.Add(field, `%q is no language; write, for example, "en" or "de-CH"`, language)
	}
}

// listed is how many names a message lists at most.
const listed = 12

// List is names as a message shows them, shortened if they are many.
func List[S ~string](names []S) string {
	if len(names) == 0 {
		return "none"
	}
	var text strings.Builder
	for i, name := range names[:min(listed, len(names))] {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(string(name))
	}
	if more := len(names) - listed; more > 0 {
		fmt.Fprintf(&text, " and %d more", more)
	}
	return text.String()
}

// SlugRule says why id is no name for a thing of the configuration.
func SlugRule(id string) string {
	return fmt.Sprintf("%q is no name: 1 to 63 lower-case letters, digits, '-' and '_', beginning with a letter or a digit", id)
}
