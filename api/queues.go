package api

import (
	"context"

	"ringmaster/api/gen"
)

// ListQueues answers one page of queues.
func (s *Server) ListQueues(ctx context.Context, r gen.ListQueuesRequestObject) (gen.ListQueuesResponseObject, error) {
	items, next, err := pageOf(ctx, s, queueSection, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return gen.ListQueues200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetQueue answers a queue.
func (s *Server) GetQueue(ctx context.Context, r gen.GetQueueRequestObject) (gen.GetQueueResponseObject, error) {
	shown, etag, err := getOne(ctx, s, queueSection, r.ID, plain)
	if err != nil {
		return nil, err
	}
	return gen.GetQueue200JSONResponse{StoredQueueJSONResponse: gen.StoredQueueJSONResponse{
		Body: shown, Headers: gen.StoredQueueResponseHeaders{ETag: etag},
	}}, nil
}

// PutQueue creates or replaces a queue.
func (s *Server) PutQueue(ctx context.Context, r gen.PutQueueRequestObject) (gen.PutQueueResponseObject, error) {
	shown, etag, err := putOne(ctx, s, queueSection, putting[gen.Queue]{
		id: r.ID, body: *r.Body, ifMatch: r.Params.IfMatch, wear: plain[gen.Queue],
	})
	if err != nil {
		return nil, err
	}
	return gen.PutQueue200JSONResponse{StoredQueueJSONResponse: gen.StoredQueueJSONResponse{
		Body: shown, Headers: gen.StoredQueueResponseHeaders{ETag: etag},
	}}, nil
}

// DeleteQueue deletes a queue that nothing names.
func (s *Server) DeleteQueue(ctx context.Context, r gen.DeleteQueueRequestObject) (gen.DeleteQueueResponseObject, error) {
	if err := deleteOne(ctx, s, queueSection, r.ID, r.Params.IfMatch, plain); err != nil {
		return nil, err
	}
	return gen.DeleteQueue204Response{}, nil
}
