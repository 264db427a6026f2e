package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
)

// firstLineAim is by how much the first line may come later than with the bare
// Engine API: less than a person or a scheduler can tell.
const firstLineAim = 10 * time.Millisecond

// benchFirstLine compares how long a client waits for the first line of a
// program that lives on: from the submit to the line in the log that the API
// streams, against create, attach and start of the bare Engine API, which is as
// fast as an engine gets. A program that ends at once is another matter, and
// in benchRun.
func benchFirstLine(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   "First log line of a program that prints and lives on, against bare create + attach + start",
		columns: []string{"network", "pairs", "submit → line over the API", "create → line from the engine", "difference", "aim"},
	}
	pin, err := r.push(ctx, "first-line", fleet.ProgramImage("first line"))
	if err != nil {
		return t, err
	}
	s, err := r.serve(ctx, "first-line", 1, r.image("first-line"))
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.awaitCurrent(ctx, "first-line", digest(pin)); err != nil {
		return t, err
	}
	e := newEngine(r.fleet.Hosts[0])
	for _, network := range []string{"bridge", "none"} {
		took, err := byTurns(ctx, r.pairs, e.rest,
			func(ctx context.Context) (time.Duration, error) { return s.firstLine(ctx, "first-line", network) },
			func(ctx context.Context) (time.Duration, error) { return e.firstLine(ctx, pin, network) })
		if err != nil {
			return t, err
		}
		later := median(took[0]) - median(took[1])
		by := time.Duration(math.Hypot(float64(chance(took[0])), float64(chance(took[1]))))
		t.add(network, fmt.Sprint(r.pairs), spread(took[0]), spread(took[1]), number(later)+" ± "+millis(by),
			verdict("≤ "+millis(firstLineAim), later <= firstLineAim))
	}
	return t, nil
}

// livesOn is what the program is told: to print "sleeping" and then to sleep
// for much longer than the line can take.
func livesOn() []string { return []string{"sleep", "1m"} }

// errSeen ends the reading of a log.
var errSeen = errors.New("the line was seen")

// firstLine times a submit until its first line. The run is stopped after it.
func (s *server) firstLine(ctx context.Context, image, network string) (time.Duration, error) {
	begin := time.Now()
	run, err := s.client.Submit(ctx, api.SubmitRun{Image: image, Command: livesOn(), Network: network})
	if err != nil {
		return 0, err
	}
	var took time.Duration
	err = s.client.Logs(ctx, run.ID, 0, true, func(l api.LogLine) error {
		took = time.Since(begin)
		if l.Text != "sleeping" {
			return fmt.Errorf("run %s printed %q", run.ID, l.Text)
		}
		return errSeen
	})
	if !errors.Is(err, errSeen) {
		return 0, fmt.Errorf("read the log of run %s to its first line: %w", run.ID, err)
	}
	_, err = s.client.Cancel(ctx, run.ID)
	return took, err
}

// firstLine does the same with nothing in between.
func (e *engine) firstLine(ctx context.Context, pin, network string) (took time.Duration, err error) {
	begin := time.Now()
	var made struct{ ID string }
	err = e.call(ctx, http.MethodPost, "/containers/create", map[string]any{
		"Image": pin, "Cmd": livesOn(), "AttachStdout": true, "AttachStderr": true,
		"HostConfig": map[string]any{"NetworkMode": network},
	}, &made)
	if err != nil {
		return 0, err
	}
	container := "/containers/" + made.ID
	defer func() { err = errors.Join(err, e.call(ctx, http.MethodDelete, container+"?force=1", nil, nil)) }()
	attached, err := e.send(ctx, http.MethodPost, container+"/attach?stream=1&stdout=1&stderr=1", nil)
	if err != nil {
		return 0, err
	}
	defer attached.Body.Close()
	// The line often comes before the start is answered.
	seen := make(chan sighting, 1)
	go func() {
		err := readSleeping(attached.Body)
		seen <- sighting{took: time.Since(begin), err: err}
	}()
	if err := e.call(ctx, http.MethodPost, container+"/start", nil, nil); err != nil {
		return 0, err
	}
	s := <-seen
	return s.took, s.err
}

// sighting is the first line, or why it did not come.
type sighting struct {
	took time.Duration
	err  error
}

// frameHeader is how many bytes an engine puts before each piece of an attached
// stream: the stream's number and the piece's length.
const frameHeader = 8

// readSleeping reads the first line.
func readSleeping(attached io.Reader) error {
	r := bufio.NewReader(attached)
	if _, err := r.Discard(frameHeader); err != nil {
		return fmt.Errorf("read the attached stream: %w", err)
	}
	line, err := r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the attached stream: %w", err)
	}
	if line != "sleeping\n" {
		return fmt.Errorf("the program printed %q", line)
	}
	return nil
}
