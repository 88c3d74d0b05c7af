package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxScenarioBytes bounds the file: the longest sensible one has some hundred lines.
const maxScenarioBytes = 1 << 20

// loadScenario reads, decodes and checks a scenario file; "-" is standard input. Its error names every fault with
// file, line and what is allowed.
func loadScenario(path string) (*plan, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	return parseScenario(path, text)
}

func readBounded(path string) ([]byte, error) {
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // it is only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxScenarioBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(text) > maxScenarioBytes {
		return nil, fmt.Errorf("read %s: larger than 1 MiB, which no scenario is", path)
	}
	return text, nil
}

func parseScenario(name string, text []byte) (*plan, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, atLine(name, err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s: want exactly one YAML document; see: phonebank example", name)
	}
	body := file.Docs[0].Body
	if faults := unknownKeys(name, body, reflect.TypeFor[Scenario]()); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	var s Scenario
	if err := yaml.NodeToValue(body, &s, yaml.Strict()); err != nil {
		return nil, atLine(name, err)
	}
	p, problems := compile(&s)
	var faults []error
	for _, f := range problems {
		faults = append(faults, fmt.Errorf("%s:%d: %s", name, lineOf(file, f.path), f.text))
	}
	return p, errors.Join(faults...)
}

// atLine rewrites an error of the YAML library as file:line: message.
func atLine(name string, err error) error {
	var typed *yaml.TypeError
	if errors.As(err, &typed) && typed.Token != nil {
		return fmt.Errorf("%s:%d: %q: want %s", name, typed.Token.Position.Line, typed.Token.Value, kindWords[typed.DstType.Kind()])
	}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		return fmt.Errorf("%s:%d: %s", name, at.GetToken().Position.Line, at.GetMessage())
	}
	return fmt.Errorf("%s: %w", name, err)
}

// kindWords names the YAML that a Go type is written as.
var kindWords = map[reflect.Kind]string{
	reflect.Int: "a whole number", reflect.Uint64: "a whole number of 0 or more", reflect.Float64: "a number",
	reflect.String: "a text", reflect.Slice: "a list", reflect.Struct: "fields and values",
}

// lineOf finds where a path stands; for one that is not written, the line of what should hold it.
func lineOf(file *ast.File, path string) int {
	for path != "" && path != "$" {
		if p, err := yaml.PathString(path); err == nil {
			if node, err := p.FilterFile(file); err == nil && node != nil {
				return startLine(node)
			}
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 1
}

// startLine is the line of the first token of a node; a mapping's own token is its first colon.
func startLine(node ast.Node) int {
	switch n := node.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 {
			return startLine(n.Values[0])
		}
	case *ast.MappingValueNode:
		return startLine(n.Key)
	}
	return node.GetToken().Position.Line
}

// unknownKeys walks the document beside the Go type it is for. The library's strict decoding stops at the first
// unknown key and does not say which keys there are.
func unknownKeys(name string, node ast.Node, t reflect.Type) []error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var faults []error
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			faults = append(faults, unknownKeys(name, v, t)...)
		}
	case *ast.MappingValueNode:
		if t.Kind() != reflect.Struct {
			return nil // a type error, which decoding reports
		}
		key := n.Key.GetToken().Value
		field, ok := fieldOf(t, key)
		if !ok {
			return []error{fmt.Errorf("%s:%d: unknown field %q; allowed here: %s", name, startLine(n), key, strings.Join(keysOf(t), ", "))}
		}
		return unknownKeys(name, n.Value, field)
	case *ast.SequenceNode:
		if t.Kind() == reflect.Slice {
			for _, v := range n.Values {
				faults = append(faults, unknownKeys(name, v, t.Elem())...)
			}
		}
	}
	return faults
}

func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for f := range t.Fields() {
		if f.Tag.Get("yaml") == key {
			return f.Type, true
		}
	}
	return nil, false
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		keys = append(keys, f.Tag.Get("yaml"))
	}
	slices.Sort(keys)
	return keys
}
