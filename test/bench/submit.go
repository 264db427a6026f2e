package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// benchSubmit compares how long clients wait for the first line when several
// submit at the same moment: Prewarm against as many bare create, attach and
// start.
func benchSubmit(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   "Submit → first line of programs that live on, several at once, against bare create + attach + start",
		columns: []string{"at once", "runs each", "Prewarm's API", "p95", "bare Engine API", "p95", "ratio of the medians"},
	}
	s, pin, err := r.ready(ctx, "submit", 1)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	e := newEngine(r.fleet.Hosts[0])
	for _, n := range []int{1, 10, 50} {
		var ours, theirs []time.Duration
		_, err := byTurns(ctx, max(r.rounds, r.pairs/n), e.rest,
			together(n, &ours, func(ctx context.Context) (sighting, error) { return s.firstLine(ctx, "submit", "none") }),
			together(n, &theirs, func(ctx context.Context) (sighting, error) { return e.firstLine(ctx, pin, "none") }))
		if err != nil {
			return t, err
		}
		ours, theirs = ours[n:], theirs[n:] // the first round is not counted
		t.add(fmt.Sprint(n), fmt.Sprint(len(ours)), spread(ours), millis(quantile(ours, 0.95)),
			spread(theirs), millis(quantile(theirs, 0.95)), ratioOf(ours, theirs).String())
	}
	return t, nil
}

// together makes a way of something that is done n times at once, and keeps what
// each of them took.
func together(n int, each *[]time.Duration, see func(context.Context) (sighting, error)) way {
	return func(ctx context.Context) (time.Duration, error) {
		took := make([]time.Duration, n)
		begin := time.Now()
		g, ctx := errgroup.WithContext(ctx)
		for i := range took {
			g.Go(func() error {
				seen, err := see(ctx)
				took[i] = seen.took
				return err
			})
		}
		err := g.Wait()
		*each = append(*each, took...)
		return time.Since(begin), err
	}
}
