package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

// follower prints the log of a run, and then knows its outcome.
type follower struct {
	id    string
	ended chan ending // gets one
	stop  context.CancelFunc
}

// ending is a run that ended, or why that was not seen.
type ending struct {
	run api.Run
	err error
}

// outputError is a line that could not be printed: the run is well, and its
// reader is not.
type outputError struct{ err error }

func (e *outputError) Error() string { return e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

func (c *cli) follow(cmd *cobra.Command, id string) *follower {
	ctx, stop := context.WithCancel(cmd.Context())
	f := &follower{id: id, ended: make(chan ending, 1), stop: stop}
	go func() {
		run, err := c.printLog(ctx, id, cmd.OutOrStdout(), cmd.ErrOrStderr())
		f.ended <- ending{run, err}
	}()
	return f
}

// printLog prints the log of a run to its end and gives the ended run.
func (c *cli) printLog(ctx context.Context, id string, stdout, stderr io.Writer) (api.Run, error) {
	if err := c.client().Logs(ctx, id, 0, true, c.linePrinter(stdout, stderr)); err != nil {
		return api.Run{}, err
	}
	run, err := c.client().Run(ctx, id)
	if err == nil && c.json() {
		err = written(printJSONLine(stdout, map[string]any{"run": run}))
	}
	return run, err
}

// linePrinter writes each line to where the container wrote it, as it was.
func (c *cli) linePrinter(stdout, stderr io.Writer) func(api.LogLine) error {
	if c.json() {
		return func(l api.LogLine) error { return written(printJSONLine(stdout, l)) }
	}
	return func(l api.LogLine) error {
		w := stdout
		if l.Stream == "stderr" {
			w = stderr
		}
		text := l.Text
		if !l.Open {
			text += "\n"
		}
		_, err := io.WriteString(w, text)
		return written(err)
	}
}

func written(err error) error {
	if err == nil {
		return nil
	}
	return &outputError{err}
}

// settle is how the program ends when the log has: by the run's outcome. A run
// whose output can't be printed is canceled rather than left to itself: nobody
// would see what it does, nor how it ends.
func (c *cli) settle(ctx context.Context, id string, e ending) error {
	var output *outputError
	switch {
	case errors.As(e.err, &output):
		coded := c.cancel(ctx, id, exitUnknown, fmt.Errorf("its output could not be printed: %w", output.err))
		if errors.Is(output.err, syscall.EPIPE) {
			coded.code = exitPipe
		}
		return coded
	case e.err != nil:
		return &codeError{code: exitUnknown, err: fmt.Errorf("lost sight of run %s, which may go on: %w", id, e.err)}
	default:
		return outcome(e.run)
	}
}

// outcome is the exit code of an ended run, with the reason where there is more
// to say than the container did.
func outcome(run api.Run) error {
	coded := &codeError{code: exitUnknown}
	if run.ExitCode != nil && *run.ExitCode != 0 {
		coded.code = *run.ExitCode
	}
	switch run.State {
	case "succeeded":
		return nil
	case "failed":
		if run.Detail != "" {
			coded.err = errors.New(run.Detail)
		}
	case "refused":
		coded.code, coded.err = exitNothingRan, errors.New(run.Detail)
	case "canceled":
		coded.err = fmt.Errorf("run %s was canceled", run.ID)
		if run.ExitCode == nil {
			coded.code, coded.err = exitNothingRan, fmt.Errorf("run %s was canceled before its container started", run.ID)
		}
	case "interrupted": // an exit code, if there is one, proves nothing
		coded.code, coded.err = exitUnknown, fmt.Errorf("run %s was interrupted: %s", run.ID, run.Detail)
	default:
		coded.err = fmt.Errorf("the log of run %s ended while it is %s: is the server stopping?", run.ID, run.State)
	}
	return coded
}
