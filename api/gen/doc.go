// Package gen holds the types and the server that oapi-codegen makes of
// api/openapi.yaml. The generated file is committed so that building needs no
// tool; a test makes it again and compares.
//
// The package refuses to hold anything written by hand.
package gen

//go:generate go tool oapi-codegen -config oapi-codegen.yaml -o api_gen.go ../openapi.yaml
