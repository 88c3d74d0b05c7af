package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ringmaster/adapters/journal"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// shadowPage is how many facts are read at once.
const shadowPage = 5000

// shadow is a floor made of what the database holds: the newest image and the
// facts since. It is where a process begins that has no journal, or one that
// another's reign made old.
type shadow struct {
	store  orchestrator.LeaseStore
	tenant orchestrator.TenantID
	floor  *floor.Floor // nil: nothing read yet
	seq    uint64
}

func newShadow(store orchestrator.LeaseStore, tenant orchestrator.TenantID) *shadow {
	return &shadow{store: store, tenant: tenant}
}

// catchUp reads what is new. After an error it goes on where it was.
func (s *shadow) catchUp(ctx context.Context) error {
	if s.floor == nil {
		image, err := s.store.LoadImage(ctx, s.tenant)
		if err != nil {
			return err
		}
		// The epoch names what a floor decides; this one decides nothing.
		f, err := floor.Restore(floor.Config{Tenant: s.tenant}, image.State)
		if err != nil {
			return err
		}
		s.floor, s.seq = f, image.Seq
	}
	for {
		facts, err := s.store.FactsAfter(ctx, s.tenant, s.seq, shadowPage)
		if err != nil || len(facts) == 0 {
			return err
		}
		for _, f := range facts {
			s.floor.Apply(f)
		}
		s.seq = facts[len(facts)-1].Seq
	}
}

// journalFolder is where the floor's journal is.
func (c *centre) journalFolder() string {
	return filepath.Join(c.cfg.Data, "journal", string(c.tenant))
}

// asideKept is how many journals that another's reign made old are kept.
const asideKept = 2

// beginJournal replaces whatever journal there is by one that begins with the
// database's state. Facts that were in the old one alone are not wanted any
// more: whoever led meanwhile has found out from the switch what became of
// those calls. They are kept for a person to look at.
func (c *centre) beginJournal(ctx context.Context, past *shadow) error {
	if past == nil {
		past = newShadow(c.store, c.tenant)
	}
	if err := past.catchUp(ctx); err != nil {
		return fmt.Errorf("read the floor's state from the database: %w", err)
	}
	if err := c.setAside(past.seq); err != nil {
		return err
	}
	projected, err := c.store.Projected(ctx, c.tenant)
	if err != nil {
		return fmt.Errorf("look up the last projected fact: %w", err)
	}
	// Facts that could not be stored have numbers too.
	return journal.Seed(c.journalFolder(), journal.Snapshot{Seq: max(past.seq, projected), State: past.floor.Image()})
}

// setAside moves the old journal out of the way.
func (c *centre) setAside(known uint64) error {
	folder := c.journalFolder()
	if names, err := os.ReadDir(folder); err != nil || len(names) == 0 {
		return nil //nolint:nilerr // there is none
	}
	to := fmt.Sprintf("%s.epoch-%d", folder, c.lastEpoch())
	if err := os.RemoveAll(to); err != nil { // of the same epoch: from a crash while we did this
		return fmt.Errorf("set journal aside: %w", err)
	}
	if err := os.Rename(folder, to); err != nil {
		return fmt.Errorf("set journal aside: %w", err)
	}
	c.aside = &aside{folder: to, known: known}
	return nil
}

// aside is a journal that another's reign made old, or a disk robbed of its end.
type aside struct {
	folder string
	known  uint64 // the last fact of it that the database has
}

// lookAside says what was in a journal that was set aside, and removes older
// ones. It takes its time, and so is done when this process leads already.
func (c *centre) lookAside() error {
	now := c.aside
	if now == nil {
		return nil
	}
	c.aside = nil
	level, lost := slog.LevelInfo, untold(now.folder, now.known)
	if lost > 0 {
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "journal set aside: the database knows more", "journal", now.folder, "steps_nobody_was_told", lost)
	all, err := filepath.Glob(c.journalFolder() + ".epoch-*")
	if err != nil {
		return fmt.Errorf("list journals set aside: %w", err)
	}
	slices.SortFunc(all, func(x, y string) int { return len(x) - len(y) + strings.Compare(x, y) })
	for len(all) > asideKept {
		if err := os.RemoveAll(all[0]); err != nil {
			return fmt.Errorf("remove old journal: %w", err)
		}
		all = all[1:]
	}
	return nil
}

// untold counts the steps of an old journal that never reached the database.
func untold(folder string, known uint64) (steps int) {
	j, err := journal.Open(journal.Config{Dir: folder})
	if err != nil {
		return 0 // it could not have told more
	}
	defer j.Close() //nolint:errcheck // nothing was written
	for _, err := range j.Records(known) {
		if err != nil {
			break
		}
		steps++
	}
	return steps
}
