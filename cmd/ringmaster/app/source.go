package app

import (
	"context"
	"fmt"

	"ringmaster/adapters/journal"
	"ringmaster/adapters/postgres"
	"ringmaster/adapters/speech"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/runner"
)

// tail reads the journal's records as facts, for the projector.
type tail struct {
	journal *journal.Journal
	reader  *journal.Reader
}

// newProjector begins behind the last record the database has for good.
func (c *centre) newProjector(projected uint64) (err error) {
	from := max(projected, c.journal.Acknowledged()) + 1
	if c.reader, err = c.journal.Reader(from); err != nil {
		return fmt.Errorf("read the journal from fact %d: %w", from, err)
	}
	c.projector = postgres.NewProjector(postgres.ProjectorConfig{
		Store: c.store, Tenant: c.tenant, Epoch: c.lease.Epoch, Source: &tail{c.journal, c.reader},
		Log: c.log, Moved: c.figures.moved,
	})
	return nil
}

// Next returns the facts of the next step.
func (t *tail) Next(ctx context.Context) ([]orchestrator.Fact, error) {
	record, err := t.reader.Next(ctx)
	if err != nil {
		return nil, err
	}
	return runner.DecodeRecord(record.Payload)
}

// Acknowledge lets the journal forget what is in the database.
func (t *tail) Acknowledge(seq uint64) error { return t.journal.Acknowledge(seq) }

// speaker gives the runner the one method of speech it needs.
type speaker struct{ *speech.Renderer }

// Speak returns the file that says the words, rendered now or before.
func (s speaker) Speak(ctx context.Context, language, words string) (string, error) {
	file, err := s.Prompt(ctx, speech.Text{Language: language, Words: words})
	return file.Path, err
}
