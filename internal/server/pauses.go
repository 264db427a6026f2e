package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/warmer"
)

func (s *Server) pauseRoutes() {
	handle(s, op(http.MethodGet, "/v1/pauses", "list-pauses", "List what is paused"), s.listPauses)
	handle(s, op(http.MethodPost, "/v1/pause", "pause", "Stop watching, warming or pruning, on the fleet or a host, until it is resumed"), s.pause, problem.HostNotManaged)
	handle(s, op(http.MethodPost, "/v1/resume", "resume", "End a pause"), s.resume, problem.HostNotManaged)
}

func (s *Server) listPauses(context.Context, *struct{}) (*reply[api.Pauses], error) {
	answer := api.Pauses{Pauses: []api.Pause{}}
	for _, p := range s.opts.Images.Pauses() {
		answer.Pauses = append(answer.Pauses, api.Pause{What: string(p.What), Host: p.Host, Since: p.Since, By: p.Who})
	}
	return &reply[api.Pauses]{answer}, nil
}

func (s *Server) pause(ctx context.Context, in *reply[api.PauseRequest]) (*reply[api.Pauses], error) {
	about(ctx, strings.TrimSpace(in.Body.What+" "+in.Body.Host))
	if err := s.opts.Images.Pause(ctx, warmer.Activity(in.Body.What), in.Body.Host, by(ctx, in.Body.By)); err != nil {
		return nil, err
	}
	return s.listPauses(ctx, nil)
}

func (s *Server) resume(ctx context.Context, in *reply[api.PauseRequest]) (*reply[api.Pauses], error) {
	about(ctx, strings.TrimSpace(in.Body.What+" "+in.Body.Host))
	if err := s.opts.Images.Resume(ctx, warmer.Activity(in.Body.What), in.Body.Host, by(ctx, in.Body.By)); err != nil {
		return nil, err
	}
	return s.listPauses(ctx, nil)
}
