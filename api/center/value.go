package center

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"

	"ringmaster/api"
)

// reader walks a YAML tree beside a schema and makes the JSON value the schema
// speaks of. The schema decides what a scalar is: 0049 is a number to YAML and
// text to whoever dials it.
type reader struct {
	faults []Fault
}

// full is whether there is nothing more to tell: one fault more than is shown,
// so that it shows that there are more. Whoever walks a document stops then; a
// few bytes make a fault, and a fault takes a thousand.
func (r *reader) full() bool { return len(r.faults) > maxFaults }

func (r *reader) fault(at *yaml.Node, path []string, format string, args ...any) {
	if r.full() {
		return
	}
	r.faults = append(r.faults, Fault{
		Line: at.Line, Column: at.Column, Field: api.FieldPath(path), Message: fmt.Sprintf(format, args...),
	})
}

// value reads one node. What it cannot read it notes and returns nil for.
func (r *reader) value(n *yaml.Node, schema *openapi3.Schema, path []string) any {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		r.fault(n, path, "anchors (&), aliases (*) and tags (!) are not taken; write it out")
		return nil
	}
	switch {
	case n.Kind == yaml.MappingNode:
		return r.object(n, schema, path)
	case n.Kind == yaml.SequenceNode:
		return r.list(n, schema, path)
	case n.ShortTag() == nullTag && !schema.Type.Is(openapi3.TypeString), n.Value == "" && n.Style == 0:
		r.fault(n, path, "a value is missing: want %s", want(schema))
		return nil
	}
	return r.scalar(n, schema, path)
}

func (r *reader) object(n *yaml.Node, schema *openapi3.Schema, path []string) any {
	if !schema.Type.Is(openapi3.TypeObject) {
		r.fault(n, path, "is a mapping: want %s", want(schema))
		return nil
	}
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content) && !r.full(); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" {
			r.fault(key, path, "this cannot be a field's name")
			continue
		}
		inside := append(slices.Clone(path), key.Value)
		field := fieldOf(schema, key.Value)
		_, twice := out[key.Value]
		switch {
		case twice:
			r.fault(key, inside, "is there twice")
			continue
		case field == nil:
			r.fault(key, inside, "there is no such field%s", suggest(key.Value, slices.Sorted(maps.Keys(schema.Properties))))
			continue
		}
		out[key.Value] = r.value(value, field, inside)
	}
	return out
}

// fieldOf is the schema of a field, nil when there is none by that name.
func fieldOf(schema *openapi3.Schema, key string) *openapi3.Schema {
	if p := schema.Properties[key]; p != nil {
		return p.Value
	}
	if schema.AdditionalProperties.Schema != nil {
		return schema.AdditionalProperties.Schema.Value
	}
	return nil
}

func (r *reader) list(n *yaml.Node, schema *openapi3.Schema, path []string) any {
	if !schema.Type.Is(openapi3.TypeArray) {
		r.fault(n, path, "is a list: want %s", want(schema))
		return nil
	}
	if most := schema.MaxItems; most != nil && uint64(len(n.Content)) > *most {
		r.fault(n, path, "%d are too many, at most %d", len(n.Content), *most)
		return nil
	}
	out := make([]any, 0, len(n.Content))
	for i, item := range n.Content {
		if r.full() {
			break
		}
		inside := append(slices.Clone(path), strconv.Itoa(i))
		out = append(out, r.value(item, schema.Items.Value, inside))
	}
	return out
}

func (r *reader) scalar(n *yaml.Node, schema *openapi3.Schema, path []string) any {
	plain := n.Style == 0
	switch {
	case schema.Type.Is(openapi3.TypeString):
		return n.Value
	case schema.Type.Is(openapi3.TypeInteger):
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil && plain && i > -1<<53 && i < 1<<53 {
			return float64(i)
		}
		if d, err := time.ParseDuration(n.Value); err == nil && strings.HasSuffix(last(path), "_ms") {
			r.fault(n, path, "the unit is milliseconds: write %d", d.Milliseconds())
			return nil
		}
	case schema.Type.Is(openapi3.TypeBoolean):
		if plain && (n.Value == "true" || n.Value == "false") {
			return n.Value == "true"
		}
	}
	r.fault(n, path, "want %s", want(schema))
	return nil
}

// nullTag is how the library calls nothing.
const nullTag = "!!null"

func last(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return path[len(path)-1]
}

// want says what a schema wants, for messages.
func want(s *openapi3.Schema) string {
	switch {
	case s.Type.Is(openapi3.TypeObject):
		return "a mapping (key: value)"
	case s.Type.Is(openapi3.TypeArray):
		return "a list (- item), or [] for none"
	case s.Type.Is(openapi3.TypeInteger):
		return "a whole number"
	case s.Type.Is(openapi3.TypeBoolean):
		return "true or false"
	}
	return "text"
}
