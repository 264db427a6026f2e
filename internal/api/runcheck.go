package api

import (
	"context"
	"net/http"
)

// RunCheck is what would become of a submit now.
type RunCheck struct {
	Image    string       `json:"image" doc:"The configured image; empty: none answers to the name." example:"node-jobs"`
	Tag      string       `json:"tag,omitempty" doc:"The tag whose digest it would be; missing: none, or nobody knows."`
	Pin      string       `json:"pin,omitempty" doc:"The digest that would run; missing: there is none yet."`
	Hosts    []string     `json:"hosts" doc:"Hosts that could take the run, whether or not it is warm there, in the order of the configuration."`
	Warm     []string     `json:"warm" doc:"Those of them where it is warm now, and which take runs."`
	Problems []RunProblem `json:"problems" doc:"What the submit would be refused for, the first of which it would be answered. None: it would be accepted, to start at once or to wait."`
}

// RunProblem is something that a submit would be refused for.
type RunProblem struct {
	Code   string `json:"code" doc:"As of the problem that the submit would be answered." example:"image_not_managed"`
	Detail string `json:"detail"`
	Mend   string `json:"mend,omitempty" doc:"What to do about it."`
}

// CheckRun tells what would become of a submit. It leaves nothing behind.
func (c *Client) CheckRun(ctx context.Context, r SubmitRun) (RunCheck, error) {
	return do[RunCheck](ctx, c, http.MethodPost, "/v1/runs/check", r)
}
