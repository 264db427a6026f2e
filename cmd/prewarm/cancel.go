package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// Whoever sends SIGTERM kills us some seconds later, so all that follows one
// takes less than a second together.
const (
	submitWithin = 400 * time.Millisecond // for the answer to a submit under way
	cancelWithin = 400 * time.Millisecond // for the answer to a cancel
	cancelAgain  = 50 * time.Millisecond  // before the next try, of a server that is being restarted
	quietWithin  = 100 * time.Millisecond // for the last line to be out
)

// interrupted cancels the run. On SIGTERM its end is the server's business; on
// SIGINT a person watches, so it prints on until the end or another signal.
func (s *session) interrupted(ctx context.Context, f *watch, caught os.Signal) error {
	coded, stopping := s.cancel(ctx, codeOf(caught), fmt.Errorf("signal %s", caught))
	coded.hurry = true
	if caught == os.Interrupt && stopping {
		notice(s.cmd.ErrOrStderr(), fmt.Sprintf("canceling run %s; once more to stop watching", s.seen.ID))
		select {
		case <-s.signals:
		case e := <-f.ended:
			if e.err != nil {
				return coded
			}
			if s.seen = e.run; e.run.State != "canceled" {
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
	if isTerminal(w) {
		fmt.Fprintln(w, "prewarm:", text)
	}
}

// cancel asks the server to stop the run, and says how that went, and whether
// the run stops.
func (s *session) cancel(ctx context.Context, code int, why error) (coded *codeError, stopping bool) {
	ctx, stop := context.WithTimeout(ctx, cancelWithin)
	defer stop()
	run, err := s.cancelNow(ctx)
	if problem.CodeOf(err) == problem.JoinedSince {
		return &codeError{code: code, err: fmt.Errorf("%w: %w", why, err)}, false
	}
	if err != nil {
		return &codeError{code: code, err: fmt.Errorf("run %s was not canceled (%w) and may go on: %w", s.seen.ID, why, err)}, false
	}
	if s.seen = run; run.Ended {
		return &codeError{code: code, err: fmt.Errorf("%w; run %s had %s", why, run.ID, run.State)}, true
	}
	return &codeError{code: code, err: fmt.Errorf("run %s canceled: %w", run.ID, why)}, true
}

// cancelNow has a connection of its own: those that are there may be stuck with
// the log, or lead nowhere any more, and over HTTP/2 all requests share one.
func (s *session) cancelNow(ctx context.Context) (api.Run, error) {
	client, leave := s.cli.client().Apart()
	defer leave()
	var first error
	for {
		run, err := client.Withdraw(ctx, s.seen.ID, s.word)
		if err == nil || !passing(err) {
			return run, err
		}
		if first == nil { // later ones tell of our own hurry
			first = err
		}
		select {
		case <-ctx.Done():
			return run, first
		case <-time.After(cancelAgain):
		}
	}
}

// codeOf is the exit code of a program that a signal ended.
func codeOf(s os.Signal) int { return exitSignal + int(s.(syscall.Signal)) }
