package postgres

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoVariableBecomesSQL reads this package: GORM escapes nothing in the
// methods below (gorm.io/docs/security), so their text must be a constant.
func TestNoVariableBecomesSQL(t *testing.T) {
	t.Parallel()
	raw := map[string]bool{
		"Where": true, "Or": true, "Not": true, "Order": true, "Group": true, "Having": true, "Select": true, "Table": true,
		"Joins": true, "InnerJoins": true, "Pluck": true, "Distinct": true, "Raw": true, "Exec": true, "Omit": true, "Expr": true,
	}
	set := token.NewFileSet()
	files, err := filepath.Glob("*.go")
	must(t, err)
	constants := map[string]bool{}
	var sources []*ast.File
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		must(t, err)
		sources = append(sources, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if decl, ok := n.(*ast.GenDecl); ok && decl.Tok == token.CONST {
				for _, spec := range decl.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						constants[name.Name] = true
					}
				}
			}
			return true
		})
	}
	checked := 0
	for _, file := range sources {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !raw[method.Sel.Name] || isDriver(call.Args[0]) {
				return true
			}
			checked++
			if !isConstant(call.Args[0], constants) {
				t.Errorf("%s: the SQL of %s is not a constant", set.Position(call.Pos()), method.Sel.Name)
			}
			return true
		})
	}
	if checked < 20 {
		t.Fatalf("only %d places looked at", checked)
	}
}

func isConstant(e ast.Expr, constants map[string]bool) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Kind == token.STRING
	case *ast.Ident:
		return constants[e.Name]
	case *ast.BinaryExpr:
		return isConstant(e.X, constants) && isConstant(e.Y, constants)
	}
	return false
}

// isDriver is sql.Conn.Raw, which takes a function.
func isDriver(e ast.Expr) bool {
	_, ok := e.(*ast.FuncLit)
	return ok
}
