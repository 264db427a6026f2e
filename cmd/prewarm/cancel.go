package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// Whoever sends SIGTERM kills us some seconds later, so all that follows one
// takes less than a second together.
const (
	submitWithin = 400 * time.Millisecond // for the answer to a submit under way
	cancelWithin = 400 * time.Millisecond // for the answer to a cancel
	quietWithin  = 100 * time.Millisecond // for the last line to be out
)

// run submits a run and stays with it until its end or a signal.
func (c *cli) run(cmd *cobra.Command, request api.SubmitRun) error {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	// A write to a closed pipe is to be an error, not our end: there is a run
	// to cancel.
	signal.Ignore(syscall.SIGPIPE)

	submitted, err := c.submit(cmd.Context(), request, signals)
	if err != nil {
		return err
	}
	f := c.follow(cmd, submitted.ID)
	defer f.stop()
	select {
	case e := <-f.ended:
		return c.settle(cmd.Context(), f.id, e)
	case s := <-signals:
		return c.interrupted(cmd, f, s, signals)
	}
}

// submit sends the request. When a signal comes before the answer, a short wait
// for it tells which run to cancel.
func (c *cli) submit(ctx context.Context, r api.SubmitRun, signals chan os.Signal) (api.Run, error) {
	answered := make(chan ending, 1)
	go func() {
		run, err := c.client().Submit(ctx, r)
		answered <- ending{run, err}
	}()
	select {
	case a := <-answered:
		return a.submitted()
	case s := <-signals:
		select {
		case a := <-answered:
			signals <- s // there is room: it was taken out of there
			return a.submitted()
		case <-time.After(submitWithin):
			return api.Run{}, &codeError{code: codeOf(s), err: fmt.Errorf("%s before the server answered: it may have accepted the run", s)}
		}
	}
}

// submitted tells whether a failed submit may have been accepted all the same:
// when the server answered, or was never reached, nothing was executed.
func (e ending) submitted() (api.Run, error) {
	switch {
	case e.err == nil:
		return e.run, nil
	case problem.CodeOf(e.err) == problem.ServerLost:
		return e.run, &codeError{code: exitUnknown, err: e.err}
	default:
		return e.run, &codeError{code: exitNothingRan, err: e.err}
	}
}

// interrupted cancels the run. On SIGTERM its end is the server's business; on
// SIGINT a person watches, so it prints on until the end or another signal.
func (c *cli) interrupted(cmd *cobra.Command, f *follower, s os.Signal, signals <-chan os.Signal) error {
	coded := c.cancel(cmd.Context(), f.id, codeOf(s), fmt.Errorf("signal %s", s))
	if s == os.Interrupt {
		notice(cmd.ErrOrStderr(), fmt.Sprintf("canceling run %s; once more to stop watching", f.id))
		select {
		case <-signals:
		case e := <-f.ended:
			if e.err == nil && e.run.State != "canceled" {
				return outcome(e.run) // it ended before the stop was sent
			}
			return coded
		}
	}
	f.quiet()
	return coded
}

// notice tells a person something between the lines. Programs read our stderr
// as the container's, so nothing of ours stands between its lines there.
func notice(w io.Writer, text string) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintln(w, "prewarm:", text)
	}
}

// quiet ends the printing, so that the reason comes after the last line.
func (f *follower) quiet() {
	f.stop()
	select {
	case <-f.ended:
	case <-time.After(quietWithin): // stdout takes no more
	}
}

// cancel asks the server to stop the run, and says how that went.
func (c *cli) cancel(ctx context.Context, id string, code int, why error) *codeError {
	ctx, stop := context.WithTimeout(ctx, cancelWithin)
	defer stop()
	run, err := c.client().Cancel(ctx, id)
	switch {
	case err != nil:
		return &codeError{code: code, err: fmt.Errorf("run %s was not canceled (%w) and may go on: %w", id, why, err)}
	case run.Ended:
		return &codeError{code: code, err: fmt.Errorf("%w; run %s had %s", why, id, run.State)}
	default:
		return &codeError{code: code, err: fmt.Errorf("run %s canceled: %w", id, why)}
	}
}

// codeOf is the exit code of a program that a signal ended.
func codeOf(s os.Signal) int { return 128 + int(s.(syscall.Signal)) }
