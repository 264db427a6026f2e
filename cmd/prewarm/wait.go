package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newWait() *cobra.Command {
	var timeout, reconnect time.Duration
	cmd := c.remote(&cobra.Command{
		Use:   verbWait + " RUN",
		Short: "Wait for a run's end, and exit as it did",
		Long: "Prints nothing but why a run did not succeed, and exits as prewarm run would have: with the\n" +
			"container's code; 125 when nothing was executed, 124 when the deadline passed, 123 when the outcome\n" +
			"is not known. That is also the code when the timeout passes, when the run is not known to the\n" +
			"server, and when this command line can't be understood: all that says nothing about the run.",
		Example: "  prewarm wait 019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d\n" +
			"  prewarm wait --timeout 10m 019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d",
		Args:              oneRun,
		ValidArgsFunction: c.completeRun(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout < 0 || reconnect < 0 {
				return misused(cmd, "--timeout and --reconnect can't be negative")
			}
			run, err := c.awaitRun(cmd.Context(), args[0], timeout, patience{limit: reconnect})
			if err != nil {
				return &codeError{code: exitUnknown, err: err}
			}
			if c.json() {
				if err := printJSON(cmd.OutOrStdout(), run); err != nil {
					return &codeError{code: exitUnknown, err: err}
				}
			}
			if !run.Ended {
				return &codeError{code: exitUnknown, err: fmt.Errorf("run %s is %s after %s", run.ID, run.State, timeout)}
			}
			return outcome(run)
		},
	})
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long to wait; for ever when 0")
	cmd.Flags().DurationVar(&reconnect, "reconnect", defaultReconnect, "how long to try when the server can't be reached; not at all when 0")
	return cmd
}

// awaitRun gives a run once it has ended, or as it is after the timeout.
func (c *cli) awaitRun(ctx context.Context, id string, timeout time.Duration, p patience) (api.Run, error) {
	if timeout == 0 {
		timeout = math.MaxInt64
	}
	end := time.Now().Add(timeout)
	for {
		run, err := c.client().Wait(ctx, id, max(time.Until(end), 0))
		if err == nil || !passing(err) {
			return run, err
		}
		if err := p.regain(ctx, c.client(), id, err); err != nil {
			return run, err
		}
	}
}
