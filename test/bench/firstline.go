package main

import (
	"context"
	"errors"
	"fmt"
	"math"
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
//
// Nearly all of that time is the engine's start of a container, and varies by
// more than the aim. The second row of a network leaves it out: it begins with
// the engine's own timestamp of the line.
func benchFirstLine(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   "First log line of a program that prints and lives on, against bare create + attach + start",
		columns: []string{"network", "until the client has the line", "pairs", "Prewarm's API", "bare Engine API", "difference", "aim"},
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
		var delivered [2][]time.Duration
		took, err := byTurns(ctx, r.pairs, e.rest,
			noting(&delivered[0], func(ctx context.Context) (sighting, error) { return s.firstLine(ctx, "first-line", network) }),
			noting(&delivered[1], func(ctx context.Context) (sighting, error) { return e.firstLine(ctx, pin, network) }))
		if err != nil {
			return t, err
		}
		pairs := fmt.Sprint(r.pairs)
		later := median(took[0]) - median(took[1])
		t.add(network, "from the request", pairs, spread(took[0]), spread(took[1]), difference(took[0], took[1]),
			verdict("≤ "+millis(firstLineAim), later <= firstLineAim))
		ours, theirs := delivered[0][1:], delivered[1][1:] // the first round is not counted
		t.add(network, "from the engine's timestamp", pairs, spread(ours), spread(theirs), difference(ours, theirs), "a part of the above")
	}
	return t, nil
}

// sighting is when a client had the first line.
type sighting struct {
	took      time.Duration // since the request
	delivered time.Duration // since the engine's timestamp of the line
}

// noting makes a way of something that sees a line, and keeps what the way does
// not tell.
func noting(delivered *[]time.Duration, see func(context.Context) (sighting, error)) way {
	return func(ctx context.Context) (time.Duration, error) {
		s, err := see(ctx)
		*delivered = append(*delivered, s.delivered)
		return s.took, err
	}
}

// difference is by how much our median is longer, with what chance alone makes
// of it.
func difference(ours, theirs []time.Duration) string {
	by := math.Hypot(float64(chance(ours)), float64(chance(theirs)))
	return number(median(ours)-median(theirs)) + " ± " + millis(time.Duration(by))
}

// livesOn is what the program is told: to print "sleeping" and then to sleep
// for much longer than the line can take.
func livesOn() []string { return []string{"sleep", "1m"} }

// errSeen ends the reading of a log.
var errSeen = errors.New("the line was seen")

// firstLine times a submit until its first line. The run is stopped after it.
func (s *server) firstLine(ctx context.Context, image, network string) (seen sighting, err error) {
	begin := time.Now()
	run, err := s.client.Submit(ctx, api.SubmitRun{Image: image, Command: livesOn(), Network: network})
	if err != nil {
		return seen, err
	}
	err = s.client.Logs(ctx, run.ID, 0, true, func(l api.LogLine) error {
		seen = sighting{took: time.Since(begin), delivered: time.Since(l.Time)}
		if l.Text != "sleeping" {
			return fmt.Errorf("run %s printed %q", run.ID, l.Text)
		}
		return errSeen
	})
	if !errors.Is(err, errSeen) {
		return seen, fmt.Errorf("read the log of run %s to its first line: %w", run.ID, err)
	}
	_, err = s.client.Cancel(ctx, run.ID)
	return seen, err
}
