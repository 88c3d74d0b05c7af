package center

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"

	"ringmaster/api"
)

// checker holds a value against a schema's forms and limits, thing by thing: the
// library's own walk keeps 1.3 KB of every fault, and knows no bound of them.
type checker struct {
	reader
	root  *yaml.Node
	alone map[*openapi3.Schema]*openapi3.Schema
}

// check answers the faults of a value that was read from the tree at root.
func check(root *yaml.Node, value any, schema *openapi3.Schema) []Fault {
	c := &checker{root: root, alone: map[*openapi3.Schema]*openapi3.Schema{}}
	c.check(value, schema, nil)
	return c.faults
}

func (c *checker) check(value any, schema *openapi3.Schema, path []string) {
	if c.full() {
		return
	}
	err := c.without(schema).VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsRequest(), openapi3.DisableReadOnlyValidation())
	for _, e := range api.SchemaErrors(err) {
		c.tell(e, slices.Concat(path, e.JSONPointer()))
	}
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			c.check(item, schema.Items.Value, append(slices.Clone(path), strconv.Itoa(i)))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c.check(v[key], fieldOf(schema, key), append(slices.Clone(path), key))
		}
	}
}

// without is a schema without those of what is inside, which check visits.
func (c *checker) without(schema *openapi3.Schema) *openapi3.Schema {
	if schema.Items == nil && len(schema.Properties) == 0 && schema.AdditionalProperties.Schema == nil {
		return schema
	}
	if c.alone[schema] == nil {
		alone := *schema
		alone.Items, alone.Properties, alone.AdditionalProperties = nil, nil, openapi3.BoolSchema{}
		c.alone[schema] = &alone
	}
	return c.alone[schema]
}

func (c *checker) tell(e *openapi3.SchemaError, path []string) {
	message := api.Reason(e)
	if text, ok := e.Value.(string); ok && len(e.Schema.Enum) > 0 {
		names := make([]string, 0, len(e.Schema.Enum))
		for _, v := range e.Schema.Enum {
			names = append(names, fmt.Sprint(v))
		}
		message = fmt.Sprintf("%q is not possible%s", text, suggest(text, names))
	}
	c.fault(place(c.root, path), path, "%s", message)
}
