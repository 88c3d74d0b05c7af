package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ringmaster/orchestrator"
)

// Project implements orchestrator.FactStore.
func (s *Store) Project(
	ctx context.Context, tenant orchestrator.TenantID, facts []orchestrator.Fact,
) (orchestrator.Projection, error) {
	return s.projectUnder(ctx, tenant, anyEpoch, facts)
}

// anyEpoch is for whoever needs no lease: tests and tools.
const anyEpoch = math.MaxInt64

// ErrSuperseded means that another process leads the floor: what this one
// still has to tell is not wanted any more.
var ErrSuperseded = errors.New("the floor was taken over under a newer epoch")

func (s *Store) projectUnder(
	ctx context.Context, tenant orchestrator.TenantID, epoch uint64, facts []orchestrator.Fact,
) (orchestrator.Projection, error) {
	if err := checkOrder(facts); err != nil {
		return orchestrator.Projection{}, err
	}
	entries := make([]entry, 0, len(facts))
	for _, f := range facts {
		e, err := newEntry(f)
		if err != nil {
			return orchestrator.Projection{}, err
		}
		entries = append(entries, e)
	}
	done, err := s.project(ctx, writer{tenant, epoch}, entries)
	return done, translate("store facts of "+string(tenant), err)
}

func checkOrder(facts []orchestrator.Fact) error {
	for i := 1; i < len(facts); i++ {
		a, b := facts[i-1], facts[i]
		if b.Seq < a.Seq || b.Seq == a.Seq && b.Index <= a.Index {
			return &orchestrator.Error{Code: orchestrator.CodeInvalid, Message: fmt.Sprintf(
				"fact %d.%d comes after %d.%d", b.Seq, b.Index, a.Seq, a.Index)}
		}
	}
	return nil
}

// project stores the entries at once, or, when the database refuses one of
// them for what it holds, in halves until the step with that one is alone and
// is stored fact by fact. Every commit ends with a whole step: Projected tells
// where to go on.
func (s *Store) project(ctx context.Context, by writer, entries []entry) (orchestrator.Projection, error) {
	done, err := s.projectOnce(ctx, by, entries, together)
	if err == nil || !poisonous(err) {
		return done, err
	}
	half := middle(entries)
	if half == 0 {
		return s.projectOnce(ctx, by, entries, oneByOne)
	}
	first, err := s.project(ctx, by, entries[:half])
	if err != nil {
		return first, err
	}
	second, err := s.project(ctx, by, entries[half:])
	return orchestrator.Projection{
		Stored: first.Stored + second.Stored, Skipped: first.Skipped + second.Skipped,
		SetAside: first.SetAside + second.SetAside, Last: max(first.Last, second.Last),
	}, err
}

// writer is who stores facts: a lease of a tenant's floor.
type writer struct {
	tenant orchestrator.TenantID
	epoch  uint64
}

// middle is where a step ends near the middle, 0 when there is but one step.
func middle(entries []entry) int {
	first := entries[0].row.Seq
	for i := len(entries) / 2; i < len(entries); i++ {
		if i > 0 && entries[i].row.Seq != entries[i-1].row.Seq {
			return i
		}
	}
	for i := len(entries) / 2; i > 0 && entries[i].row.Seq != first; i-- {
		if entries[i].row.Seq != entries[i-1].row.Seq {
			return i
		}
	}
	return 0
}

// way is how a batch is stored.
type way bool

const (
	together way = true
	oneByOne way = false // so that one the database refuses can be left out
)

// projectOnce is one transaction.
func (s *Store) projectOnce(
	ctx context.Context, by writer, entries []entry, how way,
) (orchestrator.Projection, error) {
	var done orchestrator.Projection
	var aside []setAsideRow
	// COPY needs the connection below GORM's transaction.
	err := s.db.WithContext(ctx).Connection(func(conn *gorm.DB) error {
		raw, ok := conn.Statement.ConnPool.(*sql.Conn)
		if !ok {
			return errors.New("no connection below the transaction")
		}
		return conn.Transaction(func(tx *gorm.DB) error {
			fresh, err := s.unseen(tx, by, entries)
			if err != nil {
				return err
			}
			done = orchestrator.Projection{Skipped: len(entries) - len(fresh)}
			if len(fresh) == 0 {
				return nil
			}
			b := &batch{tx: tx, raw: raw, tenant: by.tenant}
			if err := b.put(fresh, how); err != nil {
				return err
			}
			aside = b.aside
			last := fresh[len(fresh)-1].row
			done.Last, done.Stored, done.SetAside = last.Seq, b.stored, len(aside)
			return s.advance(tx, by.tenant, last, aside)
		})
	})
	if err != nil {
		return orchestrator.Projection{}, err
	}
	for _, row := range aside {
		s.log.Error("fact set aside", "tenant", string(by.tenant), "seq", row.Seq, "index", row.Idx,
			"fact", row.Name, "stored", row.Stored, "reason", row.Reason)
	}
	return done, nil
}

// batch is entries on their way through one transaction.
type batch struct {
	tx     *gorm.DB
	raw    *sql.Conn
	tenant orchestrator.TenantID
	stored int
	aside  []setAsideRow
}

func (b *batch) put(entries []entry, how way) error {
	if how == together {
		return b.putAll(b.tx, entries)
	}
	for i := range entries {
		// A transaction inside one is a savepoint.
		err := b.tx.Transaction(func(tx *gorm.DB) error { return b.putAll(tx, entries[i:i+1]) })
		if err != nil && !poisonous(err) {
			return err
		}
		if err != nil {
			b.aside = append(b.aside, setAside(b.tenant, entries[i], false, err))
		}
	}
	return nil
}

func (b *batch) putAll(tx *gorm.DB, entries []entry) error {
	aside, err := derive(tx, b.tenant, entries)
	if err != nil {
		return err
	}
	if err := copyFacts(tx.Statement.Context, b.raw, b.tenant, entries); err != nil {
		return err
	}
	b.aside = append(b.aside, aside...)
	b.stored += len(entries)
	return nil
}

// unseen locks the tenant's cursor and returns the entries behind it.
func (s *Store) unseen(tx *gorm.DB, by writer, entries []entry) ([]entry, error) {
	var cursor projectionRow
	if err := only(tx, by.tenant).Clauses(clause.Locking{Strength: "UPDATE"}).Take(&cursor).Error; err != nil {
		return nil, err
	}
	if cursor.Epoch > by.epoch {
		return nil, fmt.Errorf("epoch %d after %d: %w", by.epoch, cursor.Epoch, ErrSuperseded)
	}
	seen := 0
	for seen < len(entries) && !after(entries[seen].row, cursor) {
		seen++
	}
	if seen > 0 {
		if err := checkSame(tx, by.tenant, entries[seen-1].row); err != nil {
			return nil, err
		}
	}
	return entries[seen:], nil
}

func after(r factRow, cursor projectionRow) bool {
	return r.Seq > cursor.Seq || r.Seq == cursor.Seq && r.Idx > cursor.Idx
}

// checkSame compares a fact that is there already with the one that came. A
// journal that was begun anew counts from 1 again: skipping its facts would
// lose them without a word.
func checkSame(tx *gorm.DB, tenant orchestrator.TenantID, came factRow) error {
	var count int64
	err := only(tx, tenant).Model(&factRow{}).
		Where("seq = ? AND idx = ? AND at = ? AND name = ?", came.Seq, came.Idx, came.At, came.Name).Count(&count).Error
	if err != nil || count > 0 {
		return err
	}
	err = only(tx, tenant).Model(&setAsideRow{}).
		Where("seq = ? AND idx = ? AND at = ? AND name = ?", came.Seq, came.Idx, came.At, came.Name).Count(&count).Error
	if err != nil || count > 0 {
		return err
	}
	return &orchestrator.Error{Code: orchestrator.CodeConflict, Message: fmt.Sprintf(
		"fact %d.%d (%s) is not the one stored under that number: the journal is not the one this database knows",
		came.Seq, came.Idx, came.Name)}
}

// derive folds the entries into their rows and says which made no sense.
func derive(tx *gorm.DB, tenant orchestrator.TenantID, entries []entry) ([]setAsideRow, error) {
	l := newLedger(tenant)
	if err := l.load(tx, entries); err != nil {
		return nil, err
	}
	var aside []setAsideRow
	for _, e := range entries {
		if err := l.fold(e.fact); err != nil {
			aside = append(aside, setAside(tenant, e, true, err))
		}
	}
	return aside, l.save(tx)
}

func setAside(tenant orchestrator.TenantID, e entry, stored bool, why error) setAsideRow {
	body, err := json.Marshal(e.fact.What)
	if err != nil {
		body = e.row.What
	}
	return setAsideRow{
		TenantID: string(tenant), Seq: e.row.Seq, Idx: e.row.Idx, At: e.row.At, Name: e.row.Name,
		Stored: stored, Reason: clean(why.Error()), Body: body,
	}
}

// advance writes what was set aside and moves the cursor.
func (s *Store) advance(tx *gorm.DB, tenant orchestrator.TenantID, last factRow, aside []setAsideRow) error {
	if len(aside) > 0 {
		if err := tx.CreateInBatches(&aside, batchRows).Error; err != nil {
			return err
		}
	}
	return only(tx.Model(&projectionRow{}), tenant).Updates(map[string]any{
		"seq": last.Seq, "idx": last.Idx, "moved_at": stamp(tx.NowFunc()),
	}).Error
}

// copyFacts sends the facts by COPY on the transaction's own connection. The
// cursor says that none of them is there.
func copyFacts(ctx context.Context, conn *sql.Conn, tenant orchestrator.TenantID, entries []entry) error {
	columns := []string{"tenant_id", "seq", "idx", "at", "name", "call_id", "what"}
	rows := pgx.CopyFromSlice(len(entries), func(i int) ([]any, error) {
		r := entries[i].row
		return []any{string(tenant), int64(r.Seq), int32(r.Idx), r.At, r.Name, r.CallID, r.What}, nil
	})
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("copy facts: the driver is %T", driver)
		}
		_, err := c.Conn().CopyFrom(ctx, pgx.Identifier{"fact"}, columns, rows)
		return err
	})
}

// Projected implements orchestrator.FactStore.
func (s *Store) Projected(ctx context.Context, tenant orchestrator.TenantID) (uint64, error) {
	var cursor projectionRow
	err := s.of(ctx, tenant).Take(&cursor).Error
	return cursor.Seq, translate("read projection of "+string(tenant), err)
}
