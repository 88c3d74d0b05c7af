package api

import (
	"context"

	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// GetSettings answers the tenant's settings.
func (s *Server) GetSettings(ctx context.Context, _ gen.GetSettingsRequestObject) (gen.GetSettingsResponseObject, error) {
	stored, err := s.storedSettings(ctx)
	if err != nil {
		return nil, err
	}
	return gen.GetSettings200JSONResponse{StoredSettingsJSONResponse: stored}, nil
}

// PutSettings replaces the tenant's settings.
func (s *Server) PutSettings(ctx context.Context, r gen.PutSettingsRequestObject) (gen.PutSettingsResponseObject, error) {
	wish := settingsFromAPI(*r.Body)
	err := s.write(ctx, func(now orchestrator.Config, _ uint64) (edit, error) {
		etag, err := etagOf(settingsToAPI(now.Settings))
		if err != nil {
			return edit{}, err
		}
		if err := match(r.Params.IfMatch, etag); err != nil {
			return edit{}, err
		}
		after := now
		after.Settings = wish
		if err := sound(after, renameSettings(after)); err != nil {
			return edit{}, err
		}
		return edit{change: orchestrator.Config{Settings: wish}, settings: true}, nil
	})
	if err != nil {
		return nil, err
	}
	stored, err := s.storedSettings(ctx)
	if err != nil {
		return nil, err
	}
	return gen.PutSettings200JSONResponse{StoredSettingsJSONResponse: stored}, nil
}

func (s *Server) storedSettings(ctx context.Context) (gen.StoredSettingsJSONResponse, error) {
	c, _, err := s.load(ctx)
	if err != nil {
		return gen.StoredSettingsJSONResponse{}, err
	}
	shown := settingsToAPI(c.Settings)
	etag, err := etagOf(shown)
	return gen.StoredSettingsJSONResponse{Body: shown, Headers: gen.StoredSettingsResponseHeaders{ETag: etag}}, err
}
