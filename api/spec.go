package api

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

//go:embed openapi.yaml
var specText []byte

// Spec is the parsed openapi.yaml. It is shared and not to be changed.
var Spec = sync.OnceValues(func() (*openapi3.T, error) {
	spec, err := openapi3.NewLoader().LoadFromData(specText)
	if err != nil {
		return nil, fmt.Errorf("load openapi.yaml: %w", err)
	}
	if err := spec.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("check openapi.yaml: %w", err)
	}
	return spec, nil
})

// operation is one route as openapi.yaml describes it.
type operation struct {
	id     string
	scope  Scope // "" for a public route
	route  *routers.Route
	params map[string]bool // names of its query parameters
}

// routeKey is a route as gin names it.
type routeKey struct{ method, path string }

// operations reads every route of the spec. A route that is neither public nor
// names a scope is a fault of the spec.
func operations(spec *openapi3.T) (map[routeKey]*operation, error) {
	all := map[routeKey]*operation{}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			o := &operation{id: op.OperationID, params: map[string]bool{}, route: &routers.Route{
				Spec: spec, Path: path, PathItem: item, Method: method, Operation: op,
			}}
			for _, p := range op.Parameters {
				if p.Value.In == openapi3.ParameterInQuery {
					o.params[p.Value.Name] = true
				}
			}
			scope, _ := op.Extensions["x-scope"].(string)
			o.scope = Scope(scope)
			if public := op.Security != nil && len(*op.Security) == 0; public == o.scope.valid() {
				return nil, fmt.Errorf("openapi.yaml: %s must be public or have an x-scope", op.OperationID)
			}
			all[routeKey{method, ginPath(path)}] = o
		}
	}
	return all, nil
}

// ginPath writes "/v1/calls/{id}" as gin does: "/v1/calls/:id".
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// specJSON is the spec as /openapi.json serves it.
var specJSON = sync.OnceValues(func() ([]byte, error) {
	spec, err := Spec()
	if err != nil {
		return nil, err
	}
	return spec.MarshalJSON()
})

func (s *Server) serveSpec(w http.ResponseWriter, r *http.Request) {
	text, err := specJSON()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(text) //nolint:errcheck // the client went
}
