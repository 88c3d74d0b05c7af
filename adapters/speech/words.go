package speech

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"ringmaster/orchestrator"
)

var (
	// ErrTooLong means the words exceed orchestrator.MaxSay characters.
	ErrTooLong = fmt.Errorf("words are longer than %d characters", orchestrator.MaxSay)
	// ErrNothing means that nothing in the words can be spoken.
	ErrNothing = errors.New("nothing to be spoken")
)

var (
	// languageForm is the shape of a BCP 47 tag; a leading dash never passes.
	languageForm = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)
	// voiceForm allows variants such as "en-us+f3", but neither paths nor options.
	voiceForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_+-]{0,63}$`)
)

// Text is what is to be heard.
type Text struct {
	Language string // BCP 47, for example "en" or "de-CH"; "" is orchestrator.DefaultLanguage
	Voice    string // a voice of the engine; "" is its usual one for the language
	Words    string // at most orchestrator.MaxSay characters
}

// cleaned returns t with defaults filled in and only speakable words left.
func (t Text) cleaned() (Text, error) {
	t.Language = cmp.Or(t.Language, orchestrator.DefaultLanguage)
	if !languageForm.MatchString(t.Language) {
		return Text{}, fmt.Errorf("language %.40q is not one; write, for example, \"en\" or \"de-CH\"", t.Language)
	}
	if t.Voice != "" && !voiceForm.MatchString(t.Voice) {
		return Text{}, fmt.Errorf("voice %.40q is not a name: letters, digits, '_', '-' and '+'", t.Voice)
	}
	words, err := cleanWords(t.Words)
	if err != nil {
		return Text{}, err
	}
	return Text{Language: strings.ToLower(t.Language), Voice: t.Voice, Words: words}, nil
}

// cleanWords replaces what cannot be spoken by spaces and joins those.
//
// espeak-ng obeys a control-A in the text (commands for pitch and speed) and
// reads "[[...]]" as phonemes; both are taken out of its reach here, for every
// engine, so that the same words are the same prompt everywhere.
func cleanWords(words string) (string, error) {
	if len(words) > orchestrator.MaxSay*utf8.UTFMax || utf8.RuneCountInString(words) > orchestrator.MaxSay {
		return "", ErrTooLong
	}
	speakable := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, words)
	speakable = strings.Join(strings.Fields(speakable), " ")
	for strings.Contains(speakable, "[[") {
		speakable = strings.ReplaceAll(speakable, "[[", "[ [")
	}
	if !strings.ContainsFunc(speakable, audible) {
		return "", ErrNothing
	}
	return speakable, nil
}

// audible tells letters, digits and symbols from punctuation, of which engines
// make pauses only.
func audible(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r)
}
