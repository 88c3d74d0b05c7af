package freeswitch

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

// A user of the directory with many rights is told so many of them that
// FreeSWITCH cuts its answer, the empty line that ends it too. The next message
// is read as what it is all the same, however the bytes arrive.
func TestAWelcomeThatWasCut(t *testing.T) {
	for length := 400; length < 600; length++ {
		reply := fmt.Sprintf("~Reply-Text: +OK accepted\nAllowed-Events: all\nAllowed-API: %s\nAllowed-LOG: true\n\n", strings.Repeat("x", length))
		whole := len(reply) <= 511
		text := "Content-Type: command/reply\n" + reply[1:min(len(reply), 511)]
		if whole { // Else FreeSWITCH sends no more before it is asked.
			text += reply2
		}
		for _, r := range []*bufio.Reader{bufio.NewReader(strings.NewReader(text)), bufio.NewReader(iotest.OneByteReader(strings.NewReader(text)))} {
			f, err := readWelcome(r)
			if err != nil || !f.isReply() || f.reply != "+OK accepted" {
				t.Fatalf("%d: %+v, %v", length, f, err)
			}
			if !whole {
				r.Reset(strings.NewReader(reply2))
			}
			if f, err = readFrame(r); err != nil || string(f.body) != "ok" {
				t.Fatalf("after %d: %+v, %v", length, f, err)
			}
		}
	}
	if f, err := readWelcome(bufio.NewReader(strings.NewReader("Content-Type: command/reply\nReply-Text: -ERR invalid\n\n"))); err != nil || f.reply != "-ERR invalid" {
		t.Errorf("%+v, %v", f, err)
	}
}

const reply2 = "Content-Type: api/response\nContent-Length: 2\n\nok"
