package center

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ringmaster/api/gen"
)

// sections is the order of a written file: what is named comes before who
// names it.
var sections = []string{"settings", "switches", "phones", "agents", "hours", "queues", "flows", "numbers"}

// first are the fields that open an object, in this order; the others follow
// by name.
var first = []string{
	"id", "dialled", "number", "name", "type", "switch", "endpoint", "url", "username", "zone", "start", "agent", "skill",
	"days", "date", "from", "to", "digit", "flow",
}

// Write writes a configuration as Read takes it.
func Write(w io.Writer, c gen.Configuration) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	tree := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range sections {
		root.Content = append(root.Content, node(name), node(tree[name]))
	}
	if err := e.Encode(root); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// node is a JSON value as YAML, its fields in the order people read.
func node(value any) *yaml.Node {
	switch v := value.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, key := range keysOf(v) {
			n.Content = append(n.Content, node(key), node(v[key]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range v {
			n.Content = append(n.Content, node(item))
		}
		return n
	}
	return scalar(value)
}

// plainForm is text that means itself to every YAML reader, unless it is a
// word that YAML 1.1 takes for something else. All other text is quoted: left
// to choose, the library writes some texts in ways it cannot read.
var (
	plainForm = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9 _./+,;!?()'-]*[A-Za-z0-9_./+!?)])?$`)
	notPlain  = map[string]bool{"true": true, "false": true, "null": true, "yes": true, "no": true, "off": true, "y": true, "n": true}
)

func scalar(value any) *yaml.Node {
	text, isText := value.(string)
	switch {
	case !isText: // numbers and booleans
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(value)}
	case plainForm.MatchString(text) && !notPlain[strings.ToLower(text)]:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: text, Style: yaml.DoubleQuotedStyle}
}

func keysOf(v map[string]any) []string {
	rank := func(key string) int {
		if i := slices.Index(first, key); i >= 0 {
			return i
		}
		return len(first)
	}
	keys := slices.Sorted(maps.Keys(v))
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	return keys
}
