package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Logs passes the lines of a run behind after to fn, and with follow those to
// come, until the run's log ends. A connection that breaks is
// problem.ServerLost: call again with the last line's number. It returns fn's
// error as it is.
func (c *Client) Logs(ctx context.Context, id string, after int64, follow bool, fn func(LogLine) error) error {
	body, err := c.log(ctx, id, after, follow)
	if err != nil {
		return err
	}
	defer body.Close()
	return readLines(ctx, c, body, decodeLine, fn)
}

// CopyLogs writes the lines that Logs would pass to w as they came: JSON objects
// on a line each, whole lines only, many at a time. It tells the number of the
// last one that was written, and returns w's error as it is.
func (c *Client) CopyLogs(ctx context.Context, id string, after int64, follow bool, w io.Writer) (last int64, err error) {
	body, err := c.log(ctx, id, after, follow)
	if err != nil {
		return after, err
	}
	defer body.Close()
	last = after
	err = c.copyLines(ctx, body, func(lines []byte) error {
		newest, err := decodeLine(lines[bytes.LastIndexByte(lines[:len(lines)-1], '\n')+1:])
		if err != nil {
			return c.lost(ctx, err)
		}
		if _, err := w.Write(lines); err != nil {
			return err
		}
		last = newest.Seq
		return nil
	})
	return last, err
}

func (c *Client) log(ctx context.Context, id string, after int64, follow bool) (io.ReadCloser, error) {
	query := url.Values{"after": {strconv.FormatInt(after, 10)}, "follow": {strconv.FormatBool(follow)}}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: "/v1/runs/" + segment(id) + "/logs?" + query.Encode(), want: ndjsonType})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// readBuffer holds some hundred lines. A longer line makes it grow.
const readBuffer = 64 << 10

// copyLines passes what comes to fn as soon as it is there, cut at the ends of
// lines.
func (c *Client) copyLines(ctx context.Context, body io.Reader, fn func(lines []byte) error) error {
	buffer, held := make([]byte, readBuffer), 0
	for {
		n, err := body.Read(buffer[held:])
		end := bytes.LastIndexByte(buffer[held:held+n], '\n') + 1
		if end > 0 {
			end += held
			if err := fn(buffer[:end]); err != nil {
				return err
			}
		}
		held = copy(buffer, buffer[end:held+n])
		switch {
		case errors.Is(err, io.EOF) && held == 0:
			return nil
		case errors.Is(err, io.EOF):
			return c.lost(ctx, io.ErrUnexpectedEOF) // a last line without its end was cut off
		case err != nil:
			return c.lost(ctx, err)
		}
		if held == len(buffer) {
			buffer = slices.Grow(buffer, len(buffer))
			buffer = buffer[:cap(buffer)]
		}
	}
}

// readLines passes a stream of JSON objects to fn, one line each.
func readLines[T any](ctx context.Context, c *Client, body io.Reader, decode func([]byte) (T, error), fn func(T) error) error {
	lines := bufio.NewReaderSize(body, readBuffer)
	for {
		b, err := readLine(lines)
		if errors.Is(err, io.EOF) && len(b) == 0 {
			return nil
		}
		var line T
		if err == nil {
			line, err = decode(b)
		}
		if err != nil {
			return c.lost(ctx, err) // a last line without its end was cut off, too
		}
		if err := fn(line); err != nil {
			return err
		}
	}
}

// readLine gives the next line, which is valid until the one after it.
func readLine(r *bufio.Reader) ([]byte, error) {
	b, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return b, err
	}
	long := bytes.Clone(b)
	rest, err := r.ReadBytes('\n')
	return append(long, rest...), err
}

func decodeJSON[T any](b []byte) (line T, err error) {
	err = json.Unmarshal(b, &line)
	return line, err
}
