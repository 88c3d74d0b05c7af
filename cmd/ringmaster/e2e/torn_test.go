package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
)

// frameMark begins every frame of the journal.
const frameMark = "RMRM"

// tears are what a machine that dies, or a disk that lies, leaves at the end of
// the journal. Each gets the file and where its last frame begins.
var tears = []struct {
	name string
	tear func(file []byte, frame int) []byte
}{
	{"the next frame half written", func(file []byte, frame int) []byte {
		return append(file, file[frame:frame+(len(file)-frame)/2]...)
	}},
	{"the last frame cut short", func(file []byte, _ int) []byte { return file[:len(file)-5] }},
	{"a bit of the last frame flipped", func(file []byte, _ int) []byte {
		file[len(file)-3] ^= 0x10
		return file
	}},
}

// TestTornJournal: ringmaster is killed and the end of its journal torn, once
// when all of it is in the database and once when the last of it may not be. It
// says so, cuts it off and begins; nothing that was told is told again or gets
// lost, who talks talks on and who waits keeps their place.
func TestTornJournal(t *testing.T) { onEach(t, tornJournal) }

func tornJournal(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	q := talkAndWait(t, kind)
	var comers []*phone.Call
	var numbers []string
	for i, x := range tears {
		leaver, comer := fmt.Sprintf("+49910%d", i), fmt.Sprintf("+49911%d", i)
		leaves := q.dial(q.caller(2+2*i), "501", leaver)
		if err := leaves.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
		q.toldOnce(t, leaver)
		time.Sleep(300 * time.Millisecond) // the journal is told that it is in the database
		q.torn(t, x.name+", all of it in the database", x.tear)
		q.toldOnce(t, leaver)

		comers = append(comers, q.dial(q.caller(3+2*i), "501", comer))
		q.torn(t, x.name+", just written", x.tear)
		if !q.taken(t, comer, 10*time.Second) {
			t.Errorf("%s: %s is in the fallback", x.name, comer)
		}
		numbers = append(numbers, leaver, comer)
	}
	for _, comes := range comers {
		if err := comes.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
	}
	q.toldOnce(t, numbers...)
	q.unhurt(t)
	if n := incomingCalls(q.agents[theAgent]); n != 2 {
		t.Errorf("the agent's phone rang %d times for two calls", n)
	}
}

// torn kills ringmaster, tears its journal and starts it again.
func (q *pairAndQueue) torn(t *testing.T, name string, tear func([]byte, int) []byte) {
	t.Helper()
	q.kill()
	segments, err := filepath.Glob(filepath.Join(q.dir, "journal", "*", "*.segment"))
	segments = slices.DeleteFunc(segments, func(path string) bool { return strings.Contains(path, ".epoch-") }) // set aside
	if err != nil || len(segments) == 0 {
		t.Fatalf("no journal in %s: %v", q.dir, err)
	}
	last := segments[len(segments)-1]
	file, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	frame := bytes.LastIndex(file, []byte(frameMark))
	if frame < 0 {
		t.Fatalf("no frame in %d bytes of %s", len(file), last)
	}
	bytesBefore := len(file)
	if err := os.WriteFile(last, tear(file, frame), 0o600); err != nil {
		t.Fatal(err)
	}
	q.start()
	if !strings.Contains(q.log(), "cut off what a crash left unfinished") {
		t.Errorf("%s: nothing is said of it:\n%s", name, q.log())
	}
	q.eventually("the switch is attached", 20*time.Second, q.attached)
	q.stands(t)
	t.Logf("%s: %d bytes, the last frame of %d", name, bytesBefore, bytesBefore-frame)
}
