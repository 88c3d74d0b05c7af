package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ringmaster/adapters/journal"
	"ringmaster/adapters/postgres"
	"ringmaster/adapters/speech"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/runner"
)

// centre is one tenant's floor during a tenure, and everything that is the
// tenant's own.
type centre struct {
	*tenure
	tenant    orchestrator.TenantID
	lease     orchestrator.Lease
	journal   *journal.Journal
	reader    *journal.Reader
	runner    *runner.Runner
	projector *postgres.Projector
	switches  *switchboard
	aside     *aside // a journal to be looked at
}

// openCentre restores a tenant's floor and gets everything ready; it starts
// nothing.
func (t *tenure) openCentre(ctx context.Context, tenant orchestrator.TenantID, lease orchestrator.Lease) (c *centre, err error) {
	c = &centre{tenure: t, tenant: tenant, lease: lease}
	opened := c
	defer func() { // "return nil, err" has set c by then
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	var projected uint64
	if !t.alone {
		if projected, err = t.store.Projected(ctx, tenant); err != nil {
			return nil, fmt.Errorf("look up the last projected fact of %s: %w", tenant, err)
		}
	}
	if err := c.openJournal(ctx, projected); err != nil {
		return nil, err
	}
	if err := c.openFloor(projected); err != nil {
		return nil, err
	}
	return c, c.newProjector(projected)
}

// errApart means that the tenants of this process do not go together: another
// leads one of them, and not the first.
var errApart = errors.New("another ringmaster leads one of the tenants")

// leaseOf is the lease under which a tenant is led. The first tenant's is the
// one that is waited for. Whoever has it takes those of the others from the same
// hand, so that the tenants of one process go from hand to hand together; from
// anybody else only what is free.
func (t *tenure) leaseOf(ctx context.Context, tenant orchestrator.TenantID, c claim) (orchestrator.Lease, error) {
	switch {
	case tenant == t.tenant:
		return c.lease, nil
	case c.alone:
		t.keeper.others[tenant] = t.memory.Epochs[tenant] + 1
		return orchestrator.Lease{Epoch: t.keeper.others[tenant], Holder: t.me}, nil
	}
	wish := orchestrator.LeaseClaim{Instance: t.me, Term: t.cfg.Lease, AtLeast: t.memory.Epochs[tenant] + 1, Force: c.forced}
	lease, err := t.store.AcquireLease(ctx, tenant, wish)
	if orchestrator.CodeOf(err) == orchestrator.CodeConflict && lease.Holder.ID == c.lease.Former {
		wish.Force = true // it led this one by the first tenant's lease, which is ours now
		lease, err = t.store.AcquireLease(ctx, tenant, wish)
	}
	switch {
	case orchestrator.CodeOf(err) == orchestrator.CodeConflict:
		return lease, fmt.Errorf("%w: %s has %s, and did not have %s; if it is gone for good, start this one with --take-over",
			errApart, lease.Holder.Name, tenant, t.tenant)
	case err != nil:
		return lease, fmt.Errorf("take the lease of %s: %w", tenant, err)
	}
	t.keeper.others[tenant] = lease.Epoch
	return lease, nil
}

// lastEpoch is the one this installation last led the tenant under.
func (c *centre) lastEpoch() uint64 {
	if c.tenant == c.App.tenant {
		return c.memory.Epoch
	}
	return c.memory.Epochs[c.tenant]
}

// remember notes the epoch this tenure leads the tenant under.
func (c *centre) remember() error {
	if c.tenant == c.App.tenant {
		return c.memory.lead(c.lease.Epoch)
	}
	return c.memory.leadAlso(c.tenant, c.lease.Epoch)
}

// openJournal opens this installation's journal if it is the newest word on the
// floor, and otherwise begins one where the database ends.
func (c *centre) openJournal(ctx context.Context, projected uint64) (err error) {
	past := c.past[c.tenant]
	delete(c.past, c.tenant)
	if c.newestHere() {
		if c.journal, err = c.open(); err != nil {
			return err
		}
		// Without the database, what is left here is the best there is.
		lost := c.journal.Recovery().Behind && !c.alone
		if c.journal.LastSeq() >= projected && !lost {
			return c.checkPast()
		}
		c.log.Warn("the journal is older than the database", "tenant", c.tenant, "journal", c.journal.LastSeq(), "database", projected)
		if err := c.journal.Close(); err != nil {
			return err
		}
	}
	if err := c.beginJournal(ctx, past); err != nil {
		return err
	}
	c.journal, err = c.open()
	return err
}

// newestHere reports whether nobody else has led since this journal's last fact.
func (c *centre) newestHere() bool {
	if c.alone || c.lastEpoch() != 0 {
		return c.alone || c.lease.Reign <= c.lastEpoch()
	}
	if c.tenant != c.App.tenant {
		return false
	}
	// Before there were leases a data folder counted its starts in this file.
	old := filepath.Join(c.cfg.Data, "epoch")
	_, err := os.Stat(old)
	return err == nil && !errors.Is(os.Remove(old), fs.ErrPermission)
}

func (c *centre) checkPast() error {
	if c.alone && c.journal.LastSeq() == 0 {
		return &orchestrator.Error{Code: orchestrator.CodeUnavailable, Message: "the journal is gone and the database is away"}
	}
	return nil
}

func (c *centre) open() (*journal.Journal, error) {
	j, err := journal.Open(journal.Config{Dir: c.journalFolder(), MaxBytes: c.cfg.JournalBytes})
	if err != nil {
		return nil, fmt.Errorf("open journal of %s: %w", c.tenant, err)
	}
	if torn := j.Recovery(); torn.TornBytes > 0 {
		c.log.Warn("cut off what a crash left unfinished", "file", torn.TornFile, "bytes", torn.TornBytes)
	}
	return j, nil
}

func (c *centre) openFloor(projected uint64) error {
	snapshot, _, err := c.journal.Snapshot()
	if err != nil {
		return fmt.Errorf("read snapshot of %s: %w", c.tenant, err)
	}
	voice, err := speech.New(speech.Config{Dir: filepath.Join(c.cfg.Prompts, "spoken")})
	if err != nil {
		return fmt.Errorf("set up speech: %w", err)
	}
	c.runner, err = runner.New(runner.Config{
		Tenant: c.tenant, Epoch: c.lease.Epoch, After: projected, Journal: c.journal, Full: journal.ErrFull,
		PINs: c.store, Voice: speaker{voice}, Log: c.log, Stalled: c.stalled, May: c.keeper.may,
	}, runner.Past{Image: snapshot.State, Records: func(yield func([]byte, error) bool) {
		for r, err := range c.journal.Records(snapshot.Seq) {
			if !yield(r.Payload, err) {
				return
			}
		}
	}})
	if err != nil {
		return fmt.Errorf("restore the floor of %s: %w", c.tenant, err)
	}
	c.switches = newSwitchboard(c)
	return nil
}

func (c *centre) close() error {
	var all error
	if c.reader != nil {
		all = c.reader.Close()
	}
	if c.journal != nil {
		all = errors.Join(all, c.journal.Close())
	}
	return all
}

// configure tells the floor the configuration as the store has it.
func (c *centre) configure(ctx context.Context) error {
	config, _, err := c.store.LoadConfig(ctx, c.tenant)
	if err != nil {
		return fmt.Errorf("load configuration of %s: %w", c.tenant, err)
	}
	if _, err := c.runner.Submit(ctx, orchestrator.ConfigChanged{Change: config}); err != nil {
		return fmt.Errorf("configure the floor of %s: %w", c.tenant, err)
	}
	return nil
}
