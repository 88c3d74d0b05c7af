package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// poison is the number of a caller whose arrival is too much for the floor.
const poison = "+49666"

// poisoned builds the ringmaster of this tree with one line more: its floor
// panics at the arrival of one caller. The line is only in what the compiler is
// shown.
func poisoned(t *testing.T) (binary string) {
	t.Helper()
	const step = "\tfx = r.floor.Step(o.Input{Seq: r.seq, At: m.at, Event: m.event})\n"
	file, err := filepath.Abs("../../../orchestrator/runner/turn.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), step) != 1 {
		t.Fatalf("where the floor takes a step is not found: %v", err)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "turn.go"), filepath.Join(dir, "overlay.json")
	write := func(name string, text []byte) {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(changed, []byte(strings.Replace(string(text), step,
		"\tif e, ok := m.event.(o.LegOffered); ok && e.Caller.Number == \""+poison+"\" {\n\t\tpanic(\"poison\")\n\t}\n"+step, 1)))
	swap, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	write(overlay, swap)
	binary = filepath.Join(dir, "ringmaster")
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", binary, "ringmaster/cmd/ringmaster").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// TestPanicInAFloor: one input is too much for the floor. It is set aside and
// told with where it happened; the talk beside it goes on, who waits keeps their
// place, and the caller whose arrival it was is found by the snapshot or is with
// the dialplan's fallback.
func TestPanicInAFloor(t *testing.T) {
	healthy := program
	program = poisoned(t)
	defer func() { program = healthy }()
	onEach(t, panicInAFloor)
}

func panicInAFloor(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	q := talkAndWait(t, kind)
	third := q.comes(t, 2, poison)
	ours := q.taken(t, poison, 15*time.Second)
	if said := q.log(); strings.Count(said, "input set aside") != 1 || !strings.Contains(said, "turn.go") {
		t.Errorf("it is not told with where it happened:\n%s", said)
	}
	t.Logf("the caller whose arrival it was: with ringmaster %t", ours)
	q.stands(t)
	if err := third.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
	if ours {
		q.toldOnce(t, poison)
	}
	q.unhurt(t)
}
