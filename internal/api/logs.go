package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Logs passes the lines of a run behind after to fn, and with follow those to
// come, until the run's log ends. A connection that breaks is
// problem.ServerLost: call again with the last line's number. It returns fn's
// error as it is.
func (c *Client) Logs(ctx context.Context, id string, after int64, follow bool, fn func(LogLine) error) error {
	query := url.Values{"after": {strconv.FormatInt(after, 10)}, "follow": {strconv.FormatBool(follow)}}
	resp, err := c.send(ctx, http.MethodGet, "/v1/runs/"+segment(id)+"/logs?"+query.Encode(), ndjsonType, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readLines(ctx, c, resp.Body, fn)
}

// readLines passes a stream of JSON objects to fn, one line each.
func readLines[T any](ctx context.Context, c *Client, body io.Reader, fn func(T) error) error {
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		b, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(b) == 0 {
			return nil
		}
		var line T
		if err == nil {
			err = json.Unmarshal(b, &line)
		}
		if err != nil {
			return c.lost(ctx, err) // a last line without its end was cut off, too
		}
		if err := fn(line); err != nil {
			return err
		}
	}
}
