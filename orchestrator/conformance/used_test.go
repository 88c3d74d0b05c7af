package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ringmaster/orchestrator"
)

// TestEveryCapabilityIsHeldToSomething: a capability that no sentence reads is a
// claim that nobody checks.
func TestEveryCapabilityIsHeldToSomething(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if field, ok := n.(*ast.SelectorExpr); ok && isCapabilities(field.X) {
				read[field.Sel.Name] = true
			}
			return true
		})
	}
	kind := reflect.TypeFor[orchestrator.Capabilities]()
	for field := range kind.Fields() {
		if !read[field.Name] {
			t.Errorf("no sentence reads the capability %s", field.Name)
		}
	}
}

// isCapabilities reports whether an expression is a switch's capabilities: the
// call itself, or the variable "can" that holds its answer.
func isCapabilities(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "can"
	case *ast.CallExpr:
		of, ok := x.Fun.(*ast.SelectorExpr)
		return ok && of.Sel.Name == "Capabilities"
	}
	return false
}
