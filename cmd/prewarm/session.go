package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// session is one prewarm run: a submit, its log, its end.
type session struct {
	cli     *cli
	cmd     *cobra.Command
	local   localFlags
	airflow bool
	request api.SubmitRun

	signals chan os.Signal
	parents parents
	word    string  // of the submit: all of its tries are one call
	seen    api.Run // as it was when it was seen last
}

// ending is a run that ended, or why that was not seen.
type ending struct {
	run api.Run
	err error
}

// stay submits the run and stays with it.
func (s *session) stay(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.signals = make(chan os.Signal, 3)
	signal.Notify(s.signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(s.signals)
	// A write to a closed pipe is to be an error, not our end: there is a run
	// to cancel.
	signal.Ignore(syscall.SIGPIPE)
	s.parents = watchParents(ctx, s.airflow)

	submitted, err := s.submit(ctx)
	if err != nil {
		return err
	}
	s.seen = submitted.Run
	if s.local.detach {
		return s.leave(submitted)
	}
	f := s.follow(ctx, submitted)
	select {
	case e := <-f.ended:
		return s.settle(ctx, e)
	case <-s.parents.gone:
		f.quiet()
		return s.orphaned()
	case caught := <-s.signals:
		return s.interrupted(ctx, f, caught)
	}
}

// orphaned is how it ends when nobody waits for it any more.
func (s *session) orphaned() error {
	return &codeError{code: exitOrphan, hurry: true, err: fmt.Errorf("the program that started this one is gone; run %s goes on", s.seen.ID)}
}

// leave prints what is needed to find the run again.
func (s *session) leave(submitted api.Submitted) error {
	var err error
	if s.cli.json() {
		err = printJSON(s.cmd.OutOrStdout(), submitted)
	} else {
		for _, text := range joinedText(submitted) {
			fmt.Fprintln(s.cmd.ErrOrStderr(), "prewarm:", text)
		}
		_, err = fmt.Fprintln(s.cmd.OutOrStdout(), submitted.ID)
	}
	if err != nil {
		return &codeError{code: exitUnknown, err: fmt.Errorf("run %s goes on, and its id could not be printed: %w", submitted.ID, err)}
	}
	return nil
}

// submit sends the request. When a signal comes before the answer, a short wait
// for it tells which run to cancel.
func (s *session) submit(ctx context.Context) (api.Submitted, error) {
	type answer struct {
		submitted api.Submitted
		err       error
	}
	answered := make(chan answer, 1)
	go func() {
		submitted, err := s.submitAgain(ctx)
		answered <- answer{submitted, err}
	}()
	select {
	case a := <-answered:
		return a.submitted, a.err
	case <-s.parents.gone:
		return api.Submitted{}, &codeError{code: exitOrphan, hurry: true, err: errors.New("the program that started this one is gone; the server may have accepted the run")}
	case caught := <-s.signals:
		select {
		case a := <-answered:
			select {
			case s.signals <- caught:
			default: // more came meanwhile: one of them does as well
			}
			return a.submitted, a.err
		case <-time.After(submitWithin):
			return api.Submitted{}, &codeError{code: codeOf(caught), hurry: true, err: fmt.Errorf("%s before the server answered: it may have accepted the run", caught)}
		}
	}
}

// submitAgain sends the request until it is answered. One word goes with all of
// its tries, so that they are one call to the server: a run that was accepted
// by a try whose answer was lost is what the next one gets.
func (s *session) submitAgain(ctx context.Context) (api.Submitted, error) {
	s.word = rand.Text()
	patience := s.patience()
	var lost error // a try that may have arrived
	there := false // somebody answered, or did until now
	for {
		submitted, err := s.cli.client().Submit(ctx, s.request, s.word)
		code := problem.CodeOf(err)
		switch {
		case err == nil:
			return submitted, nil
		case code == problem.ServerLost:
			lost, there = err, true
		case code == problem.Stopping, code == problem.TooManyRequests: // a restart, or a crowd
			there = true
		case code == problem.ServerUnreachable && there:
		case code == problem.Internal: // who knows how far it came
			return submitted, &codeError{code: exitUnknown, err: err}
		default: // refused, or nobody was there from the start
			return submitted, notExecuted(err)
		}
		if !patience.rest(ctx, err) {
			if lost != nil {
				return submitted, &codeError{code: exitUnknown, err: lost}
			}
			return submitted, notExecuted(err)
		}
	}
}

// patience is how long a server that is gone is tried.
func (s *session) patience() patience {
	return patience{limit: s.local.reconnect, lost: func(failure error) {
		notice(s.cmd.ErrOrStderr(), fmt.Sprintf("trying again for %s: %s", s.local.reconnect, failure))
	}}
}

// joinedText tells that an earlier run answers the submit.
func joinedText(s api.Submitted) []string {
	if !s.Joined {
		return nil
	}
	said := []string{fmt.Sprintf("joined run %s of %s, which is %s since %s", s.ID, s.Key, s.State, stamp(&s.SubmittedAt))}
	if s.Ended {
		said[0] = fmt.Sprintf("run %s of %s did this work: it %s at %s", s.ID, s.Key, s.State, stamp(s.EndedAt))
	}
	if len(s.Differs) > 0 {
		said = append(said, "it differs from what was asked in "+strings.Join(s.Differs, ", "))
	}
	return said
}

// settle is how the program ends when the log has: by the run's outcome. A run
// whose output can't be printed is canceled rather than left to itself: nobody
// would see what it does, nor how it ends. One whose reader was killed together
// with, or as, the program that waits goes on: another try will come for it.
func (s *session) settle(ctx context.Context, e ending) error {
	var output *outputError
	switch {
	case errors.As(e.err, &output) && errors.Is(output.err, syscall.EPIPE) && s.parents.leave():
		return s.orphaned()
	case errors.As(e.err, &output):
		coded, _ := s.cancel(ctx, exitUnknown, fmt.Errorf("its output could not be printed: %w", output.err))
		if errors.Is(output.err, syscall.EPIPE) {
			coded.code = exitPipe
		}
		return coded
	case e.err != nil:
		return &codeError{code: exitUnknown, err: fmt.Errorf("lost sight of run %s, which may go on: %w", s.seen.ID, e.err)}
	default:
		s.seen = e.run
		return s.judge(ctx, e.run)
	}
}

// judge is the run's outcome, and whether the result that was asked for is
// there. A success without it is none to the caller, so the next try of its work
// must not be answered with it.
func (s *session) judge(ctx context.Context, run api.Run) error {
	if run.State != "succeeded" || s.request.Result == "" || run.Result != nil {
		return outcome(run)
	}
	err := fmt.Errorf("run %s succeeded, but not its result %s: %s", run.ID, s.request.Result, cmp.Or(run.Detail, "it can't be had"))
	if run.Key != "" {
		err = also(err, s.reject(ctx, run))
	}
	return &codeError{code: exitFailed, err: err}
}

// reject tells the server that a success can't be used: the run's, and that of
// the one that it was answered with.
func (s *session) reject(ctx context.Context, run api.Run) error {
	ctx, stop := context.WithTimeout(ctx, lookWithin)
	defer stop()
	for _, id := range dropEmpty([]string{run.ID, run.SameAs}) {
		if _, err := s.cli.client().Reject(ctx, id); err != nil {
			return fmt.Errorf("and it could not be rejected, so that the next submit of %s may be answered with it: %w", run.Key, err)
		}
	}
	return nil
}
