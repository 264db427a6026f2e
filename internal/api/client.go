package api

import (
	"context"
	"net/http"
)

// Client speaks to one server. What fails is a *problem.Error: the server's own,
// or problem.ServerUnreachable when the server got nothing of the request, or
// problem.ServerLost when it may have got it.
type Client struct {
	// URL of the server, such as http://127.0.0.1:8470; without a scheme it is
	// http.
	URL string
	// HTTP has no time limit in its zero value: logs are followed for hours.
	HTTP http.Client
}

// Submit starts a run.
func (c *Client) Submit(ctx context.Context, r SubmitRun) (Run, error) {
	return do[Run](ctx, c, http.MethodPost, "/v1/runs", r)
}

// Run gives a run.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	return do[Run](ctx, c, http.MethodGet, "/v1/runs/"+segment(id), nil)
}

// Runs lists the newest runs.
func (c *Client) Runs(ctx context.Context) (Runs, error) {
	return do[Runs](ctx, c, http.MethodGet, "/v1/runs", nil)
}

// Cancel asks for a run to be stopped.
func (c *Client) Cancel(ctx context.Context, id string) (Run, error) {
	return do[Run](ctx, c, http.MethodPost, "/v1/runs/"+segment(id)+"/cancel", nil)
}

// Images lists the images.
func (c *Client) Images(ctx context.Context) (Images, error) {
	return do[Images](ctx, c, http.MethodGet, "/v1/images", nil)
}

// Image gives one image.
func (c *Client) Image(ctx context.Context, name string) (Image, error) {
	return do[Image](ctx, c, http.MethodGet, "/v1/images/"+segment(name), nil)
}

// Check looks at the tags of an image now.
func (c *Client) Check(ctx context.Context, name string) (CheckResult, error) {
	return do[CheckResult](ctx, c, http.MethodPost, "/v1/images/"+segment(name)+"/check", nil)
}

// Warm asks for an image to be made warm now.
func (c *Client) Warm(ctx context.Context, name string, hosts []string) (WarmResult, error) {
	return do[WarmResult](ctx, c, http.MethodPost, "/v1/images/"+segment(name)+"/warm", WarmRequest{Hosts: hosts})
}

// Hosts lists the hosts.
func (c *Client) Hosts(ctx context.Context) (Hosts, error) {
	return do[Hosts](ctx, c, http.MethodGet, "/v1/hosts", nil)
}
