package api

import (
	"context"

	"ringmaster/api/gen"
)

// ListPhones answers one page of phones.
func (s *Server) ListPhones(ctx context.Context, r gen.ListPhonesRequestObject) (gen.ListPhonesResponseObject, error) {
	items, next, err := pageOf(ctx, s, phoneSection, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return gen.ListPhones200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetPhone answers a phone.
func (s *Server) GetPhone(ctx context.Context, r gen.GetPhoneRequestObject) (gen.GetPhoneResponseObject, error) {
	shown, etag, err := getOne(ctx, s, phoneSection, r.ID, plain)
	if err != nil {
		return nil, err
	}
	return gen.GetPhone200JSONResponse{StoredPhoneJSONResponse: gen.StoredPhoneJSONResponse{
		Body: shown, Headers: gen.StoredPhoneResponseHeaders{ETag: etag},
	}}, nil
}

// PutPhone creates or replaces a phone.
func (s *Server) PutPhone(ctx context.Context, r gen.PutPhoneRequestObject) (gen.PutPhoneResponseObject, error) {
	shown, etag, err := putOne(ctx, s, phoneSection, putting[gen.Phone]{
		id: r.ID, body: *r.Body, ifMatch: r.Params.IfMatch, wear: plain[gen.Phone],
	})
	if err != nil {
		return nil, err
	}
	return gen.PutPhone200JSONResponse{StoredPhoneJSONResponse: gen.StoredPhoneJSONResponse{
		Body: shown, Headers: gen.StoredPhoneResponseHeaders{ETag: etag},
	}}, nil
}

// DeletePhone deletes a phone that nothing names.
func (s *Server) DeletePhone(ctx context.Context, r gen.DeletePhoneRequestObject) (gen.DeletePhoneResponseObject, error) {
	if err := deleteOne(ctx, s, phoneSection, r.ID, r.Params.IfMatch, plain); err != nil {
		return nil, err
	}
	return gen.DeletePhone204Response{}, nil
}
