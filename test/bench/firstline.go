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
// Nearly all of that time is the engine's create and start of a container, and
// varies by more than the aim. The second row of a network leaves it out: the
// time until the engine is asked, and the time since its own timestamp of the
// line. (Of what Prewarm does, that lacks one inspect between create and start.)
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
		var outside [2][]time.Duration
		took, err := byTurns(ctx, r.pairs, e.rest,
			noting(&outside[0], func(ctx context.Context) (sighting, error) { return s.firstLine(ctx, "first-line", network) }),
			noting(&outside[1], func(ctx context.Context) (sighting, error) { return e.firstLine(ctx, pin, network) }))
		if err != nil {
			return t, err
		}
		pairs := fmt.Sprint(r.pairs)
		later := median(took[0]) - median(took[1])
		t.add(network, "all of it", pairs, spread(took[0]), spread(took[1]), difference(took[0], took[1]),
			verdict("≤ "+millis(firstLineAim), later <= firstLineAim))
		ours, theirs := outside[0][1:], outside[1][1:] // the first round is not counted
		t.add(network, "without the engine's create and start", pairs, spread(ours), spread(theirs), difference(ours, theirs), "a part of the above")
	}
	return t, nil
}

// sighting is when a client had the first line.
type sighting struct {
	took    time.Duration // since the request
	outside time.Duration // of that, what was not the engine's create and start
}

// noting makes a way of something that sees a line, and keeps what the way does
// not tell.
func noting(outside *[]time.Duration, see func(context.Context) (sighting, error)) way {
	return func(ctx context.Context) (time.Duration, error) {
		s, err := see(ctx)
		*outside = append(*outside, s.outside)
		return s.took, err
	}
}

// difference is by how much our median is longer, with what chance alone makes
// of it.
func difference(ours, theirs []time.Duration) string {
	by := math.Hypot(float64(chance(ours)), float64(chance(theirs)))
	return number(median(ours)-median(theirs)) + " ± " + millis(time.Duration(by))
}

// livesOn is what the program is told: to print a line and then to sleep for
// much longer than the line can take.
func livesOn() []string { return []string{"sleep", "1m"} }

// livingOn is what it prints.
const livingOn = "sleeping"

// errSeen ends the reading of a log.
var errSeen = errors.New("the line was seen")

// firstLine times a submit until its first line. The run is stopped after it.
func (s *server) firstLine(ctx context.Context, image, network string) (seen sighting, err error) {
	begin := time.Now()
	run, err := s.client.Submit(ctx, api.SubmitRun{Image: image, Command: livesOn(), Network: network}, "")
	if err != nil {
		return seen, err
	}
	var line api.LogLine
	err = s.client.Logs(ctx, run.ID, 0, true, func(l api.LogLine) error {
		seen.took, line = time.Since(begin), l
		return errSeen
	})
	if !errors.Is(err, errSeen) || line.Text != livingOn {
		return seen, errors.Join(fmt.Errorf("run %s printed %q", run.ID, line.Text), err)
	}
	canceled, err := s.client.Cancel(ctx, run.ID)
	if err == nil {
		seen.outside = canceled.PlacedAt.Sub(begin) + begin.Add(seen.took).Sub(line.Time)
	}
	return seen, err
}
