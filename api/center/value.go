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
	places map[string]position
	faults []Fault
}

func (r *reader) fault(at *yaml.Node, path []string, format string, args ...any) {
	if len(r.faults) > maxFaults {
		return // one more than is shown, so that it shows that there are more
	}
	r.faults = append(r.faults, Fault{
		Line: at.Line, Column: at.Column, Field: api.FieldPath(path), Message: fmt.Sprintf(format, args...),
	})
}

func (r *reader) place(at *yaml.Node, path []string) {
	r.places[join(path)] = position{at.Line, at.Column}
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
	for i := 0; i+1 < len(n.Content) && len(r.faults) <= maxFaults; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" || strings.Contains(key.Value, stepEnd) {
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
		r.place(key, inside)
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
	out := make([]any, 0, len(n.Content))
	for i, item := range n.Content {
		if len(r.faults) > maxFaults {
			break
		}
		inside := append(slices.Clone(path), strconv.Itoa(i))
		r.place(item, inside)
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

// check holds the value against the schema's forms and limits.
func (r *reader) check(value any, schema *openapi3.Schema) {
	err := schema.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsRequest(), openapi3.DisableReadOnlyValidation())
	for _, e := range api.SchemaErrors(err) {
		path := e.JSONPointer()
		message := api.Reason(e)
		if len(e.Schema.Enum) > 0 {
			names := make([]string, 0, len(e.Schema.Enum))
			for _, v := range e.Schema.Enum {
				names = append(names, fmt.Sprint(v))
			}
			if text, ok := e.Value.(string); ok {
				message = fmt.Sprintf("%q is not possible%s", text, suggest(text, names))
			}
		}
		f := &File{places: r.places}
		at := f.at(path)
		r.faults = append(r.faults, Fault{Line: at.line, Column: at.column, Field: api.FieldPath(path), Message: message})
	}
}
