// Package migrations holds the numbered SQL files that make and unmake the
// database, for adapters/postgres to run. A file that was released is never
// edited: the next change is the next number. It decides nothing and runs
// nothing.
package migrations

import "embed"

// Files are the migrations in goose's format, by number.
//
//go:embed *.sql
var Files embed.FS
