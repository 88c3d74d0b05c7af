package floor

import (
	"reflect"
	"strings"
	"testing"

	o "ringmaster/orchestrator"
)

func TestEveryLanguageHasEveryWord(t *testing.T) {
	english := reflect.ValueOf(spoken["en"])
	for language, w := range spoken {
		v := reflect.ValueOf(w)
		for i := range v.NumField() {
			text, name := v.Field(i).String(), v.Type().Field(i).Name
			if text == "" || len(text) > o.MaxSay/2 {
				t.Errorf("%s: %s is %q", language, name, text)
			}
			if strings.Count(text, "%s") != strings.Count(english.Field(i).String(), "%s") {
				t.Errorf("%s: %s names other things than in English", language, name)
			}
		}
		if asked := w.reasons([]o.PauseReason{{Name: "Lunch", Digit: "1"}}); !strings.Contains(asked, "Lunch") || strings.Contains(asked, "%") {
			t.Errorf("%s asks %q", language, asked)
		}
	}
}
