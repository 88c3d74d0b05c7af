package freeswitch

import (
	"strings"
	"testing"
)

func TestReadURL(t *testing.T) {
	got, err := ReadURL("esl://[::1]:8021/?domain=pbx.example&profile=phones&recordings=%2Fvar%2Fspool%2Frec")
	if err != nil || got.Address != "[::1]:8021" || got.Domain != "pbx.example" || got.Profile != "phones" || got.Recordings != "/var/spool/rec" {
		t.Errorf("%+v, %v", got, err)
	}
	for text, says := range map[string]string{
		"":                                 "want esl://",
		"http://127.0.0.1:8021?domain=x":   "want esl://",
		"esl://127.0.0.1?domain=x":         "want esl://",
		"esl://rm:secret@127.0.0.1:8021":   "want esl://",
		"esl://127.0.0.1:8021/x?domain=x":  "want esl://",
		"esl://127.0.0.1:8021?domain=%zz":  "want esl://",
		"esl://127.0.0.1:8021":             "no domain",
		"esl://h:1?domain=a&domain=b":      "2 times",
		"esl://h:1?domain=a&password=oops": "nothing is called password",
	} {
		if _, err := ReadURL(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}
