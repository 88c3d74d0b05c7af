package postgres

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ringmaster/orchestrator"
)

// entry is a fact on its way into the database.
type entry struct {
	fact orchestrator.Fact
	row  factRow
	refs references
}

// references are the things a fact speaks of. All facts use these names.
type references struct {
	Call  string `json:"call"`
	Leg   string `json:"leg"`
	From  string `json:"from"` // the call a leg was moved out of; elsewhere a switch or a phone
	Offer string `json:"offer"`
	Agent string `json:"agent"`
}

func newEntry(f orchestrator.Fact) (entry, error) {
	if f.Seq > math.MaxInt64 || f.Index < 0 || f.Index > math.MaxInt32 {
		return entry{}, fmt.Errorf("encode fact %d.%d: its place is out of range", f.Seq, f.Index)
	}
	name := orchestrator.FactName(f.What)
	if name == "" {
		return entry{}, fmt.Errorf("encode fact %d.%d: %T has no name", f.Seq, f.Index, f.What)
	}
	what, err := json.Marshal(f.What)
	if err != nil {
		return entry{}, fmt.Errorf("encode fact %d.%d: %w", f.Seq, f.Index, err)
	}
	row := factRow{Seq: f.Seq, Idx: f.Index, At: stamp(f.At), Name: name, What: cleanJSON(what)}
	// What is folded is what a rebuild will read: the same fact, made of the
	// same text.
	if f, err = row.fact(); err != nil {
		return entry{}, err
	}
	return newEntryOf(f, row), nil
}

// newEntryOf finds out what a fact is about. A fact about configuration has
// lists where others have names, and refers to nothing.
func newEntryOf(f orchestrator.Fact, row factRow) entry {
	e := entry{fact: f, row: row}
	if _, config := f.What.(orchestrator.ConfigApplied); config {
		return e
	}
	if err := json.Unmarshal(row.What, &e.refs); err != nil {
		e.refs = references{}
	}
	if checkUUID("call", e.refs.Call) == nil {
		e.row.CallID = &e.refs.Call
	}
	return e
}

// load fetches the rows the entries are about.
func (l *ledger) load(tx *gorm.DB, entries []entry) error {
	var calls, legs, offers, agents list
	for _, e := range entries {
		if e.row.CallID != nil {
			calls = append(calls, e.refs.Call)
		}
		if checkUUID("call", e.refs.From) == nil {
			calls = append(calls, e.refs.From)
		}
		if e.refs.Leg != "" {
			legs = append(legs, clean(e.refs.Leg))
		}
		if checkUUID("offer", e.refs.Offer) == nil {
			offers = append(offers, e.refs.Offer)
		}
		if _, changed := e.fact.What.(orchestrator.AgentChanged); changed {
			agents = append(agents, clean(e.refs.Agent))
		}
	}
	if err := l.loadCalls(tx, distinct(calls), distinct(legs), distinct(offers)); err != nil {
		return err
	}
	return l.loadAgents(tx, distinct(agents))
}

func distinct(l list) list {
	slices.Sort(l)
	return slices.Compact(l)
}

func (l *ledger) loadCalls(tx *gorm.DB, ids, legs, offers list) error {
	if len(ids) == 0 {
		return nil
	}
	tenant := orchestrator.TenantID(l.tenant)
	var calls []callRow
	if err := only(tx, tenant).Where("id = ANY(?)", ids).Find(&calls).Error; err != nil {
		return err
	}
	for _, r := range calls {
		l.calls.add(r.ID, r)
	}
	var visits []visitRow
	if err := only(tx, tenant).Where("call_id = ANY(?) AND left_at IS NULL", ids).Find(&visits).Error; err != nil {
		return err
	}
	for _, r := range visits {
		key := placeKey{r.CallID, r.Seq, r.Idx}
		l.visits.add(key, r)
		l.waiting[r.CallID] = key
	}
	return l.loadLegs(tx, ids, legs, offers)
}

func (l *ledger) loadLegs(tx *gorm.DB, calls, legIDs, offerIDs list) error {
	tenant := orchestrator.TenantID(l.tenant)
	if len(legIDs) > 0 {
		var legs []legRow
		if err := only(tx, tenant).Where("call_id = ANY(?) AND id = ANY(?)", calls, legIDs).Find(&legs).Error; err != nil {
			return err
		}
		for _, r := range legs {
			l.legs.add(legKey{r.CallID, r.ID}, r)
		}
	}
	if len(offerIDs) > 0 {
		var offers []offerRow
		if err := only(tx, tenant).Where("call_id = ANY(?) AND id = ANY(?)", calls, offerIDs).Find(&offers).Error; err != nil {
			return err
		}
		for _, r := range offers {
			l.offers.add(r.ID, r)
		}
	}
	return nil
}

func (l *ledger) loadAgents(tx *gorm.DB, agents list) error {
	if len(agents) == 0 {
		return nil
	}
	var rows []intervalRow
	err := only(tx, orchestrator.TenantID(l.tenant)).Where("agent_id = ANY(?) AND to_at IS NULL", agents).Find(&rows).Error
	for _, r := range rows {
		key := placeKey{r.AgentID, r.Seq, r.Idx}
		l.intervals.add(key, r)
		l.doing[r.AgentID] = key
	}
	return err
}

// batchRows keeps one statement below PostgreSQL's 65,535 parameters.
const batchRows = 500

// save writes every row that changed. Intervals are in the order of their
// facts, so one is closed before the agent's next is opened.
func (l *ledger) save(tx *gorm.DB) error {
	if err := upsert(tx, l.calls.changed()); err != nil {
		return fmt.Errorf("save calls: %w", err)
	}
	if err := upsert(tx, l.legs.changed()); err != nil {
		return fmt.Errorf("save legs: %w", err)
	}
	if err := upsert(tx, l.visits.changed()); err != nil {
		return fmt.Errorf("save visits: %w", err)
	}
	if err := upsert(tx, l.offers.changed()); err != nil {
		return fmt.Errorf("save offers: %w", err)
	}
	if err := upsert(tx, l.intervals.changed()); err != nil {
		return fmt.Errorf("save agent intervals: %w", err)
	}
	return nil
}

func upsert[R any](tx *gorm.DB, rows []*R) error {
	if len(rows) == 0 {
		return nil
	}
	return tx.Clauses(clause.OnConflict{UpdateAll: true}).CreateInBatches(rows, batchRows).Error
}
