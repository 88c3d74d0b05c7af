package floor

import (
	"fmt"
	"strings"

	o "ringmaster/orchestrator"
)

// words is what agents hear from their phones, in one language. They are plain
// so that any speech engine gets them right.
type words struct {
	agentNumber, pin, tryAgain, wrongPIN, locked string
	loggedIn, loggedOut, ready, wrapUpDone       string
	paused, pausedFor                            string // of a reason's name
	why, press                                   string // of a reason's name and digit
	notLoggedIn, refused, unknownCode            string
	unknownPhone, goodbye                        string
}

// spoken is the languages there are words in, by primary subtag (BCP 47).
var spoken = map[string]words{ //nolint:gochecknoglobals // a table nobody writes
	"en": {
		agentNumber: "Please enter your agent number, then press pound.",
		pin:         "Please enter your PIN, then press pound.",
		tryAgain:    "That was not right. Please enter your PIN again, then press pound.",
		wrongPIN:    "That was not right. Goodbye.",
		locked:      "Too many wrong attempts. Please try again later.",
		loggedIn:    "You are logged in and ready.",
		loggedOut:   "You are logged out.",
		ready:       "You are ready.",
		wrapUpDone:  "Wrap up is done.",
		paused:      "You are paused.", pausedFor: "You are paused. %s.",
		why: "Why do you pause?", press: "For %s, press %s.",
		notLoggedIn:  "Nobody is logged in on this phone.",
		refused:      "That is not possible now.",
		unknownCode:  "This code is not known.",
		unknownPhone: "This phone is not configured.",
		goodbye:      "Goodbye.",
	},
	"de": {
		agentNumber: "Bitte geben Sie Ihre Agentennummer ein und drücken Sie die Rautetaste.",
		pin:         "Bitte geben Sie Ihre PIN ein und drücken Sie die Rautetaste.",
		tryAgain:    "Das war nicht richtig. Bitte geben Sie Ihre PIN noch einmal ein und drücken Sie die Rautetaste.",
		wrongPIN:    "Das war nicht richtig. Auf Wiederhören.",
		locked:      "Zu viele falsche Versuche. Bitte versuchen Sie es später noch einmal.",
		loggedIn:    "Sie sind angemeldet und bereit.",
		loggedOut:   "Sie sind abgemeldet.",
		ready:       "Sie sind bereit.",
		wrapUpDone:  "Die Nachbearbeitung ist beendet.",
		paused:      "Sie sind in Pause.", pausedFor: "Sie sind in Pause. %s.",
		why: "Warum machen Sie Pause?", press: "Für %s drücken Sie die %s.",
		notLoggedIn:  "An diesem Telefon ist niemand angemeldet.",
		refused:      "Das ist jetzt nicht möglich.",
		unknownCode:  "Diese Kennziffer ist nicht bekannt.",
		unknownPhone: "Dieses Telefon ist nicht eingerichtet.",
		goodbye:      "Auf Wiederhören.",
	},
}

// words is the tenant's language, or English where there are no words in it.
func (f *Floor) words() words {
	w, _ := wordsIn(f.Settings.Language)
	return w
}

// wordsIn are the words and the language they are to be spoken in: no voice of
// another language can read English.
func wordsIn(language string) (w words, speak string) {
	primary, _, _ := strings.Cut(strings.ToLower(language), "-")
	if w, there := spoken[primary]; there {
		return w, language
	}
	return spoken[o.DefaultLanguage], o.DefaultLanguage
}

// reasons asks for a pause's reason.
func (w words) reasons(of []o.PauseReason) string {
	lines := make([]string, 0, 1+len(of))
	lines = append(lines, w.why)
	for _, r := range of {
		lines = append(lines, fmt.Sprintf(w.press, r.Name, r.Digit))
	}
	return strings.Join(lines, " ")
}

// named is an agent as people call them, or the id of one who is not there any
// more.
func (f *Floor) named(id o.AgentID) string {
	if a := f.Agents[id]; a != nil && a.Name != "" {
		return a.Name
	}
	return string(id)
}
