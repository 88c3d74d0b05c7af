// Package postgres is the Store on PostgreSQL 13 or newer, and the projector
// that moves facts from the journal into it.
//
// GORM reads and writes the rows; COPY takes the facts in. Rows are types of
// their own: the words of the call centre know nothing of columns. Every query
// begins at [Store.of], which adds the tenant, and no string of a caller ever
// becomes SQL text: filters are a closed set of fields, and a test reads this
// package's source for anything else.
//
// # What is derived
//
// The tables call, leg, queue_visit, offer and agent_interval are folds of the
// fact table and can be made again from it ([Store.Rebuild]). A batch of facts,
// the rows they change and the cursor behind the last of them commit together,
// so a batch that is repeated, cut short or cut differently leads to the same
// rows.
//
// # What it refuses to do
//
// It decides nothing about calls and validates no configuration. It gives up a
// statement rather than wait for long. It knows neither the journal nor the
// floor: the projector is handed a Source.
package postgres
