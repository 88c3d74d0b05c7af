package api

import (
	"context"

	"ringmaster/api/gen"
)

// ListNumbers answers one page of numbers.
func (s *Server) ListNumbers(ctx context.Context, r gen.ListNumbersRequestObject) (gen.ListNumbersResponseObject, error) {
	items, next, err := pageOf(ctx, s, numberSection, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return gen.ListNumbers200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetNumber answers a number.
func (s *Server) GetNumber(ctx context.Context, r gen.GetNumberRequestObject) (gen.GetNumberResponseObject, error) {
	shown, etag, err := getOne(ctx, s, numberSection, r.Dialled, plain)
	if err != nil {
		return nil, err
	}
	return gen.GetNumber200JSONResponse{StoredNumberJSONResponse: gen.StoredNumberJSONResponse{
		Body: shown, Headers: gen.StoredNumberResponseHeaders{ETag: etag},
	}}, nil
}

// PutNumber creates or replaces a number.
func (s *Server) PutNumber(ctx context.Context, r gen.PutNumberRequestObject) (gen.PutNumberResponseObject, error) {
	shown, etag, err := putOne(ctx, s, numberSection, putting[gen.Number]{
		id: r.Dialled, body: *r.Body, ifMatch: r.Params.IfMatch, wear: plain[gen.Number],
	})
	if err != nil {
		return nil, err
	}
	return gen.PutNumber200JSONResponse{StoredNumberJSONResponse: gen.StoredNumberJSONResponse{
		Body: shown, Headers: gen.StoredNumberResponseHeaders{ETag: etag},
	}}, nil
}

// DeleteNumber deletes a number that nothing names.
func (s *Server) DeleteNumber(ctx context.Context, r gen.DeleteNumberRequestObject) (gen.DeleteNumberResponseObject, error) {
	if err := deleteOne(ctx, s, numberSection, r.Dialled, r.Params.IfMatch, plain); err != nil {
		return nil, err
	}
	return gen.DeleteNumber204Response{}, nil
}
