package api

import (
	"context"

	"ringmaster/api/gen"
)

// ListHours answers one page of opening hours.
func (s *Server) ListHours(ctx context.Context, r gen.ListHoursRequestObject) (gen.ListHoursResponseObject, error) {
	items, next, err := pageOf(ctx, s, hoursSection, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return gen.ListHours200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetHours answers one set of opening hours.
func (s *Server) GetHours(ctx context.Context, r gen.GetHoursRequestObject) (gen.GetHoursResponseObject, error) {
	shown, etag, err := getOne(ctx, s, hoursSection, r.ID, plain)
	if err != nil {
		return nil, err
	}
	return gen.GetHours200JSONResponse{StoredHoursJSONResponse: gen.StoredHoursJSONResponse{
		Body: shown, Headers: gen.StoredHoursResponseHeaders{ETag: etag},
	}}, nil
}

// PutHours creates or replaces one set of opening hours.
func (s *Server) PutHours(ctx context.Context, r gen.PutHoursRequestObject) (gen.PutHoursResponseObject, error) {
	shown, etag, err := putOne(ctx, s, hoursSection, putting[gen.Hours]{
		id: r.ID, body: *r.Body, ifMatch: r.Params.IfMatch, wear: plain[gen.Hours],
	})
	if err != nil {
		return nil, err
	}
	return gen.PutHours200JSONResponse{StoredHoursJSONResponse: gen.StoredHoursJSONResponse{
		Body: shown, Headers: gen.StoredHoursResponseHeaders{ETag: etag},
	}}, nil
}

// DeleteHours deletes one set of opening hours that nothing names.
func (s *Server) DeleteHours(ctx context.Context, r gen.DeleteHoursRequestObject) (gen.DeleteHoursResponseObject, error) {
	if err := deleteOne(ctx, s, hoursSection, r.ID, r.Params.IfMatch, plain); err != nil {
		return nil, err
	}
	return gen.DeleteHours204Response{}, nil
}
