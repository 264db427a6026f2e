package server

import (
	"context"
	"net/http"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// ScopeName is exported because huma can't fill in embedded structs that aren't.
type ScopeName struct {
	Name string `path:"name" doc:"The pin scope; a slash in it is written %2F." example:"etl/2026-11-22"`
	Among
}

func (s *Server) scopeRoutes() {
	handle(s, op(http.MethodGet, "/v1/scopes", "list-scopes", "List the pin scopes, the last used first"), s.listScopes)
	handle(s, op(http.MethodGet, "/v1/scopes/{name}", "get-scope", "Show one pin scope"), s.getScope, problem.ScopeNotFound)
	handle(s, op(http.MethodDelete, "/v1/scopes/{name}", "end-scope", "End a pin scope: its digests are no longer held, and its volume is removed once no run uses it"),
		s.endScope, problem.ScopeNotFound)
	handle(s, op(http.MethodPost, "/v1/scopes/{name}/repin", "repin-image", "Move an image of a pin scope to its current digest"), s.repin,
		problem.ScopeNotFound, problem.ImageNotManaged, problem.NoCurrent, problem.NotAllowed)
}

func (s *Server) listScopes(ctx context.Context, in *Among) (*reply[api.Scopes], error) {
	namespace, err := in.among(ctx)
	if err != nil {
		return nil, err
	}
	answer := api.Scopes{Scopes: []api.Scope{}}
	for _, scope := range s.opts.Runs.Scopes(namespace) {
		answer.Scopes = append(answer.Scopes, scopeOf(scope))
	}
	return &reply[api.Scopes]{answer}, nil
}

func (s *Server) getScope(ctx context.Context, in *ScopeName) (*reply[api.Scope], error) {
	namespace, err := in.within(ctx)
	if err != nil {
		return nil, err
	}
	scope, err := s.opts.Runs.Scope(namespace, in.Name)
	if err != nil {
		return nil, err
	}
	return &reply[api.Scope]{scopeOf(scope)}, nil
}

func (s *Server) endScope(ctx context.Context, in *ScopeName) (*reply[api.Scope], error) {
	namespace, err := in.within(ctx)
	if err != nil {
		return nil, err
	}
	scope, err := s.opts.Runs.EndScope(ctx, namespace, in.Name)
	if err != nil {
		return nil, err
	}
	return &reply[api.Scope]{scopeOf(scope)}, nil
}

func (s *Server) repin(ctx context.Context, in *struct {
	ScopeName
	Body api.RepinRequest
},
) (*reply[api.Repinned], error) {
	about(ctx, in.Body.Image)
	namespace, err := in.within(ctx)
	if err != nil {
		return nil, err
	}
	from, to, scope, err := s.opts.Runs.Repin(ctx, namespace, in.Name, in.Body.Image, callerOf(ctx).Images)
	if err != nil {
		return nil, err
	}
	return &reply[api.Repinned]{api.Repinned{Scope: scopeOf(scope), Old: from.String(), New: to.String()}}, nil
}

func scopeOf(s runner.Scope) api.Scope {
	scope := api.Scope{
		Name: s.Name, Namespace: s.Namespace, Live: s.Ended.IsZero(), Pins: []api.ScopePin{}, Host: s.Host, Volume: s.Volume, Kept: s.Keep,
		Created: s.Created, Used: s.Used, Ended: when(s.Ended),
	}
	for _, p := range s.Pins {
		scope.Pins = append(scope.Pins, api.ScopePin{Image: p.Track, Pin: p.Pin.String(), Since: p.Since})
	}
	return scope
}
