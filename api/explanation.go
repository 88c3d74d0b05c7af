package api

import (
	"context"
	"fmt"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// maxExplained bounds how many offers of one call are explained.
const maxExplained = 50

// ExplainCall says why a call went where it went. Who has it now speaks of
// now: the floor. What was before is told from the store; for a call that is
// both, the floor's words about now stand beside the offers so far.
func (s *Server) ExplainCall(ctx context.Context, r gen.ExplainCallRequestObject) (gen.ExplainCallResponseObject, error) {
	id := orchestrator.CallID(r.ID)
	var now orchestrator.Explanation
	here := false
	if f, err := s.floor(ctx); err == nil {
		if now, here, err = f.Explain(ctx, id); err != nil {
			return nil, fmt.Errorf("explain call %s: %w", id, err)
		}
	}
	past, err := s.explainPast(ctx, id)
	switch {
	case err != nil && !here:
		return nil, err
	case err != nil: // too young for the store, or the store is away
		return gen.ExplainCall200JSONResponse(explanationToAPI(now)), nil //nolint:nilerr // now is told without the past
	case here:
		past.At, past.Summary, past.Waiting = now.At, now.Summary, now.Waiting
	}
	return gen.ExplainCall200JSONResponse(explanationToAPI(past)), nil
}

func (s *Server) explainPast(ctx context.Context, id orchestrator.CallID) (orchestrator.Explanation, error) {
	tenant := who(ctx).tenant
	story, err := s.store.Call(ctx, tenant, id)
	if err != nil {
		return orchestrator.Explanation{}, fmt.Errorf("read call %s: %w", id, err)
	}
	offers := make([]floor.PastOffer, 0, len(story.Offers))
	for _, o := range story.Offers[:min(len(story.Offers), maxExplained)] {
		standings, err := s.store.StandingsAt(ctx, tenant, o.Queue, orchestrator.Moment{At: o.Made, Seq: o.Seq, Index: o.Index})
		if err != nil && orchestrator.CodeOf(err) != orchestrator.CodeNotFound {
			return orchestrator.Explanation{}, fmt.Errorf("read standings in %s: %w", o.Queue, err)
		}
		offers = append(offers, floor.PastOffer{Offer: o, Standings: standings})
	}
	return floor.ExplainPast(story.Call, offers, s.names.of(ctx, tenant)), nil
}

func explanationToAPI(e orchestrator.Explanation) gen.Explanation {
	out := gen.Explanation{
		Call: string(e.Call), At: utc(e.At), Summary: e.Summary, Offers: list(e.Offers, offerReasonToAPI),
	}
	if w := e.Waiting; w != nil {
		out.Waiting = gen.WaitReason{
			Queue: string(w.Queue), Position: w.Position, Ahead: list(w.Ahead, text),
			Candidates: list(w.Candidates, standingToAPI), WouldHelp: w.WouldHelp,
		}
	}
	return out
}

func offerReasonToAPI(o orchestrator.OfferReason) gen.OfferReason {
	return gen.OfferReason{
		Offer: string(o.Offer), At: utc(o.At), Queue: string(o.Queue), Agent: string(o.Agent), Why: o.Why,
		Decision: decisionToAPI(o.Decision), Outcome: gen.OfferOutcome(o.Outcome),
		Candidates: list(o.Candidates, standingToAPI),
	}
}

func decisionToAPI(d orchestrator.Decision) gen.Decision {
	return gen.Decision{
		Strategy: string(d.Strategy), Level: d.Level, IdleSince: utc(d.IdleSince), Free: d.Free, RunnerUp: string(d.RunnerUp),
		Priority: d.Priority, WaitedMs: int64(d.Waited), Waiting: d.Waiting, Trigger: d.Trigger, Step: d.Step,
		TriedBefore: d.Tried,
	}
}

func standingToAPI(a orchestrator.AgentStanding) gen.AgentStanding {
	return gen.AgentStanding{
		Agent: string(a.Agent), State: gen.AgentState(a.State), Since: utc(a.Since), Level: a.Level, Chosen: a.Chosen,
		Verdict: a.Verdict,
	}
}
