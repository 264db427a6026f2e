package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// reply is an answer with a JSON body.
type reply[T any] struct{ Body T }

// ImageName is exported because huma can't fill in embedded structs that aren't.
type ImageName struct {
	Name string `path:"name" doc:"The image, as the configuration names it." example:"node-jobs"`
}

// TrackName is exported for the same reason.
type TrackName struct {
	Name string `path:"name" doc:"The image, as the configuration names it, or image:tag for one of its tags." example:"node-jobs:1.4.2"`
}

func (s *Server) routes() {
	s.imageRoutes()
	s.actRoutes()
	s.runRoutes()
	s.logRoute()
	s.scopeRoutes()
	s.hostRoutes()
	s.pauseRoutes()
	s.pruneRoutes()
	s.stockRoutes()
	s.webhookRoutes()
	s.eventRoute()
	s.noticeRoutes()
	s.configurationRoute()
	s.tokenRoutes()
	s.auditRoute()
	s.backupRoute()
	handle(s, op(http.MethodGet, "/healthz", "healthz", "Tell that the process lives"), s.health)
	handle(s, op(http.MethodGet, "/readyz", "readyz", "Tell that the store is open and the API listens"), s.health)
}

func op(method, path, id, summary string) huma.Operation {
	return huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary}
}

// handle registers a handler. Its errors become problems; codes are those that
// its callers should expect.
func handle[I, O any](s *Server, o huma.Operation, fn func(context.Context, *I) (*O, error), codes ...problem.Code) {
	s.admit(&o)
	s.describe(&o, codes)
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := fn(ctx, in)
		if err == nil {
			return out, nil
		}
		a := failure(err)
		if a.Status == http.StatusInternalServerError && ctx.Err() == nil {
			s.opts.Logger.Error("request failed", "operation", o.OperationID, "error", a.Detail)
		}
		return nil, a
	})
}

func (s *Server) health(context.Context, *struct{}) (*reply[api.Health], error) {
	return &reply[api.Health]{api.Health{Status: "ok", Version: s.opts.Version}}, nil
}
