package postgres

import (
	"encoding/json"
	"fmt"
	"time"

	"ringmaster/orchestrator"
)

// Rows of the derived tables and their mapping to the domain's records. Empty
// texts stand for "none", NULL only for instants and ids that have no empty
// form.

type callRow struct {
	TenantID     string `gorm:"primaryKey"`
	ID           string `gorm:"primaryKey"`
	Direction    string
	AgentID      string
	SwitchID     string
	CallerNumber string
	CallerName   string
	Dialled      string
	FlowID       string
	FlowVersion  uint64
	ArrivedAt    time.Time
	AnsweredAt   *time.Time
	ConnectedAt  *time.Time
	LostAt       *time.Time
	EndedAt      *time.Time
	FirstQueueID string
	LastQueueID  string
	FirstAgentID string
	LastAgentID  string
	Offers       int
	Result       string
	Reason       string
	TotalMs      int64
	FlowMs       int64
	QueueMs      int64
	TalkMs       int64
	HoldMs       int64
}

func (callRow) TableName() string { return "call" }

func (r callRow) record() orchestrator.CallRecord {
	return orchestrator.CallRecord{
		ID: orchestrator.CallID(r.ID), Direction: orchestrator.CallDirection(r.Direction), By: orchestrator.AgentID(r.AgentID),
		Switch: orchestrator.SwitchID(r.SwitchID), Caller: orchestrator.Party{Number: r.CallerNumber, Name: r.CallerName}, Dialled: r.Dialled,
		Flow: orchestrator.FlowID(r.FlowID), FlowVersion: r.FlowVersion,
		Arrived: r.ArrivedAt, Answered: instant(r.AnsweredAt), Connected: instant(r.ConnectedAt), Lost: instant(r.LostAt), Ended: instant(r.EndedAt),
		FirstQueue: orchestrator.QueueID(r.FirstQueueID), LastQueue: orchestrator.QueueID(r.LastQueueID),
		FirstAgent: orchestrator.AgentID(r.FirstAgentID), LastAgent: orchestrator.AgentID(r.LastAgentID), Offers: r.Offers,
		Outcome: orchestrator.Outcome{Result: orchestrator.Result(r.Result), Reason: orchestrator.Reason(r.Reason)},
		Times: orchestrator.Times{
			Total: orchestrator.Millis(r.TotalMs), Flow: orchestrator.Millis(r.FlowMs), Queue: orchestrator.Millis(r.QueueMs),
			Talk: orchestrator.Millis(r.TalkMs), Hold: orchestrator.Millis(r.HoldMs),
		},
	}
}

type legRow struct {
	TenantID   string `gorm:"primaryKey"`
	CallID     string `gorm:"primaryKey"`
	ID         string `gorm:"primaryKey"`
	Seq        uint64
	Idx        int
	SwitchID   string
	Role       string
	Endpoint   string
	AgentID    string
	SIPCallID  string `gorm:"column:sip_call_id"`
	StartedAt  time.Time
	RangAt     *time.Time
	AnsweredAt *time.Time
	HeldSince  *time.Time
	EndedAt    *time.Time
	Cause      int
	SIPStatus  int `gorm:"column:sip_status"`
	EndedBy    string
	HeldMs     int64
}

func (legRow) TableName() string { return "leg" }

func (r legRow) record() orchestrator.LegRecord {
	return orchestrator.LegRecord{
		ID: orchestrator.LegID(r.ID), Call: orchestrator.CallID(r.CallID), Switch: orchestrator.SwitchID(r.SwitchID),
		Role: orchestrator.LegRole(r.Role), Endpoint: r.Endpoint, Agent: orchestrator.AgentID(r.AgentID), SIPCall: r.SIPCallID,
		Started: r.StartedAt, Rang: instant(r.RangAt), Answered: instant(r.AnsweredAt), Ended: instant(r.EndedAt),
		Held: orchestrator.Millis(r.HeldMs), Cause: r.Cause, SIP: r.SIPStatus, By: orchestrator.EndedBy(r.EndedBy),
	}
}

type visitRow struct {
	TenantID     string `gorm:"primaryKey"`
	CallID       string `gorm:"primaryKey"`
	Seq          uint64 `gorm:"primaryKey;autoIncrement:false"`
	Idx          int    `gorm:"primaryKey;autoIncrement:false"`
	QueueID      string
	QueueVersion uint64
	Priority     int
	ArrivedAt    time.Time
	JoinedAt     time.Time
	LeftAt       *time.Time
	Reason       string
	WaitedMs     int64
}

func (visitRow) TableName() string { return "queue_visit" }

func (r visitRow) record() orchestrator.VisitRecord {
	return orchestrator.VisitRecord{
		Call: orchestrator.CallID(r.CallID), Queue: orchestrator.QueueID(r.QueueID), Version: r.QueueVersion,
		Priority: r.Priority, Arrived: r.ArrivedAt, Joined: r.JoinedAt, Left: instant(r.LeftAt),
		Reason: orchestrator.Reason(r.Reason), Waited: orchestrator.Millis(r.WaitedMs),
	}
}

type offerRow struct {
	TenantID  string `gorm:"primaryKey"`
	CallID    string `gorm:"primaryKey"`
	ID        string `gorm:"primaryKey"`
	Seq       uint64
	Idx       int
	QueueID   string
	AgentID   string
	PhoneID   string
	LegID     string
	MadeAt    time.Time
	RingUntil time.Time
	EndedAt   *time.Time
	Outcome   string
	Cause     int
	SIPStatus int `gorm:"column:sip_status"`
	NotBefore *time.Time
	Connected bool
	Decision  []byte
	RangMs    int64
}

func (offerRow) TableName() string { return "offer" }

func (r offerRow) record() (orchestrator.OfferRecord, error) {
	record := orchestrator.OfferRecord{
		ID: orchestrator.OfferID(r.ID), Call: orchestrator.CallID(r.CallID), Queue: orchestrator.QueueID(r.QueueID),
		Agent: orchestrator.AgentID(r.AgentID), Phone: orchestrator.PhoneID(r.PhoneID), Leg: orchestrator.LegID(r.LegID),
		Made: r.MadeAt, RingUntil: r.RingUntil, Ended: instant(r.EndedAt), Outcome: orchestrator.OfferOutcome(r.Outcome),
		Cause: r.Cause, SIP: r.SIPStatus, Rang: orchestrator.Millis(r.RangMs), NotBefore: instant(r.NotBefore),
		Seq: r.Seq, Index: r.Idx,
	}
	if err := json.Unmarshal(r.Decision, &record.Decision); err != nil {
		return record, fmt.Errorf("read decision of offer %s: %w", r.ID, err)
	}
	return record, nil
}

type intervalRow struct {
	TenantID string `gorm:"primaryKey"`
	AgentID  string `gorm:"primaryKey"`
	Seq      uint64 `gorm:"primaryKey;autoIncrement:false"`
	Idx      int    `gorm:"primaryKey;autoIncrement:false"`
	State    string
	Reason   string
	PhoneID  string
	CallID   *string
	QueueID  string
	FromAt   time.Time
	ToAt     *time.Time
}

func (intervalRow) TableName() string { return "agent_interval" }

func (r intervalRow) record() orchestrator.AgentInterval {
	record := orchestrator.AgentInterval{
		Agent: orchestrator.AgentID(r.AgentID), State: orchestrator.AgentState(r.State), Reason: r.Reason,
		Phone: orchestrator.PhoneID(r.PhoneID), Queue: orchestrator.QueueID(r.QueueID), From: r.FromAt, To: instant(r.ToAt),
	}
	if r.CallID != nil {
		record.Call = orchestrator.CallID(*r.CallID)
	}
	return record
}

type projectionRow struct {
	TenantID string `gorm:"primaryKey"`
	Seq      uint64
	Idx      int
	MovedAt  time.Time
	Epoch    uint64
}

func (projectionRow) TableName() string { return "projection" }

type setAsideRow struct {
	TenantID string `gorm:"primaryKey"`
	Seq      uint64 `gorm:"primaryKey;autoIncrement:false"`
	Idx      int    `gorm:"primaryKey;autoIncrement:false"`
	At       time.Time
	Name     string
	Stored   bool
	Reason   string
	Body     []byte
}

func (setAsideRow) TableName() string { return "fact_set_aside" }

// factRow is a fact with what the database and the fold need to find it by.
type factRow struct {
	Seq    uint64
	Idx    int
	At     time.Time
	Name   string
	CallID *string
	What   []byte
}

func (factRow) TableName() string { return "fact" }

// fact decodes a stored fact.
func (r factRow) fact() (orchestrator.Fact, error) {
	// The codec reads one line of JSON, and what is its only nested part.
	line := fmt.Appendf(nil, `{"seq":%d,"index":%d,"at":%q,"fact":%q,"what":`,
		r.Seq, r.Idx, r.At.Format(time.RFC3339Nano), r.Name)
	line = append(append(line, r.What...), '}')
	return orchestrator.UnmarshalFact(line)
}
