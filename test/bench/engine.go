package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

// engine is the bare Engine API of a host, by plain HTTP: a client library
// would be measured with it. It takes the way that Prewarm takes, tcp, and
// keeps its connections, as Prewarm does.
type engine struct {
	base string
	http http.Client
}

func newEngine(h *fleet.Host) *engine {
	return &engine{
		base: "http://" + strings.TrimPrefix(h.TCP, "tcp://"),
		http: http.Client{Transport: &http.Transport{}}, // no proxy: the host is on this machine
	}
}

// send gives the answer to a request, or what the engine says against it.
func (e *engine) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", path, err)
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, e.base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		said, err := io.ReadAll(resp.Body)
		return nil, errors.Join(fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(said))), err)
	}
	return resp, nil
}

// call is send for answers that are read whole; into may be nil.
func (e *engine) call(ctx context.Context, method, path string, body, into any) error {
	resp, err := e.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if into == nil {
		_, err := io.Copy(io.Discard, resp.Body) // else the connection is not used again
		return err
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// version is what the engine calls itself.
func (e *engine) version(ctx context.Context) (string, error) {
	var v struct{ Version, ApiVersion string }
	if err := e.call(ctx, http.MethodGet, "/version", nil, &v); err != nil {
		return "", fmt.Errorf("ask for the engine's version: %w", err)
	}
	return v.Version + " (API " + v.ApiVersion + ")", nil
}

// clear removes all containers.
func (e *engine) clear(ctx context.Context) error {
	var all []struct{ ID string }
	if err := e.call(ctx, http.MethodGet, "/containers/json?"+url.Values{"all": {"1"}}.Encode(), nil, &all); err != nil {
		return err
	}
	for _, c := range all {
		// An engine may be removing one already: then it says 409, or 404 a moment
		// later. What counts is that it goes.
		err := e.call(ctx, http.MethodDelete, "/containers/"+c.ID+"?force=1", nil, nil)
		if gone := e.awaitGone(ctx, c.ID); gone != nil {
			return errors.Join(err, gone)
		}
	}
	return nil
}

// removal is how long an engine has to remove a container.
const removal = 30 * time.Second

// awaitGone waits until the engine has no container of that id.
func (e *engine) awaitGone(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, removal)
	defer cancel()
	for {
		var all []struct{ ID string }
		filter := url.Values{"all": {"1"}, "filters": {`{"id":["` + id + `"]}`}}
		if err := e.call(ctx, http.MethodGet, "/containers/json?"+filter.Encode(), nil, &all); err != nil {
			return fmt.Errorf("wait until container %s is gone: %w", id, err)
		}
		if len(all) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until container %s is gone: %w", id, ctx.Err())
		case <-time.After(lookPause):
		}
	}
}

// calm is how long a host is left alone before a measurement.
const calm = 300 * time.Millisecond

// rest waits until the host has no container left, and then a little.
func (e *engine) rest(ctx context.Context) error {
	for {
		var all []struct{ ID string }
		if err := e.call(ctx, http.MethodGet, "/containers/json?"+url.Values{"all": {"1"}}.Encode(), nil, &all); err != nil {
			return fmt.Errorf("list containers: %w", err)
		}
		pause := 5 * lookPause
		if len(all) == 0 {
			pause = calm
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		if len(all) == 0 {
			return nil
		}
	}
}
