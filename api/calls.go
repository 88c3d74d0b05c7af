package api

import (
	"context"
	"fmt"
	"time"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// ListCalls answers one page of calls.
func (s *Server) ListCalls(ctx context.Context, r gen.ListCallsRequestObject) (gen.ListCallsResponseObject, error) {
	p := r.Params
	page, err := s.store.Calls(ctx, who(ctx).tenant, orchestrator.CallQuery{
		From: p.From, To: p.To, Queue: orchestrator.QueueID(p.Queue), Agent: orchestrator.AgentID(p.Agent),
		Outcome: orchestrator.Outcome{Result: orchestrator.Result(p.Result), Reason: orchestrator.Reason(p.Reason)},
		Number:  p.Number, State: orchestrator.CallState(p.State), Internal: internal(p.Direction), Cursor: p.Cursor, Limit: p.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list calls: %w", err)
	}
	return gen.ListCalls200JSONResponse{Items: list(page.Calls, callToAPI), NextCursor: page.Next}, nil
}

// internal is a direction as the store asks for it, nil for both.
func internal(d gen.CallDirection) *bool {
	if d == "" {
		return nil
	}
	is := d == gen.CallDirectionInternal
	return &is
}

// GetCall answers one call's whole story.
func (s *Server) GetCall(ctx context.Context, r gen.GetCallRequestObject) (gen.GetCallResponseObject, error) {
	story, err := s.store.Call(ctx, who(ctx).tenant, orchestrator.CallID(r.ID))
	if err != nil {
		return nil, fmt.Errorf("read call %s: %w", r.ID, err)
	}
	out, err := storyToAPI(story, s.names.of(ctx, who(ctx).tenant))
	if err != nil {
		return nil, err
	}
	return gen.GetCall200JSONResponse(out), nil
}

// HangUpCall orders the end of a call.
func (s *Server) HangUpCall(ctx context.Context, r gen.HangUpCallRequestObject) (gen.HangUpCallResponseObject, error) {
	f, err := s.floor(ctx)
	if err != nil {
		return nil, err
	}
	id := orchestrator.CallID(r.ID)
	_, here, err := f.Explain(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look for call %s: %w", id, err)
	}
	if !here { // it ended, or it never was
		if _, err := s.store.Call(ctx, who(ctx).tenant, id); err != nil {
			return nil, fmt.Errorf("read call %s: %w", id, err)
		}
		return gen.HangUpCall202Response{}, nil
	}
	if _, err := f.Submit(ctx, orchestrator.HangupAsked{Call: id, By: who(ctx).name}); err != nil {
		return nil, fmt.Errorf("hang up call %s: %w", id, err)
	}
	return gen.HangUpCall202Response{}, nil
}

func callToAPI(c orchestrator.CallRecord) gen.Call {
	out := gen.Call{
		ID: string(c.ID), Caller: partyToAPI(c.Caller), Dialled: c.Dialled, Switch: string(c.Switch),
		Flow: string(c.Flow), FlowVersion: int64(c.FlowVersion),
		FirstQueue: string(c.FirstQueue), LastQueue: string(c.LastQueue),
		FirstAgent: string(c.FirstAgent), LastAgent: string(c.LastAgent), Offers: c.Offers,
		ArrivedAt: utc(c.Arrived), AnsweredAt: utc(c.Answered), ConnectedAt: utc(c.Connected), LostAt: utc(c.Lost), EndedAt: utc(c.Ended),
		State: gen.CallStateOpen, Direction: gen.CallDirectionInbound, ByAgent: string(c.By),
	}
	if c.Direction == orchestrator.CallInternal {
		out.Direction = gen.CallDirectionInternal
	}
	if !c.Ended.IsZero() {
		out.State = gen.CallStateEnded
		out.Outcome = gen.Outcome{Result: gen.Result(c.Outcome.Result), Reason: gen.Reason(c.Outcome.Reason)}
		out.Times = gen.Times{
			TotalMs: int64(c.Times.Total), FlowMs: int64(c.Times.Flow), QueueMs: int64(c.Times.Queue),
			TalkMs: int64(c.Times.Talk), HoldMs: int64(c.Times.Hold),
		}
	}
	return out
}

func storyToAPI(c orchestrator.CallStory, name func(orchestrator.AgentID) string) (gen.CallStory, error) {
	out := gen.CallStory{
		Call: callToAPI(c.Call), Legs: list(c.Legs, legToAPI), Visits: list(c.Visits, visitToAPI),
		Offers: list(c.Offers, offerToAPI), Timeline: make([]gen.TimelineEntry, 0, len(c.Facts)), MoreFacts: c.MoreFacts,
	}
	for _, f := range c.Facts {
		entry, err := tell(f, c.Call.Arrived, name)
		if err != nil {
			return out, err
		}
		out.Timeline = append(out.Timeline, entry)
	}
	return out, nil
}

func legToAPI(l orchestrator.LegRecord) gen.CallLeg {
	return gen.CallLeg{
		Leg: string(l.ID), Role: gen.CallLegRole(l.Role), Switch: string(l.Switch), Endpoint: l.Endpoint,
		Agent: string(l.Agent), SIPCall: l.SIPCall, StartedAt: utc(l.Started), RangAt: utc(l.Rang),
		AnsweredAt: utc(l.Answered), EndedAt: utc(l.Ended), HeldMs: int64(l.Held), Cause: l.Cause, SIP: l.SIP,
		EndedBy: gen.CallLegEndedBy(l.By),
	}
}

func visitToAPI(v orchestrator.VisitRecord) gen.CallVisit {
	return gen.CallVisit{
		Queue: string(v.Queue), Version: int64(v.Version), Priority: v.Priority, ArrivedAt: utc(v.Arrived),
		JoinedAt: utc(v.Joined), LeftAt: utc(v.Left), Reason: gen.Reason(v.Reason), WaitedMs: int64(v.Waited),
	}
}

func offerToAPI(o orchestrator.OfferRecord) gen.CallOffer {
	return gen.CallOffer{
		Offer: string(o.ID), Queue: string(o.Queue), Agent: string(o.Agent), Phone: string(o.Phone), Leg: string(o.Leg),
		MadeAt: utc(o.Made), RingUntil: utc(o.RingUntil), EndedAt: utc(o.Ended), Outcome: gen.OfferOutcome(o.Outcome),
		Cause: o.Cause, SIP: o.SIP, RangMs: int64(o.Rang), NotBefore: utc(o.NotBefore),
	}
}

// utc keeps the zero time zero.
func utc(t time.Time) time.Time { return t.UTC() }
