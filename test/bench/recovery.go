package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// recoveryPace is how often each program prints: all are followed again, as far as
// that can be seen, once each has shown a line that was printed after the kill.
const recoveryPace = 200 * time.Millisecond

// benchRecovery tells how long it takes a server that was killed until it follows
// its runs again: on real engines from the start of its process, and, without
// engines, a Runner from the opening of its store.
func benchRecovery(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   "From the start of a server that was killed until all runs under way are followed again",
		columns: []string{"measured", "runs under way", "rounds", "the API answers, or the store was read", "all are followed"},
	}
	if err := r.recoveryOnRig(ctx, &t); err != nil {
		return t, err
	}
	var read, followed []time.Duration
	for range r.rounds {
		again, err := fakeProcess[recoveryTime](ctx, "recovery", r.active, 0)
		if err != nil {
			return t, err
		}
		read, followed = append(read, again.Read), append(followed, again.Followed)
	}
	t.add("Runner in a process of its own, engines in memory", fmt.Sprint(r.active), fmt.Sprint(r.rounds), spread(read), spread(followed))
	return t, nil
}

func (r *rig) recoveryOnRig(ctx context.Context, t *table) (err error) {
	s, _, err := r.ready(ctx, "recovery", memoryHosts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var ids []string
	for range r.underWay {
		run, err := s.client.Submit(ctx, api.SubmitRun{Image: "recovery", Command: []string{"lines", "100000", recoveryPace.String()}, Network: "none"}, "")
		if err != nil {
			return err
		}
		ids = append(ids, run.ID)
	}
	if err := s.awaitFresh(ctx, ids, time.Now()); err != nil {
		return err
	}
	var ready, followed []time.Duration
	for range r.rounds {
		if err := s.Kill(); err != nil {
			return err
		}
		begin := time.Now()
		next, err := prewarmtest.Serve(ctx, r.binary, filepath.Join(r.dir, "recovery.yaml"), s.address, s.log)
		if err != nil {
			return err
		}
		s.Server = next
		ready = append(ready, time.Since(begin))
		if err := s.awaitFresh(ctx, ids, begin); err != nil {
			return err
		}
		followed = append(followed, time.Since(begin))
	}
	t.add("real engines", fmt.Sprint(r.underWay), fmt.Sprint(r.rounds), spread(ready), spread(followed))
	return r.hush(ctx, s, ids)
}

// awaitFresh waits until each run has shown a line that was printed later.
func (s *server) awaitFresh(ctx context.Context, ids []string, later time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for _, id := range ids {
		g.Go(func() error {
			err := s.client.Logs(ctx, id, 0, true, func(l api.LogLine) error {
				if l.EngineTime != nil && l.EngineTime.After(later) {
					return errSeen
				}
				return nil
			})
			if !errors.Is(err, errSeen) {
				return errors.Join(fmt.Errorf("run %s shows no new line", id), err)
			}
			return nil
		})
	}
	return g.Wait()
}
