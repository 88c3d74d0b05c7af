package center

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"ringmaster/api/gen"
)

// Locate finds the lines of faults that the server found in this file.
func (f *File) Locate(found []gen.FieldError) *Faults {
	faults := make([]Fault, 0, len(found))
	for _, e := range found {
		at := place(f.root, stepsOf(e.Field))
		faults = append(faults, Fault{Line: at.Line, Column: at.Column, Field: e.Field, Message: e.Message})
	}
	return faultsOf(f.Name, faults)
}

// place is where a field's name or a list's item stands, or the nearest thing
// around it. It looks through the tree, because only the few things that are
// wrong are ever asked for. Line 0 is no particular place.
func place(root *yaml.Node, steps []string) *yaml.Node {
	at, n := &yaml.Node{}, root
	for _, step := range steps {
		mark, inside := stepInto(n, step)
		if mark == nil {
			break
		}
		at, n = mark, inside
	}
	return at
}

// stepInto finds a field or an item in n: what its place is, and what it holds.
func stepInto(n *yaml.Node, step string) (mark, inside *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	}
	return nil, nil
}

// stepsOf takes "queues[0].agents[1].level" apart.
func stepsOf(field string) []string {
	return strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}
