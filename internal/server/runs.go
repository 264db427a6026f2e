package server

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// RunID is exported because huma can't fill in embedded structs that aren't.
type RunID struct {
	ID string `path:"id" doc:"The run, as its submit answered." example:"01933c5e-9c1b-7f4e-8f7a-2d6d1c1b7a55"`
}

func (s *Server) runRoutes() {
	s.submitRoute()
	s.checkRoute()
	handle(s, op(http.MethodGet, "/v1/runs", "list-runs", "List runs, newest first"), s.listRuns)
	handle(s, op(http.MethodGet, "/v1/runs/{id}", "get-run", "Show one run"), s.oneRun(s.get), problem.RunNotFound)
	handle(s, op(http.MethodGet, "/v1/runs/{id}/wait", "wait-run", "Show one run once it has ended, or as it is after the timeout"), s.waitRun, problem.RunNotFound, problem.Stopping)
	cancel := op(http.MethodPost, "/v1/runs/{id}/cancel", "cancel-run", "Stop a run: stop signal, grace, kill; returns at once")
	cancel.DefaultStatus = http.StatusAccepted
	handle(s, cancel, s.cancelRun, problem.RunNotFound, problem.JoinedSince)
	handle(s, op(http.MethodPost, "/v1/runs/{id}/reject", "reject-run", "Tell that the caller can't use this success: the next submit under its key starts anew"),
		s.oneRun(s.reject), problem.RunNotFound)
	handle(s, op(http.MethodPost, "/v1/runs/{id}/release", "release-run", "Free the key of a run whose container nobody can know of"),
		s.oneRun(s.release), problem.RunNotFound, problem.NotReleasable)
}

// maxBody bounds a submit, in bytes: one with a large environment is some 100 kB.
const maxBody = 1 << 20

func (s *Server) submitRoute() {
	submit := op(http.MethodPost, "/v1/runs", "submit-run", "Execute a task on a warm, pinned image")
	submit.Description = "The run is on disk before it is answered. An answer that was lost is had again by the same request with the same " +
		api.IdempotencyKey + ". Under a `key` an earlier run may answer: then `joined` is true and the status 200."
	submit.DefaultStatus = http.StatusCreated
	submit.MaxBodyBytes = maxBody
	submit.Responses = map[string]*huma.Response{"200": {
		Description: "An earlier run answers this submit.",
		Headers:     map[string]*huma.Param{"Location": {Description: locationDoc, Schema: &huma.Schema{Type: huma.TypeString}}},
		Content:     map[string]*huma.MediaType{"application/json": {Schema: s.schemaOf(reflect.TypeFor[api.Submitted]())}},
	}}
	codes := []problem.Code{
		problem.ImageNotManaged, problem.DigestNotManaged, problem.HostNotManaged, problem.HostNotSelected, problem.NoCurrent, problem.ImageNotWarm,
		problem.PlatformMissing, problem.NotAllowed, problem.KeyConflict, problem.NoHost, problem.PinCold, problem.PinUnavailable, problem.ScopeHost,
		problem.ImageLeaving, problem.QueueFull, problem.Stopping,
	}
	handle(s, submit, s.submitRun, slices.Concat(codes, registryCodes)...) // fresh asks the registry
}

const locationDoc = "Path of the run."

type submitInput struct {
	Idempotency string `header:"Idempotency-Key" maxLength:"255" doc:"Makes the call repeatable: the same word always answers the same run, as long as that is remembered."`
	Body        api.SubmitRun
}

type submitReply struct {
	Status   int
	Location string `header:"Location" doc:"Path of the run."`
	Body     api.Submitted
}

func (s *Server) submitRun(ctx context.Context, in *submitInput) (*submitReply, error) {
	about(ctx, in.Body.Image)
	if err := limited(ctx, &in.Body); err != nil {
		return nil, err
	}
	ask, err := askOf(in.Body, in.Idempotency)
	if err != nil {
		return nil, err
	}
	within(ctx, &ask)
	a, err := s.opts.Runs.Submit(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := &submitReply{Status: http.StatusCreated, Location: "/v1/runs/" + url.PathEscape(a.Run.ID)}
	if a.Joined {
		out.Status = http.StatusOK
	}
	out.Body = api.Submitted{Run: runOf(a.Run, time.Now()), Joined: a.Joined, Differs: a.Differs, Scope: string(a.Scope)}
	if link := s.setup.Load().LogLink; link != nil {
		out.Body.Link = link(a.Run.ID)
	}
	return out, nil
}

type listInput struct {
	State  []string `query:"state,explode" enum:"queued,placed,starting,running,canceling,succeeded,failed,canceled,timed_out,interrupted,lost,refused" doc:"Only runs in this state; it may be repeated."` //nolint:lll // a struct tag can't be broken
	Active bool     `query:"active" doc:"Only runs without an outcome."`
	Image  string   `query:"image" doc:"Only runs of this configured image."`
	Host   string   `query:"host" doc:"Only runs that were placed on this host."`
	Key    string   `query:"key" doc:"Only runs of this key."`
	Scope  string   `query:"scope" doc:"Only runs of this pin scope."`
	Limit  int      `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most."`
	Before string   `query:"before" doc:"What the page before gave as next."`
	Among
}

func (s *Server) listRuns(ctx context.Context, in *listInput) (*reply[api.Runs], error) {
	namespace, err := in.among(ctx)
	if err != nil {
		return nil, err
	}
	f := runner.Filter{
		Namespace: namespace,
		Limit:     in.Limit + 1, Before: in.Before, // one more tells whether there is a next page
		Active: in.Active, Image: in.Image, Host: in.Host, Key: in.Key, Scope: in.Scope,
	}
	for _, state := range in.State {
		f.States = append(f.States, runner.State(state))
	}
	runs, err := s.opts.Runs.List(ctx, f)
	if err != nil {
		return nil, err
	}
	answer, now := api.Runs{Runs: []api.Run{}}, time.Now()
	if len(runs) > in.Limit {
		runs = runs[:in.Limit]
		answer.Next = runs[in.Limit-1].ID
	}
	for _, r := range runs {
		answer.Runs = append(answer.Runs, runOf(r, now))
	}
	return &reply[api.Runs]{answer}, nil
}

func (s *Server) waitRun(ctx context.Context, in *struct {
	RunID
	Timeout int `query:"timeout" minimum:"0" maximum:"600" default:"60" doc:"Seconds to wait at most."`
},
) (*reply[api.Run], error) {
	return s.oneRun(func(ctx context.Context, id string) (runner.Run, error) {
		run, err := s.opts.Runs.Look(ctx, id)
		if err != nil {
			return runner.Run{}, err
		}
		if !run.State.Ended() && in.Timeout > 0 {
			leave, err := s.place(ctx)
			if err != nil {
				return runner.Run{}, err
			}
			defer leave()
		}
		ctx, cancel := context.WithTimeout(ctx, time.Duration(in.Timeout)*time.Second)
		defer cancel()
		return s.opts.Runs.Wait(ctx, id)
	})(ctx, &in.RunID)
}

// oneRun makes the handler of a call that is about one run and answers it.
func (s *Server) oneRun(do func(ctx context.Context, id string) (runner.Run, error)) func(context.Context, *RunID) (*reply[api.Run], error) {
	return func(ctx context.Context, in *RunID) (*reply[api.Run], error) {
		if err := s.sees(ctx, in.ID); err != nil {
			return nil, err
		}
		run, err := do(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &reply[api.Run]{runOf(run, time.Now())}, nil
	}
}

// A Server that only makes the document has no domain to take methods of.
func (s *Server) get(ctx context.Context, id string) (runner.Run, error) {
	return s.opts.Runs.Get(ctx, id)
}

func (s *Server) cancelRun(ctx context.Context, in *struct {
	RunID
	Idempotency string `header:"Idempotency-Key" maxLength:"255" doc:"That of the submit whose caller cancels: where another call has joined the run since, it goes on."`
},
) (*reply[api.Run], error) {
	return s.oneRun(func(ctx context.Context, id string) (runner.Run, error) {
		if in.Idempotency != "" {
			return s.opts.Runs.Withdraw(ctx, id, in.Idempotency)
		}
		return s.opts.Runs.Cancel(ctx, id)
	})(ctx, &in.RunID)
}

func (s *Server) reject(ctx context.Context, id string) (runner.Run, error) {
	return s.opts.Runs.Reject(ctx, id)
}

func (s *Server) release(ctx context.Context, id string) (runner.Run, error) {
	return s.opts.Runs.Release(ctx, id)
}
