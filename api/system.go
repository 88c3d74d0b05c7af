package api

import (
	"context"
	"time"

	"ringmaster/api/gen"
)

// readyTimeout bounds what /readyz asks: a balancer that waits is a balancer
// that sends nobody.
const readyTimeout = 2 * time.Second

// GetHealth says that the process answers.
func (s *Server) GetHealth(context.Context, gen.GetHealthRequestObject) (gen.GetHealthResponseObject, error) {
	return gen.GetHealth200JSONResponse{Status: gen.HealthStatusOk, Version: s.cfg.Version}, nil
}

// GetReadiness says whether calls and requests can be taken.
func (s *Server) GetReadiness(ctx context.Context, _ gen.GetReadinessRequestObject) (gen.GetReadinessResponseObject, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	r := gen.Readiness{Ready: true, Checks: []gen.Check{}}
	if s.cfg.Checks != nil {
		for _, c := range s.cfg.Checks(ctx) {
			out := gen.Check{Name: c.Name, Needed: c.Needed, Ok: c.Err == nil}
			if c.Err != nil {
				out.Detail = c.Err.Error()
				r.Ready = r.Ready && !c.Needed
			}
			r.Checks = append(r.Checks, out)
		}
	}
	if !r.Ready {
		return gen.GetReadiness503JSONResponse(r), nil
	}
	return gen.GetReadiness200JSONResponse(r), nil
}
