package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"

	"ringmaster/orchestrator"
)

// Bounds of one answer.
const (
	defaultCalls     = 50
	maxCalls         = 200
	defaultIntervals = 1000
	maxIntervals     = 5000
	// maxParts bounds legs, visits and offers of one call: each is bounded by
	// the floor, and this is far above what it allows.
	maxParts = 5000
)

// idSlack is how far a call's id and its arrival may lie apart. They are the
// same instant; the slack only widens which partitions are looked at.
const idSlack = 24 * time.Hour

// Calls implements orchestrator.History.
func (s *Store) Calls(
	ctx context.Context, tenant orchestrator.TenantID, query orchestrator.CallQuery,
) (orchestrator.CallPage, error) {
	limit, err := checkLimit(query.Limit, defaultCalls, maxCalls)
	if err != nil {
		return orchestrator.CallPage{}, err
	}
	tx, err := narrow(s.of(ctx, tenant), query)
	if err != nil {
		return orchestrator.CallPage{}, err
	}
	var rows []callRow
	// One more than asked for says whether there is another page.
	if err := tx.Order("id DESC").Limit(limit + 1).Find(&rows).Error; err != nil {
		return orchestrator.CallPage{}, translate("list calls", err)
	}
	var page orchestrator.CallPage
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = rows[limit-1].ID
	}
	page.Calls = make([]orchestrator.CallRecord, len(rows))
	for i, r := range rows {
		page.Calls[i] = r.record()
	}
	return page, nil
}

// narrow adds the query's filters. Each is a constant text with parameters.
func narrow(tx *gorm.DB, q orchestrator.CallQuery) (*gorm.DB, error) {
	if !q.From.IsZero() {
		tx = tx.Where("arrived_at >= ? AND id >= ?", stamp(q.From), uuidFloor(q.From.Add(-idSlack)))
	}
	if !q.To.IsZero() {
		tx = tx.Where("arrived_at < ? AND id < ?", stamp(q.To), uuidFloor(q.To.Add(idSlack)))
	}
	if q.Queue != "" {
		tx = tx.Where("EXISTS (SELECT 1 FROM queue_visit v WHERE v.tenant_id = call.tenant_id AND v.call_id = call.id"+
			" AND v.queue_id = ?)", string(q.Queue))
	}
	if q.Agent != "" {
		tx = tx.Where("EXISTS (SELECT 1 FROM offer o WHERE o.tenant_id = call.tenant_id AND o.call_id = call.id"+
			" AND o.agent_id = ? AND o.connected)", string(q.Agent))
	}
	if q.Outcome.Result != "" {
		tx = tx.Where("result = ?", string(q.Outcome.Result))
	}
	if q.Outcome.Reason != "" {
		tx = tx.Where("reason = ?", string(q.Outcome.Reason))
	}
	if q.Number != "" {
		tx = tx.Where("(caller_number = ? OR dialled = ?)", q.Number, q.Number)
	}
	if q.Internal != nil {
		tx = tx.Where("(direction = ?) = ?", string(orchestrator.CallInternal), *q.Internal)
	}
	switch q.State {
	case "":
	case orchestrator.CallOpen:
		tx = tx.Where("ended_at IS NULL")
	case orchestrator.CallClosed:
		tx = tx.Where("ended_at IS NOT NULL")
	default:
		return nil, &orchestrator.Error{Code: orchestrator.CodeInvalid, Field: "state", Message: "must be open or ended"}
	}
	if q.Cursor != "" {
		if checkUUID("cursor", q.Cursor) != nil {
			return nil, &orchestrator.Error{Code: orchestrator.CodeInvalid, Field: "cursor", Message: "is not one we gave"}
		}
		tx = tx.Where("id < ?", q.Cursor)
	}
	return tx, nil
}

func checkLimit(asked, usual, most int) (int, error) {
	switch {
	case asked == 0:
		return usual, nil
	case asked < 0 || asked > most:
		return 0, &orchestrator.Error{
			Code: orchestrator.CodeInvalid, Field: "limit", Message: fmt.Sprintf("must be 1 to %d", most),
		}
	}
	return asked, nil
}

// uuidFloor is the least UUIDv7 of an instant, as uuid_floor in SQL.
func uuidFloor(t time.Time) string {
	ms := max(t.UnixMilli(), 0) & (1<<48 - 1)
	return fmt.Sprintf("%08x-%04x-0000-0000-000000000000", ms>>16, ms&0xffff)
}

// Call implements orchestrator.History.
func (s *Store) Call(
	ctx context.Context, tenant orchestrator.TenantID, id orchestrator.CallID,
) (orchestrator.CallStory, error) {
	did := "read call " + clean(string(id))
	if checkUUID("call", string(id)) != nil {
		return orchestrator.CallStory{}, translate(did, gorm.ErrRecordNotFound)
	}
	var story orchestrator.CallStory
	// One snapshot, so that the parts fit together while the call goes on.
	once := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		story = orchestrator.CallStory{}
		var row callRow
		if err := only(tx, tenant).Where("id = ?", string(id)).Take(&row).Error; err != nil {
			return err
		}
		story.Call = row.record()
		if err := tellParts(only(tx, tenant).Where("call_id = ?", string(id)), &story); err != nil {
			return err
		}
		return tellFacts(only(tx, tenant).Where("call_id = ? AND at >= ?", string(id), row.ArrivedAt), &story)
	}, once)
	if err != nil {
		return orchestrator.CallStory{}, translate(did, err)
	}
	return story, nil
}

// tellParts reads what tx, narrowed to one call, finds in each table.
func tellParts(tx *gorm.DB, story *orchestrator.CallStory) error {
	tx = tx.Order("seq, idx").Limit(maxParts).Session(&gorm.Session{})
	var legs []legRow
	if err := tx.Find(&legs).Error; err != nil {
		return err
	}
	for _, r := range legs {
		story.Legs = append(story.Legs, r.record())
	}
	var visits []visitRow
	if err := tx.Find(&visits).Error; err != nil {
		return err
	}
	for _, r := range visits {
		story.Visits = append(story.Visits, r.record())
	}
	var offers []offerRow
	if err := tx.Find(&offers).Error; err != nil {
		return err
	}
	for _, r := range offers {
		offer, err := r.record()
		if err != nil {
			return err
		}
		story.Offers = append(story.Offers, offer)
	}
	return nil
}

func tellFacts(tx *gorm.DB, story *orchestrator.CallStory) error {
	var rows []factRow
	if err := tx.Order("seq, idx").Limit(orchestrator.MaxStoryFacts + 1).Find(&rows).Error; err != nil {
		return err
	}
	if len(rows) > orchestrator.MaxStoryFacts {
		rows, story.MoreFacts = rows[:orchestrator.MaxStoryFacts], true
	}
	for _, r := range rows {
		f, err := r.fact()
		if err != nil {
			return err
		}
		story.Facts = append(story.Facts, f)
	}
	return nil
}
