package postgres

import (
	"encoding/json"
	"fmt"
	"time"

	"ringmaster/orchestrator"
)

// ledger folds facts into the rows of calls, legs, visits, offers and
// intervals. It is given the stored rows the facts are about and does no I/O.
//
// Facts of the floor's inner workings (plays, digits, music, bridges) change no
// row: they are a call's timeline, read from the fact table.
type ledger struct {
	tenant    string
	calls     book[string, callRow]
	legs      book[legKey, legRow]
	visits    book[placeKey, visitRow]
	offers    book[string, offerRow]
	intervals book[placeKey, intervalRow]

	waiting map[string]placeKey // the open visit of a call
	doing   map[string]placeKey // the open interval of an agent
}

type legKey struct{ call, leg string }

// placeKey names a row by the fact that opened it.
type placeKey struct {
	owner string // call or agent
	seq   uint64
	idx   int
}

func newLedger(tenant orchestrator.TenantID) *ledger {
	return &ledger{
		tenant: string(tenant),
		calls:  newBook[string, callRow](), legs: newBook[legKey, legRow](), visits: newBook[placeKey, visitRow](),
		offers: newBook[string, offerRow](), intervals: newBook[placeKey, intervalRow](),
		waiting: make(map[string]placeKey), doing: make(map[string]placeKey),
	}
}

// fold takes one fact in. The error says why the fact makes no sense in its
// place; the rows are then as before.
func (l *ledger) fold(f orchestrator.Fact) error {
	switch d := f.What.(type) {
	case orchestrator.CallArrived:
		return l.callArrived(f, d)
	case orchestrator.CallQueued:
		return l.callQueued(f, d)
	case orchestrator.CallLeftQueue:
		return l.callLeftQueue(f, d)
	case orchestrator.CallConnected:
		return l.callConnected(f, d)
	case orchestrator.CallLost:
		return l.callLost(d)
	case orchestrator.CallEnded:
		return l.callEnded(f, d)
	case orchestrator.OfferMade:
		return l.offerMade(f, d)
	case orchestrator.OfferEnded:
		return l.offerEnded(f, d)
	case orchestrator.AgentChanged:
		return l.agentChanged(f, d)
	}
	return l.foldLeg(f)
}

func (l *ledger) callArrived(f orchestrator.Fact, d orchestrator.CallArrived) error {
	id := string(d.Call)
	if err := checkUUID("call", id); err != nil {
		return err
	}
	if l.calls.rows[id] != nil {
		return fmt.Errorf("call %s arrived before", id)
	}
	l.calls.insert(id, callRow{
		TenantID: l.tenant, ID: id, Direction: clean(string(d.Direction)), AgentID: clean(string(d.Agent)), SwitchID: clean(string(d.Switch)), CallerNumber: clean(d.Caller.Number),
		CallerName: clean(d.Caller.Name), Dialled: clean(d.Dialled), FlowID: clean(string(d.Flow)),
		FlowVersion: d.FlowVersion, ArrivedAt: stamp(f.At),
	})
	return nil
}

func (l *ledger) callQueued(f orchestrator.Fact, d orchestrator.CallQueued) error {
	id := string(d.Call)
	if l.calls.rows[id] == nil {
		return noCall(d.Call)
	}
	if key, waits := l.waiting[id]; waits {
		return fmt.Errorf("call %s waits in queue %s already", id, l.visits.rows[key].QueueID)
	}
	call := l.calls.edit(id)
	call.LastQueueID = clean(string(d.Queue))
	if call.FirstQueueID == "" {
		call.FirstQueueID = call.LastQueueID
	}
	key := placeKey{id, f.Seq, f.Index}
	l.waiting[id] = key
	l.visits.insert(key, visitRow{
		TenantID: l.tenant, CallID: id, Seq: f.Seq, Idx: f.Index, QueueID: call.LastQueueID, QueueVersion: d.Version,
		Priority: d.Priority, ArrivedAt: stamp(d.Arrived), JoinedAt: stamp(f.At),
	})
	return nil
}

func (l *ledger) callLeftQueue(f orchestrator.Fact, d orchestrator.CallLeftQueue) error {
	key, waits := l.waiting[string(d.Call)]
	if !waits || l.visits.rows[key].QueueID != clean(string(d.Queue)) {
		return fmt.Errorf("call %s does not wait in queue %s", d.Call, d.Queue)
	}
	delete(l.waiting, string(d.Call))
	visit := l.visits.edit(key)
	visit.LeftAt = maybe(f.At)
	if call := l.calls.rows[string(d.Call)]; call != nil && call.LostAt != nil {
		visit.LeftAt = maybe(latest(*call.LostAt, visit.JoinedAt))
	}
	visit.Reason = clean(string(d.Reason))
	visit.WaitedMs = int64(d.Waited)
	return nil
}

func (l *ledger) callConnected(f orchestrator.Fact, d orchestrator.CallConnected) error {
	offer := l.offers.rows[string(d.Offer)]
	if l.calls.rows[string(d.Call)] == nil {
		return noCall(d.Call)
	}
	if offer == nil {
		return noOffer(d.Offer)
	}
	l.offers.edit(string(d.Offer)).Connected = true
	call := l.calls.edit(string(d.Call))
	call.LastAgentID = clean(string(d.Agent))
	if call.FirstAgentID == "" {
		call.FirstAgentID = call.LastAgentID
	}
	if call.ConnectedAt == nil {
		call.ConnectedAt = maybe(f.At)
	}
	return nil
}

func (l *ledger) callLost(d orchestrator.CallLost) error {
	if l.calls.rows[string(d.Call)] == nil {
		return noCall(d.Call)
	}
	l.calls.edit(string(d.Call)).LostAt = maybe(d.Since)
	return nil
}

func (l *ledger) callEnded(f orchestrator.Fact, d orchestrator.CallEnded) error {
	id := string(d.Call)
	switch stored := l.calls.rows[id]; {
	case stored == nil:
		return noCall(d.Call)
	case stored.EndedAt != nil:
		return fmt.Errorf("call %s ended before", id)
	}
	call := l.calls.edit(id)
	call.EndedAt = maybe(f.At)
	if call.LostAt != nil { // but not before it arrived, whatever a clock says
		call.EndedAt = maybe(latest(*call.LostAt, call.ArrivedAt))
	}
	call.Result, call.Reason = clean(string(d.Outcome.Result)), clean(string(d.Outcome.Reason))
	call.TotalMs, call.FlowMs, call.QueueMs = int64(d.Times.Total), int64(d.Times.Flow), int64(d.Times.Queue)
	call.TalkMs, call.HoldMs = int64(d.Times.Talk), int64(d.Times.Hold)
	return nil
}

func (l *ledger) offerMade(f orchestrator.Fact, d orchestrator.OfferMade) error {
	id := string(d.Offer)
	if err := checkUUID("offer", id); err != nil {
		return err
	}
	if l.calls.rows[string(d.Call)] == nil {
		return noCall(d.Call)
	}
	if l.offers.rows[id] != nil {
		return fmt.Errorf("offer %s was made before", id)
	}
	decision, err := json.Marshal(d.Decision)
	if err != nil {
		return fmt.Errorf("encode decision: %w", err)
	}
	l.calls.edit(string(d.Call)).Offers++
	l.offers.insert(id, offerRow{
		TenantID: l.tenant, CallID: string(d.Call), ID: id, Seq: f.Seq, Idx: f.Index, QueueID: clean(string(d.Queue)),
		AgentID: clean(string(d.Agent)), PhoneID: clean(string(d.Phone)), LegID: clean(string(d.Leg)),
		MadeAt: stamp(f.At), RingUntil: stamp(d.RingUntil), Decision: cleanJSON(decision),
	})
	return nil
}

func (l *ledger) offerEnded(f orchestrator.Fact, d orchestrator.OfferEnded) error {
	switch stored := l.offers.rows[string(d.Offer)]; {
	case stored == nil:
		return noOffer(d.Offer)
	case stored.EndedAt != nil:
		return fmt.Errorf("offer %s ended before", d.Offer)
	}
	offer := l.offers.edit(string(d.Offer))
	offer.EndedAt, offer.NotBefore = maybe(f.At), maybe(d.NotBefore)
	offer.Outcome, offer.Cause, offer.SIPStatus = clean(string(d.Outcome)), d.Cause, d.SIP
	offer.RangMs = int64(d.Rang)
	return nil
}

func (l *ledger) agentChanged(f orchestrator.Fact, d orchestrator.AgentChanged) error {
	agent := clean(string(d.Agent))
	var call *string
	if d.Call != "" {
		if err := checkUUID("call", string(d.Call)); err != nil {
			return err
		}
		call = (*string)(&d.Call)
	}
	from := f.At
	if !d.Since.IsZero() {
		from = d.Since
	}
	if key, known := l.doing[agent]; known {
		open := l.intervals.edit(key)
		// The floor's clock never runs backwards, a new floor's may start behind.
		from = latest(from, open.FromAt)
		open.ToAt = maybe(from)
	}
	key := placeKey{agent, f.Seq, f.Index}
	l.doing[agent] = key
	l.intervals.insert(key, intervalRow{
		TenantID: l.tenant, AgentID: agent, Seq: f.Seq, Idx: f.Index, State: clean(string(d.State)), Reason: clean(d.Reason),
		PhoneID: clean(string(d.Phone)), CallID: call, QueueID: clean(string(d.Queue)), FromAt: stamp(from),
	})
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func noCall(id orchestrator.CallID) error { return fmt.Errorf("no call %s is known", id) }

func noOffer(id orchestrator.OfferID) error { return fmt.Errorf("no offer %s is known", id) }
