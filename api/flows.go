package api

import (
	"context"

	"ringmaster/api/gen"
)

// ListFlows answers one page of flows.
func (s *Server) ListFlows(ctx context.Context, r gen.ListFlowsRequestObject) (gen.ListFlowsResponseObject, error) {
	items, next, err := pageOf(ctx, s, flowSection, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return gen.ListFlows200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetFlow answers a flow.
func (s *Server) GetFlow(ctx context.Context, r gen.GetFlowRequestObject) (gen.GetFlowResponseObject, error) {
	shown, etag, err := getOne(ctx, s, flowSection, r.ID, plain)
	if err != nil {
		return nil, err
	}
	return gen.GetFlow200JSONResponse{StoredFlowJSONResponse: gen.StoredFlowJSONResponse{
		Body: shown, Headers: gen.StoredFlowResponseHeaders{ETag: etag},
	}}, nil
}

// PutFlow creates or replaces a flow.
func (s *Server) PutFlow(ctx context.Context, r gen.PutFlowRequestObject) (gen.PutFlowResponseObject, error) {
	shown, etag, err := putOne(ctx, s, flowSection, putting[gen.Flow]{
		id: r.ID, body: *r.Body, ifMatch: r.Params.IfMatch, wear: plain[gen.Flow],
	})
	if err != nil {
		return nil, err
	}
	return gen.PutFlow200JSONResponse{StoredFlowJSONResponse: gen.StoredFlowJSONResponse{
		Body: shown, Headers: gen.StoredFlowResponseHeaders{ETag: etag},
	}}, nil
}

// DeleteFlow deletes a flow that nothing names.
func (s *Server) DeleteFlow(ctx context.Context, r gen.DeleteFlowRequestObject) (gen.DeleteFlowResponseObject, error) {
	if err := deleteOne(ctx, s, flowSection, r.ID, r.Params.IfMatch, plain); err != nil {
		return nil, err
	}
	return gen.DeleteFlow204Response{}, nil
}
