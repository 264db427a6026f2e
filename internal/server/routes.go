package server

import (
	"context"
	"net/http"
	"time"

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

// RunID is exported for the same reason.
type RunID struct {
	ID string `path:"id" doc:"The run, as its submit answered." example:"01933c5e-9c1b-7f4e-8f7a-2d6d1c1b7a55"`
}

func (s *Server) routes() {
	s.imageRoutes()
	s.actRoutes()
	s.runRoutes()
	s.pauseRoutes()
	handle(s, op(http.MethodGet, "/v1/hosts", "list-hosts", "List the hosts: reachability, engine, disk, drift, slots"), s.listHosts)
	handle(s, op(http.MethodGet, "/healthz", "healthz", "Tell that the process lives"), s.health)
	handle(s, op(http.MethodGet, "/readyz", "readyz", "Tell that the store is open and the API listens"), s.health)
}

// maxBody bounds a submit, in bytes: one with a large environment is some 100 kB.
const maxBody = 1 << 20

func (s *Server) runRoutes() {
	submit := op(http.MethodPost, "/v1/runs", "submit-run", "Execute a task on a warm, pinned image")
	submit.DefaultStatus = http.StatusCreated
	submit.MaxBodyBytes = maxBody
	handle(s, submit, s.submitRun,
		problem.ImageNotManaged, problem.DigestNotManaged, problem.NoCurrent, problem.ImageNotWarm, problem.QueueFull, problem.Stopping)
	handle(s, op(http.MethodGet, "/v1/runs", "list-runs", "List runs, newest first"), s.listRuns)
	handle(s, op(http.MethodGet, "/v1/runs/{id}", "get-run", "Show one run"), s.getRun, problem.RunNotFound)
	handle(s, op(http.MethodGet, "/v1/runs/{id}/wait", "wait-run", "Show one run once it has ended, or as it is after the timeout"), s.waitRun, problem.RunNotFound, problem.Stopping)
	cancel := op(http.MethodPost, "/v1/runs/{id}/cancel", "cancel-run", "Stop a run: stop signal, grace, kill; returns at once")
	cancel.DefaultStatus = http.StatusAccepted
	handle(s, cancel, s.cancelRun, problem.RunNotFound)
	s.logRoute()
	s.eventRoute()
	s.configurationRoute()
}

func op(method, path, id, summary string) huma.Operation {
	return huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary}
}

// handle registers a handler. Its errors become problems; codes are those that
// its callers should expect.
func handle[I, O any](s *Server, o huma.Operation, fn func(context.Context, *I) (*O, error), codes ...problem.Code) {
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

func (s *Server) listHosts(context.Context, *struct{}) (*reply[api.Hosts], error) {
	slots := s.opts.Runs.InUse()
	answer := api.Hosts{Hosts: []api.Host{}}
	for _, h := range s.opts.Images.Hosts() {
		answer.Hosts = append(answer.Hosts, hostOf(h, slots[h.Name]))
	}
	return &reply[api.Hosts]{answer}, nil
}

func (s *Server) submitRun(ctx context.Context, in *reply[api.SubmitRun]) (*reply[api.Run], error) {
	spec, err := specOf(in.Body)
	if err != nil {
		return nil, err
	}
	run, err := s.opts.Runs.Submit(ctx, spec, time.Duration(in.Body.WaitWarm))
	if err != nil {
		return nil, err
	}
	return &reply[api.Run]{runOf(run)}, nil
}

func (s *Server) listRuns(ctx context.Context, in *struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most."`
},
) (*reply[api.Runs], error) {
	runs, err := s.opts.Runs.List(ctx, in.Limit)
	if err != nil {
		return nil, err
	}
	answer := api.Runs{Runs: []api.Run{}}
	for _, r := range runs {
		answer.Runs = append(answer.Runs, runOf(r))
	}
	return &reply[api.Runs]{answer}, nil
}

func (s *Server) getRun(ctx context.Context, in *RunID) (*reply[api.Run], error) {
	run, err := s.opts.Runs.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &reply[api.Run]{runOf(run)}, nil
}

func (s *Server) waitRun(ctx context.Context, in *struct {
	RunID
	Timeout int `query:"timeout" minimum:"0" maximum:"600" default:"60" doc:"Seconds to wait at most."`
},
) (*reply[api.Run], error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(in.Timeout)*time.Second)
	defer cancel()
	run, err := s.opts.Runs.Wait(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &reply[api.Run]{runOf(run)}, nil
}

func (s *Server) cancelRun(ctx context.Context, in *RunID) (*reply[api.Run], error) {
	run, err := s.opts.Runs.Cancel(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &reply[api.Run]{runOf(run)}, nil
}
