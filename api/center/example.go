package center

import _ "embed"

// Example is a complete, commented centre to begin with.
//
//go:embed example.yaml
var Example []byte
