package center

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"

	"ringmaster/api"
	"ringmaster/api/gen"
)

// MaxBytes bounds a file. The server takes documents of the same size.
const MaxBytes = 8 << 20

// File is a file that was read.
type File struct {
	Name   string
	Change gen.ConfigurationChange
	root   *yaml.Node
}

// Read reads a file's text. Every fault it can see comes back at once, as
// *Faults.
func Read(name string, text []byte) (*File, error) {
	if len(text) > MaxBytes {
		return nil, one(name, fmt.Sprintf("this is too large: a file has at most %d bytes", MaxBytes))
	}
	if !utf8.Valid(text) {
		return nil, one(name, "this is not UTF-8 text")
	}
	body, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	schema, err := schemaOf("ConfigurationChange")
	if err != nil {
		return nil, err
	}
	var r reader
	value := r.value(body, schema, nil)
	if len(r.faults) == 0 {
		r.faults = check(body, value, schema)
	}
	if len(r.faults) > 0 {
		return nil, faultsOf(name, r.faults)
	}
	f := &File{Name: name, root: body}
	return f, remake(value, &f.Change)
}

func one(name, message string) error { return &Faults{File: name, Faults: []Fault{{Message: message}}} }

// remake turns what was checked into the API's type.
func remake(value any, into *gen.ConfigurationChange) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return nil
}

func schemaOf(name string) (*openapi3.Schema, error) {
	spec, err := api.Spec()
	if err != nil {
		return nil, err
	}
	return spec.Components.Schemas[name].Value, nil
}

// parse makes the tree of the one document in text. The library bounds depth;
// aliases stay unexpanded in its tree.
func parse(name string, text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, one(name, "the file is empty")
	} else if err != nil {
		return nil, syntax(name, err)
	}
	var more yaml.Node
	if err := d.Decode(&more); err == nil {
		return nil, one(name, "the file holds several documents (---); write one")
	} else if !errors.Is(err, io.EOF) {
		return nil, syntax(name, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].ShortTag() == nullTag {
		return nil, one(name, "the file is empty")
	}
	return doc.Content[0], nil
}

// syntaxForm is how the library words a fault: "yaml: line 3: …".
var syntaxForm = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`)

// syntax finds the line of a parser's complaint.
func syntax(name string, err error) error {
	fault := Fault{Message: err.Error()}
	if m := syntaxForm.FindStringSubmatch(err.Error()); m != nil {
		fault.Message = m[2]
		if line, err := strconv.Atoi(m[1]); err == nil {
			fault.Line, fault.Column = line, 1
		}
	}
	return &Faults{File: name, Faults: []Fault{fault}}
}
