package server

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

// engineCodes are what asking an engine can end with.
var engineCodes = []problem.Code{problem.HostUnreachable, problem.EngineAPI}

func (s *Server) pruneRoutes() {
	prune := op(http.MethodPost, "/v1/prune", "prune", "Remove from hosts what the policy lets go, or say what would go")
	prune.Description = "Answers once the passes have ended, one for each host. A pass that was stopped, or that could not free what was " +
		"asked for, is an answer and no problem: see `stopped` and `short_bytes`."
	handle(s, prune, s.prune, append(engineCodes, problem.HostNotManaged, problem.ImageNotManaged, problem.PruneStopped)...)
	handle(s, op(http.MethodGet, "/v1/prunes", "list-prunes", "List the newest passes over a host, or over all, newest first"), s.listPrunes, problem.HostNotManaged)
}

func (s *Server) prune(ctx context.Context, in *struct {
	// In the query alone. One in the body is refused as an unknown field, and so
	// removes nothing.
	DryRun bool              `query:"dry_run" doc:"Remove nothing, and say what would go."`
	Body   *api.PruneRequest // nil: no body, which asks for all hosts
},
) (*reply[api.Passes], error) {
	ask := warmer.PruneAsk{DryRun: in.DryRun}
	if in.Body != nil {
		ask.Hosts, ask.Image, ask.Free, ask.Who = in.Body.Hosts, in.Body.Image, in.Body.FreeBytes, in.Body.By
	}
	ask.Who = by(ctx, ask.Who)
	about(ctx, pruneSubject(ask))
	passes, err := s.opts.Images.Prune(ctx, ask)
	if err != nil {
		return nil, err
	}
	return &reply[api.Passes]{passesOf(passes)}, nil
}

// pruneSubject is what stands in the audit log.
func pruneSubject(ask warmer.PruneAsk) string {
	words := append(slices.Clone(ask.Hosts), ask.Image)
	if ask.DryRun {
		words = append(words, "(dry run)")
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

func (s *Server) listPrunes(ctx context.Context, in *struct {
	Host  string `query:"host" maxLength:"128" doc:"Only passes over this host."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"How many at most."`
},
) (*reply[api.Passes], error) {
	passes, err := s.opts.Images.Passes(ctx, in.Host, in.Limit)
	if err != nil {
		return nil, err
	}
	return &reply[api.Passes]{hidingPasses(ctx, passesOf(passes))}, nil
}
