package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newCancel() *cobra.Command {
	return c.runVerb(&cobra.Command{
		Use:   "cancel RUN...",
		Short: "Stop runs",
		Long: "Asks for runs to be stopped and does not wait for it: the server sends the stop signal, and kills\n" +
			"what is still there after the grace. A run that is queued is taken out of the queue. A run that\n" +
			"ended keeps its outcome.",
		Example: "  prewarm cancel 019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d",
	}, (*api.Client).Cancel, func(run api.Run) string {
		if run.Ended {
			return fmt.Sprintf("run %s had ended: it is %s", run.ID, run.State)
		}
		return fmt.Sprintf("run %s is being canceled", run.ID)
	})
}

func (c *cli) newReject() *cobra.Command {
	return c.runVerb(&cobra.Command{
		Use:   "reject RUN...",
		Short: "Say that a run's success can't be used, so that its key's next submit starts anew",
		Long: "For callers that count a success of the program as a failure of their own: the next submit under\n" +
			"the key and epoch of the run is not answered with it, but gets a new container.",
		Example: "  prewarm reject 019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d",
	}, (*api.Client).Reject, func(run api.Run) string { return fmt.Sprintf("run %s is rejected", run.ID) })
}

func (c *cli) newRelease() *cobra.Command {
	return c.runVerb(&cobra.Command{
		Use:   "release RUN...",
		Short: "Free the key of a run whose container nobody can know of",
		Long: "A run whose host was lost keeps its key, because its container may still run: a second one would\n" +
			"do the work twice. Release says that it does not: for a host that will never come back. The next\n" +
			"submit under the key then starts a new container. Should the host come back all the same, the old\n" +
			"container is stopped.",
		Example: "  prewarm release 019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d",
	}, (*api.Client).Release, func(run api.Run) string { return fmt.Sprintf("run %s is released: it is %s", run.ID, run.State) })
}

// runVerb makes a verb that does one thing to each of some runs.
func (c *cli) runVerb(cmd *cobra.Command, do func(*api.Client, context.Context, string) (api.Run, error), said func(api.Run) string) *cobra.Command {
	cmd.Args = someRuns
	cmd.ValidArgsFunction = c.completeRun(cmd.Name() == "cancel")
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		done := api.Runs{Runs: []api.Run{}} // none is a list, too, to programs
		var failed []error
		for _, id := range ids {
			run, err := do(c.client(), cmd.Context(), id)
			if err != nil {
				failed = append(failed, err)
				continue
			}
			done.Runs = append(done.Runs, run)
			if !c.json() {
				fmt.Fprintln(cmd.OutOrStdout(), said(run))
			}
		}
		if c.json() {
			failed = append(failed, printJSON(cmd.OutOrStdout(), done))
		}
		return errors.Join(failed...)
	}
	return c.remote(cmd)
}

func (c *cli) newInspect() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "inspect RUN",
		Short: "Show all that is known of a run, as JSON",
		Long: "Prints the run: its state and why, the digest, host and container, exit code and signal, what its\n" +
			"log is, its result, and when each of its steps happened.",
		Example:           "  prewarm inspect 019a9f00-7d1c-7a3e-8a51-6f1f6a2b9c3d | jq .state",
		Args:              oneRun,
		ValidArgsFunction: c.completeRun(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := c.client().Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), run)
		},
	})
}
