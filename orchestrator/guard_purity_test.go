package orchestrator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// orderFree marks a range over a map whose order cannot be seen, and says why.
var orderFree = regexp.MustCompile(`// order-free: \w+`)

// forbidden is functions no pure package may call, by package and name, and
// why. "*" is every function of the package.
var forbidden = map[string]map[string]string{
	"time": {
		"Now": clock, "Since": clock, "Until": clock, "After": clock, "AfterFunc": clock, "Tick": clock,
		"NewTimer": clock, "NewTicker": clock, "Sleep": clock,
		"Local":        "the machine's zone is no fact: an input's time is",
		"LoadLocation": "it reads files: zones are resolved by calendar",
	},
	"math/rand":    {"*": chance},
	"math/rand/v2": {"*": chance},
	"fmt":          {"Print": output, "Printf": output, "Println": output, "Scan": output, "Scanf": output, "Scanln": output},
	"maps":         {"Keys": mapOrder, "Values": mapOrder, "All": mapOrder},
}

const (
	clock    = "time is data and comes with the input"
	chance   = "chance comes with the input, from a generator seeded by it"
	output   = "what is decided is a fact, and facts are returned"
	mapOrder = "the order of a map differs from run to run: sort it (slices.Sorted) or say why it cannot be seen (// order-free: …)"
	together = "a floor is one sequential machine: concurrency belongs to the runner"
)

// allowed is the exceptions, by package and function.
var allowed = map[string]string{
	"orchestrator/calendar time.LoadLocation": "the one place, called when the configuration changes",
}

// TestPurePackagesAreDeterministic looks for map ranges, goroutines, channels,
// clocks, chance and output in the packages that decide.
func TestPurePackagesAreDeterministic(t *testing.T) {
	world := export(t)
	for _, name := range pure {
		paths, err := filepath.Glob(filepath.Join("..", name, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		paths = slices.DeleteFunc(paths, func(p string) bool { return strings.HasSuffix(p, "_test.go") })
		if len(paths) == 0 {
			continue // a room of a later issue
		}
		for _, f := range world.inspect(t, name, paths) {
			t.Errorf("%s", f)
		}
	}
}

// TestGuardFindsWhatIsPlanted holds the guard against files full of violations:
// it must find those marked "want", there and nowhere else.
func TestGuardFindsWhatIsPlanted(t *testing.T) {
	world := export(t)
	path := filepath.Join("testdata", "guard", "planted.go")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for i, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, "// want") {
			want = append(want, fmt.Sprint(i+1))
		}
	}
	for _, f := range world.inspect(t, "orchestrator/floor", []string{path}) {
		got = append(got, fmt.Sprint(f.at.Line))
	}
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("found lines %v of %s, planted %v", got, path, want)
	}
}

// world is the compiled packages the pure ones are made of.
type world struct {
	fset    *token.FileSet
	imports types.Importer
}

// export has the go command compile what the pure packages import, which its
// cache mostly holds already.
func export(t *testing.T) world {
	t.Helper()
	patterns := []string{"list", "-export", "-deps", "-json=ImportPath,Export", "math/rand", "math/rand/v2", "maps", "os", "sync"}
	for _, name := range pure {
		if _, err := os.Stat(filepath.Join("..", name)); err == nil {
			patterns = append(patterns, module+"/"+name)
		}
	}
	command := exec.CommandContext(t.Context(), "go", patterns...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		t.Fatalf("list packages: %v\n%s", err, complaints.String())
	}
	files := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
	return world{fset, importer.ForCompiler(fset, "gc", lookup)}
}

// finding is one violation.
type finding struct {
	at  token.Position
	why string
}

func (f finding) String() string { return fmt.Sprintf("%s: %s", f.at, f.why) }

// inspect finds the violations in the files of one package, in their order.
func (w world) inspect(t *testing.T, name string, paths []string) []finding {
	t.Helper()
	var files []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(w.fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	if _, err := (&types.Config{Importer: w.imports}).Check(name, w.fset, files, info); err != nil {
		t.Fatal(err)
	}
	g := guard{world: w, name: name, info: info, excused: map[string]bool{}}
	for _, file := range files {
		g.readExcuses(file)
		ast.Inspect(file, g.look)
	}
	slices.SortFunc(g.found, func(a, b finding) int {
		return strings.Compare(fmt.Sprintf("%s %06d", a.at.Filename, a.at.Line), fmt.Sprintf("%s %06d", b.at.Filename, b.at.Line))
	})
	return g.found
}

// guard walks the files of one package.
type guard struct {
	world
	name    string
	info    *types.Info
	excused map[string]bool // "file:line" that says why its order cannot be seen
	sorted  []ast.Expr      // what is handed to a sorting function
	found   []finding
}

func (g *guard) readExcuses(file *ast.File) {
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if orderFree.MatchString(comment.Text) {
				g.excused[g.line(comment.Pos())] = true
			}
		}
	}
}

func (g *guard) line(pos token.Pos) string {
	at := g.fset.Position(pos)
	return fmt.Sprintf("%s:%d", at.Filename, at.Line)
}

func (g *guard) add(node ast.Node, why string) {
	if why == mapOrder && g.excused[g.line(node.Pos())] {
		return
	}
	g.found = append(g.found, finding{g.fset.Position(node.Pos()), why})
}

func (g *guard) look(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt:
		g.add(n, together)
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			g.add(n, together)
		}
	case *ast.RangeStmt:
		g.lookAtRange(n)
	case *ast.CallExpr:
		g.lookAtCall(n)
	case *ast.SelectorExpr:
		g.lookAtName(n)
	}
	return true
}

func (g *guard) lookAtRange(n *ast.RangeStmt) {
	switch g.shape(n.X).(type) {
	case *types.Map:
		g.add(n, mapOrder)
	case *types.Chan:
		g.add(n, together)
	}
}

// shape is the type under the name, of a type parameter that of its terms.
func (g *guard) shape(x ast.Expr) types.Type {
	under := g.info.TypeOf(x).Underlying()
	union, generic := under.(*types.Interface)
	if !generic || union.NumEmbeddeds() == 0 {
		return under
	}
	if terms, ok := union.EmbeddedType(0).(*types.Union); ok {
		return terms.Term(0).Type().Underlying()
	}
	return union.EmbeddedType(0).Underlying()
}

// lookAtCall finds builtins, and remembers what a sorting function is given.
func (g *guard) lookAtCall(n *ast.CallExpr) {
	switch name := n.Fun.(type) {
	case *ast.Ident:
		if _, builtin := g.info.Uses[name].(*types.Builtin); !builtin {
			return
		}
		if name.Name == "print" || name.Name == "println" {
			g.add(n, output)
		}
		if _, channel := g.shape(n).(*types.Chan); name.Name == "close" || name.Name == "make" && channel {
			g.add(n, together)
		}
	case *ast.SelectorExpr:
		f := g.info.Uses[name.Sel]
		if f.Pkg() != nil && f.Pkg().Path() == "slices" && strings.HasPrefix(f.Name(), "Sorted") {
			g.sorted = append(g.sorted, n.Args...)
		}
	}
}

func (g *guard) lookAtName(n *ast.SelectorExpr) {
	object := g.info.Uses[n.Sel]
	if object == nil || object.Pkg() == nil {
		return
	}
	if f, ok := object.(*types.Func); ok && f.Signature().Recv() != nil {
		if object.Pkg().Path() == "time" && object.Name() == "Local" {
			g.add(n, forbidden["time"]["Local"])
		}
		return
	}
	path, name := object.Pkg().Path(), object.Name()
	why, ok := forbidden[path][name]
	if !ok {
		why = forbidden[path]["*"]
	}
	if _, isType := object.(*types.TypeName); isType || strings.HasPrefix(name, "New") && why == chance {
		return // types, and generators that take a seed
	}
	if why == mapOrder && slices.ContainsFunc(g.sorted, func(x ast.Expr) bool { return x.Pos() <= n.Pos() && n.End() <= x.End() }) {
		return
	}
	if why != "" && allowed[g.name+" "+path+"."+name] == "" {
		g.add(n, why)
	}
}
