package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// follower reads the log of a run by its cursor to the end, over as many
// connections as it takes.
type follower struct {
	client   *api.Client
	id       string
	after    int64 // the last line that was printed
	print    func(api.LogLine) error
	raw      io.Writer // gets the lines as they came, in place of print
	patience patience
}

// toEnd prints the log of the run and gives the ended run.
func (f *follower) toEnd(ctx context.Context) (api.Run, error) {
	for {
		err := f.stream(ctx)
		if err != nil && !passing(err) {
			return api.Run{}, err
		}
		if err == nil {
			var run api.Run
			run, err = look(ctx, f.client, f.id)
			switch {
			case err == nil && run.Ended:
				return run, nil
			case err == nil: // a server that is stopping ends logs
				err = fmt.Errorf("the log of run %s ended while it is %s", f.id, run.State)
			case !passing(err):
				return run, err
			}
		}
		if err := f.patience.regain(ctx, f.client, f.id, err); err != nil {
			return api.Run{}, err
		}
	}
}

// stream prints what one connection gives.
func (f *follower) stream(ctx context.Context) (err error) {
	before := f.after
	if f.raw != nil {
		f.after, err = f.client.CopyLogs(ctx, f.id, f.after, true, outputWriter{f.raw})
	} else {
		err = f.client.Logs(ctx, f.id, f.after, true, func(l api.LogLine) error {
			if l.Seq <= f.after {
				return nil
			}
			f.after = l.Seq
			return f.print(l)
		})
	}
	if f.after > before {
		f.patience.progress()
	}
	if problem.CodeOf(err) == problem.LogRemoved { // the run says so, too
		return nil
	}
	return err
}

// watch is a follower at work beside the signals.
type watch struct {
	ended chan ending // gets one
	stop  context.CancelFunc
}

// follow prints the log of the session's run until its end.
func (s *session) follow(ctx context.Context, submitted api.Submitted) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{ended: make(chan ending, 1), stop: stop}
	p := &printer{stdout: s.cmd.OutOrStdout(), stderr: s.cmd.ErrOrStderr(), json: s.cli.json(), result: s.local.printResult, airflow: s.airflow}
	p.before = joinedText(submitted)
	f := &follower{client: s.cli.client(), id: submitted.ID, print: p.line, patience: s.patience()}
	if p.json {
		f.raw = p.stdout
	}
	go func() {
		run, err := f.toEnd(ctx)
		if err == nil {
			err = p.end(run)
		}
		w.ended <- ending{run, err}
	}()
	return w
}

// quiet ends the printing, so that the reason comes after the last line.
func (w *watch) quiet() {
	w.stop()
	select {
	case <-w.ended:
	case <-time.After(quietWithin): // stdout takes no more
	}
}
