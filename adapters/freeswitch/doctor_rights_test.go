package freeswitch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// permits is how mod_event_socket decides for a user of the directory
// (auth_api_command): what some commands carry out must be allowed as well, but
// it takes the first word behind them for that, whatever it is.
func permits(list []string, line string) bool {
	for word := range strings.FieldsSeq(line) {
		if !slices.Contains(list, word) {
			return false
		}
		if !slices.Contains([]string{"bgapi", "sched_api", "eval", "expand", "xml_wrap"}, word) {
			break
		}
	}
	return true
}

// Nothing is sent that a user of the directory, set up as doctor tells, may
// not use: not one word of the program's text, and nothing that is scheduled.
func TestEverythingThatIsSentIsAllowed(t *testing.T) {
	list := allowed(testConfig)
	words := sentWords(t)
	if len(words) < 30 {
		t.Errorf("only these are sent: %s", words)
	}
	for _, word := range words {
		if !slices.Contains(list, word) {
			t.Errorf("%s is sent, and not in the list of doctor", word)
		}
	}
	for _, word := range list {
		if !slices.Contains(words, word) && !strings.HasPrefix(word, "+") {
			t.Errorf("%s is in the list of doctor, and never sent: nobody shall be given what is not needed", word)
		}
	}
	orders := append(encodeBeat(1), encodeGuard(testConfig, fakeChannel, "rm-group", roleCaller), encodeUnguard("rm-group"),
		encodeConfer(testConfig, fakeChannel, "bridge", true))
	for _, o := range orders {
		if line, is := strings.CutPrefix(o.text, "api "); !is || !permits(list, line) {
			t.Errorf("refused: %s", o.text)
		}
	}
}

// sentWords are the first words of what the adapter and the doctor send,
// wherever in the package.
func sentWords(t *testing.T) (words []string) {
	t.Helper()
	dir, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0) //nolint:staticcheck // files are enough
	if err != nil {
		t.Fatal(err)
	}
	word := func(e ast.Expr) {
		if lit, is := e.(*ast.BasicLit); is && lit.Kind == token.STRING {
			text, _ := strconv.Unquote(lit.Value)
			words = append(words, text)
		}
	}
	for _, f := range dir["freeswitch"].Files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if name := called(n); len(n.Args) > 1 && (name == "api" || name == "x.try" || name == "x.ask") {
					word(n.Args[1])
				}
			case *ast.KeyValueExpr: // command.API{Command: "originate"}
				if key, is := n.Key.(*ast.Ident); is && key.Name == "Command" {
					word(n.Value)
				}
			}
			return true
		})
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if of, is := f.X.(*ast.Ident); is {
			return of.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// What FreeSWITCH has not got is named, with the module that brings it.
func TestDoctorNamesMissingCommands(t *testing.T) {
	f := newFake(t)
	for _, name := range []string{"uuid_audio", "sofia"} {
		f.on(name, func(string) string { return "-ERR " + name + " Command not found!\n" })
	}
	rights := found(Examine(t.Context(), f.config()), "rights")
	if len(rights) != 1 || rights[0].Severity != orchestrator.SeverityError || !strings.Contains(rights[0].Found, "no command sofia, uuid_audio") ||
		!strings.Contains(rights[0].Fix, "mod_commands, mod_sofia") {
		t.Errorf("%+v", rights)
	}
}

// A user of the directory with just the rights that doctor names can do all of
// it: doctor is content, and a call is taken, dialled for, joined, recorded,
// listened to, moved and ended, while the beat and the guards go on.
func TestALimitedUserCanDoEverything(t *testing.T) {
	limit := func(c *Config) { c.User, c.Password = limitedUser+"@"+c.Domain, limitedPassword }
	o := atWork(t, limit)
	before := o.sw.Stats()
	p := o.talks()
	everyCommand(o, p)
	for began := time.Now(); time.Since(began) < beatEvery+time.Second; time.Sleep(100 * time.Millisecond) {
		if n := o.sw.Stats(); n.Losses > before.Losses {
			t.Fatal("the connection was lost")
		}
	}
	sent := map[string]RequestStats{}
	for _, r := range o.sw.Stats().Requests {
		sent[r.Name] = r
	}
	// Several orders count under the name of the last, all of them or none: the
	// beat ends with global, a guard that is put off with unguard.
	for _, name := range []string{"global", "unguard", "dial", "bridge", "release"} {
		if r := sent[name]; r.Total == 0 || r.Failed > 0 {
			t.Errorf("%s: %d of %d failed", name, r.Failed, r.Total)
		}
	}
	cfg := o.config(t)
	limit(&cfg)
	for _, f := range Examine(t.Context(), cfg) {
		if f.Severity == orchestrator.SeverityError || f.Severity == orchestrator.SeverityWarning || strings.Contains(f.Found, "cannot be seen") {
			t.Errorf("%s: %s: %s", f.Severity, f.What, f.Found)
		}
	}
	if out, err := o.pbx.CLI("global_getvar " + aliveVariable); err != nil || !strings.Contains(out, "yes") {
		t.Errorf("the dialplan is told %q, %v", out, err)
	}
}

// everyCommand sends, over a talk, each kind of action that is a command of the
// console of its own.
func everyCommand(o *office, p talk) {
	o.Helper()
	mark := o.mark()
	rec := orchestrator.RecordingID(newID())
	o.must(orchestrator.StartRecording{Leg: p.a, Recording: rec})
	expect(o, mark, func(e orchestrator.RecordingStarted) bool { return e.Recording == rec })
	o.must(orchestrator.Mask{Leg: p.a, Recording: rec})
	o.must(orchestrator.Mask{Leg: p.a, Recording: rec, Off: true})
	o.must(orchestrator.Mute{Leg: p.b, Direction: orchestrator.MuteIn})
	o.must(orchestrator.Mute{Leg: p.b, Direction: orchestrator.MuteIn, Off: true})
	o.must(orchestrator.SetVariable{Leg: p.a, Name: "order", Value: "4711"})
	o.must(orchestrator.SetVariable{Leg: p.a, Name: "order"})
	o.must(orchestrator.ReadVariable{Leg: p.a, Name: "order"})
	o.must(orchestrator.Display{Leg: p.b, Party: orchestrator.Party{Number: "4912345", Name: "Clara"}})
	o.must(orchestrator.SendDigits{Leg: p.a, Digits: "1"})
	_, third := o.reaches(1)
	o.must(orchestrator.Supervise{Leg: third, Target: p.b, Mode: orchestrator.Listen})
	o.must(orchestrator.Supervise{Leg: third, Target: p.b, Mode: orchestrator.Whisper})
	o.must(orchestrator.Hangup{Leg: third, Cause: orchestrator.CauseNormal})
	expect(o, mark, ended(third))
	o.must(orchestrator.StopRecording{Leg: p.a, Recording: rec})
	expect(o, mark, func(e orchestrator.RecordingDone) bool { return e.Recording == rec })
	o.must(orchestrator.Hangup{Leg: p.b, Cause: orchestrator.CauseNormal})
	expect(o, mark, ended(p.b))
	o.must(orchestrator.Release{Leg: p.a, Context: "rm-fallback", Extension: roleAgent})
}
