package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"ringmaster/orchestrator"
)

// AgentIntervals implements orchestrator.History.
func (s *Store) AgentIntervals(
	ctx context.Context, tenant orchestrator.TenantID, query orchestrator.IntervalQuery,
) ([]orchestrator.AgentInterval, error) {
	limit, err := checkLimit(query.Limit, defaultIntervals, maxIntervals)
	if err != nil {
		return nil, err
	}
	tx := s.of(ctx, tenant)
	if query.Agent != "" {
		tx = tx.Where("agent_id = ?", string(query.Agent))
	}
	if !query.From.IsZero() {
		tx = tx.Where("(to_at > ? OR to_at IS NULL)", stamp(query.From))
	}
	if !query.To.IsZero() {
		tx = tx.Where("from_at < ?", stamp(query.To))
	}
	var rows []intervalRow
	if err := tx.Order("from_at, seq, idx").Limit(limit).Find(&rows).Error; err != nil {
		return nil, translate("list agent intervals", err)
	}
	out := make([]orchestrator.AgentInterval, len(rows))
	for i, r := range rows {
		out[i] = r.record()
	}
	return out, nil
}

// One index look-up per agent, however long their history.
const (
	standingsBefore = `SELECT i.* FROM unnest(?::text[]) AS wanted(id) CROSS JOIN LATERAL (
		SELECT * FROM agent_interval WHERE tenant_id = ? AND agent_id = wanted.id AND (seq, idx) < (?, ?)
		ORDER BY seq DESC, idx DESC LIMIT 1) AS i`
	standingsAt = `SELECT i.* FROM unnest(?::text[]) AS wanted(id) CROSS JOIN LATERAL (
		SELECT * FROM agent_interval WHERE tenant_id = ? AND agent_id = wanted.id AND from_at <= ?
		ORDER BY from_at DESC, seq DESC, idx DESC LIMIT 1) AS i`
)

// StandingsAt implements orchestrator.History.
func (s *Store) StandingsAt(
	ctx context.Context, tenant orchestrator.TenantID, queue orchestrator.QueueID, when orchestrator.Moment,
) ([]orchestrator.Standing, error) {
	did := "read standings in queue " + clean(string(queue))
	config, err := s.queueAt(ctx, tenant, queue, when)
	if err != nil {
		return nil, translate(did, err)
	}
	ids := make(list, len(config.Agents))
	for i, a := range config.Agents {
		ids[i] = string(a.Agent)
	}
	var query *gorm.DB
	if when.Seq > 0 {
		query = s.db.WithContext(ctx).Raw(standingsBefore, ids, string(tenant), when.Seq, when.Index)
	} else {
		query = s.db.WithContext(ctx).Raw(standingsAt, ids, string(tenant), stamp(when.At))
	}
	var rows []intervalRow
	if err := query.Scan(&rows).Error; err != nil {
		return nil, translate(did, err)
	}
	known := make(map[orchestrator.AgentID]intervalRow, len(rows))
	for _, r := range rows {
		known[orchestrator.AgentID(r.AgentID)] = r
	}
	out := make([]orchestrator.Standing, len(config.Agents))
	for i, a := range config.Agents {
		out[i].Level = a.Level
		out[i].AgentInterval = orchestrator.AgentInterval{Agent: a.Agent, State: orchestrator.AgentLoggedOut}
		if r, ok := known[a.Agent]; ok {
			out[i].AgentInterval = r.record()
		}
	}
	return out, nil
}

// queueAt is the queue's configuration at an instant: that of the last change
// before which named it.
func (s *Store) queueAt(
	ctx context.Context, tenant orchestrator.TenantID, id orchestrator.QueueID, when orchestrator.Moment,
) (orchestrator.Queue, error) {
	added, err := json.Marshal([]map[string]string{{"id": string(id)}})
	if err != nil {
		return orchestrator.Queue{}, fmt.Errorf("encode queue id: %w", err)
	}
	removed, err := json.Marshal([]orchestrator.Removal{{Kind: orchestrator.KindQueue, ID: string(id)}})
	if err != nil {
		return orchestrator.Queue{}, fmt.Errorf("encode queue id: %w", err)
	}
	var row changeRow
	err = s.of(ctx, tenant).
		Where("at <= ? AND (change -> 'queues' @> ? OR change -> 'removed' @> ?)", stamp(when.At), string(added), string(removed)).
		Order("version DESC").Limit(1).Take(&row).Error
	if err != nil {
		return orchestrator.Queue{}, err
	}
	var change orchestrator.Config
	if err := json.Unmarshal(row.Change, &change); err != nil {
		return orchestrator.Queue{}, fmt.Errorf("read change %d: %w", row.Version, err)
	}
	for _, q := range change.Queues {
		if q.ID == id {
			return q, nil
		}
	}
	return orchestrator.Queue{}, gorm.ErrRecordNotFound // the change removed it
}
