package api

import (
	"context"
	"fmt"
	"slices"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// ListAgents answers one page of agents.
func (s *Server) ListAgents(ctx context.Context, r gen.ListAgentsRequestObject) (gen.ListAgentsResponseObject, error) {
	items, next, err := pageOf(ctx, s, agentSection, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return gen.ListAgents200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetAgent answers an agent.
func (s *Server) GetAgent(ctx context.Context, r gen.GetAgentRequestObject) (gen.GetAgentResponseObject, error) {
	shown, etag, err := getOne(ctx, s, agentSection, r.ID, plain)
	if err != nil {
		return nil, err
	}
	return gen.GetAgent200JSONResponse{StoredAgentJSONResponse: gen.StoredAgentJSONResponse{
		Body: shown, Headers: gen.StoredAgentResponseHeaders{ETag: etag},
	}}, nil
}

// PutAgent creates or replaces an agent and, if the body has one, their PIN.
func (s *Server) PutAgent(ctx context.Context, r gen.PutAgentRequestObject) (gen.PutAgentResponseObject, error) {
	shown, etag, err := putOne(ctx, s, agentSection, putting[gen.Agent]{
		id: r.ID, body: *r.Body, ifMatch: r.Params.IfMatch, wear: plain[gen.Agent],
		secrets: func(ctx context.Context) error {
			if r.Body.PIN == "" {
				return nil
			}
			return s.setPIN(ctx, r.ID, r.Body.PIN)
		},
	})
	if err != nil {
		return nil, err
	}
	return gen.PutAgent200JSONResponse{StoredAgentJSONResponse: gen.StoredAgentJSONResponse{
		Body: shown, Headers: gen.StoredAgentResponseHeaders{ETag: etag},
	}}, nil
}

// DeleteAgent deletes an agent whom nothing names.
func (s *Server) DeleteAgent(ctx context.Context, r gen.DeleteAgentRequestObject) (gen.DeleteAgentResponseObject, error) {
	if err := deleteOne(ctx, s, agentSection, r.ID, r.Params.IfMatch, plain); err != nil {
		return nil, err
	}
	return gen.DeleteAgent204Response{}, nil
}

// SetAgentPIN replaces an agent's PIN.
func (s *Server) SetAgentPIN(ctx context.Context, r gen.SetAgentPINRequestObject) (gen.SetAgentPINResponseObject, error) {
	c, _, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	if agentSection.find(&c, r.ID) < 0 {
		return nil, notFound(agentSection.one, r.ID)
	}
	if err := s.setPIN(ctx, r.ID, r.Body.PIN); err != nil {
		return nil, err
	}
	return gen.SetAgentPIN204Response{}, nil
}

func (s *Server) setPIN(ctx context.Context, id, pin string) error {
	if err := s.store.SetPIN(ctx, who(ctx).tenant, orchestrator.AgentID(id), pin); err != nil {
		return fmt.Errorf("set pin of agent %s: %w", id, err)
	}
	return nil
}

// ActAsAgent passes a wish to the floor, as if the agent had dialled it.
func (s *Server) ActAsAgent(ctx context.Context, r gen.ActAsAgentRequestObject) (gen.ActAsAgentResponseObject, error) {
	f, err := s.floor(ctx)
	if err != nil {
		return nil, err
	}
	id := orchestrator.AgentID(r.ID)
	facts, err := f.Submit(ctx, orchestrator.AgentAsked{
		Agent: id, Action: orchestrator.AgentAction(r.Body.Action), Phone: orchestrator.PhoneID(r.Body.Phone),
		Reason: r.Body.Reason, Origin: orchestrator.OriginAPI, By: who(ctx).name,
	})
	if err != nil {
		return nil, fmt.Errorf("ask floor for %s of agent %s: %w", r.Body.Action, id, err)
	}
	live, err := f.Live(ctx)
	if err != nil {
		return nil, fmt.Errorf("read floor: %w", err)
	}
	at := slices.IndexFunc(live.Agents, func(a orchestrator.LiveAgent) bool { return a.Agent == id })
	if at < 0 {
		return nil, notFound(agentSection.one, r.ID)
	}
	if refused := refusal(facts, id); refused != nil {
		return nil, refused
	}
	return gen.ActAsAgent200JSONResponse(liveAgentToAPI(live.Agents[at])), nil
}

// refusal is the floor's no among the facts, or nil.
func refusal(facts []orchestrator.Fact, agent orchestrator.AgentID) error {
	for _, f := range facts {
		if r, ok := f.What.(orchestrator.ActionRefused); ok && r.Agent == agent {
			return &problem{code: orchestrator.CodeRefused, detail: r.Detail, refusal: r.Code}
		}
	}
	return nil
}
