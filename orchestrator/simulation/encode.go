package simulation

import (
	"path"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ringmaster/orchestrator"
)

// What an adapter's encoder lets through. The simulated switch has no command
// line to protect, but must refuse what the others refuse.
var (
	digitsForm   = regexp.MustCompile(`^[0-9*#A-D]{1,32}$`)
	wordForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	soundForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_/-]{0,127}$`)
	fileForm     = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$`)
	variableForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,31}$`)
	valueForm    = regexp.MustCompile(`^[\pL\pN .:@+*#/=_-]*$`)
	numberForm   = regexp.MustCompile(`^(\+?[0-9*#]{1,40})?$`)
	exitForm     = regexp.MustCompile(`^[A-Za-z0-9*#+][A-Za-z0-9*#+_.-]{0,63}$`)
	uuidForm     = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	endpointForm = regexp.MustCompile(`^[A-Za-z0-9]+/[A-Za-z0-9_.+-]{1,64}$`)
)

// malformed says what is wrong with an action's own words, "" if nothing is.
func malformed(a orchestrator.Action) string {
	switch a := a.(type) {
	case orchestrator.Dial:
		return first(!uuidForm.MatchString(string(a.Leg)), "leg is not a UUID",
			!endpointForm.MatchString(a.Endpoint), "endpoint is malformed", a.Timeout <= 0, "no timeout",
			!numberForm.MatchString(a.Number), "number is malformed")
	case orchestrator.SendDigits:
		return first(!digitsForm.MatchString(a.Digits), "digits are malformed")
	case orchestrator.StartMusic:
		return first(a.Class != "" && !wordForm.MatchString(a.Class), "music class is malformed")
	case orchestrator.Release:
		return first(a.Context != "" && !wordForm.MatchString(a.Context), "context is malformed",
			a.Extension != "" && !exitForm.MatchString(a.Extension), "extension is malformed")
	case orchestrator.Mute:
		return first(a.Direction != orchestrator.MuteIn && a.Direction != orchestrator.MuteOut, "direction is malformed")
	case orchestrator.SetVariable:
		return first(!variableForm.MatchString(a.Name), "name is malformed", !utf8.ValidString(a.Value) || len(a.Value) > 255 || !valueForm.MatchString(a.Value), "value is malformed")
	case orchestrator.ReadVariable:
		return first(!variableForm.MatchString(a.Name), "name is malformed")
	case orchestrator.StartRecording:
		return first(!uuidForm.MatchString(string(a.Recording)), "recording is not a UUID")
	case orchestrator.StreamAudio:
		return first(!uuidForm.MatchString(string(a.Stream)), "stream is not a UUID", !orchestrator.IsStreamTarget(a.To), "address is malformed")
	case orchestrator.Supervise:
		return first(a.Mode != orchestrator.Listen && a.Mode != orchestrator.Whisper && a.Mode != orchestrator.Barge, "mode is malformed")
	case orchestrator.Join:
		return first(!uuidForm.MatchString(string(a.Bridge)), "bridge is not a UUID")
	case orchestrator.Connect:
		return first(!uuidForm.MatchString(string(a.Bridge)), "bridge is not a UUID")
	case orchestrator.Play:
		if len(a.Media) == 0 {
			return "nothing to play"
		}
		for _, m := range a.Media {
			if why := badMedia(m); why != "" {
				return why
			}
		}
	}
	return ""
}

func badMedia(m orchestrator.Media) string {
	n := 0
	for _, text := range []string{m.Say, m.Sound, m.File} {
		if text != "" {
			n++
		}
	}
	return first(n != 1, "media must have exactly one of say, sound and file",
		m.Sound != "" && !soundForm.MatchString(m.Sound), "sound is malformed",
		m.File != "" && (!fileForm.MatchString(m.File) || path.Clean(m.File) != m.File), "file is malformed")
}

// first returns the text after the first true condition.
func first(pairs ...any) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i].(bool) {
			return pairs[i+1].(string)
		}
	}
	return ""
}

// clean makes of a party what may be shown: bounded, valid, no control
// characters.
func clean(p orchestrator.Party) orchestrator.Party {
	return orchestrator.Party{Number: printable(p.Number), Name: printable(p.Name)}
}

func printable(text string) string {
	const most = 80
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
	for n := range text {
		if n > most {
			return text[:n]
		}
	}
	return text
}

// lengthOf is how long media last: spoken words 300 ms each, sounds and files
// 2 s, and what is called so is missing or long.
func lengthOf(media []orchestrator.Media) (time.Duration, orchestrator.PlayStatus) {
	var total time.Duration
	for _, m := range media {
		switch name := m.Sound + m.File; {
		case strings.Contains(name, "missing"):
			return 0, orchestrator.PlayFailed
		case strings.Contains(name, "long"):
			total += 30 * time.Second
		case strings.Contains(name, "short"):
			total += 300 * time.Millisecond
		case name != "":
			total += 2 * time.Second
		default:
			total += time.Duration(len(strings.Fields(m.Say))) * 300 * time.Millisecond
		}
	}
	return total, orchestrator.PlayFinished
}
