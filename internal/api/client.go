package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Client speaks to one server. The zero HTTP client is http.DefaultClient's
// likeness without a time limit: logs are followed for hours.
type Client struct {
	// URL of the server, such as http://127.0.0.1:8470.
	URL  string
	HTTP http.Client
}

// Submit starts a run.
func (c *Client) Submit(ctx context.Context, r SubmitRun) (Run, error) {
	return do[Run](ctx, c, http.MethodPost, "/v1/runs", r)
}

// Run gives a run.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	return do[Run](ctx, c, http.MethodGet, "/v1/runs/"+url.PathEscape(id), nil)
}

// Cancel asks for a run to be stopped.
func (c *Client) Cancel(ctx context.Context, id string) (Run, error) {
	return do[Run](ctx, c, http.MethodPost, "/v1/runs/"+url.PathEscape(id)+"/cancel", nil)
}

// Images lists the images.
func (c *Client) Images(ctx context.Context) (Images, error) {
	return do[Images](ctx, c, http.MethodGet, "/v1/images", nil)
}

// Image gives one image.
func (c *Client) Image(ctx context.Context, name string) (Image, error) {
	return do[Image](ctx, c, http.MethodGet, "/v1/images/"+url.PathEscape(name), nil)
}

// Check looks at the tags of an image now.
func (c *Client) Check(ctx context.Context, name string) (CheckResult, error) {
	return do[CheckResult](ctx, c, http.MethodPost, "/v1/images/"+url.PathEscape(name)+"/check", nil)
}

// Warm asks for an image to be made warm now.
func (c *Client) Warm(ctx context.Context, name string, hosts []string) (WarmResult, error) {
	return do[WarmResult](ctx, c, http.MethodPost, "/v1/images/"+url.PathEscape(name)+"/warm", WarmRequest{Hosts: hosts})
}

// Hosts lists the hosts.
func (c *Client) Hosts(ctx context.Context) (Hosts, error) {
	return do[Hosts](ctx, c, http.MethodGet, "/v1/hosts", nil)
}

// Logs passes the lines of a run behind after to fn, and with follow those to
// come, until the run's log ends. A connection that breaks is an error: call
// again with the last line's number.
func (c *Client) Logs(ctx context.Context, id string, after int64, follow bool, fn func(LogLine) error) error {
	query := url.Values{"after": {strconv.FormatInt(after, 10)}, "follow": {strconv.FormatBool(follow)}}
	resp, err := c.send(ctx, http.MethodGet, "/v1/runs/"+url.PathEscape(id)+"/logs?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		b, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(b) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the log of run %s: %w", id, err)
		}
		var l LogLine
		if err := json.Unmarshal(b, &l); err != nil {
			return fmt.Errorf("read the log of run %s: %w", id, err)
		}
		if err := fn(l); err != nil {
			return err
		}
	}
}

// do sends a request and reads its answer.
func do[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var answer T
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return answer, nil
}

// send gives a good answer, or the problem that a bad one tells.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		return nil, readProblem(resp)
	}
	return resp, nil
}

// unreachable tells whether the request can have arrived: with
// problem.ServerUnreachable it can't, with problem.ServerLost it may have.
func (c *Client) unreachable(err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return problem.Wrap(problem.ServerUnreachable, dial.Err, "no prewarm server answers at "+c.URL,
			"start one with prewarm serve, or name its address with --server or PREWARM_URL")
	}
	return problem.Wrap(problem.ServerLost, err, "the connection to the prewarm server broke", "see with prewarm status whether it is back")
}

// maxProblem bounds what is read of an error.
const maxProblem = 1 << 20

func readProblem(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	var p Problem
	if err != nil || json.Unmarshal(b, &p) != nil || p.Code == "" {
		return problem.New(problem.Internal,
			fmt.Sprintf("%s answered %s without saying why", resp.Request.URL.Host, resp.Status),
			"is this a prewarm server? Name its address with --server or PREWARM_URL")
	}
	e := problem.New(problem.Code(p.Code), p.Detail, p.Mend)
	e.RetryAfter = time.Duration(p.RetryAfter) * time.Second
	return e
}
