package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

const (
	jsonType   = "application/json"
	ndjsonType = "application/x-ndjson"
)

// mendAddress is what to do where no server is found.
const mendAddress = "start one with prewarm serve, or name its address with --server or PREWARM_URL"

// request is a call on its way to the server.
type request struct {
	method, path string
	want         string // media type of a good answer
	body         any    // nil: none
	header       http.Header
}

// do sends a request and reads its answer.
func do[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	return receive[T](ctx, c, request{method: method, path: path, want: jsonType, body: body})
}

func receive[T any](ctx context.Context, c *Client, q request) (T, error) {
	var answer T
	resp, err := c.send(ctx, q)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return answer, c.lost(ctx, err)
	}
	return answer, nil
}

// send gives a good answer of the wanted type, or what a bad one means.
func (c *Client) send(ctx context.Context, q request) (*http.Response, error) {
	var sent bool // a connection was there, so the request may have arrived
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }}
	req, err := c.request(httptrace.WithClientTrace(ctx, trace), q)
	if err != nil {
		return nil, err
	}
	client := c.HTTP
	client.CheckRedirect = stay
	resp, err := client.Do(req)
	switch {
	case err != nil && sent:
		return nil, c.lost(ctx, err)
	case err != nil && ctx.Err() != nil:
		return nil, problem.Wrap(problem.ServerUnreachable, context.Cause(ctx), "given up before the request to "+c.URL+" was sent", "")
	case err != nil:
		return nil, problem.Wrap(problem.ServerUnreachable, cause(err), "no prewarm server answers at "+c.URL, mendReach(err))
	case resp.StatusCode/100 == 2 && mediaType(resp) == q.want:
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.refusal(ctx, resp)
}

// stay follows no redirect: this API has none, and where one leads nobody said
// that a task's environment may go.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (c *Client) request(ctx context.Context, q request) (*http.Request, error) {
	base, err := c.base()
	if err != nil {
		return nil, err
	}
	var content io.Reader
	if q.body != nil {
		b, err := json.Marshal(q.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, base+q.path, content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	maps.Copy(req.Header, q.header)
	if q.body != nil {
		req.Header.Set("Content-Type", jsonType)
	}
	return req, c.authorize(req)
}

// base is the server's address without a slash at its end. A path is kept: it
// is that of a proxy.
func (c *Client) base() (string, error) {
	address := c.URL
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if strings.Contains(c.URL, "@") { // it is not repeated: there may be a password in it
		return "", problem.New(problem.ServerUnreachable, "the address of the server names a user", "say who you are with PREWARM_TOKEN or PREWARM_TOKEN_FILE instead")
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", problem.New(problem.ServerUnreachable, fmt.Sprintf("%q is not the address of a server", c.URL),
			"write it as http://127.0.0.1:8470, with --server or PREWARM_URL")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// segment makes a name one segment of a path, whatever it holds.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}

// cause is what is behind an error of package http, which repeats the address.
func cause(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// lost is the problem of a request that may have arrived.
func (c *Client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return problem.Wrap(problem.ServerLost, context.Cause(ctx), "given up before the answer of "+c.URL+" was complete", "")
	}
	return problem.Wrap(problem.ServerLost, cause(err), "the connection to "+c.URL+" broke", "see with prewarm status whether the server is back")
}

// maxProblem bounds what is read of an error.
const maxProblem = 1 << 20

// refusal tells the problem that an answer holds. An answer without one is not
// prewarm's: a gateway's error leaves open whether the request went through,
// and anything else means that no prewarm server is there.
func (c *Client) refusal(ctx context.Context, resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil {
		return c.lost(ctx, err)
	}
	var p Problem
	if json.Unmarshal(b, &p) == nil && p.Code != "" {
		e := problem.New(problem.Code(p.Code), p.Detail, p.Mend)
		e.RetryAfter = time.Duration(p.RetryAfter) * time.Second
		return e
	}
	if bytes.Contains(b, []byte(plainToTLS)) {
		return problem.New(problem.ServerUnreachable, "the server at "+c.URL+" speaks TLS", "write its address with https://")
	}
	said := resp.Status
	if location := resp.Header.Get("Location"); location != "" {
		said += " to " + location
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return problem.New(problem.ServerLost, fmt.Sprintf("something before the prewarm server at %s answered %s", c.URL, said),
			"see with prewarm status whether the server is back")
	}
	return problem.New(problem.ServerUnreachable, fmt.Sprintf("what answers at %s is not a prewarm server: %s, %s", c.URL, said, mediaType(resp)), mendAddress)
}

func mediaType(resp *http.Response) string {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return "no media type"
	}
	return t
}
