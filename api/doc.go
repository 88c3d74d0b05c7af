// Package api speaks HTTP for a floor: the REST API of openapi.yaml, its live
// events, keys, health and metrics.
//
// openapi.yaml comes first. Routes, parameters and types are generated from it
// (api/gen), requests are checked against it before a handler sees them, and
// the scope a route wants is its x-scope there.
//
// The package refuses to decide anything about calls (orchestrator/floor), to
// know a database (orchestrator.Store) and to keep state of its own, except for
// caches and counters that may be lost at any time.
package api
