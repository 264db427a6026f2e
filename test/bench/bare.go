package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// firstLine times create, attach and start until the first line, with nothing
// in between. The container is removed after it.
func (e *engine) firstLine(ctx context.Context, pin, network string) (seen sighting, err error) {
	begin := time.Now()
	var made struct{ ID string }
	err = e.call(ctx, http.MethodPost, "/containers/create", map[string]any{
		"Image": pin, "Cmd": livesOn(), "AttachStdout": true, "AttachStderr": true,
		"HostConfig": map[string]any{"NetworkMode": network},
	}, &made)
	if err != nil {
		return seen, err
	}
	container := "/containers/" + made.ID
	defer func() { err = errors.Join(err, e.call(ctx, http.MethodDelete, container+"?force=1", nil, nil)) }()
	created := time.Now()
	attached, err := e.send(ctx, http.MethodPost, container+"/attach?stream=1&stdout=1&stderr=1", nil)
	if err != nil {
		return seen, err
	}
	defer attached.Body.Close()
	attaching := time.Since(created)
	// The line often comes before the start is answered.
	arrivals := make(chan arrival, 1)
	go func() {
		line, err := readFrame(attached.Body)
		arrivals <- arrival{line: line, at: time.Now(), err: err}
	}()
	if err := e.call(ctx, http.MethodPost, container+"/start", nil, nil); err != nil {
		return seen, err
	}
	a := <-arrivals
	if a.err != nil || a.line != livingOn {
		return seen, errors.Join(fmt.Errorf("container %s printed %q", made.ID, a.line), a.err)
	}
	stamped, err := e.stamp(ctx, container)
	return sighting{took: a.at.Sub(begin), outside: attaching + a.at.Sub(stamped)}, err
}

// arrival is a line of an attached stream.
type arrival struct {
	line string
	at   time.Time
	err  error
}

// stamp reads the engine's timestamp of the first line.
func (e *engine) stamp(ctx context.Context, container string) (time.Time, error) {
	ctx, cancel := context.WithCancel(ctx) // the log goes on for as long as the container does
	defer cancel()
	log, err := e.send(ctx, http.MethodGet, container+"/logs?stdout=1&timestamps=1&follow=1", nil)
	if err != nil {
		return time.Time{}, err
	}
	defer log.Body.Close()
	line, err := readFrame(log.Body)
	if err != nil {
		return time.Time{}, err
	}
	stamp, _, _ := strings.Cut(line, " ")
	return time.Parse(time.RFC3339Nano, stamp)
}

// frameHeader is how many bytes an engine puts before each piece of a stream:
// the stream's number and the piece's length.
const frameHeader = 8

// readFrame reads the first line of a stream, which is one piece.
func readFrame(stream io.Reader) (string, error) {
	r := bufio.NewReader(stream)
	if _, err := r.Discard(frameHeader); err != nil {
		return "", fmt.Errorf("read a container's stream: %w", err)
	}
	line, err := r.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("read a container's stream: %w", err)
	}
	return strings.TrimSuffix(line, "\n"), nil
}
