package orchestrator_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "ringmaster"

// An arrow says what the packages under one path may import of this module.
// A path that ends in "/..." stands for itself and everything below it. Of all
// arrows that fit a package the first one counts.
type arrow struct {
	from string
	may  []string
	why  string
}

var leaves = []string{
	"orchestrator/acd", "orchestrator/ivr", "orchestrator/calendar", "orchestrator/metrics",
	"orchestrator/dialer", "orchestrator/recording", "orchestrator/staffing",
}

var pure = append([]string{"orchestrator", "orchestrator/floor"}, leaves...)

var arrows = append(leafArrows(), []arrow{
	{
		"cmd/phonebank/...",
		[]string{"cmd/phonebank/...", "orchestrator"},
		"real phones stand outside of what they test, and an admin runs them against any PBX",
	},
	{"cmd/...", []string{"..."}, "programs put everything together"},
	{
		"api/...", append([]string{"api/...", "orchestrator", "orchestrator/floor", "orchestrator/runner"}, leaves...),
		"the API reads through the Store and acts by events: it knows no technology but HTTP",
	},
	{
		"adapters/postgres/...", append([]string{"adapters/postgres/...", "migrations", "orchestrator"}, leaves...),
		"one technology each, unaware of one another and of who calls it",
	},
	{"adapters/asterisk/...", []string{"adapters/asterisk/...", "orchestrator"}, "as above"},
	{"adapters/freeswitch/...", []string{"adapters/freeswitch/...", "orchestrator"}, "as above"},
	{"adapters/journal/...", []string{"adapters/journal/...", "orchestrator"}, "as above"},
	{"adapters/webhook/...", []string{"adapters/webhook/...", "orchestrator"}, "as above"},
	{"adapters/speech/...", []string{"adapters/speech/...", "orchestrator"}, "as above"},
	{"adapters/recordings/...", []string{"adapters/recordings/...", "orchestrator"}, "as above"},
	{"orchestrator", nil, "the words of the field depend on nothing"},
	{"orchestrator/floor", append([]string{"orchestrator"}, leaves...), "the floor composes the leaves"},
	{
		"orchestrator/runner/...", append([]string{"orchestrator/runner/...", "orchestrator", "orchestrator/floor"}, leaves...),
		"it drives a floor and is handed its journal, switches and store as interfaces",
	},
	{
		"orchestrator/simulation/...", append([]string{"orchestrator/simulation/...", "orchestrator", "orchestrator/floor"}, leaves...),
		"it stands in for the world, in virtual time",
	},
	{"orchestrator/conformance/...", []string{"orchestrator"}, "a suite must not know whom it examines"},
	{"docker/demo", []string{"..."}, "a program that puts everything together"},
	{"docker/...", []string{"docker/...", "dialplans"}, "the lab starts a PBX, and only that"},
	{"dialplans/...", nil, "files for the admin"},
	{"migrations/...", nil, "files for the database"},
}...)

func leafArrows() (arrows []arrow) {
	for _, leaf := range leaves {
		arrows = append(arrows, arrow{leaf, []string{"orchestrator"}, "leaves know neither each other nor the floor"})
	}
	return arrows
}

// wrongArrow says why package from may not import to, "" if it may. Both are
// paths within the module.
func wrongArrow(from, to string) string {
	for _, a := range arrows {
		if !under(from, a.from) {
			continue
		}
		if slices.ContainsFunc(a.may, func(pattern string) bool { return under(to, pattern) }) {
			return ""
		}
		return fmt.Sprintf("%s may not import %s: %s", from, to, a.why)
	}
	return fmt.Sprintf("%s is a room that the design does not know; add it to the arrows in guard_test.go", from)
}

func under(path, pattern string) bool {
	parent, whole := strings.CutSuffix(pattern, "...")
	parent = strings.TrimSuffix(parent, "/")
	return path == parent || whole && (parent == "" || strings.HasPrefix(path, parent+"/"))
}

// Of the standard library the pure packages may use what neither does I/O nor
// reads a clock nor starts anything.
var pureImports = []string{
	"bytes", "cmp", "container/heap", "encoding/hex", "encoding/json", "errors", "fmt", "hash/fnv", "iter", "maps", "math",
	"math/bits", "net/netip", "regexp", "slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8",
}

// The words and ports need two more: a context bounds what a port's
// implementation does, and secrets say how they are logged.
var rootImports = append([]string{"context", "log/slog"}, pureImports...)

func wrongStandardImport(from, to string) string {
	allowed := pureImports
	if from == "orchestrator" {
		allowed = rootImports
	}
	if !slices.Contains(pure, from) || slices.Contains(allowed, to) {
		return ""
	}
	return fmt.Sprintf("%s may not import %s: decisions do no I/O, read no clock and need the standard library only", from, to)
}

// TestImportArrows reads the imports of every file of the module, whatever its
// build tags, except tests.
func TestImportArrows(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipFolder(path, entry.Name())
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		for _, problem := range importProblems(t, path) {
			t.Errorf("%s: %s", path, problem)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Errorf("only %d files looked at: is this still the module's folder?", files)
	}
}

// skipFolder leaves out what is not this module's own code.
func skipFolder(path, name string) error {
	if path != ".." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
		return filepath.SkipDir
	}
	return nil
}

func importProblems(t *testing.T, path string) (problems []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	from, err := filepath.Rel("..", filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		var problem string
		if within, ours := strings.CutPrefix(to, module+"/"); ours {
			problem = wrongArrow(from, within)
		} else {
			problem = wrongStandardImport(from, to)
		}
		if problem != "" {
			problems = append(problems, problem)
		}
	}
	return problems
}

func TestArrowsTellRightFromWrong(t *testing.T) {
	for _, c := range []struct {
		from, to string
		right    bool
	}{
		{"cmd/ringmaster/app", "adapters/asterisk", true},
		{"cmd/phonebank/phone", "adapters/asterisk", false},
		{"api", "api/gen", true},
		{"api", "adapters/postgres", false},
		{"api", "orchestrator/simulation", false},
		{"adapters/postgres", "adapters/postgres/cluster", true},
		{"adapters/postgres", "adapters/journal", false},
		{"adapters/asterisk", "orchestrator", true},
		{"adapters/asterisk", "orchestrator/floor", false},
		{"adapters/asterisk", "api/gen", false},
		{"orchestrator", "orchestrator/acd", false},
		{"orchestrator/acd", "orchestrator", true},
		{"orchestrator/acd", "orchestrator/ivr", false},
		{"orchestrator/ivr", "orchestrator/floor", false},
		{"orchestrator/floor", "orchestrator/acd", true},
		{"orchestrator/floor", "orchestrator/runner", false},
		{"orchestrator/floor", "adapters/journal", false},
		{"orchestrator/runner", "orchestrator/floor", true},
		{"orchestrator/runner", "adapters/journal", false},
		{"orchestrator/simulation", "orchestrator/floor", true},
		{"orchestrator/simulation", "orchestrator/runner", false},
		{"orchestrator/conformance", "orchestrator/simulation", false},
		{"orchestrator/util", "orchestrator", false},
		{"dialplans", "orchestrator", false},
	} {
		if problem := wrongArrow(c.from, c.to); (problem == "") != c.right {
			t.Errorf("%s -> %s: %q", c.from, c.to, problem)
		}
	}
	for _, to := range []string{"os", "net", "net/http", "database/sql", "log", "log/slog", "sync", "math/rand", "math/rand/v2", "unsafe", "gorm.io/gorm"} {
		if wrongStandardImport("orchestrator/floor", to) == "" {
			t.Errorf("the floor may import %s", to)
		}
	}
	if wrongStandardImport("adapters/journal", "os") != "" || wrongStandardImport("orchestrator", "log/slog") != "" {
		t.Error("too strict")
	}
}

// TestPurePackagesExist fails when a pure package is renamed away from under
// its guard.
func TestPurePackagesExist(t *testing.T) {
	for _, name := range []string{"floor", "acd", "ivr", "calendar", "metrics"} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}
