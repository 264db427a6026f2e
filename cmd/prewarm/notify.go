package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newNotify() *cobra.Command {
	return group(&cobra.Command{
		Use:   "notify",
		Short: "Try the routes of notices",
	}, c.newNotifyTest())
}

func (c *cli) newNotifyTest() *cobra.Command {
	var ask api.NoticeTestRequest
	cmd := c.remote(&cobra.Command{
		Use:   "test ROUTE",
		Short: "Show what a route would tell, or send a test",
		Long: "Shows, for each kind of event that the route tells, the title and the text that come out of its\n" +
			"templates for a made-up event. With --send one is really sent, marked as a test, and the exit code\n" +
			"says whether the channel took it.",
		Example: "  prewarm notify test data-eng\n" +
			"  prewarm notify test data-eng --kind run_failed --send",
		Args: oneRoute,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := c.client().TestNotices(cmd.Context(), args[0], ask)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), found)
			}
			printSamples(cmd.OutOrStdout(), found.Samples)
			return nil
		},
	})
	cmd.Flags().StringVar(&ask.Kind, "kind", "", "an event of this `kind`, as run_failed")
	cmd.Flags().BoolVar(&ask.Send, "send", false, "send it")
	return cmd
}

func oneRoute(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return misused(cmd, "name one route, as the configuration does under notify")
	}
	return nil
}

func printSamples(w io.Writer, samples []api.NoticeSample) {
	for i, s := range samples {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s\n", s.Kind, plain(s.Title))
		for line := range strings.SplitSeq(s.Text, "\n") {
			fmt.Fprintln(w, strings.TrimRight("    "+plain(line), " "))
		}
		if s.Sent {
			fmt.Fprintln(w, "\nit was sent")
		}
	}
}
