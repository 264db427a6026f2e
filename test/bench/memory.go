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

// memoryWatch notes the most memory that a process had.
type memoryWatch struct {
	most int64
	err  error
	end  chan struct{}
	done chan struct{}
}

// watchMemory looks at a process ten times a second, until stop.
func watchMemory(pid int) *memoryWatch {
	w := &memoryWatch{end: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for {
			now, err := residentBytes(pid)
			w.most, w.err = max(w.most, now), err
			select {
			case <-w.end:
				return
			case <-time.After(100 * time.Millisecond):
			}
			if err != nil {
				return
			}
		}
	}()
	return w
}

// stop ends the watch; most can be read then.
func (w *memoryWatch) stop() error {
	close(w.end)
	<-w.done
	return w.err
}

const (
	memoryHosts = 3
	// talkLine and talkRate make 20 kB a second of a program.
	talkLine = 99 // and a line feed
	talkRate = 200
)

// benchMemory tells what a server takes with many runs that print at once: on
// real engines 20 kB a second each, and, without engines, a Runner in a process of
// its own, with engines in memory, 1 MB a second each.
func benchMemory(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   fmt.Sprintf("Memory of the server while %d runs print at once", r.talkers),
		columns: []string{"measured", "runs", "each prints", "written to the logs", "for", "memory (RSS) without runs", "at most", "per run"},
	}
	if err := r.memoryOnRig(ctx, &t); err != nil {
		return t, err
	}
	loud, err := fakeProcess[loudness](ctx, "loud", r.talkers, r.listen)
	if err != nil {
		return t, err
	}
	t.add("Runner in a process of its own, engines in memory", fmt.Sprint(r.talkers), "1 MB/s", fmt.Sprintf("%.1f MB/s", loud.Rate/1e6), loud.For.String(),
		mebibytes(loud.Before), mebibytes(loud.Most), mebibytes((loud.Most-loud.Before)/int64(r.talkers)))
	return t, nil
}

func (r *rig) memoryOnRig(ctx context.Context, t *table) (err error) {
	s, _, err := r.ready(ctx, "memory", memoryHosts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	before, err := residentBytes(s.PID())
	if err != nil {
		return err
	}
	ids, err := r.talk(ctx, s)
	if err != nil {
		return err
	}
	memory := watchMemory(s.PID())
	logs := filepath.Join(r.dir, "memory", "logs")
	first, err := folderSize(logs)
	begin := time.Now()
	err = errors.Join(err, pause(ctx, r.listen))
	last, readErr := folderSize(logs)
	took := time.Since(begin)
	if err := errors.Join(err, readErr, memory.stop()); err != nil {
		return err
	}
	t.add("real engines", fmt.Sprint(len(ids)), "20 kB/s", fmt.Sprintf("%.1f MB/s", float64(last-first)/took.Seconds()/1e6), r.listen.String(),
		mebibytes(before), mebibytes(memory.most), mebibytes((memory.most-before)/int64(len(ids))))
	return r.hush(ctx, s, ids)
}

// talk starts programs that print on, and returns once all do.
func (r *rig) talk(ctx context.Context, s *server) ([]string, error) {
	ids := make([]string, r.talkers)
	const hour = 3600
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range ids {
		g.Go(func() error {
			run, err := s.client.Submit(gctx, api.SubmitRun{
				Image: "memory", Network: "none", Command: []string{"paced", fmt.Sprint(talkRate * hour), fmt.Sprint(talkRate), fmt.Sprint(talkLine)},
			}, "")
			if err != nil {
				return err
			}
			ids[i] = run.ID
			err = s.client.Logs(gctx, run.ID, 0, true, func(api.LogLine) error { return errSeen })
			if !errors.Is(err, errSeen) {
				return fmt.Errorf("run %s does not print: %w", run.ID, err)
			}
			return nil
		})
	}
	return ids, g.Wait()
}

// hush ends all of them.
func (r *rig) hush(ctx context.Context, s *server, ids []string) error {
	for _, id := range ids {
		if _, err := s.client.Cancel(ctx, id); err != nil {
			return err
		}
	}
	for _, h := range r.fleet.Hosts {
		if err := newEngine(h).rest(ctx); err != nil {
			return err
		}
	}
	return nil
}

// roomy is the configuration of the first hosts, with room for many runs.
func (r *rig) roomy(hosts int, images ...string) prewarmtest.Setup {
	setup := prewarmtest.Setup{Registries: []string{prewarmtest.Registry(r.fleet.Registry)}, Images: images}
	for _, h := range r.fleet.Hosts[:hosts] {
		setup.Hosts = append(setup.Hosts, prewarmtest.Host(h, fmt.Sprintf("limits: {runs: %d}", manyRuns)))
	}
	return setup
}

// manyRuns is room enough on a host for all that is measured.
const manyRuns = 500
