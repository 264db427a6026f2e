package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

func (s *Server) checkRoute() {
	check := op(http.MethodPost, "/v1/runs/check", "check-run", "Tell what would become of a submit, and make nothing of it")
	check.Description = "Takes the body of a submit and goes its way, but nothing is made, written down or queued, and no registry is asked: with `fresh` what is " +
		"current is looked at. What the submit would be refused for is in `problems`: all of it, as far as one does not hide the other."
	check.MaxBodyBytes = maxBody
	handle(s, check, s.checkRun, problem.Stopping)
}

func (s *Server) checkRun(ctx context.Context, in *struct{ Body api.SubmitRun }) (*reply[api.RunCheck], error) {
	denied := limited(ctx, &in.Body)
	ask, err := askOf(in.Body, "")
	if err != nil {
		return nil, err
	}
	within(ctx, &ask)
	c, err := s.opts.Runs.Check(ctx, ask)
	if err != nil {
		return nil, err
	}
	if denied != nil {
		c.Problems = append([]error{denied}, c.Problems...)
	}
	answer := api.RunCheck{Image: c.Target.Image, Hosts: listOf(c.Hosts), Warm: listOf(c.Warm), Problems: []api.RunProblem{}}
	if tag, ok := strings.CutPrefix(c.Target.Track, c.Target.Image+":"); ok {
		answer.Tag = tag
	}
	if !c.Target.Pin.IsZero() {
		answer.Pin = c.Target.Pin.String()
	}
	for _, p := range c.Problems {
		told := failure(p)
		if told.Code == string(problem.Internal) {
			return nil, p // a fault of ours, as the submit would tell it
		}
		answer.Problems = append(answer.Problems, api.RunProblem{Code: told.Code, Detail: told.Detail, Mend: told.Mend})
	}
	return &reply[api.RunCheck]{answer}, nil
}
