// Package center reads and writes a call centre as one YAML file, for
// `ringmaster apply` and `ringmaster export`; api/client brings it to a server.
//
// The file's fields, forms and limits are those of openapi.yaml; there is no
// second schema. What is wrong is named with line, column and what is allowed.
// See example.yaml.
//
// The package refuses anchors, aliases, tags and merge keys (a small file must
// stay small), to guess (a field it does not know is a fault), and to decide
// what a sound centre is: that is the server's part, whose answers it only
// finds a line for.
package center
