package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Client speaks to one server. What fails is a *problem.Error: the server's own,
// or problem.ServerUnreachable when the server got nothing of the request, or
// problem.ServerLost when it may have got it.
type Client struct {
	// URL of the server, such as http://127.0.0.1:8470; without a scheme it is
	// http.
	URL string
	// Token says who calls; empty: nobody. It is sent in clear to this machine
	// only, unless Insecure.
	Token    string
	Insecure bool
	// HTTP has no time limit in its zero value: logs are followed for hours.
	HTTP http.Client
}

// Apart gives a client of the same server with connections of its own, and what
// gives them back. Those of c may be stuck, or lead nowhere any more, and over
// HTTP/2 all requests share one.
func (c *Client) Apart() (apart *Client, leave func()) {
	own := c.transport()
	return &Client{URL: c.URL, Token: c.Token, Insecure: c.Insecure, HTTP: http.Client{Transport: own}}, own.CloseIdleConnections
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

// Approve lets a digest pass. name is an image or image:tag.
func (c *Client) Approve(ctx context.Context, name string, r ApproveRequest) (Decision, error) {
	return do[Decision](ctx, c, http.MethodPost, "/v1/images/"+segment(name)+"/approve", r)
}

// Hold stops an image's promotions.
func (c *Client) Hold(ctx context.Context, name string, r HoldRequest) (Image, error) {
	return do[Image](ctx, c, http.MethodPost, "/v1/images/"+segment(name)+"/hold", r)
}

// Unhold lets an image's promotions go on.
func (c *Client) Unhold(ctx context.Context, name string, r HoldRequest) (Image, error) {
	return do[Image](ctx, c, http.MethodPost, "/v1/images/"+segment(name)+"/unhold", r)
}

// Rollback goes back to an earlier digest. name is an image or image:tag.
func (c *Client) Rollback(ctx context.Context, name string, r RollbackRequest) (Decision, error) {
	return do[Decision](ctx, c, http.MethodPost, "/v1/images/"+segment(name)+"/rollback", r)
}

// History gives the newest rollouts of an image and acts on it, at most limit
// of each.
func (c *Client) History(ctx context.Context, name string, limit int) (History, error) {
	return do[History](ctx, c, http.MethodGet, "/v1/images/"+segment(name)+"/history?limit="+strconv.Itoa(limit), nil)
}

// Diff compares two digests of an image, or of image:tag. Either may be empty.
func (c *Client) Diff(ctx context.Context, name, a, b string) (Diff, error) {
	query := url.Values{}
	for key, digest := range map[string]string{"a": a, "b": b} {
		if digest != "" {
			query.Set(key, digest)
		}
	}
	return do[Diff](ctx, c, http.MethodGet, "/v1/images/"+segment(name)+"/diff?"+query.Encode(), nil)
}

// Pause stops an activity.
func (c *Client) Pause(ctx context.Context, r PauseRequest) (Pauses, error) {
	return do[Pauses](ctx, c, http.MethodPost, "/v1/pause", r)
}

// Resume lets an activity go on.
func (c *Client) Resume(ctx context.Context, r PauseRequest) (Pauses, error) {
	return do[Pauses](ctx, c, http.MethodPost, "/v1/resume", r)
}

// Pauses lists what is paused.
func (c *Client) Pauses(ctx context.Context) (Pauses, error) {
	return do[Pauses](ctx, c, http.MethodGet, "/v1/pauses", nil)
}

// Hosts lists the hosts.
func (c *Client) Hosts(ctx context.Context) (Hosts, error) {
	return do[Hosts](ctx, c, http.MethodGet, "/v1/hosts", nil)
}

// Drain takes a host out of placement. by is who asks, as they say.
func (c *Client) Drain(ctx context.Context, host, by string) (Host, error) {
	return do[Host](ctx, c, http.MethodPost, "/v1/hosts/"+segment(host)+"/drain", DrainRequest{By: by})
}

// Undrain takes a host back into placement.
func (c *Client) Undrain(ctx context.Context, host, by string) (Host, error) {
	return do[Host](ctx, c, http.MethodPost, "/v1/hosts/"+segment(host)+"/undrain", DrainRequest{By: by})
}
